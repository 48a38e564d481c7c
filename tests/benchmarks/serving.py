"""A service in processes of its own, as it runs in production, and what the system knows of them."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from tests.benchmarks.service import GUARD
from tests.ports import free_port

ROOT: Final = Path(__file__).parents[2]
START_SECONDS: Final = 60
_REQUEST: Final = 0.002
"""Seconds between two looks whether a service is up."""


@dataclass(frozen=True, slots=True)
class Service:
    """A running service."""

    address: str
    process: int

    def processor_seconds(self) -> float:
        """Processor time of all its processes and threads until now."""
        return sum(time.clock_gettime(_clock_of(process)) for process in _family(self.process))

    def resident_bytes(self) -> int:
        """Main memory of its first process."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.process}/status").read_text())
        assert found
        return int(found[1]) * 1024


@contextmanager
def service(
    guard: str, environment: Mapping[str, str], *, workers: int = 1, build: Path = ROOT
) -> Iterator[Service]:
    """Uvicorn with uvloop and httptools; one worker has a processor of its own where there are two."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "tests.benchmarks.service:make"]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    command += ["--port", str(port), "--workers", str(workers)]
    if workers == 1:
        command = [*_alone(0), *command]
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    process = subprocess.Popen(command, cwd=build, env=clean | dict(environment) | {GUARD: guard})
    try:
        yield Service(f"http://localhost:{port}", process.pid)
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def wait_for(service: Service, headers: Mapping[str, str]) -> None:
    """Ask until the service answers, and look that it is as it should.

    Raises:
        AssertionError: It answers otherwise, or not at all.
    """
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(trust_env=False, timeout=START_SECONDS) as client:
        while True:
            try:
                answer = client.get(f"{service.address}/incidents", headers=dict(headers))
            except httpx.ConnectError:
                assert time.monotonic() < deadline, "does not answer"
                time.sleep(_REQUEST)
                continue
            assert answer.json() == {"open": 3}, f"{answer.status_code}: {answer.text}"
            return


def load(url: str, *options: str, beside: bool = True) -> subprocess.Popen[str]:
    """Start wrk; it has the other processor where it is beside one worker."""
    command = [*(_alone(1) if beside else []), "wrk", *options, url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def answers(process: subprocess.Popen[str], *, refused: bool = False) -> tuple[int, float]:
    """How many requests wrk had answered, and in how many seconds.

    Raises:
        AssertionError: Some were refused, or not all where they all should be, or failed.
    """
    output, _ = process.communicate(timeout=120)
    found = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", output)
    assert found, output
    count = int(found[1])
    others = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    assert (int(others[1]) if others else 0) == (count if refused else 0), output
    assert "Socket errors" not in output, output
    return count, float(found[2]) * {"ms": 0.001, "s": 1, "m": 60}[found[3]]


def _alone(number: int) -> list[str]:
    """Puts a command on that processor, where there is a second one and the means."""
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2 or shutil.which("taskset") is None:
        return []
    return ["taskset", "--cpu-list", str(processors[number])]


def _clock_of(process: int) -> int:
    """The clock of a process's time on processors, as clock_getcpuclockid(3) makes its number on Linux."""
    return (~process << 3) | 2


def _family(process: int) -> list[int]:
    """The process, its children, and theirs."""
    found = [process]
    for each in found:
        for thread in Path(f"/proc/{each}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found
