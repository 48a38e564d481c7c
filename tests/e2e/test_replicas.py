"""Two processes of one service behind one address, sharing a Redis, or nothing but their settings."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

import httpx
import pytest

from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from tests.e2e.browser_less import Page
from tests.waiting import PATIENCE, wait_for

ROOT: Final = Path(__file__).parents[2]
BASE_URL: Final = "http://localhost:8000"
"""The address that browsers know; it is a name only, as the balancer sends all of it elsewhere."""
LEASED: Final = "#leased"
NAVIGATION: Final = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}


class Balancer(httpx.AsyncBaseTransport):
    """Sends every request for the service to one of its replicas: the next, or the one that was picked."""

    def __init__(self, replicas: list[str]) -> None:
        self.replicas = replicas
        self.picked: int | None = None
        self._next = 0
        self._transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=100))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass it on; the replica sees the address that the browser asked for."""
        if request.url.netloc != b"localhost:8000":
            return await self._transport.handle_async_request(request)
        self._next += 1
        number = self._next if self.picked is None else self.picked
        replica = urlsplit(self.replicas[number % len(self.replicas)])
        url = request.url.copy_with(host=replica.hostname, port=replica.port)
        passed_on = httpx.Request(request.method, url, headers=request.headers, stream=request.stream)
        return await self._transport.handle_async_request(passed_on)

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._transport.aclose()


@contextmanager
def replica(environment: dict[str, str], log: Path, *options: str, processes: int = 1) -> Iterator[str]:
    """The service by uvicorn with these options; gives its address once all of its processes have begun."""
    uvicorn = ["-m", "uvicorn", "tests.e2e.web_app:app", "--port", "0", "--no-access-log"]
    command = [sys.executable, *uvicorn, *options]
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=clean | environment, stdout=output, stderr=output)
    try:
        wait_for(lambda: _is_up(log.read_bytes(), processes) or process.poll() is not None, log.read_text)
        found = re.search(r"running on (http://[\d.:]+)", log.read_text())
        assert found, log.read_text()
        yield found[1]
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _is_up(log: bytes, processes: int) -> bool:
    """Whether all processes have begun, and the address is told."""
    return log.count(b"startup complete") == processes and b"running on" in log


async def sign_in(browser: httpx.AsyncClient, path: str = "/me") -> httpx.Response:
    """Open a page, sign in as the first person at the local Entra, and follow back to the page."""
    answer = await browser.get(BASE_URL + path, headers=NAVIGATION)
    while answer.is_redirect:
        answer = await browser.send(_next(answer))
    form = next(form for form in Page(answer.text).forms if form.buttons)
    answer = await browser.post(str(answer.url), data=form.fields | form.buttons[0][1])
    while answer.is_redirect:
        answer = await browser.send(_next(answer))
    return answer


def _next(answer: httpx.Response) -> httpx.Request:
    request = answer.next_request
    assert request is not None
    request.headers.update(NAVIGATION)
    return request


@pytest.fixture
def emulator(new_key: Callable[[], SigningKey]) -> Iterator[EntraEmulator]:
    """A local Entra."""
    emulator = EntraEmulator(new_key=new_key)
    with emulator.serve():
        yield emulator


@pytest.fixture(params=["cookie", "redis"])
def store(request: pytest.FixtureRequest) -> str:
    """What the replicas share."""
    if request.param == "cookie":
        return "cookie"
    url = str(request.getfixturevalue("redis_url"))
    return url + LEASED if request.param == "leased" else url


@pytest.fixture
def travel(emulator: EntraEmulator, tmp_path: Path) -> Callable[[float], None]:
    """Lets seconds pass, once, for Entra and the replicas at the same time."""

    def go(seconds: float) -> None:
        (tmp_path / "ahead").write_text(str(seconds))
        emulator.travel(seconds)

    go(0)
    return go


