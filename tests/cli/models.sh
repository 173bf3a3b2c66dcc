# Where a model is found: a path, a shipped name, the Hugging Face cache.
. "$CASES/lib.sh"
name() { sonde info "$@" | grep -E '^(name|family)'; }
name
name -m induction
SONDE_MODEL=induction name
name -m "$SONDE_MODELS/induction" | sed 's|/.*/models|MODELS|'
mkdir -p hub/models--org--red/refs hub/models--org--red/snapshots/c0ffee
printf c0ffee >hub/models--org--red/refs/main
cp "$SONDE_MODELS"/induction/*.json "$SONDE_MODELS"/induction/*.safetensors hub/models--org--red/snapshots/c0ffee
HF_HUB_CACHE=hub name -m org/red
HF_HUB_CACHE=hub name -m org/red@c0ffee
mkdir home cache && ln -s "$PWD/hub" home/hub && mkdir -p cache/huggingface && ln -s "$PWD/hub" cache/huggingface/hub
HF_HOME=home name -m org/red
XDG_CACHE_HOME=cache name -m org/red
mkdir -p "$HOME/.cache" && ln -s "$PWD/cache/huggingface" "$HOME/.cache/huggingface"
name -m org/red
fails info -m org/absent
fails info -m inductoin
fails info -m .
sonde info --list | sed 1d | cut -f1
