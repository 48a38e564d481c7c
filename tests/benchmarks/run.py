"""Runs the benchmark: ``python tests/benchmarks/run.py [--quick] [--rounds N] [--json FILE] [--check]``."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repository, as for the tests

from tests.benchmarks.material import Material, mint
from tests.benchmarks.measurement import Row, measure
from tests.benchmarks.ours import ours
from tests.benchmarks.peers import peers
from tests.benchmarks.report import as_data, describe, heading, table
from tests.benchmarks.whole_requests import whole_requests


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when goals are to be checked and one is missed, else 0."""
    options = _parser().parse_args(arguments)
    rounds, tokens = (40, 400) if options.quick else (options.rounds, 2000)
    _leave_settings_of_the_environment_out()
    material = mint(tokens)
    rows, requests = asyncio.run(_measure(material, rounds))
    sizes = {"rounds": rounds, "tokens": tokens, "bytes in a token": len(material.good[0])}
    report = describe(rows, sizes) | {"requests": as_data(requests)}
    print(heading(report))
    print(table("judging one token", report["rows"]))
    print(table("one whole request, in process", report["requests"]))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    missed = [row.name for row in (*rows, *requests) if row.missed]
    if missed and options.check:
        print(f"\nGoals missed: {'; '.join(missed)}", file=sys.stderr)
        return 1
    return 0


async def _measure(material: Material, rounds: int) -> tuple[list[Row], list[Row]]:
    rows = await measure([*peers(material), *await ours(material)], rounds=rounds)
    async with AsyncExitStack() as stack:
        return rows, await measure(await whole_requests(stack), rounds=rounds)


def _leave_settings_of_the_environment_out() -> None:
    for name in [name for name in os.environ if name.upper().startswith("CAMUNDA_")]:
        del os.environ[name]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="How long it takes to judge a token, and to answer.")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--rounds", type=_positive, default=300, help="how often each works (default: 300)")
    length.add_argument("--quick", action="store_true", help="40 rounds with fewer tokens: less exact")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything to this file")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a goal is missed")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 2:
        raise argparse.ArgumentTypeError("give at least 2, as one round alone has no quartiles")
    return number


if __name__ == "__main__":
    sys.exit(main())
