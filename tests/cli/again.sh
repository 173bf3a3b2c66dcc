# What a result records runs again and says the same, byte for byte: prompts as text, as ids and from a file, edits, runs,
# documents, folded weights, draws; what is no result is refused.
. "$CASES/lib.sh"
SONDE_MODELS=$SONDE_MODELS:$CASES/../golden/families       # encoders with heads: bert_mlm, bert_qa, ..
prompt="When Mary and John went to the store, John gave a drink to"
same() {
    verb=$1; shift
    sonde $verb --json --quiet "$@" >first.json || echo "$verb $*: exit $?"
    sonde again first.json --json --quiet | cmp - first.json && echo "same: $verb"
}
same lens "$prompt"
same compare "$prompt" --edit "zero:blocks.2.attn.hook_z[:,0]" --edit "scale:blocks.1.hook_mlp_out=2" --run B="a b" --metric 'logit(" Mary")-logit(" John")'
same eval --text held-out --documents 4 --fold
same sweep --tokens 3,4,5,6 --over hook_resid_pre --do zero --metric loss
same generate "$prompt" -n 5 --temperature 1 --seed 3
same attention --layers 1 --bos yes -- "-- a dash"
same project "a b a"
same embeddings --rows 5
same neurons --layers 0
sonde trace "a b" --sites hook_resid_pre --out trace.safetensors >/dev/null
same verify trace.safetensors
same compare 'a b\\c' --run 'B=a\x20c' --escape
printf 'a \377 b' >broken.txt
# every verb's example, and what is the default for one question and a mistake for another
for verb in $(sonde help --json | tr '{' '\n' | sed -n 's/.*"name":"\([a-z]*\)".*/\1/p' | sort -u); do
    case $verb in again|bench|pull|convert|quantize|mia|tour|help|docs|trace|verify|selftest|results|direction|architecture|hash|graph) continue ;; esac
    example=$(sonde help $verb | awk 'seen && /^  sonde/ { print; exit } /^Example/ { seen = 1 }')
    eval "$example --json --quiet" >first.json 2>err.txt || { echo "$example: exit $?"; continue; }
    sonde again first.json --json --quiet >second.json 2>err.txt || { echo "again $verb: exit $?"; cat err.txt; continue; }
    cmp -s first.json second.json || echo "again $verb: another answer"
done
# an edit of more than a thousand characters is recorded whole
list=$(awk 'BEGIN { for (i = 0; i < 400; i++) printf "%s%d", i ? "," : "", i }')
same compare "$prompt" --edit "zero:blocks.1.mlp.hook_post[:,{$list}]"
same project --vocabulary --rows 0-20
same neurons --search Mary
same neurons "$prompt" --off 3.100 --on 2.5 -n 3
same contributions "Mary had a dog" --metric 'logit(" Mary",1)'
same embeddings --near " Mary"
same mia -p "When Mary" -n 3 --ablate 0.1 --select 1 2 --select 0 1 --ll l_out-1 --ll l_out-0 3
printf '{"sonde": "0", "method": "mia", "params": {"draw": "x.png"}, "prompts": [{"text": "a b"}]}' >none.json
fails again none.json
printf '{"sonde": "0", "method": "mia", "params": {"ll": ["l_out", "-d", "x.png"]}, "prompts": [{"text": "a b"}]}' >none.json
fails again none.json
[ -e x.png ] && echo "it drew"
# bytes that JSON cannot hold come back as ids
sonde attention --file broken.txt --layers 1 --json >first.json
sonde attention --file broken.txt --layers 1 --csv >first.csv && sonde again first.json --csv | cmp - first.csv && echo same: broken bytes
printf '{"prompt": "a b", "answer": " a", "wrong": " b"}\n{"prompt": "b a b", "answer": " b", "wrong": " a"}\n' >prompts.jsonl
same ablate --prompts prompts.jsonl --over hook_mlp_out
sonde info --json | sonde again - --json >info.json && echo piped
[ -e sonde-results.sqlite ] && sonde again first.json --csv >/dev/null && echo kept by eval alone
sed 's/"hash":"[0-9a-f]*"/"hash":"0000000000000000"/' first.json >other.json
try again other.json --csv --top 1 | head -n 3
fails again nothing.json
printf '{"a": 1}' >none.json
fails again none.json
printf '{"sonde": "0", "method": "none"}' >none.json
fails again none.json
fails again
# a file from elsewhere names nothing that is written or read beside it
for name in out results file json help; do
    printf '{"sonde": "0", "method": "lens", "params": {"%s": "x.json"}, "prompts": [{"text": "a b"}]}' $name >none.json
    fails again none.json
done
[ -e x.json ] && echo "it wrote"
printf '{"sonde": "0", "method": "lens", "params": ["a"], "prompts": [{"text": "a b"}]}' >none.json
fails again none.json
