"""The whole, over real HTTP, while Entra is away, wrong, slow, rolling its keys over, or under attack."""

import asyncio
import json
import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import Depends, FastAPI, WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.serving.server import serving

KEYS = "/discovery/v2.0/keys"
DISCOVERY = "/.well-known/openid-configuration"


def api_of(emulator: EntraEmulator, *, mounted: bool = False, **overrides: Any) -> FastAPI:
    """An API that trusts the emulator, with a route that tells who is there and one open to all."""
    entra = CamundaEntra(emulator.settings(**overrides))
    app = FastAPI(lifespan=entra.lifespan)

    @app.get("/")
    async def me(user: Annotated[EntraUser, Depends(entra.current_user)]) -> dict[str, str | None]:
        return {"name": user.name}

    @app.get("/open")
    async def open_to_all() -> dict[str, bool]:
        return {"ok": True}

    @app.websocket("/ws")
    async def ws(socket: WebSocket, user: Annotated[EntraUser, Depends(entra.current_user)]) -> None:
        await socket.accept()
        await socket.send_text(str(user.name))

    if mounted:
        outer = FastAPI()
        outer.mount("/inner", app)
        return outer
    return app


@contextmanager
def running(**overrides: Any) -> Iterator[tuple[EntraEmulator, str]]:
    """An emulator and an API, each served by a uvicorn of its own."""
    emulator = EntraEmulator()
    with emulator.serve(), serving(api_of(emulator, **overrides)) as url:
        yield emulator, url


def call(url: str, token: str | None = None) -> httpx.Response:
    """One request."""
    return httpx.get(url, headers={"Authorization": f"Bearer {token}"} if token else {})


