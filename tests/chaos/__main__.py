"""Runs the scenarios: ``python -m tests.chaos [--only TEXT ...] [--server NAME] [--lease SECONDS]``.

It fails where a promise is broken, and says which.
"""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Callable
from contextlib import aclosing, nullcontext
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from redis.exceptions import RedisError

from camunda_entra_fastapi.testing import EntraEmulator
from tests.chaos.report import Row, heading, line, markdown, total
from tests.chaos.running import Setting, run_group
from tests.chaos.scenarios.groups import GROUPS
from tests.e2e.servers import server

SERVERS: Final[dict[str, Callable[[], str]]] = {
    "redis": lambda: "redis-server",
    "valkey": lambda: str(server("valkey-server")),
}
SETTINGS: Final = (("redis", 0.0), ("valkey", 2.0))
"""What everything is run with, unless the command line says otherwise: together they are quick enough."""


async def main(arguments: argparse.Namespace) -> int:
    """Run what is wanted, and tell; the process's exit code."""
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)  # servers end with it
    pairs = [(arguments.server, arguments.lease)] if arguments.server else SETTINGS
    rows: list[Row] = []
    unfinished = 0
    begun = time.monotonic()
    emulator = EntraEmulator()
    print(heading())
    with emulator.serve(), nullcontext(arguments.keep) if arguments.keep else _forgotten() as folder:
        for (name, lease), group in product(pairs, GROUPS):
            setting = Setting(SERVERS[name](), lease, arguments.rate, arguments.comings, arguments.people)
            label = f"{name}, lease {lease:g} s" if lease else name
            place = _folder(folder, f"{group.name}, {label}".replace(" ", "-"))
            try:
                async with aclosing(run_group(group, arguments.only, setting, place, emulator)) as verdicts:
                    async for title, verdict in verdicts:
                        rows.append(Row(f"{title} ({label})", verdict))
                        _tell(line(rows[-1]), *(f"    {broken}" for broken in verdict.broken))
            except (AssertionError, ExceptionGroup, OSError, RedisError) as failure:  # timeouts are OSErrors
                _tell(f"{group.name} ({label}) was not run to its end: {failure!r}")
                unfinished += 1
    counts = ", ".join(f"{count:,} x {status or 'none'}" for status, count in sorted(total(rows).items()))
    broken = sum(bool(row.verdict.broken) for row in rows)
    _tell(
        f"\n{len(rows)} scenarios in {time.monotonic() - begun:.0f} s; answers: {counts}",
        f"{broken} of them broke a promise" if broken else "all promises of these were kept",
        *([f"{unfinished} groups were not run to their end"] if unfinished else []),
    )
    if arguments.markdown:
        _write(arguments.markdown, markdown(rows))
    return 1 if broken or unfinished or not rows else 0


def _tell(*lines: str) -> None:
    print("\n".join(lines), flush=True)


def _forgotten() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="entra-chaos-")


def _folder(around: str, name: str) -> Path:
    place = Path(around, name)
    place.mkdir(parents=True)
    return place


def _write(path: Path, text: str) -> None:
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="parts of titles")
    parser.add_argument("--server", choices=sorted(SERVERS), help="with this alone")
    parser.add_argument("--lease", type=float, default=0.0, help="CAMUNDA_ENTRA_SESSION_LEASE for --server")
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--comings", type=float, default=4.0, help="sign-ins a second")
    parser.add_argument("--people", type=int, default=24, help="who stays signed in")
    parser.add_argument("--keep", help="a folder in which logs of replicas and servers stay")
    parser.add_argument("--markdown", type=Path, help="write the table there, for the documentation")
    sys.exit(asyncio.run(main(parser.parse_args())))
