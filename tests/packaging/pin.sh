#!/bin/sh
# Writes pins.txt and servers.txt anew from pyproject.toml, with the hashes of all files of each version. What is pinned stays as it
# is where it can; with --upgrade everything is the newest there is. $1 is a Python with pip.
set -eu
python=$1 && shift

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uv

pin() {
    file=tests/packaging/$1 && shift
    grep '^#' "$file" > "$folder/written"
    cp "$file" "$folder/before"
    "$folder/venv/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-annotate --no-header --output-file "$folder/before" "$@" > /dev/null
    cat "$folder/before" >> "$folder/written"
    cp "$folder/written" "$file"
}

pin pins.txt "$@" --all-extras --group test --group release --group lint --group bench --group e2e pyproject.toml
pin servers.txt "$@" --group pyproject.toml:servers
