"""docs/explanation/speed.md says that ``make bench`` measures again: it runs, and its report can be read."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_part_of_the_benchmark_runs_and_is_written_down(tmp_path: Path) -> None:
    """All of its modules are loaded, and what was measured is in the file as in the table."""
    file = tmp_path / "report.json"
    command = [sys.executable, "tests/benchmarks/run.py", "--quick", "--only", "imports", "--json", str(file)]
    run = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr
    report = json.loads(file.read_text(encoding="utf-8"))
    [row] = report["sections"]["imports"]
    assert row["ratio"] > 0
    assert f"{row['ratio']:.3f}" in run.stdout
    assert report["packages"]["fastapi"] in run.stdout
