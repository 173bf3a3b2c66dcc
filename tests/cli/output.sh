# stdout has the result alone; files are chosen by their ending and appear whole or not at all.
. "$CASES/lib.sh"
export SONDE_MODEL=induction
text=" red cat river key red cat"
try tokens "$text" --csv
try tokens "$text" --out t.csv --out t.json -o t.txt --out t.tsv
cat t.csv
cmp t.tsv t.csv | cut -c1-5
try tokens "$text" --out t2.csv --csv
cmp t.csv t2.csv
sonde tokens "$text" --json >a.json && cmp a.json t.json && echo the same JSON
fails tokens "$text" -o t.gif
fails tokens "$text" -o t.foo
fails tokens "$text" -o ""
fails tokens "$text" -o absent/t.csv
fails tokens "$text" -o t.npy
ls
sonde attention "$text" | head -n 1
sonde tokens "$text" >/dev/full
echo "exit $?"
sonde tokens "$text" >&-
echo "exit $?"
sonde info | grep -c "$(printf '\033')"
sonde attention "$text" >/dev/null
sonde attention "$text" --quiet >/dev/null
