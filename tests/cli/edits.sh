# Edits one by one, from a file, and from other runs; the model has weights set by hand, so the answers are known.
. "$CASES/lib.sh"
export SONDE_MODEL=induction
text=" red cat river key red cat"
try generate "$text" -n 1
try generate "$text" -n 1 --edit "zero:blocks.1.attn.hook_z[:,0]" --json >edited.json
grep -o '"edits":\[[^]]*\]' edited.json
printf '# the induction head\n\nzero:blocks.1.attn.hook_z[:,0]\n  \n' >edits.txt
sonde hash "$text" --edit "zero:blocks.1.attn.hook_z[:,0]" >one.txt
sonde hash "$text" --edit @edits.txt >two.txt
sonde hash "$text" >none.txt
cmp one.txt two.txt && echo the same
cmp -s one.txt none.txt || echo another
sonde hash "$text" --run B=" cat river key red cat river" --edit "patch:hook_resid_pre=B" >b1.txt
sonde hash --tokens "$(sonde tokens " cat river key red cat river" --csv | sed 1d | cut -d, -f2 | paste -sd,)" >b2.txt
echo "$(wc -l <b1.txt) $(wc -l <b2.txt)"
sonde trace " cat river key red cat river" --sites hook_resid_post --out b.safetensors && ls
sonde hash "$text" --run B=@b.safetensors --edit "patch:blocks.1.hook_resid_post=B" | wc -l
fails hash "$text" --edit @absent.txt
fails hash "$text" --run B=@absent.safetensors
fails hash "$text" --run B=@edits.txt
