#!/bin/sh
# pictures.sh SONDE MAKE_GALLERY - makes docs/pictures anew: one picture of each kind of view. docs/pictures.md shows them.
sonde=$(realpath "$1") gallery=$(realpath "$2")
cd "$(dirname "$0")/../docs/pictures" || exit 2
unset SONDE_MODEL
set -e
mary="When Mary and John went to the store, John gave a drink to"
draw() { name=$1; shift; "$sonde" "$@" --quiet -o "$name" >/dev/null; }
draw lens.svg lens " red cat"
draw attention.png attention " red cat river key red cat" --layers 2
draw sweep.png sweep "$mary" --over "hook_attn_out[t]" --do zero --metric 'logit(" Mary")-logit(" John")'
draw compare.png compare "$mary" --edit "zero:blocks.0.attn.hook_z[:,0]"
draw graph.svg graph " red cat" --edit skip:blocks.1 --edit skip:blocks.2 --edit skip:blocks.3
"$sonde" mia -m ../../tests/truth/mia/stories260K-Q4_0.gguf -p "William Shakespeare was born in the year" --draw mia.png -n 0 >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$gallery" "$work" .png .svg
for kind in bars boxes histogram panels pooled cloud tokens; do cp "$work/$kind.png" .; done
for kind in lines scatter scatter3 architecture; do cp "$work/$kind.svg" .; done
du -cb -- * | tail -n 1
