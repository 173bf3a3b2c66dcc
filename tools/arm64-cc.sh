#!/bin/sh
# arm64-cc.sh ARGS.. - compiles for aarch64, from the project's root, with the libraries of tools/arm64.sh.
libraries=build/long/arm64/root/usr
exec aarch64-linux-gnu-gcc -std=c11 -O2 -g -ffp-contract=off -Iinclude -Isrc -Itests -isystem $libraries/include \
    -isystem $libraries/include/aarch64-linux-gnu -isystem $libraries/include/yajl -L$libraries/lib/aarch64-linux-gnu \
    -DSONDE_SOURCE_DIR="\"$PWD\"" -DSONDE_MODELS_DIR="\"$PWD/models\"" "$@"
