"""Streams and WebSockets end with the sign-in of whoever opened them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.testing import EntraEmulator
from tests.conftest import FakeClock
from tests.site import Browser, MakeSite, Site, signing_key
from tests.waiting import PATIENCE, until
from tests.web.conftest import bearer

OFTEN = 0.01


class Ticker:
    """A source of numbers without end, which notes that it was closed, and what of it was written."""

    def __init__(self, *, silent: bool = False) -> None:
        self.silent = silent
        self.given = 0
        self.written = 0
        self.is_closed = False

    async def numbers(self) -> AsyncIterator[int]:
        """Numbers; when silent, the first alone."""
        try:
            while True:
                self.given += 1
                yield self.given
                await (asyncio.Event().wait() if self.silent else asyncio.sleep(OFTEN / 2))
        finally:
            self.is_closed = True


@pytest.fixture
def ticker() -> Ticker:
    """One that goes on."""
    return Ticker()


@pytest.fixture
def client(app: FastAPI, entra: CamundaEntra) -> Iterator[TestClient]:
    """A client of sockets."""
    user = Annotated[EntraUser, Depends(entra.current_user)]

    @app.websocket("/asks")
    async def asks(socket: WebSocket, _: user) -> None:
        await socket.accept()
        async for _text in socket.iter_text():
            await socket.send_text((await entra.still_good(socket)).name or "")

    @app.websocket("/waits")
    async def waits(socket: WebSocket, _: user) -> None:
        await socket.accept()
        async for text in entra.while_good(socket, socket.iter_text(), every=OFTEN):
            await socket.send_text(text)

    with TestClient(app) as client:
        yield client


async def written(
    entra: CamundaEntra,
    request: Request,
    ticker: Ticker,
    count: int = 0,
) -> AsyncIterator[str]:
    """Server-sent events, the last of which says why there are no more; ``count`` of them at most."""
    try:
        async for number in entra.while_good(request, ticker.numbers(), every=OFTEN):
            ticker.written = number
            yield f"data: {number}\n\n"
            if number == count:
                return
    except HTTPException as ended:
        detail: dict[str, str] = ended.detail  # type: ignore[assignment]  # it is ours
        yield f"event: end\ndata: {detail['code']}\n\n"


def test_a_socket_that_asks_is_closed_once_its_token_has_expired(
    client: TestClient, emulator: EntraEmulator, clock: FakeClock
) -> None:
    """Nobody has to catch anything: FastAPI closes it, and the code says that signing in helps."""
    with client.websocket_connect("/asks", headers=bearer(emulator.token())) as socket:
        socket.send_text("?")
        assert socket.receive_text() == "Ben Reader"
        clock.advance(24 * 3600)
        socket.send_text("?")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert (closed.value.code, closed.value.reason) == (3000, "token_expired")


def test_a_socket_that_waits_for_messages_is_closed_as_well(
    client: TestClient, emulator: EntraEmulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The end does not need a message to be noticed; the log has one line about it."""
    caplog.set_level(logging.INFO, logger="camunda_entra_fastapi")
    with client.websocket_connect("/waits", headers=bearer(emulator.token())) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
        clock.advance(24 * 3600)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 3000
    assert [record.getMessage() for record in caplog.records if "refused: token_expired" in record.message]


def test_a_socket_whose_client_leaves_just_ends(client: TestClient, emulator: EntraEmulator) -> None:
    """The stream is over before the sign-in is."""
    with client.websocket_connect("/waits", headers=bearer(emulator.token())) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"


def test_a_key_that_entra_withdrew_ends_a_socket(
    client: TestClient, emulator: EntraEmulator, entra: CamundaEntra
) -> None:
    """The token is looked at as that of a new request would be."""
    with (
        entra.overridden(emulator.settings(key_retention=0)),
        client.websocket_connect("/asks", headers=bearer(emulator.token())) as socket,
    ):
        emulator.world.new_key = lambda: signing_key("the next")
        emulator.rotate_keys(overlap=False)
        assert client.get("/me", headers=bearer(emulator.token())).status_code == 200
        socket.send_text("?")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert (closed.value.code, closed.value.reason) == (3000, "key_unknown")


