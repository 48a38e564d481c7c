"""What users get: the wheel, without the source tree, without the packages that scanners report."""

import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.packaging.advisories import pins

ROOT = Path(__file__).parents[2]
FLAGGED = ("ecdsa", "rsa", "pyasn1")
CORE = [  # each module that python-jose has a part in, which is what would import the flagged ones
    "tests/validation/test_keys.py",
    "tests/validation/test_id_token.py",
    "tests/validation/test_verifier.py",
    "tests/sessions/test_sealing.py",
    "tests/web/test_bearer.py",
    "tests/web/test_gateway_identity.py",
    "tests/remote/test_keysource.py",
    "tests/test_plugin.py",
]

pytestmark = pytest.mark.packaging


def run(*command: str | Path, **options: object) -> str:
    """What the command printed; it must succeed."""
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return str(done.stdout)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel and the test tools, and without the flagged packages."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pip = (python, "-m", "pip", "--disable-pip-version-check", "--quiet")
    tools = run(sys.executable, ROOT / "tests/packaging/requirements.py", "newest").splitlines()
    constraint = folder / "pins.txt"  # without the hashes: the wheel and the newest tools have none there
    constraint.write_text("\n".join(pins(ROOT / "tests/packaging/pins.txt")), "utf-8")
    run(*pip, "install", "--constraint", constraint, f"{wheel}[all]", *tools)
    run(*pip, "uninstall", "--yes", *FLAGGED)
    return python


def test_the_wheel_holds_what_it_needs(wheel: Path) -> None:
    """Types are announced, pages and the sample are in, tests are not."""
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "py.typed",
        "testing/pages/sign_in.html",
        "cli/samples/operate_api/main.py",
        "cli/samples/operate_web/templates/base.html",
    ):
        assert f"camunda_entra_fastapi/{needed}" in names
    assert not [name for name in names if name.startswith(("tests/", "samples/")) or "__pycache__" in name]


def test_the_changelog_begins_with_this_version(wheel: Path) -> None:
    """A release that nobody described is none."""
    newest = re.search(r"^## (?!Unreleased$)(\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest is not None
    assert wheel.name.split("-")[1] == newest[1]


def test_the_flagged_packages_are_gone(python: Path) -> None:
    """The environment of the tests below really lacks them."""
    for name in FLAGGED:
        done = subprocess.run([python, "-c", f"import {name}"], capture_output=True, check=False)
        assert done.returncode != 0


def test_the_core_tests_pass_without_the_flagged_packages(python: Path, tmp_path: Path) -> None:
    """All that works with python-jose does so from the wheel, with ecdsa, rsa and pyasn1 removed."""
    for name in ("tests", "samples", "README.md"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text("utf-8"), "utf-8")
    where = run(python, "-c", "import camunda_entra_fastapi as it; print(it.__file__)", cwd=tmp_path)
    assert "site-packages" in where
    printed = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *CORE, cwd=tmp_path)
    assert re.search(r"\d+ passed", printed)


def test_the_command_works_from_the_wheel(python: Path, tmp_path: Path) -> None:
    """The demo needs no checkout."""
    assert "demo" in run(python.with_name("camunda-entra"), "--help", cwd=tmp_path)
    run(python.with_name("camunda-entra"), "demo", "--check", cwd=tmp_path)
