#!/bin/sh
# run.sh SONDE [--update] NAME.. - run tests/cli/NAME.sh in an empty folder with `sonde` in front of PATH; its stdout and
# stderr must be NAME.stdout and NAME.stderr (a file that is absent: empty). --update rewrites them.
here=$(cd "$(dirname "$0")" && pwd)
SONDE=$(realpath "$1"); shift
update=
[ "${1:-}" != --update ] || { update=1; shift; }
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" && ln -s "$SONDE" "$work/bin/sonde"
PATH=$work/bin:$PATH SONDE_MODELS=$here/../../models
CASES=$here LC_ALL=C
export PATH SONDE_MODELS CASES LC_ALL
unset SONDE_MODEL NO_COLOR COLUMNS HF_HUB_CACHE HF_HOME XDG_CACHE_HOME HF_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE HF_ENDPOINT SONDE_HUB
HOME=$work/home; export HOME
passed=0 failed=0
for name; do
    mkdir -p "$work/$name"
    (cd "$work/$name" && sh "$here/$name.sh" >"$work/stdout" 2>"$work/stderr" </dev/null)
    good=1
    for part in stdout stderr; do
        want=$here/$name.$part
        if [ -n "$update" ]; then
            if [ -s "$work/$part" ]; then cp "$work/$part" "$want"; else rm -f "$want"; fi
        fi
        [ -f "$want" ] || want=/dev/null
        cmp -s "$want" "$work/$part" || { good=0; echo "$name: $part differs:"; diff "$want" "$work/$part" | head -n 40; }
    done
    [ $good = 1 ] && passed=$((passed + 1)) || failed=$((failed + 1))
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
