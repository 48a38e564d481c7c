"""Many more requests than the service beside a gateway can serve: real nginx, uvicorn and load."""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from starlette.types import Receive, Scope, Send

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e.gateways import RECIPES, Addresses, nginx
from tests.e2e.wrk import wrk
from tests.ports import free_port
from tests.waiting import PATIENCE, wait_for

CONNECTIONS: Final = 600
"""More than nginx has unless it is told."""
BURST: Final = 500
"""How many the recipe lets through beyond its rate."""
PLENTY: Final = 20 * BURST
"""How many must have been refused before it counts as too much."""
GROWTH: Final = 64 * 1024
"""Kilobytes that the service may grow by."""


class Upstream:
    """Counts what reached it, by what the request says of itself."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            self.kinds[dict(scope["headers"]).get(b"x-kind", b"").decode()] += 1
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body"})


@dataclass(frozen=True)
class Service:
    """The service beside the gateway, in a process of its own."""

    address: str
    pid: int

    def memory(self) -> int:
        """Kilobytes that it holds."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found
        return int(found[1])


@contextmanager
def service(environment: dict[str, str], log: Path) -> Iterator[Service]:
    """As it comes with uvicorn alone, with a bound on what it works at; no token is remembered."""
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "service:app",
        "--port",
        "0",
        "--no-access-log",
        "--http",
        "h11",
    ]
    command += ["--loop", "asyncio", "--limit-concurrency", "1000", "--log-level", "info"]
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    clean |= environment | {"CAMUNDA_ENTRA_TOKEN_CACHE_SIZE": "0"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=RECIPES, env=clean, stdout=output, stderr=output)
    try:
        wait_for(lambda: b"running on" in log.read_bytes() or process.poll() is not None, log.read_text)
        found = re.search(r"running on (http://[\d.:]+)", log.read_text())
        assert found, log.read_text()
        yield Service(found[1], process.pid)
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        process.wait(PATIENCE)


@dataclass(frozen=True)
class Answer:
    """What nginx says of a request in its log."""

    status: int
    limited: str
    """``PASSED`` or ``REJECTED`` by the limit."""
    asked: bool
    """Whether anybody behind nginx was."""


def answers(log: Path) -> Counter[Answer]:
    """What nginx answered, without those whose client had left (499): the load ends in their midst."""
    lines = Counter(log.read_text().splitlines()) if log.exists() else Counter()
    found: Counter[Answer] = Counter()
    for line, count in lines.items():
        status, limited, asked = line.split(" ", 2)
        if status != "499":
            found[Answer(int(status), limited, asked != "-")] += count
    return found


REFUSED: Final = Answer(503, "REJECTED", asked=False)
"""At once: nobody was asked, so nobody was waited for."""
ADMITTED: Final = {Answer(status, "PASSED", asked=True) for status in (200, 401)}


@dataclass(frozen=True)
class Flood:
    """More than can be served, for as long as this machine needs to refuse plenty."""

    passed: int
    """How many got a 200."""
    under_way: int
    """How many at most waited when the load ended."""


def flood(url: str, kinds: list[dict[str, str]], folder: Path) -> Flood:
    """Ask until plenty was refused."""
    passed = 0
    for number in range(1, 31):
        load = wrk(url, kinds, folder, connections=CONNECTIONS, seconds=3)
        assert load.unheard == 0
        passed += load.statuses.get(200, 0)
        if (refused := answers(folder / "access.log")[REFUSED]) >= PLENTY:
            return Flood(passed, number * CONNECTIONS)
    raise AssertionError(f"Only {refused} were refused.")


def test_many_more_requests_than_can_be_served(tmp_path: Path) -> None:
    """What is too much is refused at once; nothing passes unverified; afterwards all is as before."""
    emulator, upstream, port = EntraEmulator(), Upstream(), free_port()
    with ExitStack() as stack:
        stack.enter_context(emulator.serve())
        verifier = stack.enter_context(service(emulator.environment(), tmp_path / "service.log"))
        behind = stack.enter_context(serving(upstream))
        good = emulator.token(roles=["Operate.User"])
        forged = good[:-8] + ("A" * 8 if not good.endswith("A" * 8) else "B" * 8)
        kinds = [
            {"X-Kind": "good", "Authorization": f"Bearer {good}"},
            {"X-Kind": "forged", "Authorization": f"Bearer {forged}"},
            {"X-Kind": "none"},
        ]

        addresses = Addresses(port, verifier.address, behind)
        url = f"http://127.0.0.1:{port}/orders"
        with nginx(addresses, tmp_path, "rate=100000r/s"):
            served = wrk(url, kinds, tmp_path, connections=16, seconds=3)
        assert set(served.statuses) == {200, 401}
        (tmp_path / "access.log").unlink()
        upstream.kinds.clear()
        memory, begun = verifier.memory(), time.monotonic()
        limit = round(served.rate / 2)
        stack.enter_context(nginx(addresses, tmp_path, f"rate={limit}r/s"))
        flooded = flood(url, kinds, tmp_path)
        answered, lasted = answers(tmp_path / "access.log"), time.monotonic() - begun
        grown, reached = verifier.memory() - memory, upstream.kinds.copy()

        def status(kind: dict[str, str]) -> int:
            return httpx.get(url, headers=kind, trust_env=False, timeout=PATIENCE).status_code

        wait_for(lambda: status(kinds[0]) == 200)
        assert [status(kind) for kind in kinds] == [200, 401, 401]

    assert set(answered) == {REFUSED, *ADMITTED}
    assert sum(answered[each] for each in ADMITTED) <= limit * lasted + BURST + 1
    # Whatever passed was verified; answers that were under way at the end are counted by the upstream alone.
    assert set(reached) == {"good"}
    assert 0 <= reached["good"] - flooded.passed <= flooded.under_way
    assert grown < GROWTH
