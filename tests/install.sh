#!/bin/sh
# install.sh CMAKE BUILD - `cmake --install` into an empty folder, moved once; then every example is built from it by
# pkg-config alone, with the shared and the static library, and runs. And the command that was installed answers.
cmake=$1 build=$2
examples=$(cd "$(dirname "$0")/../examples" && pwd)
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
expect() {
    what=$1; shift
    if "$@" >"$work/out.txt" 2>&1 && [ -s "$work/out.txt" ]; then passed=$((passed + 1))
    else failed=$((failed + 1)); echo "$what:"; tail -n 5 "$work/out.txt"; fi
}
"$cmake" --install "$build" --prefix "$work/first" >/dev/null && mv "$work/first" "$work/there" || exit 1
PKG_CONFIG_PATH=$(dirname "$(find "$work/there" -name sonde.pc)")
export PKG_CONFIG_PATH
libraries=$(dirname "$PKG_CONFIG_PATH")
for file in "$examples"/*.c; do
    name=$(basename "$file" .c)
    # shellcheck disable=SC2046
    cc -o "$work/shared" "$file" $(pkg-config --cflags --libs sonde) -lm
    expect "$name, shared" env LD_LIBRARY_PATH="$libraries" "$work/shared"
    # shellcheck disable=SC2046
    cc -o "$work/static" "$file" $(pkg-config --cflags sonde) "$libraries/libsonde.a" $(pkg-config --static --libs-only-l sonde |
        sed 's/-lsonde//') -lm
    expect "$name, static" "$work/static"
done
expect "the command" "$work/there/bin/sonde" --version
echo "$passed passed, $failed failed"
[ $failed = 0 ]
