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
from camunda_entra_fastapi.remote.refresh import FORCED_WINDOW
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e.holding import Arrivals, HoldingEntra
from tests.site import logged_under, reference_in
from tests.waiting import PATIENCE, until, wait_for

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
def running(**overrides: Any) -> Iterator[tuple[HoldingEntra, str]]:
    """An emulator and an API, each served by a uvicorn of its own."""
    emulator = HoldingEntra()
    with emulator.serve(), serving(api_of(emulator, **overrides)) as url:
        yield emulator, url


def call(url: str, token: str | None = None) -> httpx.Response:
    """One request."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(url, headers=headers, timeout=PATIENCE)


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
            wait_for(lambda: emulator.count(KEYS) == 1, lambda: "nobody fetched the keys")
            wait_for(lambda: call(url, token).status_code == 200)  # once the answer has arrived
            assert emulator.count(KEYS) == 1
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


def test_discovery_of_another_issuer(caplog: pytest.LogCaptureFixture) -> None:
    """503; the log names the issuer which the document gives."""
    with running(issuer="http://127.0.0.1:1/c0de0000-1111-4222-8333-444455556666/v2.0") as (emulator, url):
        refused = call(url, emulator.token())
        assert (refused.status_code, refused.json()["detail"]["code"]) == (503, "issuer_unexpected")
        reference = reference_in(refused.json()["detail"]["message"])
        assert emulator.settings().issuer in logged_under(reference, caplog)


async def test_a_rotation_while_keys_are_being_fetched() -> None:
    """A fetch that began before the rotation does not decide over tokens signed after it."""
    emulator = HoldingEntra()
    with emulator.serve():
        api = Arrivals(api_of(emulator, http_timeout=PATIENCE))
        with serving(api) as url:
            emulator.rotate_keys(overlap=False)
            with emulator.holding(KEYS):
                before = asyncio.create_task(status_of(url, emulator.token()))
                await until(lambda: emulator.held == 1)  # the answer with the old keys is on its way
                emulator.rotate_keys(overlap=True)
                after = asyncio.create_task(status_of(url, emulator.token()))
                await until(lambda: api.count == 2)
                assert await status_of(f"{url}/open", "") == 200  # and so the other one waits by now
            assert [await before, await after] == [200, 200]
        assert emulator.count(KEYS) == 3


async def test_a_flood_of_unknown_keys() -> None:
    """2,000 of them cost at most five fetches a minute, and nobody else waits until a fetch ends."""
    with running(http_timeout=PATIENCE) as (emulator, url):
        good = emulator.token()
        assert call(url, good).status_code == 200
        before, begun = emulator.count(KEYS), time.monotonic()
        rest = good.partition(".")[2]
        forged = (f"{_header(kid=f'k{number}')}.{rest}" for number in range(2000))
        with emulator.holding(KEYS):
            flood = asyncio.create_task(together(url, forged, at_once=20))
            await until(lambda: emulator.held == 1)
            for _ in range(20):
                assert await status_of(url, emulator.token()) == 200
            assert (emulator.held, flood.done()) == (1, False)
        while not flood.done():
            assert await status_of(url, emulator.token()) == 200
        assert set(await flood) == {401}
        minutes = 1 + int((time.monotonic() - begun) / FORCED_WINDOW)
        assert 1 <= emulator.count(KEYS) - before <= 5 * minutes


async def test_300_first_requests_at_once() -> None:
    """Where no lifespan ran, all who come first share one fetch."""
    emulator = HoldingEntra()
    with emulator.serve():
        api = Arrivals(api_of(emulator, mounted=True, http_timeout=PATIENCE))
        with serving(api) as url:
            with emulator.holding(DISCOVERY):
                tokens = [emulator.token(n=number) for number in range(300)]
                answers = asyncio.create_task(together(f"{url}/inner/", tokens))
                await until(lambda: api.count == 300)
            assert await answers == [200] * 300
        assert (emulator.count(DISCOVERY), emulator.count(KEYS)) == (1, 1)


def test_a_key_that_is_gone_is_refused_after_the_next_refresh() -> None:
    """Remembered tokens included, with nobody asking for the refresh, where no key is kept."""
    with running(metadata_lifetime=1, key_retention=0) as (emulator, url):
        token = emulator.token()
        assert call(url, token).status_code == 200
        emulator.rotate_keys(overlap=False)
        wait_for(lambda: call(url, token).status_code != 200)
        refused = call(url, token)
        assert (refused.status_code, refused.json()["detail"]["code"]) == (401, "key_unknown")
        assert call(url, emulator.token()).status_code == 200


def test_a_key_that_is_hidden_for_a_while_stays_good() -> None:
    """By default; tokens never seen included, while the service refreshes, and without a fetch for each."""
    with running(metadata_lifetime=1) as (emulator, url):
        emulator.rotate_keys()
        assert call(url, emulator.token()).status_code == 200
        before = [emulator.token(n=number) for number in range(20)]
        emulator.hide_key(emulator.keys[0].key_id)
        begun = emulator.count(KEYS)
        wait_for(lambda: emulator.count(KEYS) >= begun + 2)
        assert [call(url, token).status_code for token in before] == [200] * 20
        assert emulator.count(KEYS) < begun + 20


def test_start_up_does_not_wait_for_ever() -> None:
    """An Entra that does not answer delays the start by the timeout and no more."""
    emulator = HoldingEntra()
    with emulator.serve(), emulator.holding(), serving(api_of(emulator, http_timeout=0.2)) as url:
        assert call(f"{url}/open").status_code == 200
        assert emulator.count(DISCOVERY) >= 1


def test_websockets_over_a_real_server() -> None:
    """Refused with a status and a challenge before they open; with a token they open."""
    with running() as (emulator, url):
        address = url.replace("http", "ws") + "/ws"
        with pytest.raises(InvalidStatus) as refused:
            connect(address, open_timeout=PATIENCE)
        answer = refused.value.response
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer realm=")
        assert json.loads(answer.body or b"")["detail"]["code"] == "credentials_missing"
        headers = {"Authorization": f"Bearer {emulator.token()}"}
        with connect(address, additional_headers=headers, open_timeout=PATIENCE) as socket:
            assert socket.recv(PATIENCE) == "Ben Reader"


def _header(**members: str) -> str:
    import base64

    text = json.dumps({"typ": "JWT", "alg": "RS256"} | members).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()
