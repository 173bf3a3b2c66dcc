# SONDE_ISA: another word ends with 2, an instruction set that is not here with 4; all that are here agree in every bit.
SONDE_ISA=foo sonde hash x
echo "exit $?"
usable=$(env -u SONDE_ISA sonde bench --isa --csv | awk -F, '$2 == "true" { print $1 }')
for isa in scalar avx2 avx512 neon; do
    case " $(echo $usable) " in
    *" $isa "*) SONDE_ISA=$isa sonde hash --tokens 1,2,3 >>hashes.txt || echo "$isa fails"
                SONDE_ISA=$isa sonde bench --isa --csv | grep -q "^$isa,true,true" || echo "$isa is not chosen" ;;
    *) SONDE_ISA=$isa sonde hash x 2>err.txt; [ $? = 4 ] || echo "$isa: another exit"
       grep -qx "sonde: SONDE_ISA: this machine has no $isa" err.txt || cat err.txt ;;
    esac
done
for threads in 1 2 7; do sonde hash --tokens 1,2,3 --threads $threads >>hashes.txt; done
echo "$(sort -u hashes.txt | wc -l) lines"
