# docs/tutorial.md: its lines give what it shows.
. "$CASES/lib.sh"
page=$CASES/../../docs/tutorial.md
ln -s "$CASES/../../tests" tests
awk '/^```console/ { inside = 1; next } /^```/ { inside = 0 } inside' "$page" >shown.txt
grep '^\$ ' shown.txt | while IFS= read -r line; do
    printf '%s\n' "$line"
    sh -c "${line#??}" 2>err.txt
    [ ! -s err.txt ] || cat err.txt
done >printed.txt
cmp shown.txt printed.txt && echo "$(grep -c '^\$ ' shown.txt) lines of the page"
[ -z "${SHOW:-}" ] || cp printed.txt "$SHOW"
