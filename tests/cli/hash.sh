# One hash of tokens and logits for each shipped model: the same on every instruction set and with any number of threads.
usable=$(env -u SONDE_ISA sonde bench --isa --csv | awk -F, '$2 == "true" { print $1 }')
for model in demo induction encoder seq2seq; do
    for isa in $usable; do
        for threads in 1 3; do
            SONDE_ISA=$isa sonde hash -m $model "When Mary and John went to the store" --threads $threads --csv
        done
    done | grep -v '^sha256$' | sort -u | sed "s/^/$model: /"
done
