#!/bin/sh
# check-docs.sh SONDE [--update] - docs/reference/*.md, and docs/files.md, are what `sonde docs PAGE` prints.
folder=$(dirname "$0")/../docs/reference
place() {
    [ "$1" = files ] && echo "$folder/../files.md" || echo "$folder/$1.md"
}
passed=0 failed=0
fail() { echo "docs/reference/$1.md: $2"; failed=$((failed + 1)); }
pages=$("$1" docs) || exit 2
made=$(mktemp) || exit 2
trap 'rm -f "$made"' EXIT
mkdir -p "$folder"
for page in $pages; do
    "$1" docs "$page" >"$made" || fail "$page" "cannot be printed"
    [ "${2:-}" != --update ] || cp "$made" "$(place "$page")"
    if cmp -s "$made" "$(place "$page")"; then passed=$((passed + 1))
    else fail "$page" "differs, expected what \"sonde docs $page\" prints (tools/check-docs.sh SONDE --update)"; fi
done
for file in "$folder"/*.md; do
    name=$(basename "$file" .md)
    echo "$pages" | grep -qx "$name" || fail "$name" "is no page of \"sonde docs\""
done
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
