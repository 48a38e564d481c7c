"""Runs the scenarios: ``python -m tests.chaos [--only TEXT ...] [--server NAME] [--lease SECONDS]``.

It fails where a promise is broken, and says which.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from camunda_entra_fastapi.testing import EntraEmulator
from tests.chaos.report import Row, heading, line, markdown, total
from tests.chaos.running import Setting, run_group
from tests.chaos.scenarios.cluster import CLUSTER
from tests.chaos.scenarios.moving import MOVING
from tests.chaos.scenarios.sentinels import SENTINELS
from tests.chaos.scenarios.single import SINGLE
from tests.chaos.scenarios.tls import TLS
from tests.e2e.servers import server

GROUPS: Final = (SINGLE, MOVING, TLS, SENTINELS, CLUSTER)
SERVERS: Final = {"redis": lambda: "redis-server", "valkey": lambda: str(server("valkey-server"))}
SETTINGS: Final = (("redis", 0.0), ("valkey", 2.0))
"""What everything is run with, unless the command line says otherwise: together they are quick enough."""


async def main(arguments: argparse.Namespace) -> int:
    """Run what is wanted, and tell; the process's exit code."""
    pairs = [
        (name, lease)
        for name, lease in ([(arguments.server, arguments.lease)] if arguments.server else SETTINGS)
    ]
    rows: list[Row] = []
    begun = time.monotonic()
    emulator = EntraEmulator()
    print(heading())
    with emulator.serve(), TemporaryDirectory(prefix="entra-chaos-") as folder:
        for name, lease in pairs:
            setting = Setting(SERVERS[name](), name, lease, arguments.rate)
            for group in GROUPS:
                names = [
                    each.name
                    for each in group.scenarios
                    if _is_wanted(arguments, f"{group.name}: {each.name}")
                ]
                if not names:
                    continue
                place = _folder(folder, f"{name}-{lease:g}-{group.name.replace(' ', '-')}")
                async for scenario, verdict in run_group(group, names, setting, place, emulator):
                    title = f"{group.name}: {scenario.name}" + (f", lease {lease:g} s" if lease else "")
                    rows.append(Row(title, verdict))
                    print(line(rows[-1]), flush=True)
                    for broken in verdict.broken:
                        print(f"    {broken}", flush=True)
    counts = ", ".join(f"{count:,} x {status or 'none'}" for status, count in sorted(total(rows).items()))
    failed = sum(bool(row.verdict.broken) for row in rows)
    print(f"\n{len(rows)} scenarios in {time.monotonic() - begun:.0f} s; answers: {counts}")
    print(f"{failed} of them broke a promise" if failed else "all promises were kept")
    if arguments.markdown:
        arguments.markdown.write_text(markdown(rows) + "\n")
    return 1 if failed or not rows else 0


def _folder(around: str, name: str) -> Path:
    place = Path(around, name)
    place.mkdir()
    return place


def _is_wanted(arguments: argparse.Namespace, title: str) -> bool:
    return not arguments.only or any(text in title for text in arguments.only)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="parts of titles")
    parser.add_argument("--server", choices=sorted(SERVERS), help="with this alone")
    parser.add_argument("--lease", type=float, default=0.0, help="CAMUNDA_ENTRA_SESSION_LEASE for --server")
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--markdown", type=Path, help="write the table there, for the documentation")
    sys.exit(asyncio.run(main(parser.parse_args())))
