"""Whole requests through FastAPI: a route behind our dependency, by token and by cookie of every store.

The floor is the same route behind a dependency that does nothing, called in the same way: as ASGI
application, without a server. Redis is a real one on this machine, whose processor time is its own.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final

import httpx
from fastapi import Depends, FastAPI
from starlette.requests import HTTPConnection
from starlette.types import Message, Scope

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator
from tests.benchmarks.measurement import Contender, Work
from tests.e2e.test_replicas import BASE_URL, sign_in
from tests.sessions.conftest import RedisServer

BATCH: Final = 100
STORES: Final = ("cookie", "memory", "redis")
ROLE: Final = "Operate.Admin"
NOBODY: Final = "a dependency that does nothing"

Headers = list[tuple[bytes, bytes]]


async def whole_requests(stack: AsyncExitStack, *, stores: Sequence[str] = STORES) -> list[Contender]:
    """All rows, people signed in; the first one is the floor."""
    emulator = EntraEmulator()
    token: Headers = [(b"authorization", f"Bearer {emulator.token(roles=[ROLE])}".encode())]
    rows = [
        await _row(NOBODY, _app(_nobody), token),
        await _row("ours, bearer token seen before", _installed(_entra(emulator, "cookie")), token),
        await _row("ours, role required, token seen before", _with_role(_entra(emulator, "cookie")), token),
    ]
    for store in stores:
        url = stack.enter_context(_redis()) if store == "redis" else store
        app = _installed(_entra(emulator, url))
        cookie = await _signed_in(app, emulator)
        if store == "cookie":
            # FastAPI reads the cookies of each request, whoever is to look at them.
            rows.append(await _row(f"{NOBODY}, sent the same cookie", _app(_nobody), cookie))
        name = f"ours, session cookie, store {store}"
        rows.append(await _row(name, app, cookie, floor=f"{NOBODY}, sent the same cookie"))
    return rows


async def _nobody(request: HTTPConnection) -> str:
    return request.scope["path"]  # type: ignore[no-any-return]


def _entra(emulator: EntraEmulator, store: str) -> CamundaEntra:
    settings = emulator.settings(session_store=store, base_url=BASE_URL)
    return CamundaEntra(settings, http_client=emulator.http_client())


def _installed(entra: CamundaEntra) -> FastAPI:
    """The routes come first: those that signing in adds would tax each request with a look at them."""
    app = _app(entra.current_user)
    entra.install(app)
    return app


def _with_role(entra: CamundaEntra) -> FastAPI:
    app = _app(entra.require(roles=[ROLE]))
    entra.install(app)
    return app


def _app(dependency: Callable[..., Any]) -> FastAPI:
    app = FastAPI()

    @app.get("/me")
    async def me(user: Annotated[EntraUser | str, Depends(dependency)]) -> None:
        assert user

    return app


async def _signed_in(app: FastAPI, emulator: EntraEmulator) -> Headers:
    """The cookie header of somebody who signed in."""

    class Both(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            ours = request.url.netloc == b"localhost:8000"
            return await (service if ours else entra).handle_async_request(request)

    service = httpx.ASGITransport(app)
    entra = httpx.ASGITransport(emulator)
    async with httpx.AsyncClient(transport=Both()) as browser:
        assert (await sign_in(browser)).status_code == httpx.codes.OK
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    return [(b"cookie", cookie.encode())]


async def _row(name: str, app: FastAPI, headers: Headers, *, floor: str | None = None) -> Contender:
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/me",
        "raw_path": b"/me",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost:8000"), (b"accept", b"application/json"), *headers],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    def request(send: Callable[[Message], Awaitable[None]]) -> Awaitable[None]:
        fresh: Scope = {**scope, "headers": list(scope["headers"]), "state": {}}
        return app(fresh, receive, send)

    async def look(message: Message) -> None:
        assert message.get("status", 200) == 200, f"{name}: {message}"

    async def ignore(_message: Message) -> None:
        pass

    async def prepare(count: int) -> Work:
        async def work() -> None:
            for _ in range(count):
                await request(ignore)

        return work

    await request(look)
    return Contender(name, BATCH, prepare, floor=floor)


@contextmanager
def _redis() -> Iterator[str]:
    """A Redis of our own; gives its URL."""
    with TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server.url
        server.stop()
