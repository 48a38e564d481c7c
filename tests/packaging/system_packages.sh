#!/bin/sh
# Installs what the tests need and PyPI has not: only what is missing, and nothing in place of what is there.
set -eu

commands="" packages=""
need() {
    command -v "$1" >/dev/null && return
    commands="${commands:+$commands, }$1" packages="${packages:+$packages }$2"
}

check_node() {
    version=$(node --version)
    major=${version#v}
    [ "${major%%.*}" -ge 18 ] && return
    echo "The tests need Node.js 18 or newer; $(command -v node) is $version. Put a newer one first in PATH." >&2
    exit 1
}

need chromium chromium
need haproxy haproxy
need node nodejs
need npm npm
need redis-server redis-server
need wrk wrk

command -v node >/dev/null && check_node # before anything is installed in vain
[ -n "$packages" ] || exit 0

missing="The tests need what is not here: $commands."
if ! command -v apt-get >/dev/null; then
    echo "$missing Install it as your system does; Debian's packages are: $packages" >&2
    exit 1
elif [ "$(id -u)" != 0 ]; then
    echo "$missing Run: sudo apt-get install --no-install-recommends $packages" >&2
    exit 1
fi
echo "$missing Installing: $packages"
apt-get update -qq
# shellcheck disable=SC2086 # several words
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
check_node # older distributions have older ones
