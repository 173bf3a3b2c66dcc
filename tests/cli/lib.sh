# lib.sh - sourced by the cases: `try ARGS` runs sonde and shows how it ended.
try() {
    printf '$ sonde %s\n' "$*"
    printf '$ sonde %s\n' "$*" >&2
    sonde "$@"
    echo "exit $?"
}
# `fails ARGS`: the same, with nothing of what it prints on stdout.
fails() {
    printf '$ sonde %s\n' "$*" >&2
    sonde "$@" >stdout.txt
    echo "exit $?" >&2
    [ ! -s stdout.txt ] || echo "it printed: $(head -n 1 stdout.txt)" >&2
}
