#!/bin/sh
# run.sh MAKE_BAD SONDE EXPECTED - every broken model: `sonde VERB -m NAME` must end with the exit and the line of its row
# (name, exit, stderr, verb; an empty line: nothing; ?: any one line that begins with "sonde: NAME"; no verb: sites). A line that
# ends in a list's "expected one of: " is the beginning of the one wanted.
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
"$1" "$work/bad" || exit 2
cd "$work/bad" || exit 2
rows=$work/rows passed=0 failed=0 tab=$(printf '\t')
# A tab is white space to read, which would leave an empty line out.
grep -v '^#' "$3" | tr "$tab" '\001' >"$rows"
separator=$(printf '\001')
while IFS=$separator read -r name want line verb; do
    "$2" "${verb:-sites}" -m "$name" >/dev/null 2>"$work/stderr" </dev/null
    got=$?
    found=$(cat "$work/stderr")
    good=1
    [ "$got" = "$want" ] || good=0
    case $line in
    '?') case $found in "sonde: $name"*) [ "$(wc -l <"$work/stderr")" = 1 ] || good=0 ;; *) good=0 ;; esac ;;
    *'expected one of: ') case $found in "$line"?*) ;; *) good=0 ;; esac ;;
    *) [ "$found" = "$line" ] || good=0 ;;
    esac
    if [ $good = 1 ]; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        printf '%s: exit %s, expected %s\n  found    %s\n  expected %s\n' "$name" "$got" "$want" "$found" "$line"
    fi
done <"$rows"
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
