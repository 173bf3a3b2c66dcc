# What bench measures of a model: every row, and beside what. Figures are the machine's.
. "$CASES/lib.sh"
for what in run looking sweeps; do
    echo "== $what"
    sonde bench $what --seconds 0.1 --length 12 --csv | cut -d, -f 1,3,4
done
sonde bench sweeps --seconds 0.1 --length 4 --csv | awk -F, 'NR > 1 && !($2 > 0) { print "not a figure:", $0 }'
fails bench run --length 1000
fails bench looking --length 1
fails bench sweeps -m encoder
fails bench run -m seq2seq
fails bench kernels --length x
