#!/bin/sh
# systems.sh SONDE [ROW..] - run the commands of docs/systems.md (all, or those rows) and draw docs/pictures/systems/ROW.png.
root=$(cd "$(dirname "$0")/.." && pwd)
sonde=$(realpath "$1"); shift
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" && ln -s "$sonde" "$work/bin/sonde"
PATH=$work/bin:$PATH SONDE_MODELS=$root/models
export PATH SONDE_MODELS
failed=0
grep '^| [A-F][0-9]' "$root/docs/systems.md" >"$work/rows"
while IFS= read -r line; do
    row=$(printf '%s' "$line" | sed 's/^| \([A-F][0-9]*\) .*/\1/')
    [ $# = 0 ] || case " $* " in *" $row "*) ;; *) continue ;; esac
    command=$(printf '%s' "$line" | sed 's/^[^`]*`\(sonde [^`]*\)`.*/\1/')
    picture=$root/docs/pictures/systems/$row.png
    case $line in *"$row.png"*) set_out="--out $picture" ;; *) set_out= ;; esac
    (cd "$work" && eval "$command $set_out" >out.txt 2>err.txt </dev/null) || { echo "$row: $command: exit $?"; cat "$work/err.txt"; failed=1; }
done <"$work/rows"
exit $failed
