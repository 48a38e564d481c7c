"""Many clients at once over real HTTP, each with ever fresh tokens, while Entra changes or fails."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Final

import httpx
import pytest
from fastapi import Depends, FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.protocol.keys import SigningKey
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e.holding import HoldingEntra
from tests.waiting import PATIENCE, until

CLIENTS: Final = 50
KEYS: Final = "/discovery/v2.0/keys"
DISCOVERY: Final = "/.well-known/openid-configuration"


@pytest.fixture(scope="module")
def key_pool() -> list[SigningKey]:
    """Keys made beforehand, so that a rotation takes no time."""
    return [SigningKey.generate() for _ in range(4)]


@pytest.fixture
def emulator(key_pool: list[SigningKey]) -> HoldingEntra:
    """A local Entra of the test's own."""
    return HoldingEntra(new_key=iter(key_pool).__next__)


@dataclass
class Watched:
    """An application, and the statuses of all that it answered."""

    app: ASGIApp
    statuses: list[int] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.statuses.append(message["status"])
            await send(message)

        await self.app(scope, receive, watched_send)


@contextmanager
def api(emulator: EntraEmulator) -> Iterator[str]:
    """An API that trusts the emulator, served by uvicorn; of all 5xx it may answer 503 alone."""
    entra = CamundaEntra(emulator.settings())
    app = FastAPI(lifespan=entra.lifespan)

    @app.get("/me")
    async def me(user: Annotated[EntraUser, Depends(entra.current_user)]) -> dict[str, object]:
        return {"name": user.name}

    watched = Watched(app)
    with serving(watched) as address:
        yield address
    assert {status for status in watched.statuses if status >= 500} <= {503}


@asynccontextmanager
async def clients(address: str, count: int) -> AsyncIterator[list[httpx.AsyncClient]]:
    """So many clients, each with a connection of its own."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(httpx.AsyncClient(base_url=address, timeout=PATIENCE))
            for _ in range(count)
        ]


async def ask(client: httpx.AsyncClient, token: str | None) -> httpx.Response:
    """One request with the token, or without any."""
    return await client.get("/me", headers={"Authorization": f"Bearer {token}"} if token else {})


def code_of(answer: httpx.Response) -> str:
    """The refusal's code, or ``accepted``."""
    return "accepted" if answer.status_code == 200 else str(answer.json()["detail"]["code"])


@pytest.mark.parametrize("overlap", [True, False], ids=["overlap", "no overlap"])
async def test_a_rotation_under_fifty_busy_clients_fails_no_valid_request(
    overlap: bool, emulator: EntraEmulator
) -> None:
    """Each client sends a fresh token as soon as it has its answer, before, during and after.

    Without overlap, Entra itself takes the tokens back that were under way with the old key.
    """
    outcomes: list[tuple[str, str]] = []
    rotated = asyncio.Event()

    async def work(client: httpx.AsyncClient, number: int) -> None:
        after = 0
        while after < 3:
            after += rotated.is_set()
            key = emulator.keys[0]
            answer = await ask(client, emulator.token(sub=f"client-{number}-{len(outcomes)}"))
            assert key in emulator.keys or not overlap
            if key in emulator.keys:
                outcomes.append((key.key_id, code_of(answer)))

    with emulator.serve(), api(emulator) as address:
        async with clients(address, CLIENTS) as all_clients:
            workers = [asyncio.create_task(work(client, n)) for n, client in enumerate(all_clients)]
            await until(lambda: len(outcomes) >= 2 * CLIENTS)
            old = emulator.keys[0].key_id
            emulator.rotate_keys(overlap=overlap)
            rotated.set()
            await asyncio.gather(*workers)
    assert {code for _, code in outcomes} == {"accepted"}
    signers = [key_id for key_id, _ in outcomes]
    assert signers.count(old) >= 2 * CLIENTS
    assert len(signers) - signers.count(old) >= 2 * CLIENTS
    assert emulator.count(KEYS) <= 1 + 5
    assert emulator.count(DISCOVERY) == 1


async def test_the_start_fetches_so_that_the_first_request_need_not(emulator: HoldingEntra) -> None:
    """When the server is up, discovery and keys are there, and nobody asks for them again."""
    with emulator.serve(), api(emulator) as address:
        assert (emulator.count(DISCOVERY), emulator.count(KEYS)) == (1, 1)
        async with clients(address, 1) as (client,):
            with emulator.holding():
                assert code_of(await ask(client, emulator.token())) == "accepted"
        assert len(emulator.requests) == 2


async def test_a_service_that_starts_before_entra_finds_it_later(emulator: EntraEmulator) -> None:
    """Nobody listens there yet: 503 with the time to wait, 401 without a token; then it recovers unasked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    emulator.base_url = f"http://127.0.0.1:{port}"
    token = emulator.token()
    with api(emulator) as address:
        async with clients(address, CLIENTS) as all_clients:
            answers = await asyncio.gather(*(ask(client, token) for client in all_clients))
            assert {code_of(answer) for answer in answers} == {"keys_unavailable"}
            assert {answer.status_code for answer in answers} == {503}
            assert all(1 <= int(answer.headers["Retry-After"]) <= 30 for answer in answers)
            assert all("WWW-Authenticate" not in answer.headers for answer in answers)
            anonymous = await ask(all_clients[0], None)
            assert (anonymous.status_code, code_of(anonymous)) == (401, "credentials_missing")
            with emulator.serve(port=port):
                await until(lambda: _was_answered(emulator, KEYS))
                async with asyncio.timeout(PATIENCE):  # for the answer to arrive
                    while code_of(await ask(all_clients[0], token)) != "accepted":
                        assert not emulator.faults.down
                answers = await asyncio.gather(*(ask(client, token) for client in all_clients))
    assert {code_of(answer) for answer in answers} == {"accepted"}
    assert (emulator.count(DISCOVERY), emulator.count(KEYS)) == (1, 1)


def _was_answered(emulator: EntraEmulator, suffix: str) -> bool:
    return any(request.path.endswith(suffix) and request.status == 200 for request in list(emulator.requests))


@pytest.mark.parametrize("away", [False, True], ids=["Entra is there", "Entra is away"])
async def test_whatever_the_header_holds_the_answer_is_no_crash(away: bool, emulator: EntraEmulator) -> None:
    """Raw bytes on the wire, as no client library sends them: 400 or 401, and 503 while there are no keys."""
    values: list[bytes] = [
        *(b"Bearer " + bytes([byte]) * 3 for byte in range(256)),
        *(b"Bearer " + b"a" * size for size in (1, 1000, 16_384, 16_385, 60_000)),
        *(b"Bearer " + part for part in (b".", b"..", b"...", b"....", b"e30.e30.e30", b"\xff.\xfe.\xfd")),
        b"Bearer " + emulator.token(header={"kid": "invented"}).encode(),
        b"",
        b"Bearer",
        b"Basic YTpi",
    ]
    if away:
        emulator.down()
    with emulator.serve(), api(emulator) as address:
        port = int(address.rpartition(":")[2])
        statuses = {value: await _raw(port, value) for value in values}
    assert set(statuses.values()) <= {400, 401, *([503] if away else [])}
    assert statuses[b"Basic YTpi"] == 401
    assert statuses[b"Bearer e30.e30.e30"] == 401


async def _raw(port: int, value: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = b"GET /me HTTP/1.1\r\nHost: api\r\nConnection: close\r\nAuthorization: "
        writer.write(head + value + b"\r\n\r\n")
        return int((await reader.read()).split(b" ", 2)[1])
    finally:
        writer.close()
        await writer.wait_closed()
