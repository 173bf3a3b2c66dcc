# Every file that the official libraries made, by the command; a file that a verb takes is no prompt, so a model without a
# tokenizer will do. The weights of another model, and the gradients of another one, are noticed.
. "$CASES/lib.sh"
golden=$CASES/../golden
count=0
for model in one_head three inner limit demo induction; do
    folder=$golden/$model
    [ -f "$folder/config.json" ] || folder=$model
    for file in "$golden/$model"/*.safetensors; do
        case $file in */model.safetensors) continue ;; esac
        sonde verify "$file" -m "$folder" --quiet >out.txt || { echo "$model: ${file##*/}: exit $?"; tail -n 3 out.txt; }
        count=$((count + 1))
    done
done
[ $count -ge 95 ] && echo all of them
ln -s "$golden/three" three && ln -s "$golden/inner" inner && ln -s "$golden/demo" captures
fails verify three/plain.safetensors -m inner
fails verify captures/grad.safetensors -m induction
