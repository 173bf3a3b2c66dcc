#!/bin/sh
# check-hostile.sh ROOT - docs/hostile.md: every cap is what the source defines, every test it names is there.
cd "$1" || exit 2
page=docs/hostile.md passed=0 failed=0
work=$(mktemp) || exit 2
trap 'rm -f "$work"' EXIT
tell() { if [ "$1" = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "$page: $2"; fi; }
# | what | number | `NAME = value` | file |
sed -n 's/^| [^|]* | \([0-9]*\) | `\([^`]*\)` | \([^ ]*\) |$/\1;\2;\3/p' "$page" >"$work"
while IFS=';' read -r number definition file; do
    tr -s " " <"$file" | grep -Fq "$definition"
    tell $? "$file has no \"$definition\""
    [ $((${definition#*= })) = "$number" ]
    tell $? "$definition is not $number"
done <"$work"
# Names in the last column: rows of tests/bad, tests, fuzz targets.
sed -n '/^## Faults/,$s/^|.*| \([^|]*\) |$/\1/p' "$page" | grep -o '`[^`]*`' | tr -d '`' | sort -u >"$work"
while read -r name; do
    grep -q "^$name	" tests/bad/expected.tsv tests/bad/expected_torch.tsv || grep -q "NAME $name " tests/CMakeLists.txt ||
        [ -f "tests/fuzz/$name.c" ] || [ -f "tests/$name.c" ]
    tell $? "no test $name"
done <"$work"
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 60 ]
