# count.sh - sourced by ./test: sums of "N passed, N failed".
all_passed=0
all_failed=0
jobs=$(nproc 2>/dev/null || echo 2)

add_counts() { all_passed=$((all_passed + $1)); all_failed=$((all_failed + $2)); }

# Sum over the last count of every test in the output of ctest -V; a test that failed without counting is one failure.
sum_ctest() {
    awk '
        /^[0-9]+: [0-9]+ passed, [0-9]+ failed/ { n = $1 + 0; passed[n] = $2; failed[n] = $4 + 0 }
        /^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
            match($0, /#[0-9]+/); n = substr($0, RSTART + 1, RLENGTH - 1) + 0
            p += passed[n]; f += failed[n]; seen++
            if ($0 !~ / Passed / && !failed[n]) f++
            if ($0 ~ / Passed / && !(n in passed)) p++
        }
        END { if (!seen) f++; printf "%d %d\n", p, f }' "$1"
}

# run_ctest PRESET TITLE [ctest options]: failed tests are shown whole.
run_ctest() {
    dir=build/$1
    title=$2
    shift 2
    log=$(mktemp) || exit 7
    begin=$(date +%s)
    ctest --test-dir "$dir" -V -j "$jobs" --timeout 600 "$@" >"$log" 2>&1
    sums=$(sum_ctest "$log")
    # shellcheck disable=SC2086
    add_counts $sums
    awk '/^[0-9]+: / { n = $1; lines[n] = lines[n] $0 "\n" }
         /Test +#[0-9]+: / && !/ Passed / { match($0, /#[0-9]+/); n = substr($0, RSTART + 1, RLENGTH - 1) ":"
                                            print; printf "%s", lines[n] }' "$log"
    echo "== $title: ${sums% *} passed, ${sums#* } failed, $(($(date +%s) - begin)) s"
    rm -f "$log"
}

# run_counted TITLE COMMAND..: a program that ends with its own count.
run_counted() {
    title=$1
    shift
    log=$(mktemp) || exit 7
    if "$@" >"$log" 2>&1; then status=0; else status=1; fi
    sums=$(awk '/^[0-9]+ passed, [0-9]+ failed/ { p = $1; f = $3 + 0 } END { print p + 0, f + 0 }' "$log")
    [ $status = 0 ] || [ "${sums#* }" != 0 ] || sums="${sums% *} 1"
    # shellcheck disable=SC2086
    add_counts $sums
    [ "${sums#* }" = 0 ] || tail -n 60 "$log"
    echo "== $title: ${sums% *} passed, ${sums#* } failed"
    rm -f "$log"
}

finish() {
    echo "$all_passed passed, $all_failed failed"
    [ "$all_failed" = 0 ] && [ "$all_passed" -gt 0 ]
    exit
}
