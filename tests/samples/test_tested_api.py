"""The sample of a tested service, and the tutorial's page on tests: both are run as users run them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples" / "tested_api"


def run_pytest(folder: Path, *arguments: str) -> str:
    """What pytest printed in a folder that knows nothing of this project's configuration."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *arguments]
    ini = "[pytest]\nasyncio_default_fixture_loop_scope = function\n"  # some versions warn without it
    (folder / "pytest.ini").write_text(ini, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_samples_tests_pass(tmp_path: Path) -> None:
    """Copied to somewhere else, with the command that its README gives."""
    shutil.copytree(SAMPLE, tmp_path / "tested_api", ignore=shutil.ignore_patterns("__pycache__"))
    count = (SAMPLE / "test_main.py").read_text("utf-8").count("def test_")
    assert f"{count} passed" in run_pytest(tmp_path, "tested_api")


def test_the_samples_page_names_its_tests() -> None:
    """The table has a row for each test, in their order."""
    page, tests = ((SAMPLE / name).read_text("utf-8") for name in ("README.md", "test_main.py"))
    assert re.findall(r"^\| `(test_\w+)`", page, re.MULTILINE) == re.findall(r"def (test_\w+)", tests)


def test_the_examples_of_the_tutorial_pass(tmp_path: Path) -> None:
    """The files of its page on tests, pasted as they stand there, are all that pytest needs."""
    page = (ROOT / "docs" / "tutorial" / "test-it.md").read_text("utf-8")
    files = re.findall(r'^```python title="(\w+\.py)"\n(.*?)^```', page, re.DOTALL | re.MULTILINE)
    for name, content in files:
        (tmp_path / name).write_text(content, encoding="utf-8")
    count = sum(content.count("def test_") for _, content in files)
    assert {"main.py", "conftest.py", "test_main.py"} < {name for name, _ in files}
    assert f"{count} passed" in run_pytest(tmp_path)
