#!/bin/sh
# Writes pins.txt, servers.txt, asgi.txt and docs.txt anew from pyproject.toml, with the hashes of all files of each version. What is pinned stays as it
# is where it can; with --upgrade everything is the newest there is. $1 is a Python with pip.
# And lowest.txt: what a resolver picks for users that takes the lowest version of everything.
set -eu
python=$1 && shift

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uv

pin() {
    file=tests/packaging/$1 && shift
    grep '^#' "$file" > "$folder/written"
    grep -v '^#' "$file" > "$folder/before" || true
    "$folder/venv/bin/uv" pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header \
        --output-file "$folder/before" "$@" > /dev/null
    cat "$folder/before" >> "$folder/written"
    cp "$folder/written" "$file"
}

pin pins.txt "$@" --generate-hashes --all-extras --group test --group release --group lint --group bench --group e2e --group observability pyproject.toml
pin servers.txt "$@" --generate-hashes --group pyproject.toml:servers
pin asgi.txt "$@" --generate-hashes --all-extras --group asgi pyproject.toml
pin docs.txt "$@" --generate-hashes --group pyproject.toml:docs
pin lowest.txt --upgrade --resolution lowest --only-binary :all: --all-extras pyproject.toml
