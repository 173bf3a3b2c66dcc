#!/bin/sh
# check-docs.sh SONDE [--update] - docs/reference/*.md, and docs/files.md, are what `sonde docs PAGE` prints; docs/families.md is
# what tools/families.sh prints.
tools=$(dirname "$0")
folder=$(dirname "$0")/../docs/reference
place() {
    case $1 in
    files | families) echo "$folder/../$1.md" ;;
    *) echo "$folder/$1.md" ;;
    esac
}
print() {
    if [ "$2" = families ]; then "$tools/families.sh" "$1"; else "$1" docs "$2"; fi
}
passed=0 failed=0
fail() { echo "$(place "$1"): $2"; failed=$((failed + 1)); }
pages=$("$1" docs) || exit 2
made=$(mktemp) || exit 2
trap 'rm -f "$made"' EXIT
mkdir -p "$folder"
for page in $pages; do
    print "$1" "$page" >"$made" || fail "$page" "cannot be printed"
    [ "${2:-}" != --update ] || cp "$made" "$(place "$page")"
    if cmp -s "$made" "$(place "$page")"; then passed=$((passed + 1))
    else fail "$page" "differs, expected what it prints now (tools/check-docs.sh SONDE --update)"; fi
done
for file in "$folder"/*.md; do
    name=$(basename "$file" .md)
    echo "$pages" | grep -qx "$name" || fail "$name" "is no page of \"sonde docs\""
done
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
