# packages.sh - sourced by ./run and ./test: what the build needs, and how it is installed on Debian.

# Packages of which something is missing, judged by what they bring, so that other systems need no packages at all.
missing_packages() {
    command -v cc >/dev/null && command -v c++ >/dev/null && command -v ld >/dev/null || echo build-essential
    command -v cmake >/dev/null || echo cmake
    command -v ninja >/dev/null || echo ninja-build
    if command -v pkg-config >/dev/null; then
        pkg-config --exists libpcre2-8 || echo libpcre2-dev
        pkg-config --exists libutf8proc || echo libutf8proc-dev
        pkg-config --exists yajl || echo libyajl-dev
        pkg-config --exists libcrypto || echo libssl-dev
        pkg-config --exists lapacke openblas || echo liblapacke-dev libopenblas-dev
        pkg-config --exists sqlite3 || echo libsqlite3-dev
        pkg-config --exists zlib || echo zlib1g-dev
        pkg-config --exists cairo || echo libcairo2-dev
        pkg-config --exists libcurl || echo libcurl4-openssl-dev
    else
        echo pkg-config libpcre2-dev libutf8proc-dev libyajl-dev libssl-dev liblapacke-dev libopenblas-dev libsqlite3-dev
        echo zlib1g-dev libcairo2-dev libcurl4-openssl-dev
    fi
}

# What `./test long` needs besides.
missing_long_packages() {
    command -v clang >/dev/null || echo clang libclang-rt-dev
    command -v clang-tidy >/dev/null || echo clang-tidy
    command -v valgrind >/dev/null || echo valgrind
    command -v aarch64-linux-gnu-gcc >/dev/null || echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    command -v qemu-aarch64-static >/dev/null || echo qemu-user-static
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3 python3-venv
}

# give_up WHY PACKAGES: the list, exit 4.
give_up() {
    echo "sonde: packages: $1, expected these to be installed: $2" >&2
    exit 4
}

# need_packages [COMMAND]: install what is missing, by missing_packages and by COMMAND; asks nothing.
need_packages() {
    missing=$({ missing_packages; "${1:-true}"; } | tr '\n' ' ')
    missing=${missing% }
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || give_up "found no apt-get" "$missing"
    as_root=
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || give_up "found neither root nor sudo -n" "$missing"
        as_root="sudo -n"
    fi
    echo "sonde: installing from the distribution's packages: $missing" >&2
    log=$(mktemp) || exit 7
    # shellcheck disable=SC2086
    if $as_root apt-get -q update >"$log" 2>&1 &&
       $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing >>"$log" 2>&1
    then rm -f "$log"
    else
        tail -n 20 "$log" >&2
        rm -f "$log"
        give_up "apt-get failed" "$missing"
    fi
}

# quietly COMMAND..: its output only if it fails.
quietly() {
    log=$(mktemp) || exit 7
    "$@" >"$log" 2>&1 || { status=$?; cat "$log" >&2; rm -f "$log"; return "$status"; }
    rm -f "$log"
}
