# Two texts by --pair, --context, JSON lines and run B; vectors into files; what a model lacks.
. "$CASES/lib.sh"
SONDE_MODELS=$CASES/../golden/families
class=bert_class qa=bert_qa fill=bert_mlm sentence=bert_sentence
try tokens -m $class "Who hears?" --pair "the dogs, cat"
try classify -m $class "Who hears?" --pair "the dogs, cat" --csv
printf '{"prompt": "Who hears?", "pair": "the dogs, cat"}\n{"text": "a man"}\n{"tokens": [2,5,3,7,3], "types": [0,0,0,1,1]}\n' >rows.jsonl
try classify -m $class --prompts rows.jsonl --csv
printf '{"prompt": "Who hears?"}\n{"prompt": "a man", "pair": "the cat"}\n' >questions.jsonl
try answer -m $qa --prompts questions.jsonl --context "the dogs, cat" --top 1 --longest 3
try answer -m $qa "Who hears?" --context 'the\tdogs' --escape --top 1 --csv
# the same run: --pair, JSON lines, what trace wrote
sonde trace -m $class "Who hears?" --pair "the dogs, cat" --out t.safetensors >/dev/null && sonde verify -m $class t.safetensors 2>&1 | tail -n 1
printf '{"prompt": "the cat", "pair": "a man", "B": "the dog"}\n' >b.jsonl
printf '{"prompt": "the cat", "pair": "a man", "B": "the dog", "B_pair": "a dog"}\n' >c.jsonl
sonde compare -m $class --prompts b.jsonl --csv >b1.csv && sonde compare -m $class --prompts c.jsonl --csv >c1.csv
sonde compare -m $class "the cat" --pair "a man" --run B="the dog" --csv | cut -d, -f3- >b2.csv
cut -d, -f4- b1.csv | cmp - b2.csv && echo "run B has the prompt's pair"
cmp -s b1.csv c1.csv || echo "B_pair is another one"
sonde classify -m $class "Who hears?" --pair "the dogs, cat" --json --quiet >first.json
sonde again first.json --json --quiet | cmp - first.json && echo "again: pair"
sonde embed -m $sentence "the cat" "a dog" --json --quiet >first.json
sonde again first.json --json --quiet | cmp - first.json && echo "again: texts"
sonde embed -m $sentence "the cat" "a dog" --out v.npy && head -c 6 v.npy | tail -c 5
echo
try embed -m $sentence "the cat" "a dog" "the dog"
try fill -m $fill "a [MASK] and [MASK]" --top 1 --target cat --target '#8'
try fill -m $fill "the cat [MASK]" --dry-run
try info -m $class --csv | grep -v '^hash'
# what is refused
fails tokens "a text" --pair "another"
fails tokens -m $class --tokens 1,2 --pair "a text"
fails lens --text held-out --pair "a text" --results none
fails answer -m $qa "Who?" --context a --pair b
fails answer -m $qa "Who?"
fails answer "Who?" --context a
fails fill "a [MASK]"
fails fill -m $fill "no mask"
fails classify "a text"
fails embed "a" --pooling pooler
fails embed "a" --pooling middle
fails embed -m $sentence "the old man likes a red house and the dog hears a small bird"
fails lens -m $class "a"
fails eval -m $fill --text held-out --results none
fails layers -m $fill --text held-out --results none
fails generate -m $fill "a"
fails neurons -m $fill --layers 0
fails classify -m $class a --fold
printf '{"prompt": "a", "types": [0]}\n' >bad.jsonl
fails classify -m $class --prompts bad.jsonl
printf '{"tokens": [2,3], "types": [0]}\n' >bad.jsonl
fails classify -m $class --prompts bad.jsonl
printf '{"tokens": [2,3], "types": [0,7]}\n' >bad.jsonl
fails classify -m $class --prompts bad.jsonl
