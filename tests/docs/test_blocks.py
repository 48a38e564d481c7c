"""Every code block of README and of the site runs, or comes from what runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from tests.docs.blocks.console import Console
from tests.docs.blocks.languages import CHECKS, FROM_FILES
from tests.docs.blocks.parsing import ROOT, Block, blocks_of, commands_of, file_text, pages
from tests.docs.blocks.python_page import PythonPage

PAGES = [page for page in pages() if blocks_of(page)]
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
# The examples of --help stand each for itself and name what readers have; test_reference.py reads them.
STORIES = [page for page in PAGES if page.name != "command-line.md"]


@pytest.fixture(scope="module")
def local_entra() -> Iterator[EntraEmulator]:
    """A local Entra for all pages."""
    emulator = EntraEmulator()
    with emulator.serve():
        yield emulator


@pytest.mark.parametrize("page", STORIES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_its_blocks_run(page: Path, local_entra: EntraEmulator, tmp_path: Path) -> None:
    """A reader who types what stands there, from top to bottom, sees it work."""
    blocks = [block for block in blocks_of(page) if block.language not in FROM_FILES]
    starts_one = any(
        "camunda-entra emulator" in block.text for block in blocks if block.language == "console"
    )
    variables = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    # Who starts a local Entra has its variables in .env, and those of the environment would go before them.
    six = {} if starts_one else local_entra.environment()
    console, python = Console(tmp_path, variables | six, local_entra.environment()), PythonPage(tmp_path)
    written: list[Block] = []
    try:
        for block in blocks:
            if block.title:
                target = tmp_path / block.title
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(block.text, encoding="utf-8")
            if block.language == "python" and block.title:
                written.append(block)
            elif block.language == "python":
                _load(written, python, console)
                python.run(block.text, block.place, console.environment)
            elif block.language == "console":
                for command in commands_of(block):
                    console.run(command, block.place)
            else:
                CHECKS[block.language](block)
        _load(written, python, console)
        if any((tmp_path / block.title).name.startswith("test_") for block in blocks if block.title):
            _pytest(tmp_path, console.environment)
    finally:
        python.close()
        console.close()


def _load(written: list[Block], python: PythonPage, console: Console) -> None:
    """Import what blocks wrote into files, as late as can be: what they need may come after them."""
    for block in written:
        path = Path(block.title)
        if path.parent == Path() and not path.stem.startswith(("test_", "conftest")):
            python.load(path.stem, block.place, console.environment)
    written.clear()


def _pytest(folder: Path, environment: dict[str, str]) -> None:
    """The tests that a page shows pass, where nothing but what it shows is there."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:valkey",
        "-p",
        "no:schemathesis",
        "--rootdir",
        ".",
    ]
    run = subprocess.run(
        [*command, "-o", "asyncio_default_fixture_loop_scope=function"], check=False, cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    shutil.rmtree(folder / ".pytest_cache", ignore_errors=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_there_are_blocks() -> None:
    """They are found at all."""
    assert len(BLOCKS) > 50


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_it_can_be_run(page: Path) -> None:
    """Each block names a language; what cannot run where it stands names where it comes from."""
    for block in blocks_of(page):
        assert block.language in {"python", "console", *CHECKS, *FROM_FILES}, (
            f"{block.place}: {block.language!r}"
        )
        if block.language in FROM_FILES:
            assert block.marker, f"{block.place}: name what it comes from"


@pytest.mark.parametrize(
    "block", [each for each in BLOCKS if each.marker.startswith("file: ")], ids=lambda b: b.place
)
def test_what_comes_from_a_file_is_as_it_is_there(block: Block) -> None:
    """``make docs`` fills it again."""
    assert block.text == file_text(block.marker), f"{block.place}: run make docs"
