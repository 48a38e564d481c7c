"""Two replicas of the service, one with uvloop and one with asyncio's own event loop."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.chaos.servers import PATIENCE, reached

LOOPS: Final = ("uvloop", "asyncio")
"""What the replicas run on, in their order."""
_ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Replica:
    """A process of the service, and its address."""

    address: str
    pid: int


@asynccontextmanager
async def replicas(environment: Mapping[str, str], folder: Path) -> AsyncIterator[list[Replica]]:
    """Processes of the service, until the block ends."""
    logs = [folder / f"{loop}.log" for loop in LOOPS]
    processes = [_spawn(loop, environment, log) for loop, log in zip(LOOPS, logs, strict=True)]
    try:

        async def run() -> bool:
            ended = [log for log, each in zip(logs, processes, strict=True) if each.poll() is not None]
            assert not ended, ended[0].read_text()
            return all(b"running on" in log.read_bytes() for log in logs)

        await reached(run)
        yield [Replica(_address(log), each.pid) for log, each in zip(logs, processes, strict=True)]
        assert all(each.poll() is None for each in processes), "a replica ended"
    finally:
        for each in processes:
            each.terminate()
        for each in processes:
            await asyncio.to_thread(each.wait, PATIENCE)


def _address(log: Path) -> str:
    found = re.search(r"running on (http://[\d.:]+)", log.read_text())
    assert found, log.read_text()
    return found[1]


def _spawn(loop: str, environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    command = [sys.executable, "-m", "uvicorn", "tests.chaos.service:app", "--port", "0", "--loop", loop]
    command += ["--http", "httptools", "--no-access-log", "--timeout-keep-alive", "600"]
    with log.open("wb") as output:
        return subprocess.Popen(
            command, cwd=_ROOT, env=clean | dict(environment), stdout=output, stderr=output
        )
