#!/bin/sh
# arm64.sh FOLDER - the static libraries that sonde links, for aarch64, from the distribution's own packages: unpacked into
# FOLDER/root, nothing is installed. What is there already stays.
set -e
[ $# = 1 ] || { echo "sonde: arm64.sh: found $# arguments, expected a folder" >&2; exit 2; }
[ ! -e "$1/done" ] || exit 0
mkdir -p "$1/lists/partial" "$1/archives/partial" "$1/root"
to=$(cd "$1" && pwd)
: >"$to/status"
apt() {
    apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$to" -o Dir::State::status="$to/status" \
        -o Dir::Cache="$to" -o Dir::Cache::archives="$to/archives" -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" "$@"
}
apt update
(cd "$to/archives" && apt download libpcre2-dev libutf8proc-dev libyajl-dev libssl-dev zlib1g-dev)
for package in "$to"/archives/*.deb; do dpkg -x "$package" "$to/root"; done
: >"$to/done"
