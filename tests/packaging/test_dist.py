"""A release is the same bytes wherever and whenever it is built, and its page shows how to see that."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.advisories import PROJECT, demanded, lowest, pins
from tests.packaging.sbom import bill_of_materials, metadata_in

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/releases.md").read_text("utf-8")
COMMITTED = 1_790_000_000
Bill = dict[str, Any]

pytestmark = pytest.mark.packaging


def run(
    *command: str | Path, cwd: Path, umask: int = 0o022, env: Mapping[str, str] = MappingProxyType({})
) -> "subprocess.CompletedProcess[str]":
    """What a command said; with nothing of the machine's own git, and without a time of its own."""
    own = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    own |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**own, **env},
        umask=umask,
    )


def git(folder: Path, *words: str) -> str:
    """What git did; it must succeed."""
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false")
    time = f"@{COMMITTED} +0100"
    done = run("git", *who, *words, cwd=folder, env={"GIT_AUTHOR_DATE": time, "GIT_COMMITTER_DATE": time})
    assert done.returncode == 0, done.stderr
    return done.stdout


def dist(folder: Path, **options: Any) -> "subprocess.CompletedProcess[str]":
    """`make dist` without making the environment first, which is this one."""
    return run(sys.executable, "-m", "tests.packaging.dist", cwd=folder, **options)


def sums(folder: Path) -> dict[str, str]:
    """The hash of each file of a release."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "dist").iterdir()}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One commit with the files as they are here now, whether they are committed or not."""
    folder = tmp_path_factory.mktemp("repository")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "A release")):
        git(folder, *words)
    return folder


