"""Ten times more requests than the service beside a gateway can serve: real nginx, uvicorn and load."""

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
from tests.e2e.gateways import RECIPES, Addresses, free_port, nginx
from tests.e2e.wrk import wrk

SECONDS: Final = 30
CONNECTIONS: Final = 400
PATIENCE: Final = 5
"""Seconds that nobody may wait for longer, whatever the answer."""
PLENTY: Final = 64 * 1024
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
    command += ["--loop", "asyncio", "--limit-concurrency", "600", "--log-level", "info"]
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    clean |= environment | {"CAMUNDA_ENTRA_TOKEN_CACHE_SIZE": "0"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=RECIPES, env=clean, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 30
        while not (found := re.search(r"running on (http://[\d.:]+)", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield Service(found[1], process.pid)
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        process.wait(10)


def test_ten_times_too_many_requests(tmp_path: Path) -> None:
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
        memory = verifier.memory()
        stack.enter_context(nginx(addresses, tmp_path, f"rate={served.rate / 2:.0f}r/s"))
        upstream.kinds.clear()
        flood = wrk(url, kinds, tmp_path, connections=CONNECTIONS, seconds=SECONDS)
        begun = time.monotonic()
        after = httpx.get(url, headers=kinds[0], trust_env=False, timeout=20)
        recovery = time.monotonic() - begun
        grown = verifier.memory() - memory

    assert flood.requests > 10 * served.rate * flood.seconds
    assert set(flood.statuses) == {200, 401, 503}
    assert (flood.timeouts, flood.slowest < PATIENCE) == (0, True)
    # Whatever passed was verified; answers that were under way at the end are counted by the upstream alone.
    assert set(upstream.kinds) == {"good"}
    assert 0 <= upstream.kinds["good"] - flood.statuses[200] <= CONNECTIONS
    assert grown < PLENTY
    assert (after.status_code, recovery < 1) == (200, True)
