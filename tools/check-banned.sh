#!/bin/sh
# check-banned.sh ROOT - calls that are not used here, printing and exiting outside src/cli, flags that break sums.
cd "$1" || exit 2
out=$(mktemp) || exit 2
trap 'rm -f "$out"' EXIT
# Comments and strings are blanked, lines kept.
blank() {
    awk '{ line = $0
           gsub(/\\./, "", line); gsub(/"[^"]*"/, "\"\"", line)
           if (inside) { if (!sub(/^.*\*\//, "", line)) line = ""; else inside = 0 }
           gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line); if (sub(/\/\*.*$/, "", line)) inside = 1
           sub(/\/\/.*$/, "", line)
           print FILENAME ":" FNR ":" line }' "$1"
}
sources=$(find src include bench examples -name '*.[ch]' -o -name '*.inc' -o -name '*.def' | sort)
for file in $sources; do blank "$file"; done >"$out.text"
ban() { grep -E "$1" "$out.text" | grep -Ev "${3:-^$}" | sed "s|\$|    [$2]|" >>"$out"; }
word='(^|[^A-Za-z0-9_.>])'
ban "$word(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|rand|srand|gets|system|popen)[ ]*\\(" 'banned call'
ban "$word(alloca|setjmp|longjmp|sigsetjmp)[ ]*\\(" 'no alloca, no setjmp outside tests'
ban "$word(printf|vprintf|puts|putchar|perror|fprintf|fputs|fputc|exit|_exit|quick_exit)[ ]*\\(" \
    'only src/cli prints or ends the process' '^(src/cli|bench|examples)/|arena\.c:[0-9]*:.*abort\(\)'
ban "$word(stdout|stderr)([^A-Za-z0-9_]|\$)" 'only src/cli prints' '^(src/cli|bench|examples)/|arena\.c:[0-9]*:.*abort\(\)'
grep -nE -e '-ffast-math|-Ofast|-funsafe-math|-fassociative-math|-ffp-contract=(fast|on)' CMakeLists.txt CMakePresets.json \
    tests/CMakeLists.txt $(find bench examples tools -name CMakeLists.txt) /dev/null | sed 's/$/    [breaks sums]/' >>"$out"
grep -q -e -Wvla CMakeLists.txt || echo 'CMakeLists.txt: -Wvla is gone' >>"$out"
cat "$out"
rm -f "$out.text"
failed=$(grep -c . "$out")
echo "$(echo "$sources" | grep -c .) passed, $failed failed"
[ "$failed" = 0 ]
