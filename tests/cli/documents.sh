# Work over documents: killed at 50 random moments it loses nothing and doubles nothing, and its answer is that of a run
# that nobody disturbed; lines, JSON lines, packed text, draws; what cannot be read is said.
. "$CASES/lib.sh"
work="layers --text held-out --documents 60 --do skip --quiet --csv"
sonde $work --results none >whole.csv || echo "no run at all"
kills=0 round=0
# The moment is drawn so that a run loses from nothing to all of its work; a run that ends by itself begins anew.
while [ $kills -lt 50 ] && [ $round -lt 400 ]; do
    round=$((round + 1))
    setsid sonde $work --results killed.sqlite >part.csv 2>part.err &
    pid=$!
    sleep "$(awk -v r=$round 'BEGIN { srand(r); printf "%.3f", rand() * .12 }')"
    if kill -9 $pid 2>/dev/null; then kills=$((kills + 1)); fi
    wait $pid 2>/dev/null
    status=$?
    [ $status = 137 ] || [ $status = 0 ] || { echo "round $round: exit $status"; cat part.err; }
    [ $status != 0 ] || { cmp -s part.csv whole.csv || echo "round $round: another answer"; rm -f killed.sqlite*; }
done 2>/dev/null
echo "$kills kills"
sonde $work --results killed.sqlite >again.csv && cmp again.csv whole.csv && echo same answer
sonde results killed.sqlite --csv | cut -d, -f2,5,6
sonde results killed.sqlite --show 1 --csv | cmp - whole.csv && echo same answer kept
sonde results killed.sqlite --cells 1 --csv | awk -F, 'NR > 1 { print $1, $2, $3 }' | sort | uniq -d | head -n 3

# a sweep keeps its cells where it is asked to, each prompt with its own B and answers
sweep='ablate --metric loss --over attn.hook_pattern[h,t,s] --quiet --csv'
sonde $sweep "When Mary and John" >whole.csv
for wait in .01 .02 .04 .08; do timeout -s KILL $wait sonde $sweep "When Mary and John" --results cells.sqlite >part.csv; done 2>/dev/null
sonde $sweep "When Mary and John" --results cells.sqlite | cmp - whole.csv && echo same sweep
printf '{"prompt": "a b", "answer": " a", "wrong": " b"}\n{"prompt": "a b", "answer": " b", "wrong": " a"}\n' >pairs.jsonl
for results in none cells.sqlite cells.sqlite; do sonde ablate --prompts pairs.jsonl --over "hook_mlp_out" --quiet --csv --results $results | cksum; done | sort -u | wc -l

# what a run's text means belongs to what an experiment is known by
for escape in "" --escape; do
    for results in none cells.sqlite; do sonde ablate "a b c d" --run 'C=a \x20' $escape --metric 'kl(C)' --over hook_mlp_out --quiet --csv --results $results | cksum; done | uniq | wc -l
done

printf 'The river was wide.\n\nMary had a key.\n' >lines.txt
printf '{"text": "The river was wide."}\n{"prompt": "Mary had a key."}\n{"tokens": [3, 4, 5]}\n' >lines.jsonl
try eval --text lines.txt --results none --csv
try eval --text lines.jsonl --results none --csv
# one document has no standard error
try eval --text lines.txt --documents 1 --results none --csv
try eval --text held-out --packed --cut 50 --documents 3 --results none --csv
try eval --text held-out --random --seed 4 --documents 3 --results none --csv
try eval --text held-out --random --seed 5 --documents 3 --results none --csv
try eval --text held-out --documents 3 --bos yes --results none --csv
try eval --text held-out --documents 3 --dry-run
# folded weights answer alike
for fold in "" --fold; do sonde eval --text held-out --documents 3 $fold --results none --csv | awk -F, 'NR == 2 { printf "%.5f %.5f\n", $4, $9 }'; done
fails eval
fails eval --text nowhere.txt
fails eval --text lines.txt "a prompt"
fails eval --text lines.txt --documents -1
fails layers --text lines.txt --do mix --results none
fails eval --text lines.txt --results /nowhere/x.sqlite
printf 'no database, and longer than a header would be: it goes on, and on, and on, and on, and on, and on, and on\n' >text.sqlite
fails eval --text lines.txt --results text.sqlite
fails results nothing.sqlite
fails results killed.sqlite --show 7