@pytest.fixture(scope="module")
def clone(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with the release that was built in it."""
    folder = tmp_path_factory.mktemp("one") / "clone"
    git(repository, "clone", "--quiet", str(repository), str(folder))
    done = dist(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"dist/{name}" for name in sorted(sums(folder), key=sorted_last)]
    return folder


def sorted_last(name: str) -> tuple[bool, str]:
    """The checksums come after what they sum up."""
    return name == "SHA256SUMS", name


@pytest.fixture
def wheel(clone: Path) -> Path:
    """The wheel of the release."""
    return next((clone / "dist").glob("*.whl"))


@pytest.fixture
def sdist(clone: Path) -> Path:
    """The source distribution of the release."""
    return next((clone / "dist").glob("*.tar.gz"))


@pytest.fixture
def bill(clone: Path) -> Bill:
    """Its bill of materials."""
    (path,) = (clone / "dist").glob("*.cdx.json")
    return dict(json.loads(path.read_text("utf-8")))


def test_a_release_is_four_files(clone: Path, wheel: Path, sdist: Path) -> None:
    """Named by one version, which is that of the project."""
    version = re.search(r'^version = "(.+)"$', PROJECT.read_text("utf-8"), re.MULTILINE)
    assert version is not None
    stem = f"camunda_entra_fastapi-{version[1]}"
    assert set(sums(clone)) == {wheel.name, sdist.name, f"{stem}.cdx.json", "SHA256SUMS"}
    assert (sdist.name, wheel.name) == (f"{stem}.tar.gz", f"{stem}-py3-none-any.whl")


def test_two_builds_are_the_same_bytes(repository: Path, clone: Path, tmp_path: Path) -> None:
    """Elsewhere, a year later, with another umask, time zone, language and line ends, and twice."""
    other = tmp_path / "a folder with blanks" / "deeper"
    other.parent.mkdir()
    git(repository, "clone", "--quiet", str(repository), str(other))
    for path in other.rglob("*"):
        if ".git" not in path.parts:
            os.utime(path, (1_820_000_000, 1_820_000_000))
            path.chmod(0o700 if path.is_dir() or path.stat().st_mode & 0o100 else 0o600)
    abroad = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    abroad |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.autocrlf", "GIT_CONFIG_VALUE_0": "true"}
    for _ in range(2):
        done = dist(other, umask=0o077, env=abroad)
        assert done.returncode == 0, done.stderr
        assert sums(other) == sums(clone)


def test_another_commit_is_another_release(repository: Path, clone: Path, tmp_path: Path) -> None:
    """The comparison above can fail, then: one letter in the package, and a second in the time, are seen."""
    other = tmp_path / "other"
    git(repository, "clone", "--quiet", str(repository), str(other))
    later = dist(other, env={"SOURCE_DATE_EPOCH": str(COMMITTED + 60)})
    assert later.returncode == 0, later.stderr
    assert {name for name, digest in sums(other).items() if digest == sums(clone)[name]} == set()
    module = other / "camunda_entra_fastapi/urls.py"
    module.write_text(module.read_text("utf-8") + "# a\n", "utf-8")
    git(other, "commit", "--quiet", "--all", "--message", "A letter")
    assert dist(other).returncode == 0
    assert {name for name, digest in sums(other).items() if digest == sums(clone)[name]} == set()


def test_the_source_distribution_builds_the_same_release(clone: Path, sdist: Path, tmp_path: Path) -> None:
    """Without a repository; it only has to be told the time, and says so."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path)  # made by the test itself
    folder = tmp_path / sdist.name.removesuffix(".tar.gz")
    refused = dist(folder)
    assert refused.returncode == 1
    assert "set SOURCE_DATE_EPOCH" in refused.stderr
    assert not (folder / "dist").exists()
    done = dist(folder, env={"SOURCE_DATE_EPOCH": str(COMMITTED)})
    assert done.returncode == 0, done.stderr
    assert sums(folder) == sums(clone)


@pytest.mark.parametrize("name", ["camunda_entra_fastapi/urls.py", "notes.txt"])
def test_a_release_is_built_from_a_commit_alone(repository: Path, tmp_path: Path, name: str) -> None:
    """What is changed or lies about is named, and nothing is built or removed."""
    folder = tmp_path / "clone"
    git(repository, "clone", "--quiet", str(repository), str(folder))
    (folder / "dist").mkdir()
    (folder / "dist/kept").touch()
    with (folder / name).open("a") as file:
        file.write("# changed\n")
    done = dist(folder)
    assert done.returncode == 1
    assert "commit them, or stash them" in done.stderr
    assert name in done.stderr
    assert [path.name for path in (folder / "dist").iterdir()] == ["kept"]


@pytest.mark.parametrize("epoch", ["yesterday", "-5", "1.5", "²", "4354819200"])
def test_a_time_that_is_none_is_refused(clone: Path, epoch: str) -> None:
    """With what it looks like."""
    done = dist(clone, env={"SOURCE_DATE_EPOCH": epoch, "PYTHONUTF8": "1"})
    assert done.returncode == 1
    assert f"SOURCE_DATE_EPOCH is {epoch!r}" in done.stderr
    assert "as in 1700000000" in done.stderr


def test_git_that_is_missing_or_refuses_is_said(repository: Path, tmp_path: Path) -> None:
    """In a sentence, and nothing is removed: not installed, or the repository is broken."""
    folder = tmp_path / "clone"
    git(repository, "clone", "--quiet", str(repository), str(folder))
    (folder / "dist").mkdir()
    missing = dist(folder, env={"PATH": str(tmp_path)})
    (folder / ".git/HEAD").unlink()
    broken = dist(folder)
    assert (missing.returncode, broken.returncode) == (1, 1)
    assert missing.stderr.endswith("Install git.\n")
    assert broken.stderr.startswith("Git cannot tell what was committed:\nfatal: ")
    assert (folder / "dist").exists()


def test_what_cannot_be_built_is_said(repository: Path, tmp_path: Path) -> None:
    """In hatchling's own words, and no checksums are left."""
    folder = tmp_path / "clone"
    git(repository, "clone", "--quiet", str(repository), str(folder))
    (folder / "README.md").unlink()
    git(folder, "commit", "--quiet", "--all", "--message", "No readme")
    done = dist(folder)
    assert done.returncode == 1
    assert "Hatchling cannot build it" in done.stderr
    assert "README.md" in done.stderr
    assert not (folder / "dist/SHA256SUMS").exists()


def test_the_archives_tell_nothing_of_who_built_them(wheel: Path, sdist: Path) -> None:
    """One time for all, no names or numbers of users, and no modes but the usual."""
    with tarfile.open(sdist) as archive:
        for member in archive.getmembers():
            assert (member.uid, member.gid, member.uname, member.gname, member.mtime) == (
                0,
                0,
                "",
                "",
                COMMITTED,
            )
            assert oct(member.mode & 0o777) in ("0o644", "0o755")
    moment = datetime.fromtimestamp(COMMITTED, UTC)
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            assert datetime(*info.date_time, tzinfo=UTC) <= moment
            assert (moment - datetime(*info.date_time, tzinfo=UTC)).total_seconds() < 2


def test_the_bill_of_materials_is_valid(clone: Path, bill: Bill) -> None:
    """By the strict schema of CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/."""
    (path,) = (clone / "dist").glob("*.cdx.json")
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(path.read_text("utf-8")) is None
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert validator.validate_str(json.dumps(bill | {"specVersion": 1.6})) is not None


def test_the_bill_of_materials_is_that_of_the_wheel(bill: Bill, wheel: Path) -> None:
    """It has the wheel's hash, the commit's time, and a number that is no accident (RFC 9562, 5.5)."""
    about = bill["metadata"]
    assert about["timestamp"] == datetime.fromtimestamp(COMMITTED, UTC).isoformat()
    component = about["component"]
    assert component["hashes"] == [
        {"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}
    ]
    assert component["purl"] == f"pkg:pypi/camunda-entra-fastapi@{metadata_in(wheel)['Version']}"
    assert re.fullmatch(
        r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
        str(bill["serialNumber"]),
    )
    assert bill_of_materials(wheel, datetime.fromtimestamp(COMMITTED, UTC)) == bill_of_materials(
        wheel, datetime.fromtimestamp(COMMITTED, UTC)
    )


def components(bill: Bill) -> Iterator[Bill]:
    """What the wheel needs."""
    yield from bill["components"]


def test_the_bill_of_materials_has_what_is_needed_and_nothing_else(bill: Bill) -> None:
    """What pyproject.toml names to run, and what that needs, in the pinned versions; no tools."""
    listed = {str(one["name"]): one for one in components(bill)}
    running, _ = demanded()
    assert {canonicalize_name(Requirement(line).name) for line in running} <= set(listed)
    assert {"httpcore2", "markupsafe", "pydantic-core", "ecdsa"} <= set(listed)
    assert not {"pytest", "ruff", "hatchling", "cyclonedx-python-lib", "camunda-entra-fastapi"} & set(listed)
    pinned = dict(lowest(pins(ROOT / "tests/packaging/pins.txt")))
    for name, one in listed.items():
        assert one["version"] == pinned[name]
        assert one["purl"] == f"pkg:pypi/{name}@{pinned[name]}"
        assert one["licenses"], name
    optional = {name for name, one in listed.items() if one["scope"] == "optional"}
    assert {"redis", "typer", "uvicorn", "pyyaml"} <= optional
    assert not {"starlette", "cryptography", "h11", "python-dotenv"} & optional
    assert listed["starlette"]["properties"] == [
        {"name": "camunda-entra-fastapi:requirement", "value": "starlette>=1.3.1"}
    ]


def test_the_bill_of_materials_says_who_needs_what(bill: Bill) -> None:
    """Everything in it is reached from the wheel, by way of what needs it."""
    needs = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    about = bill["metadata"]
    reached, waiting = set[str](), [about["component"]["bom-ref"]]
    while waiting:
        if (one := waiting.pop()) not in reached:
            reached.add(one)
            waiting += needs[one]
    assert reached == set(needs)
    assert reached == {one["bom-ref"] for one in components(bill)} | {about["component"]["bom-ref"]}
    by_name = {
        ref.partition("==")[0]: {other.partition("==")[0] for other in others}
        for ref, others in needs.items()
    }
    assert "httpcore2" in by_name["httpx2"]
    assert {"fastapi", "redis"} <= by_name["camunda-entra-fastapi"]


def test_the_page_names_the_lowest_versions() -> None:
    """Those of pyproject.toml, each with its bound."""
    running, _ = demanded()
    table = re.findall(r"^\| `([a-z0-9-]+)` \| (\d[\d.]*) \|", PAGE, re.MULTILINE)
    assert dict(table) == dict(lowest(running))


def test_every_command_of_the_page_works(repository: Path, clone: Path, tmp_path: Path) -> None:
    """Word by word and in order, for somebody who has the release's files and a clone beside them."""
    commands = [
        line.removeprefix("$ ")
        for block in re.findall(r"^```console\n(.+?)^```$", PAGE, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    assert len(commands) >= 6
    shutil.copytree(clone / "dist", tmp_path / "release")
    there = tmp_path / "repository"
    git(repository, "clone", "--quiet", str(repository), str(there))
    (there / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    (there / ".git/info/exclude").write_text(".venv\n")
    for name in (
        "pyproject.toml",
        "tests/packaging/pins.txt",
    ):  # older than the environment, which is that of the tests
        os.utime(there / name, (1, 1))
    printed = ""
    for command in commands:
        if "PYTHON=" in command:  # another one, which need not be here: what would be run is looked at alone
            command = command.replace("make ", "make --dry-run ")  # noqa: PLW2901
        folder = tmp_path / ("repository" if command.startswith(("make ", "diff ")) else "release")
        done = run("bash", "-c", command, cwd=folder)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        printed += done.stdout
    assert "camunda_entra_fastapi-0.1.0-py3-none-any.whl: OK" in printed
    assert "starlette 1." in printed
    assert ".venv-python3.14/bin/python -m pytest" in printed
    assert "GHSA-82w8-qh3p-5jfq" in printed
    (tmp_path / "release" / "SHA256SUMS").write_text("0" * 64 + "  SHA256SUMS\n")
    assert run("bash", "-c", commands[0], cwd=tmp_path / "release").returncode == 1
