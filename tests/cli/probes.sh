# Probes: what a results file keeps answers alike, files of pairs, and what cannot be read.
. "$CASES/lib.sh"
one="probe --text held-out --documents 30 --k 6 --quiet"
sonde $one --results none --csv >whole.csv
sonde $one --results kept.sqlite --documents 12 --csv >part.csv
sonde $one --results kept.sqlite --csv | cmp - whole.csv && sonde $one --results kept.sqlite --csv --threads 1 | cmp - whole.csv && echo same answer
cut -d, -f1-4 whole.csv
sonde $one --site hook_resid_post --results none --csv | cut -d, -f1-3
sonde $one --site hook_resid_post --dry-run
head -n 1 whole.csv
sonde wic --pairs held-out --csv --quiet | cut -d, -f1-4
printf '{"a": "the key", "b": "a key", "word": "key", "same": true}\n' >one.jsonl
printf '{"a": "the key", "b": "a key", "word": "lock", "same": true}\n' >bad.jsonl
fails wic
fails wic --pairs nowhere.jsonl
fails wic --pairs bad.jsonl
fails wic --pairs one.jsonl
fails wic --pairs held-out --feature sum
fails probe
fails probe --text held-out --class nothing --results none
fails probe --text held-out --documents 2 --results none
fails probe --text held-out --neurons 9.1 --results none