def test_a_stream_that_nobody_can_judge_ends_as_a_fault(
    client: TestClient, emulator: EntraEmulator, entra: CamundaEntra, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code says that trying again later helps."""

    async def away(_: object) -> None:
        raise SessionsUnavailable("redis.internal:6379 is away")

    with client.websocket_connect("/asks", headers=bearer(emulator.token())) as socket:
        monkeypatch.setattr(entra.current_user, "authenticate", away)
        socket.send_text("?")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert (closed.value.code, closed.value.reason) == (1013, "sessions_unavailable")


def test_who_is_a_test_s_user_stays_so(client: TestClient, app: FastAPI, entra: CamundaEntra) -> None:
    """An overridden dependency gives the user here, too, though there are no credentials."""
    user = EntraUser.from_sign_in({"name": "Somebody"}, "", has_customers=False)
    app.dependency_overrides[entra.current_user] = lambda: user
    with client.websocket_connect("/asks") as socket:
        socket.send_text("?")
        assert socket.receive_text() == "Somebody"


def test_before_it_is_accepted_a_socket_is_refused_as_ever(client: TestClient, entra: CamundaEntra) -> None:
    """Nothing was said to the client yet, so it gets status and challenge."""
    app: FastAPI = client.app  # type: ignore[assignment]

    @app.websocket("/early")
    async def early(socket: WebSocket) -> None:
        await entra.still_good(socket)

    with pytest.raises(WebSocketDenialResponse) as denial, client.websocket_connect("/early"):
        pass
    assert denial.value.status_code == 401


@pytest.mark.parametrize("every", [0, -1, float("nan")])
async def test_looks_are_some_time_apart(entra: CamundaEntra, ticker: Ticker, every: float) -> None:
    """A mistake shows at once."""
    with pytest.raises(ValueError, match="positive"):
        entra.while_good(Request({"type": "http", "headers": []}), ticker.numbers(), every=every)


async def reading_of(site: Site, ticker: Ticker, count: int = 0) -> tuple[Browser, "asyncio.Task[str]"]:
    """A browser with a session, and what will be the body of a stream that it has open."""

    @site.app.get("/events")
    async def events(
        request: Request, _: Annotated[EntraUser, Depends(site.entra.current_user)]
    ) -> StreamingResponse:
        return StreamingResponse(written(site.entra, request, ticker, count), media_type="text/event-stream")

    browser = await site.browser().signed_in()

    async def read() -> str:
        return (await browser.http.get("/events")).text

    reading = asyncio.create_task(read())
    await until(lambda: ticker.written > 0)
    return browser, reading


@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize("store", ["cookie", "memory"])
async def test_signing_out_ends_a_stream(make_site: MakeSite, store: str, silent: bool) -> None:
    """The stream's last event may say so, and its source is closed."""
    ticker = Ticker(silent=silent)
    browser, reading = await reading_of(make_site(session_store=store), ticker)
    await browser.http.post("/auth/logout")
    body = await asyncio.wait_for(reading, PATIENCE)
    assert body.startswith("data: 1\n\n")
    assert body.endswith("event: end\ndata: credentials_missing\n\n")
    assert ticker.is_closed


async def test_a_session_that_can_be_renewed_goes_on_until_its_lifetime_ends(site: Site) -> None:
    """The stream outlives access tokens, and not the sign-in."""
    ticker = Ticker()
    _, reading = await reading_of(site, ticker)
    site.clock.advance(2 * 3600)
    await until(lambda: site.renewals() == 1)
    so_far = ticker.given
    await until(lambda: ticker.given > so_far + 10)
    assert not reading.done()
    site.clock.advance(7 * 3600)
    assert (await asyncio.wait_for(reading, PATIENCE)).endswith("data: credentials_missing\n\n")


async def test_a_stream_that_is_over_leaves_nothing_open(site: Site) -> None:
    """Neither one that ended by itself nor one whose reader has had enough."""
    ticker = Ticker()
    _, reading = await reading_of(site, ticker, count=3)
    assert await asyncio.wait_for(reading, PATIENCE) == "data: 1\n\ndata: 2\n\ndata: 3\n\n"
    await until(lambda: ticker.is_closed)

    async def few() -> AsyncIterator[int]:
        yield 1

    request = Request({"type": "http", "headers": []})
    assert [number async for number in site.entra.while_good(request, few())] == [1]

    class Forever:
        def __aiter__(self) -> "Forever":
            return self

        async def __anext__(self) -> int:
            await asyncio.Event().wait()
            return 1

    waiting = asyncio.create_task(anext(site.entra.while_good(request, Forever())))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting}, timeout=PATIENCE)
    assert waiting.cancelled()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_stream_runs_in_one_task_from_its_beginning_to_its_end(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it may hold a time limit, a task group or a span open, which are of one task."""

    async def fine(_: object) -> str:
        return "somebody"

    monkeypatch.setattr(site.entra.current_user, "authenticate", fine)
    tasks: list[object] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            async with asyncio.timeout(3 * OFTEN):
                for number in range(2):
                    tasks.append(asyncio.current_task())
                    yield number
                await asyncio.Event().wait()
        finally:
            tasks.append(asyncio.current_task())

    request = Request({"type": "http", "headers": []})
    given: list[int] = []

    async def read() -> None:
        async for number in site.entra.while_good(request, numbers(), every=OFTEN):
            given.append(number)  # noqa: PERF401 - it is looked at after the error

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read(), PATIENCE)
    assert given == [0, 1]
    assert len(set(tasks)) == 1


async def test_a_stream_that_answers_to_its_end_is_closed_all_the_same(site: Site) -> None:
    """What it gives then is wanted by nobody."""
    is_closed = asyncio.Event()

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            yield 2
        finally:
            is_closed.set()

    request = Request({"type": "http", "headers": []})
    stream = site.entra.while_good(request, numbers(), every=OFTEN)
    assert await anext(stream) == 1
    with pytest.raises(HTTPException):
        await asyncio.wait_for(anext(stream), PATIENCE)
    assert is_closed.is_set()
