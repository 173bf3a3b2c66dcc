# docs/howto/mia.md: its lines give what it shows; Llama.MIA's form of the rest.
. "$CASES/lib.sh"
page=$CASES/../../docs/howto/mia.md
ln -s "$CASES/../../tests" tests
awk '/^```console/ { inside = 1; next } /^```/ { inside = 0 } inside' "$page" >shown.txt
grep '^\$ ' shown.txt | while IFS= read -r line; do
    printf '%s\n' "$line"
    sh -c "${line#??}" 2>err.txt
    [ ! -s err.txt ] || cat err.txt
done >printed.txt
cmp shown.txt printed.txt && echo "$(grep -c '^\$ ' shown.txt) lines of the page"
[ -z "${SHOW:-}" ] || cp printed.txt "$SHOW"
head -c 8 map.png | od -An -tx1
m=tests/truth/mia/stories260K-Q4_0.gguf
try mia -m $m -p "Tom" --print_cgraph --logit_lens l_out-* 2 --ll kqv_out-0 1 -n 1 >all.txt
sed -n '1,15p' all.txt
awk '/^ARG/ { seen = 1 } seen && ++n < 24' all.txt
sed -n '/^unembed/,$p' all.txt
try mia -m $m Tom --ll l_out-0 1 --csv -n 0
try mia -m $m -p Tom --ablate 3 --patch-avg l_out-1 a.raw b.raw 0 1 -n 2 --verbose 2>&1 | grep -v opened
printf 'x\033[31m\n' | try mia -m $m --file - -n 0
fails mia -m $m
fails mia -m $m -p Tom Tom
fails mia -m $m -p Tom -x
fails mia -m $m -p Tom --seelct 1 2
fails mia -m $m -p Tom --select 1
fails mia -m $m -p Tom --ll
fails mia -m $m -p Tom --save l_out-1 --draw x.png
fails mia -m $m -p Tom --save l_out-1 x --save ffn_out-1 x
fails mia -m $m -p Tom --draw x.jpg
fails mia -m $m -p Tom -n 511
fails mia -m $m -p Tom -t 0
fails mia -m $m -p Tom --patch l_out-1 absent 0 0
fails mia -m $m -p Tom --save l_out-1 absent/x
ls
