"""How many instructions of the processor each kind of request takes, counted by callgrind.

The machine may be as busy as it likes: the same versions run the same instructions, but for a few.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks import instructed
from tests.benchmarks.measurement import Row


def instructions() -> list[Row]:
    """One row for each contender; the bare verification is the floor."""
    with TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/counted"]
        command += [f"--dump-before={instructed.MARK}", sys.executable, instructed.__file__]
        environment = os.environ | {"PYTHONHASHSEED": "0"}  # or each run's sets had another order
        run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert run.returncode == 0, run.stderr
        dumps = sorted(Path(folder).glob("counted.*"), key=lambda path: int(path.suffix[1:]))
        counted = [_total(dump) for dump in dumps]
    names = json.loads(run.stdout)
    # Each contender has two marks: the first dump holds what came before its work, the second its work.
    marked = counted[-2 * len(names) :]
    assert len(marked) == 2 * len(names), f"This Python has no symbol {instructed.MARK}: {len(marked)} dumps."
    each = [count / instructed.BATCH for count in marked[1::2]]
    return [
        Row(name, {"instructions": count}, count / each[0]) for name, count in zip(names, each, strict=True)
    ]


def _total(dump: Path) -> int:
    found = re.search(r"^totals: (\d+)", dump.read_text(), re.MULTILINE)
    assert found, f"{dump.name} has no total"
    return int(found[1])