async def status_of(url: str, token: str) -> int:
    """The status of one request over a connection of its own; hundreds at once cost a client nothing."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
    writer.write(f"{request}Authorization: Bearer {token}\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(answer.split(b" ", 2)[1])


async def together(url: str, tokens: Iterable[str], *, at_once: int = 300) -> list[int]:
    """The statuses of requests that are under way at the same time."""
    gate = asyncio.Semaphore(at_once)

    async def one(token: str) -> int:
        async with gate:
            return await status_of(url, token)

    return list(await asyncio.gather(*map(one, tokens)))


def test_entra_down_at_start_and_back_again(caplog: pytest.LogCaptureFixture) -> None:
    """The service starts and warns; 401 without a token, 503 with one; it recovers with nobody asking."""
    emulator = EntraEmulator()
    with emulator.serve():
        emulator.down()
        with caplog.at_level(logging.WARNING, "camunda_entra_fastapi"), serving(api_of(emulator)) as url:
            token = emulator.token()
            assert "could not be fetched" in caplog.text
            assert call(url).status_code == 401
            refused = call(url, token)
            assert (refused.status_code, refused.json()["detail"]["code"]) == (503, "keys_unavailable")
            assert int(refused.headers["Retry-After"]) >= 1
            assert "WWW-Authenticate" not in refused.headers
            emulator.up()
            deadline = time.monotonic() + 20
            while emulator.count(KEYS) == 0 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert emulator.count(KEYS) == 1, "nobody fetched the keys"
            time.sleep(0.2)  # for the answer to arrive
            assert call(url, token).status_code == 200
            assert token not in caplog.text


def test_entra_down_later() -> None:
    """Remembered tokens and new ones of known keys stay good; an unknown key is refused, not a 5xx."""
    with running() as (emulator, url):
        seen = emulator.token()
        assert call(url, seen).status_code == 200
        emulator.down()
        assert call(url, seen).status_code == 200
        assert call(url, emulator.token(user="Ada Admin")).status_code == 200
        emulator.rotate_keys()
        unknown = call(url, emulator.token())
        assert (unknown.status_code, unknown.json()["detail"]["code"]) == (401, "key_unknown")


def test_discovery_of_another_issuer() -> None:
    """503 that names the issuer which the document gives."""
    with running(issuer="http://127.0.0.1:1/c0de0000-1111-4222-8333-444455556666/v2.0") as (emulator, url):
        refused = call(url, emulator.token())
        assert (refused.status_code, refused.json()["detail"]["code"]) == (503, "issuer_unexpected")
        assert emulator.settings().issuer in refused.json()["detail"]["message"]


async def test_a_rotation_while_keys_are_being_fetched() -> None:
    """A fetch that began before the rotation does not decide over tokens signed after it."""
    with running() as (emulator, url):
        emulator.rotate_keys(overlap=False)
        emulator.slow(0.3)
        first = emulator.token()

        before = asyncio.create_task(status_of(url, first))
        await asyncio.sleep(0.45)  # the answer with the old keys is on its way
        emulator.rotate_keys(overlap=True)
        assert await status_of(url, emulator.token()) == 200
        assert await before == 200


async def test_a_flood_of_unknown_keys() -> None:
    """2,000 of them cost at most five fetches, and nobody else waits for as long as one fetch takes."""
    with running() as (emulator, url):
        good = emulator.token()
        assert call(url, good).status_code == 200
        before, fetch_takes = emulator.count(KEYS), 0.8
        emulator.slow(fetch_takes)
        rest = good.partition(".")[2]
        forged = (f"{_header(kid=f'k{number}')}.{rest}" for number in range(2000))
        flood = asyncio.create_task(together(url, forged, at_once=20))
        slowest = 0.0
        while not flood.done():
            asked = time.perf_counter()
            assert await status_of(url, emulator.token()) == 200
            slowest = max(slowest, time.perf_counter() - asked)
        assert set(await flood) == {401}
        assert 1 <= emulator.count(KEYS) - before <= 5
        assert slowest < fetch_takes


async def test_300_first_requests_at_once() -> None:
    """Where no lifespan ran, all who come first share one fetch."""
    emulator = EntraEmulator()
    with emulator.serve(), serving(api_of(emulator, mounted=True)) as url:
        emulator.slow(0.2)
        assert (
            await together(f"{url}/inner/", [emulator.token(n=number) for number in range(300)])
            == [200] * 300
        )
        assert (emulator.count(DISCOVERY), emulator.count(KEYS)) == (1, 1)


def test_a_key_that_is_gone_is_refused_after_the_next_refresh() -> None:
    """Remembered tokens included, with nobody asking for the refresh."""
    with running(metadata_lifetime=1) as (emulator, url):
        token = emulator.token()
        assert call(url, token).status_code == 200
        emulator.rotate_keys(overlap=False)
        deadline = time.monotonic() + 10
        while call(url, token).status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        refused = call(url, token)
        assert (refused.status_code, refused.json()["detail"]["code"]) == (401, "key_unknown")
        assert call(url, emulator.token()).status_code == 200


def test_start_up_does_not_wait_for_ever() -> None:
    """An Entra that does not answer delays the start by the timeout and no more."""
    emulator = EntraEmulator()
    with emulator.serve():
        emulator.slow(3)
        began = time.monotonic()
        with serving(api_of(emulator, http_timeout=0.2)) as url:
            assert time.monotonic() - began < 2
            assert call(f"{url}/open").status_code == 200


def test_websockets_over_a_real_server() -> None:
    """Refused with a status and a challenge before they open; with a token they open."""
    with running() as (emulator, url):
        address = url.replace("http", "ws") + "/ws"
        with pytest.raises(InvalidStatus) as refused:
            connect(address)
        answer = refused.value.response
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer realm=")
        assert json.loads(answer.body or b"")["detail"]["code"] == "credentials_missing"
        headers = {"Authorization": f"Bearer {emulator.token()}"}
        with connect(address, additional_headers=headers) as socket:
            assert socket.recv() == "Ben Reader"


def _header(**members: str) -> str:
    import base64

    text = json.dumps({"typ": "JWT", "alg": "RS256"} | members).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()
