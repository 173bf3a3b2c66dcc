# models written as other files: what is said, what stays, what is refused
. "$CASES/lib.sh"
# nothing is written
sonde quantize demo dry.gguf Q8_0 --dry-run --quiet --csv | tail -n 1
sonde convert demo dry --dry-run --quiet --csv | tail -n 1
ls
sonde convert demo d.gguf --quiet --csv | tail -n 1
sonde convert d.gguf folder --quiet --csv | tail -n 1
ls folder
for m in demo d.gguf folder; do sonde hash -m $m "red cat river key red cat" | tail -n 1; done | sort | uniq -c | awk '{ print $1 " runs alike" }'
sonde quantize demo q.gguf Q8_0 --quiet --csv | awk -F, 'NR > 1 { n[$4]++ } END { for (t in n) print t, n[t] }' | sort
fails quantize q.gguf r.gguf Q4_0
sonde quantize q.gguf r.gguf Q4_0 --requantize --quiet --csv | tail -n 1
sonde convert q.gguf wide --csv 2>&1 >/dev/null
fails convert d.gguf d.gguf
fails quantize d.gguf ./d.gguf Q8_0
fails quantize demo folder Q8_0
fails quantize demo x.gguf Q9
fails convert demo folder
fails convert absent x.gguf
ls *.gguf
