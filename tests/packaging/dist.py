"""Builds a release of the last commit into dist/: ``python -m tests.packaging.dist``.

Wheel, source distribution, bill of materials, and the checksums of all three; the same bytes wherever and
whenever. Their time is that of the commit, or SOURCE_DATE_EPOCH where it is set, as it has to be where
there is no repository.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.packaging.sbom import bill_of_materials

ROOT: Final = Path(__file__).parents[2]
DIST: Final = ROOT / "dist"
LATEST: Final = 4_354_819_200
"""The year 2108, which no ZIP archive can tell."""


def git(*words: str) -> bytes:
    """What git says of this repository.

    Raises:
        SystemExit: Git is not there, or refuses.
    """
    # Files are as they are committed, also where git is told to write the line ends of Windows.
    command = ["git", "-C", str(ROOT), "-c", "core.autocrlf=false", *words]
    try:
        return subprocess.run(command, capture_output=True, check=True).stdout
    except OSError as error:
        raise SystemExit(f"This is a git repository, and git cannot be run: {error}. Install git.") from None
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"Git cannot tell what was committed:\n{error.stderr.decode()}") from None


def release(source: Path, folder: Path, epoch: int) -> list[Path]:
    """Build from a tree of files; returns what was made.

    Raises:
        SystemExit: It cannot be built.
    """
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    built = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
    if built.returncode:
        raise SystemExit(f"Hatchling cannot build it:\n{built.stderr}")
    (wheel,) = folder.glob("*.whl")
    bill = folder / f"{'-'.join(wheel.name.split('-')[:2])}.cdx.json"
    bill.write_text(bill_of_materials(wheel, datetime.fromtimestamp(epoch, UTC)), "utf-8")
    made = sorted(folder.iterdir())
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in made]
    (folder / "SHA256SUMS").write_text("".join(sums), "utf-8")
    return [*made, folder / "SHA256SUMS"]


def main() -> list[Path]:
    """Build, unless the files here are not those of the commit.

    Raises:
        SystemExit: With a sentence on what to do.
    """
    repository = (ROOT / ".git").exists()
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not repository and not epoch:
        raise SystemExit(
            "There is no git repository here: set SOURCE_DATE_EPOCH to the time of the release's commit, "
            "in seconds since 1970, as in 1700000000. docs/reference/releases.md tells more."
        )
    if epoch and not (epoch.isdecimal() and int(epoch) < LATEST):
        raise SystemExit(
            f"SOURCE_DATE_EPOCH is {epoch!r}; it has to be seconds since 1970, as in 1700000000, before 2108."
        )
    if repository and (changed := git("status", "--porcelain").decode()):
        raise SystemExit(
            "A release is built from a commit, and these differ from the last; commit them, or stash them:\n"
            + changed
        )
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    if not repository:
        return release(ROOT, DIST, int(epoch))
    with tempfile.TemporaryDirectory() as folder:
        git("checkout-index", "--all", f"--prefix={folder}/")
        return release(Path(folder), DIST, int(epoch or git("log", "-1", "--format=%ct")))


if __name__ == "__main__":
    for path in main():
        sys.stdout.write(f"dist/{path.name}\n")
