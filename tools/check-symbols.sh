#!/bin/sh
# check-symbols.sh LIBSONDE.so - what leaves the shared library begins with sonde_, and everything declared SONDE_API does.
names=$(nm -D --defined-only "$1" | awk '{ print $NF }' | sed 's/@.*//' |
        grep -vxE '_init|_fini|_edata|_end|__bss_start|__(asan|ubsan|odr_asan|sanitizer|lsan|tsan)_.*|_ZN?K?[0-9A-Z].*') || exit 2
bad=$(echo "$names" | grep -v "^sonde_")
good=$(echo "$names" | grep -c '^sonde_')
[ -z "$bad" ] || echo "$bad" | sed 's/$/: leaves the library without the prefix sonde_/'
headers=$(dirname "$0")/../include/sonde
missing=$(cat "$headers"/*.h | sed -n 's/^SONDE_API[^(]*[ *]\(sonde_[a-z0-9_]*\)(.*/\1/p' | sort -u |
          while read -r name; do echo "$names" | grep -qx "$name" || echo "$name"; done)
[ -z "$missing" ] || echo "$missing" | sed 's/$/: is declared SONDE_API, but not in the library/'
failed=$(printf '%s\n%s\n' "$bad" "$missing" | grep -c .)
echo "$good passed, $failed failed"
[ "$failed" = 0 ] && [ "$good" -gt 0 ]
