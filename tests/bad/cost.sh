#!/bin/sh
# cost.sh MAKE_BAD MAKE_BAD_TORCH COST SONDE CORPUS - what broken models and the seeds of the fuzz targets cost.
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
"$1" "$work/bad" || exit 2
"$2" "$work/torch" || exit 2
"$3" "$4" "$work/bad" "$work/torch" "$5"/*
