# An encoder-decoder: a target as text and as ids, in files of prompts too; traces that verify; beams; what reads one stack.
. "$CASES/lib.sh"
cp -r "$CASES/../golden/families/t5" . && t5=t5
sonde trace -m $t5 "the cat sees a house" --target "a dog" --metric "logit(#3)+loss" --grad --out trace.safetensors \
      --edit "patch:encoder.0.hook_mlp_out=B" --edit "scale:decoder.1.cross_attn.hook_pattern[0]=2" --run B="the dog sees a house" >/dev/null
sonde verify trace.safetensors -m $t5 | grep -c true
sonde hash -m $t5 "the cat" --target "a dog" >one
sonde hash -m $t5 "the cat" --target-tokens "0,$(sonde tokens -m $t5 "a dog" --bos no --csv --quiet | tail -n +2 | cut -d, -f2 | paste -sd,)" >two
cmp one two && echo same
sonde hash -m $t5 "the cat" >one
sonde hash -m $t5 "the cat" --target "" | cmp - one && echo the start alone
sonde generate -m $t5 "the cat sees" -n 6 --num-beams 4 --length-penalty 0.5
printf '{"prompt":"the cat sees","target":"a dog"}\n{"prompt":"a red house","target_tokens":[0,9,6]}\n{"prompt":"the dog"}\n' >p.jsonl
sonde generate -m $t5 --prompts p.jsonl -n 3
sonde generate -m $t5 --prompts p.jsonl -n 4 --json --quiet >first.json
sonde again first.json --json --quiet | cmp - first.json && echo the same again
sonde compare -m $t5 "the cat sees a house" --target "a dog is red" --edit "zero:decoder.0.cross_attn.hook_z[:,0]" --metric loss --top 1
sonde info -m $t5 | grep layers
fails neurons -m $t5 "the cat"
fails trace -m $t5 "the cat" --at -1 --sites hook_embed
fails sites -m $t5 --edit "skip:blocks.0"
fails sites -m $t5 --sites hook_q
fails generate -m $t5 "the cat" --target x --target-tokens 1
fails generate -m $t5 --prompts p.jsonl --target x
fails generate "The capital" --target x
fails generate -m $t5 "the cat" --num-beams 3 --stop x
