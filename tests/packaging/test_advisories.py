"""No lower bound of pyproject.toml, and no pin, has a vulnerability that is known and mended."""

import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.packaging import advisories
from tests.packaging.advisories import FOLDER, LIST, Advisory, demanded, found, lowest, pins
from tests.packaging.sbom import installed, needs

KNOWN = advisories.advisories()
NOTHING_FOUND = set(advisories.nothing_found())
RUNNING, OTHERS = demanded()
ID = re.compile(r"GHSA(-[23456789cfghjmpqrvwx]{4}){3}|CVE-\d{4}-\d{4,}|PYSEC-\d{4}-\d+")


def test_no_lower_bound_has_a_known_vulnerability() -> None:
    """What this package needs, with all extras, and what it is built and developed with."""
    bounds = list(lowest([*RUNNING, *OTHERS]))
    assert ("starlette", "1.3.1") in bounds
    assert not found(bounds, KNOWN)


@pytest.mark.parametrize("file", ["pins.txt", "servers.txt"])
def test_no_pin_has_a_known_vulnerability(file: str) -> None:
    """Tests, benchmarks and releases run with these."""
    bounds = list(lowest(pins(FOLDER / file)))
    assert bounds
    assert not found(bounds, KNOWN)


@pytest.mark.parametrize("entry", [entry for entry in KNOWN if entry.fixed], ids=lambda entry: entry.ids[0])
def test_a_bound_below_the_fix_is_found(entry: Advisory) -> None:
    """The list is read as it is meant: the fix is right, and an affected version is not."""
    assert entry.fixed
    assert not found([(entry.package, entry.fixed)], [entry])
    for versions in entry.affected:
        first = re.match(r">=([\d.]+)", versions)
        version = first[1] if first else "0"
        assert found([(entry.package, version)], [entry])[0].startswith(f"{entry.package} {version} has ")


@pytest.mark.parametrize("version", ["0.41.0", "1.0.0", "1.2.1", "1.3.0"])
def test_starlette_is_clean_from_1_3_1_on(version: str) -> None:
    """Its five advisories of 2026, in the GitHub Advisory Database, end there and not before."""
    assert found([("starlette", version)], KNOWN)
    assert not found([("starlette", "1.3.1")], KNOWN)


@pytest.mark.parametrize("text", ["redis", "redis<6", "redis>=5,!=5.1", "redis~=5.0", "redis==5.*"])
def test_a_requirement_without_a_lower_bound_is_refused(text: str) -> None:
    """It would let in anything."""
    with pytest.raises(ValueError, match=r"needs a lower bound, and nothing else: redis>=1\.2\.3"):
        list(lowest([text]))


def test_the_lowest_of_everything_has_nothing_that_is_reached() -> None:
    """A resolver that takes it, of what others bring, too, gets at most what is said to lie idle."""
    resolved = list(lowest(pins(FOLDER / "lowest.txt")))
    assert set(lowest(RUNNING)) <= set(resolved), "run: make pins"
    assert found(resolved, KNOWN)
    assert not found(resolved, [entry for entry in KNOWN if not entry.not_reached])


def test_what_the_wheel_brings_was_looked_up() -> None:
    """Who adds a dependency looks up what it brings, and says so in the list."""
    headers = installed("camunda-entra-fastapi")
    brought = set(needs(headers, headers.get_all("Provides-Extra", []))) - {"camunda-entra-fastapi"}
    brought |= set(dict(lowest(pins(FOLDER / "lowest.txt"))))
    looked_up = {entry.package for entry in KNOWN} | NOTHING_FOUND
    assert brought <= looked_up, f"look these up, and say so in {LIST.name}: {sorted(brought - looked_up)}"
    assert not {entry.package for entry in KNOWN} & NOTHING_FOUND


@pytest.mark.parametrize("entry", KNOWN, ids=lambda entry: entry.ids[0])
def test_an_entry_says_all_that_its_readers_need(entry: Advisory) -> None:
    """Identifiers have their form, packages their normalized name (PEP 503), and reasons are sentences."""
    assert all(ID.fullmatch(identifier) for identifier in entry.ids)
    assert entry.package == canonicalize_name(entry.package)
    assert entry.affected
    for sentence in (entry.what, entry.through_us, *([entry.not_reached] if entry.not_reached else [])):
        assert re.fullmatch(r"\S.{8,}\.", sentence), sentence
    assert Version(entry.fixed or "0")


def test_what_others_bring_is_bounded_or_said_not_to_be_reached() -> None:
    """One of both, never neither."""
    headers = installed("camunda-entra-fastapi")
    brought = set(needs(headers, headers.get_all("Provides-Extra", [])))
    bounded = {canonicalize_name(Requirement(line).name) for line in RUNNING}
    for entry in KNOWN:
        if entry.fixed and entry.package in brought:
            assert (entry.package in bounded) != bool(entry.not_reached), entry


@pytest.mark.parametrize(
    "entry", [entry for entry in KNOWN if not entry.fixed], ids=lambda entry: entry.ids[0]
)
def test_what_has_no_fix_is_shown_to_do_no_harm(entry: Advisory) -> None:
    """By tests, which are there."""
    assert entry.proof
    for proof in entry.proof:
        file, _, name = proof.partition("::")
        assert f"def {name}(" in (FOLDER.parents[1] / file).read_text("utf-8")


def test_no_newer_version_is_known_not_to_have_what_has_no_fix() -> None:
    """As soon as there is one, its bound goes up, and so does this list."""
    versions = dict(lowest(pins(FOLDER / "pins.txt")))
    for entry in KNOWN:
        assert entry.fixed or entry.affects(versions[entry.package]), (
            f"{entry.package} has a release with a fix"
        )
