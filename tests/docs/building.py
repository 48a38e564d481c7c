"""Builds the documentation site."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.docs.blocks.parsing import ROOT

_BUILDER: Final = ROOT / ".venv-docs/bin/zensical"


def build(folder: Path) -> Path:
    """Build it in that folder; gives the folder of the pages.

    Raises:
        AssertionError: There is a dead link, or something else that the builder warns of.
    """
    shutil.copytree(ROOT / "docs", folder / "docs")  # which has to be within the folder, and no link
    (folder / "camunda_entra_fastapi").symlink_to(ROOT / "camunda_entra_fastapi")
    (folder / "zensical.toml").write_bytes((ROOT / "zensical.toml").read_bytes())
    command = [str(_BUILDER), "build", "--strict", "--clean"]
    run = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "site"
