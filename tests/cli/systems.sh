# Every command of docs/systems.md and every recipe of docs/transformerlens.md works as typed, and says something.
docs=$CASES/../../docs
ran=0
check() {
    eval "$1" >out.txt 2>err.txt </dev/null
    status=$?
    written=$(expr "$1" : '.*--out \([^ ]*\)')
    [ $status = 0 ] && { [ -s "${written:-out.txt}" ] || expr "$1" : 'printf.*>' >/dev/null; } || { echo "$1: exit $status"; head -n 3 err.txt; }
    ran=$((ran + 1))
}
grep '^| [A-F][0-9]' "$docs/systems.md" | sed -n 's/^[^`]*`\(sonde [^`]*\)`.*/\1/p' >commands.txt
awk '/```sh/ { on = 1; next } /```/ { on = 0 } on { sub(/^ */, ""); print }' "$docs/transformerlens.md" >>commands.txt
while IFS= read -r line; do check "$line"; done <commands.txt
[ $ran -ge 40 ] && echo all
# The tests and pictures that it names are there.
grep '^| [A-F][0-9]' "$docs/systems.md" | grep -o '`test_[a-z_]*`' | tr -d '`' | sort -u | while read -r name; do
    [ -f "$CASES/../$name.c" ] || echo "no $name"
done
grep -o '(pictures/[^)]*)' "$docs/systems.md" | tr -d '()' | while read -r file; do [ -s "$docs/$file" ] || echo "no $file"; done
