"""Runs the benchmark: ``python tests/benchmarks/run.py [--quick] [--only NAME ...] [--json FILE] [--check]``.

``--compare`` holds the result against the baseline that is kept beside this file, and ``--write-baseline``
replaces that.
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repository, as for the tests

from tests.benchmarks.baseline import BASELINE, as_baseline, compare
from tests.benchmarks.builds import builds
from tests.benchmarks.flood import flood
from tests.benchmarks.imports import imports
from tests.benchmarks.instructions import instructions
from tests.benchmarks.material import Material, mint
from tests.benchmarks.measurement import Row, Section, measure
from tests.benchmarks.memory import finding, memory
from tests.benchmarks.ours import ours
from tests.benchmarks.over_http import start_up, throughput
from tests.benchmarks.peers import peers
from tests.benchmarks.report import describe, heading, table
from tests.benchmarks.rollover import rollover
from tests.benchmarks.session_stores import session_stores
from tests.benchmarks.whole_requests import whole_requests

TOKENS: Final = 2000


@dataclass(frozen=True, slots=True)
class Effort:
    """How often and how long everything is measured."""

    rounds: int = 200
    rounds_over_http: int = 7
    seconds: int = 1
    starts: int = 9
    max_cached: int = 100_000


QUICK: Final = Effort(rounds=60, rounds_over_http=3, starts=3, max_cached=10_000)


def _validation(material: Material, effort: Effort) -> list[Row]:
    async def validate() -> list[Row]:
        return await measure([*peers(material), *await ours(material)], rounds=effort.rounds)

    return asyncio.run(validate())


def _requests(_material: Material, effort: Effort) -> list[Row]:
    async def ask() -> list[Row]:
        async with AsyncExitStack() as stack:
            return await measure(await whole_requests(stack), rounds=effort.rounds)

    return asyncio.run(ask())


def _memory(material: Material, effort: Effort) -> list[Row]:
    async def weigh() -> list[Row]:
        sizes = [size for size in (1000, 10_000, 100_000) if size <= effort.max_cached]
        return [*await memory(material), *await finding(material, sizes, effort.rounds)]

    return asyncio.run(weigh())


@dataclass(frozen=True, slots=True)
class _Part:
    title: str
    measure: Callable[[Material, Effort], list[Row]]
    needs: tuple[str, ...] = ()


_PARTS: Final = {
    "judging": _Part("Judging one token; ratio: processor time by the floor's", _validation),
    "requests": _Part(
        "One whole request, in process; ratio: processor time by the same request's, sent to nobody's guard",
        _requests,
        ("redis-server",),
    ),
    "http": _Part(
        "Over HTTP; ratio: requests a second, by those of the same request sent to nobody's guard",
        lambda _, effort: throughput(effort.rounds_over_http, effort.seconds),
        ("redis-server", "wrk"),
    ),
    "sessions": _Part(
        "Over HTTP by session cookie; ratio: processor time of a dependency that does nothing, by its",
        lambda _, effort: session_stores(effort.rounds_over_http, effort.seconds),
        ("redis-server", "wrk", "git"),
    ),
    "start": _Part(
        "From the start of a process to its first answer; ratio: seconds",
        lambda _, effort: start_up(effort.starts),
    ),
    "memory": _Part("Remembered tokens; ratio: KiB, and processor time by the first size's", _memory),
    "imports": _Part(
        "Importing the package; ratio: its own time by that of its dependencies",
        lambda _, effort: imports(effort.starts + 2),
    ),
    "flood": _Part(
        "10,000 forged tokens from one client, good ones from another",
        lambda _, effort: flood(effort.rounds_over_http, effort.seconds),
        ("wrk",),
    ),
    "rollover": _Part(
        "Tokens of known keys over 143 days in which Entra's keys come and go; ratio: refused by all",
        lambda *_: rollover(),
    ),
    "builds": _Part(
        "By the build that the baseline names, side by side; ratio: processor time by that build's",
        lambda _, effort: builds(effort.rounds),
        ("git",),
    ),
    "instructions": _Part(
        "Instructions of the processor for one; ratio: by the floor's",
        lambda *_: instructions(),
        ("valgrind",),
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when a goal is missed or something became slower, and that was asked, else 0."""
    options = _parser().parse_args(arguments)
    effort = QUICK if options.quick else Effort()
    _leave_settings_of_the_environment_out()
    material = mint(TOKENS)
    sections = []
    for name in options.only or _PARTS:
        part = _PARTS[name]
        missing = [need for need in part.needs if shutil.which(need) is None]
        if missing:
            print(f"{name}: left out, as {' and '.join(missing)} cannot be found", file=sys.stderr)
            continue
        print(f"measuring: {name}", file=sys.stderr)
        sections.append(Section(name, part.title, part.measure(material, effort)))
    sizes = {"rounds": effort.rounds, "tokens": TOKENS, "bytes in a token": len(material.good[0])}
    report = describe(sections, sizes)
    print(heading(report), *map(table, sections), sep="\n")
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if options.write_baseline:
        kept = {"build": json.loads(BASELINE.read_text(encoding="utf-8"))["build"], **as_baseline(report)}
        BASELINE.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    found = []
    if options.check:
        found += [f"Goal missed: {row.name}" for section in sections for row in section.rows if row.missed]
    if options.compare:
        comparison = compare(json.loads(BASELINE.read_text(encoding="utf-8")), as_baseline(report))
        print("", *comparison.notes, sep="\n")
        found += comparison.regressions
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    return 1 if found else 0


def _leave_settings_of_the_environment_out() -> None:
    for name in [name for name in os.environ if name.upper().startswith("CAMUNDA_")]:
        del os.environ[name]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="How long it takes to judge a token, and to answer.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: less exact")
    parser.add_argument(
        "--only", nargs="+", choices=_PARTS, metavar="NAME", help=f"some of: {', '.join(_PARTS)}"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything to this file")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    parser.add_argument("--compare", action="store_true", help="exit with 1 when slower than the baseline")
    parser.add_argument("--write-baseline", action="store_true", help="keep the result as the baseline")
    return parser


if __name__ == "__main__":
    sys.exit(main())
