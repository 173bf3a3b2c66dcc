# Help is made from the tables: every verb has a page, as text and as data, and an example.
. "$CASES/lib.sh"
verbs=$(sonde help | awk '/^$/ { part++ } part == 2 && /^  [a-z]/ { print $1 }')
echo $verbs
for verb in $verbs; do
    sonde help $verb >a.txt || echo "help $verb fails"
    sonde $verb --help >b.txt || echo "$verb --help fails"
    sonde $verb -h >c.txt || echo "$verb -h fails"
    cmp a.txt b.txt; cmp a.txt c.txt
    head -n 1 a.txt | grep -q "^sonde $verb - " || echo "$verb has another page"
    grep -q '^Example' a.txt || echo "$verb has no example"
    sonde $verb --help --json >a.json || echo "$verb has no data"
    sonde help $verb --json | cmp - a.json
    grep -q "\"name\":\"$verb\"" a.json || echo "$verb has other data"
done
for page in $(sonde docs); do
    sonde docs $page | head -n 1
done
for page in edits metrics sites prompts models files options exits; do
    sonde help $page >a.txt || echo "help $page fails"
done
sonde >a.txt; sonde help | cmp - a.txt; sonde --help | cmp - a.txt; sonde -h | cmp - a.txt
sonde --version | sed 's/[0-9.]*$/N/'
sonde lens --version | sed 's/[0-9.]*$/N/'
try help exits