@pytest.fixture
def balancer(
    emulator: EntraEmulator, travel: Callable[[float], None], store: str, tmp_path: Path
) -> Iterator[Balancer]:
    """Two replicas."""
    environment = emulator.environment() | {
        "CLOCK_AHEAD": str(tmp_path / "ahead"),
        "CAMUNDA_ENTRA_BASE_URL": BASE_URL,
        "CAMUNDA_ENTRA_SESSION_STORE": store.removesuffix(LEASED),
        "CAMUNDA_ENTRA_SESSION_LEASE": "10" if store.endswith(LEASED) else "0",
    }
    with ExitStack() as stack:
        yield Balancer(
            [stack.enter_context(replica(environment, tmp_path / f"{number}.log")) for number in (0, 1)]
        )


def renewals(emulator: EntraEmulator) -> int:
    """How often a session was renewed."""
    return sum(each.did == "refresh" for each in emulator.requests)


async def test_a_sign_in_begun_on_one_replica_completes_on_the_other(balancer: Balancer) -> None:
    """Every request of the way meets another process, and both know who is signed in afterwards."""
    async with httpx.AsyncClient(transport=balancer, timeout=PATIENCE) as browser:
        assert (await sign_in(browser)).json()["name"] == "Ben Reader"
        for balancer.picked in (0, 1):
            assert (await browser.get(f"{BASE_URL}/me")).json()["name"] == "Ben Reader"


async def test_forty_requests_renew_once(
    balancer: Balancer, emulator: EntraEmulator, travel: Callable[[float], None], store: str
) -> None:
    """With an expired access token: once in all with a Redis, once for each process with cookies."""
    async with httpx.AsyncClient(transport=balancer, timeout=PATIENCE) as browser:
        await sign_in(browser)
        assert renewals(emulator) == 0
        travel(2 * emulator.token_lifetime)
        answers = await asyncio.gather(*(browser.get(f"{BASE_URL}/me") for _ in range(40)))
        assert {answer.status_code for answer in answers} == {200}
        assert all(answer.json()["expires_at"] > emulator.now() for answer in answers)
    assert renewals(emulator) == (2 if store == "cookie" else 1)


@pytest.mark.parametrize("store", ["redis"], indirect=True)
async def test_signing_out_on_one_replica_ends_the_session_on_both(balancer: Balancer) -> None:
    """With a Redis, a copied cookie is dead everywhere at once."""
    async with httpx.AsyncClient(transport=balancer, timeout=PATIENCE) as browser:
        await sign_in(browser)
        copied = httpx.Cookies(browser.cookies)
        balancer.picked = 0
        await browser.post(f"{BASE_URL}/auth/logout", headers={"Origin": BASE_URL})
        browser.cookies = copied
        for balancer.picked in (0, 1):
            assert (await browser.get(f"{BASE_URL}/me")).status_code == 401


@pytest.mark.parametrize("store", ["leased"], indirect=True)
async def test_a_sign_out_ends_the_copies_of_other_processes(balancer: Balancer) -> None:
    """Both have copies of the session by then, which count for as long as nobody tells of the sign-out."""
    async with httpx.AsyncClient(transport=balancer, timeout=PATIENCE) as browser:
        await sign_in(browser)
        copied = httpx.Cookies(browser.cookies)
        for balancer.picked in [0, 1] * 10:
            assert (await browser.get(f"{BASE_URL}/me")).status_code == 200
        balancer.picked = 0
        await browser.post(f"{BASE_URL}/auth/logout", headers={"Origin": BASE_URL})
        signed_out = monotonic()
        browser.cookies = copied
        assert (await browser.get(f"{BASE_URL}/me")).status_code == 401
        balancer.picked = 1
        while (await browser.get(f"{BASE_URL}/me")).status_code != 401:
            assert monotonic() < signed_out + PATIENCE  # while it is in use, its lease does not lapse
        for balancer.picked in [0, 1] * 3:
            assert (await browser.get(f"{BASE_URL}/me")).status_code == 401
