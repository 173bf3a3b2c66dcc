# SIGTERM and SIGINT end a run with 130; what is done is written, the rest is null.
sweep() {
    : >err.txt
    sonde ablate "When Mary and John went to the store, John gave a drink to" --over "mlp.hook_post[t,f]" \
        --metric 'logit(" Mary")' --json --quiet --verbose >out.json 2>err.txt &
    until grep -q 'opened in' err.txt || ! kill -0 $! 2>/dev/null; do sleep 0.1; done
    sleep 1
    kill -$1 $!
    wait $!
    echo "$1: exit $?"
    grep ^sonde: err.txt
    grep -c '"cells"' out.json
    grep -o 'null' out.json | sort -u
}
sweep TERM
sweep INT
# A verb with sessions of its own ends too, long before it would by itself.
sonde selftest >out.txt 2>err.txt &
sleep 0.3
kill -TERM $!
wait $!
echo "selftest: exit $?"
grep ^sonde: err.txt
