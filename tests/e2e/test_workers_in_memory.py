"""A service with two workers whose sessions are in memory: what uvicorn's processes say."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx

from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from tests.e2e.test_replicas import BASE_URL, Balancer, replica, sign_in
from tests.waiting import PATIENCE

TOLD_AT_START = "started with 2 workers"
TOLD_AT_READ = "another process of this service made"


async def test_two_workers_say_that_they_share_no_sessions(
    new_key: Callable[[], SigningKey], tmp_path: Path
) -> None:
    """Both warn when they begin. Whoever meets the other's session answers 401, and says why."""
    (tmp_path / "ahead").write_text("0")
    log = tmp_path / "log"
    emulator = EntraEmulator(new_key=new_key)
    with emulator.serve():
        environment = emulator.environment() | {
            "CLOCK_AHEAD": str(tmp_path / "ahead"),
            "CAMUNDA_ENTRA_BASE_URL": BASE_URL,
            "CAMUNDA_ENTRA_SESSION_STORE": "memory",
        }
        with replica(environment, log, "--workers", "2", processes=2) as address:
            (tmp_path / "ahead").write_text("2")  # a session is surely younger than both processes
            async with httpx.AsyncClient(transport=Balancer([address]), timeout=PATIENCE) as browser:
                await sign_in(browser)
                cookies = "; ".join(f"{each.name}={each.value}" for each in browser.cookies.jar)
            seen: set[int] = set()
            while seen != {200, 401}:
                # A connection each, at once, so that both processes take some.
                async with httpx.AsyncClient(timeout=PATIENCE, headers={"Cookie": cookies}) as client:
                    answers = await asyncio.gather(*(client.get(f"{address}/me") for _ in range(20)))
                seen |= {answer.status_code for answer in answers}
    text = log.read_text()
    assert text.count(TOLD_AT_START) == 2
    assert text.count(TOLD_AT_READ) == 1
