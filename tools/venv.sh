#!/bin/sh
# venv.sh [FOLDER] - make the Python environment (default build/venv) that tools/reference*.py, tools/truth and
# tools/*_tokenizers.py, tools/check_saved.py need: the official libraries, at the versions the golden files were made with.
# Needs python3 (3.11) with venv, and the network.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
venv=${1:-$root/build/venv}

if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    echo "venv.sh: python3 has no venv, expected it (Debian: apt-get install python3-venv)" >&2
    exit 4
fi
mkdir -p "$(dirname "$venv")"
python3 -m venv "$venv"
pip() { "$venv/bin/pip" --quiet --disable-pip-version-check "$@"; }
# The CPU build is on PyTorch's own index, unless this machine's pip is set up to find it.
pip install 'torch==2.13.0+cpu' 2>/dev/null ||
    pip install --extra-index-url https://download.pytorch.org/whl/cpu 'torch==2.13.0+cpu'
pip install 'transformers==5.23.0' 'tokenizers==0.23.3' 'safetensors==0.8.0' 'numpy==2.4.6' scipy scikit-learn
pip install 'sentencepiece==0.2.3' 'tiktoken==0.14.0' 'gguf==0.19.0'
"$venv/bin/python" -c 'import torch, transformers, tokenizers, safetensors, numpy
print("torch", torch.__version__, "transformers", transformers.__version__, "tokenizers", tokenizers.__version__)'
