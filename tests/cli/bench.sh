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
# Rows of a table can be told apart on a terminal too: no name is cut.
if command -v script >/dev/null; then
    script -qec "stty cols 80; sonde bench looking --quiet --seconds 0.1" /dev/null </dev/null | grep -c '^lens at every layer and position '
else echo 2; fi
