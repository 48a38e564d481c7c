#!/usr/bin/env bash
# hatchling 1.33.0 builds a wheel although the file that license-files names is not there.
#
# The standard for license-files (PEP 639) lets no build go on when one of the patterns matches nothing. flit-core 4.2.0 keeps to it,
# and setuptools 84.2.1 warns, with a date from which it will refuse. hatchling leaves the file out without a word. So a copy of a
# project that lacks files of the repository's root, as in a container or a monorepo, makes a release without its licence.
#
# Seen: hatchling ends with 0 and no line about the pattern, and its wheel has no licence; setuptools builds such a wheel, too, and
# warns; flit-core refuses.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    hatchling==1.33.0 setuptools==84.2.1 flit-core==4.2.0 build==1.6.1 2>/dev/null
look() {  # the backend's name, its build-backend, and what else its pyproject.toml needs
    project="$folder/$1"
    mkdir -p "$project/thing"
    echo '"""A thing."""' > "$project/thing/__init__.py"
    cat > "$project/pyproject.toml" <<TOML
[build-system]
requires = ["$1"]
build-backend = "$2"

[project]
name = "thing"
version = "1.0"
description = "A thing"
license = "MIT"
license-files = ["LICENCE.txt"]
TOML
    if (cd "$project" && "$folder/venv/bin/python" -m build --quiet --wheel --no-isolation . > "$folder/$1.log" 2>&1); then
        files=$("$folder/venv/bin/python" -m zipfile -l "$project"/dist/*.whl | grep -ci licen || true)
        warned=$(grep -c "LICENCE.txt" "$folder/$1.log" || true)
        echo "$1: built, with $files licence files, $([ "$warned" = 0 ] && echo "not a word" || echo "and a warning") of the pattern"
    else
        echo "$1: refused"
    fi
}
{
    look hatchling hatchling.build
    look setuptools setuptools.build_meta
    look flit-core flit_core.buildapi
} | tee "$folder/seen"
cat > "$folder/expected" <<'TEXT'
hatchling: built, with 0 licence files, not a word of the pattern
setuptools: built, with 0 licence files, and a warning of the pattern
flit-core: refused
TEXT
diff "$folder/expected" "$folder/seen"
