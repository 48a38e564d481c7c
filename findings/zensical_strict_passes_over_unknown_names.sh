#!/usr/bin/env bash
# zensical 0.0.73: a strict build says nothing of plugins that it has not, nor of settings and extensions' options that nobody reads.
#
# The configuration may name any plugin, and any setting. "zensical build --strict" ends with 0, prints no word about them, and
# the site lacks what the plugin would have done. A project that moves here from MkDocs, which refuses both under --strict,
# finds out by looking at its pages. A dead link in the same build is refused, so the strictness is of the pages alone.
#
# Seen: with an unknown plugin and an unknown setting exit code 0 and neither name in the output; with a dead link exit code 1.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check zensical==0.0.73 2>/dev/null
mkdir -p "$folder/site/docs"
cd "$folder/site"
cat > zensical.toml <<'TOML'
[project]
site_name = "Orders"
no_such_setting = true
[project.plugins.no-such-plugin]
[project.markdown_extensions.toc]
TOML
look() {
    set +e
    "$folder/venv/bin/zensical" build --strict --clean > "$folder/printed" 2>&1
    echo "$1: exit code $?, says $(grep --only-matching --extended-regexp 'no.such.(plugin|setting)' "$folder/printed" | sort --unique | wc --lines) of the two names"
    set -e
}
{
    echo '# Orders' > docs/index.md
    look "unknown names"
    echo '[more](missing.md)' >> docs/index.md
    look "a dead link besides"
} | tee "$folder/seen"
cat > "$folder/expected" <<'TEXT'
unknown names: exit code 0, says 0 of the two names
a dead link besides: exit code 1, says 0 of the two names
TEXT
diff "$folder/expected" "$folder/seen"
