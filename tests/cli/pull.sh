# Models come from a Hub that runs here: the verb, --pull beside -m, what the environment says, and how it ends.
. "$CASES/lib.sh"
mkdir files && cp "$SONDE_MODELS"/induction/* files
"$(dirname "$(readlink -f "$(command -v sonde)")")/tests/hub_server" files log >ports &
hub=$!
trap 'kill $hub' EXIT
until [ -s ports ]; do sleep 0.05; done
no_proxy=* SONDE_HUB=http://127.0.0.1:$(cut -d' ' -f1 ports) HF_HUB_CACHE=$PWD/cache
export no_proxy SONDE_HUB HF_HUB_CACHE
here=$PWD
plain() { sed -e "s|$here|HERE|g" -e 's|127\.0\.0\.1:[0-9]*|HUB|g'; }
pulls() { try pull "$@" 2>err.txt | plain; plain <err.txt >&2; }
table() { cut -f1,2,4 | grep -v '^$'; }

pulls org/good --dry-run | table
ls cache 2>&1 | sed 's/.*cannot/cannot/'
pulls org/good | table
pulls org/good --quiet --csv
sonde pull org/good --json | plain | grep -A3 '"model","columns"'
readlink cache/models--org--good/snapshots/*/config.json
sonde info -m org/good | grep -E '^(name|family)'
# --pull fetches what is not here, and asks nobody for what is.
fails info -m org/new
sonde info -m org/new --pull 2>err.txt | grep -E '^(name|family)'
plain <err.txt
asked=$(wc -l <log)
sonde info -m org/new --pull --quiet | grep ^name
[ "$(wc -l <log)" = "$asked" ] && echo "nothing was asked"
rm cache/models--org--new/snapshots/*/model.safetensors                 # what is left of a model is made whole
SONDE_MODEL=org/new sonde lens --pull --quiet "a b" >out.txt && echo "opened"
HF_HUB_OFFLINE=1 sonde info -m org/new --pull | grep ^name
HF_HUB_OFFLINE=yes fails info -m org/other --pull
HF_HUB_OFFLINE=1 fails pull org/good
fails info -m ./nowhere --pull
mkdir org-empty && fails info -m org-empty --pull
# Where the Hub, the cache and the token are.
HF_ENDPOINT=$SONDE_HUB/ SONDE_HUB= HF_HUB_CACHE= HF_HOME=$here/home pulls other --quiet | grep HERE/home
mkdir -p "$HOME/.cache/huggingface" && printf 'good\n' >"$HOME/.cache/huggingface/token"
pulls org/private --quiet | grep -c fetched
HF_TOKEN=bad fails pull org/private
printf good >token
HF_TOKEN_PATH=token HF_HOME=none fails pull org/private@v2 --include '*.bin'
HF_HOME=none fails pull org/private@v3 2>&1 >/dev/null | tail -n 2
# What is mistyped or refused.
for name in missing gated norev dots wronghash; do fails pull org/$name --quiet; done 2>&1 | plain
fails pull
fails pull ../x
fails pull a/b/c
fails pull org/good:Q4_K_M
SONDE_HUB=ftp://x fails pull org/good
mkdir gguf && for q in Q4_K_M Q8_0-00001-of-00002 Q8_0-00002-of-00002; do echo x >gguf/tiny-$q.gguf; done
kill $hub; rm ports
"$(dirname "$(readlink -f "$(command -v sonde)")")/tests/hub_server" gguf log >ports &
hub=$!
until [ -s ports ]; do sleep 0.05; done
SONDE_HUB=http://127.0.0.1:$(cut -d' ' -f1 ports)
fails pull org/tiny
pulls org/tiny:q8_0 | table
# Ctrl-C keeps what came.
kill $hub; rm ports
head -c 2000000 /dev/zero >files/model.safetensors
"$(dirname "$(readlink -f "$(command -v sonde)")")/tests/hub_server" files log >ports &
hub=$!
until [ -s ports ]; do sleep 0.05; done
SONDE_HUB=http://127.0.0.1:$(cut -d' ' -f1 ports)
sonde pull org/slow --quiet 2>err.txt &
until find cache/models--org--slow/blobs -name '*.incomplete' -size +100k 2>/dev/null | grep -q .; do sleep 0.05; done
kill -INT $!
wait $!
echo "exit $?"
cat err.txt
sonde pull org/slow --quiet | grep -o resumed
cmp files/model.safetensors cache/models--org--slow/snapshots/*/model.safetensors && echo same
