# Files and texts of prompts for a direction, the .npy it writes, and what that does to a run.
. "$CASES/lib.sh"
printf '%s\n' "Mary was tired when" "Anna was late when" "Emma was happy when" "Julia was cold when" >she.txt
printf '{"prompt": "John was tired when"}\n{"text": "Tom was late when"}\n\n{"prompt": "Peter was happy when"}\n' >he.jsonl
one="--pos she.txt --neg he.jsonl --site blocks.1.hook_resid_post"
sonde direction $one --neg "text:David was cold when" --out she.npy --csv | cut -d, -f1,2,6-10
sonde direction she.txt he.jsonl --csv | wc -l
for edit in 0 2; do sonde generate "Adam was cold when" -n 1 --edit "add:blocks.1.hook_resid_post[-1]=$edit*she.npy"; done
sonde generate "Ruth was cold when" -n 1 --edit "add:blocks.1.hook_resid_post[-1]=-2*she.npy"
sonde direction $one --dry-run
fails direction --pos she.txt
fails direction --pos she.txt --neg nowhere.txt
fails direction --pos she.txt --neg text:
fails direction --pos she.txt --neg he.jsonl --site hook_pattern
fails direction --pos she.txt --neg he.jsonl --at 4
fails direction --pos she.txt --neg he.jsonl "a prompt"
