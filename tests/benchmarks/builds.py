"""Two builds of the package side by side in one run: this checkout, and the one that the baseline names.

Each has a process of its own, with the same interpreter, dependencies and benchmark. In each round both work
once, so that what slows the machine down for a while slows both.
"""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repository, as for the tests

from tests.benchmarks.baseline import BASELINE
from tests.benchmarks.measurement import Contender, Goal, Row, measure_once, row_of

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = "camunda_entra_fastapi"

GOALS: Final = {
    "ours, never seen": Goal(0.85),
    "ours, refused: expired": Goal(0.75),
    "ours, refused: wrong signature": Goal(0.8),
    "ours, refused: over 16 KiB": Goal(0.35),
    "ours, refused: unknown key, fetches used up": Goal(0.4),
    "ours, role required, token seen before": Goal(0.88),
    "ours, session cookie, store cookie": Goal(0.96),
}
"""What should have become quicker than in the baseline's build: processor time, by that build's."""


def builds(rounds: int, names: Sequence[str] = tuple(GOALS)) -> list[Row]:
    """One row for each contender: processor time of this checkout, by that of the baseline's build.

    None without that build, as in a copy of the repository that has no history.
    """
    with ExitStack() as stack:
        build = stack.enter_context(checkout(_baseline_commit(), PACKAGE))
        if build is None:
            return []
        theirs = stack.enter_context(_process(build))
        mine = stack.enter_context(_process(REPOSITORY))
        chance = random.Random(1)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        for turn in range(rounds + 1):
            for name in chance.sample(names, len(names)):
                pair = (_work(mine, name), _work(theirs, name))
                if turn:  # the first round runs everything in
                    times[name].append(pair)
    return [
        row_of(
            name,
            {
                "processor us": median(now for now, _ in pairs) / 1000,
                "the baseline's us": median(then for _, then in pairs) / 1000,
            },
            [now / then for now, then in pairs],
            GOALS[name],
        )
        for name, pairs in times.items()
    ]


def _baseline_commit() -> str:
    build: str = json.loads(BASELINE.read_text(encoding="utf-8"))["build"]
    return build


@contextmanager
def checkout(commit: str, *paths: str) -> Iterator[Path | None]:
    """A folder with those paths as they were at that commit; None where the commit is not in the history."""
    with TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "-C", str(REPOSITORY), "archive", commit, *paths], capture_output=True, check=False
        )
        if archive.returncode:
            print(f"builds: left out, as {commit} is not in the history", file=sys.stderr)
            yield None
            return
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        yield Path(folder)


@contextmanager
def _process(build: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that measures the build on demand."""
    command = [sys.executable, __file__, str(build)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def _work(process: "subprocess.Popen[str]", name: str) -> float:
    """Nanoseconds of processor time that one takes."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{name}\n")
    process.stdin.flush()
    return float(process.stdout.readline())


async def _serve() -> None:
    """Measure each contender whose name is read, and print the nanoseconds for one."""
    from contextlib import AsyncExitStack

    from tests.benchmarks.material import mint
    from tests.benchmarks.ours import ours
    from tests.benchmarks.whole_requests import whole_requests

    async with AsyncExitStack() as stack:
        rows: list[Contender] = [*await ours(mint(2000)), *await whole_requests(stack, stores=["cookie"])]
        contenders = {contender.name: contender for contender in rows}
        for line in sys.stdin:
            contender = contenders[line.strip()]
            used, _ = await measure_once(contender)
            print(used / contender.batch, flush=True)


if __name__ == "__main__":
    if (build := Path(sys.argv[1])) != REPOSITORY:
        sys.path.insert(0, str(build))  # the package alone lies there, and is found before the checkout's
    asyncio.run(_serve())
