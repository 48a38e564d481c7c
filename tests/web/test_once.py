"""However many dependencies of a request ask who is there: one look at its credentials, one at the store."""

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Security, WebSocket
from fastapi.responses import StreamingResponse
from fastapi.security import SecurityScopes
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.validation.keys import SigningKey
from tests.conftest import FakeClock
from tests.downstream.test_group_overage import hers
from tests.sessions.conftest import RedisServer, redis_server, running_redis
from tests.site import ADA, COOKIE, HOME, MakeSite, Site, code_of, register, session_manager_of
from tests.web.conftest import bearer, verified
from tests.web.login.test_sign_in import a_lot

__all__ = ["redis_server", "running_redis", "verified"]

SCOPES = SecurityScopes()
READS, WRITES = "Incidents.Read", "access_as_user"
BEYOND = 60.0
"""Seconds that are longer than anything is known for outside of a route."""


class Reads:
    """What the session store of a site was asked, since the last look."""

    def __init__(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        self.handles: list[str] = []
        store = session_manager_of(site).store
        read = store.read

        async def noted(handle: str) -> Any:
            self.handles.append(handle)
            await asyncio.sleep(0)
            return await read(handle)

        self.patch = monkeypatch
        self.store = store
        monkeypatch.setattr(store, "read", noted)

    def __call__(self) -> int:
        """How often; from now on it counts anew."""
        count = len(self.handles)
        self.handles.clear()
        return count

    def fail(self) -> None:
        """The store is away from now on."""

        async def away(handle: str) -> None:
            self.handles.append(handle)
            raise SessionsUnavailable("redis.internal:6379 is away")

        self.patch.setattr(self.store, "read", away)


class Asking:
    """A middleware that asks who is there, by hand, and lets everybody through."""

    def __init__(self, app: ASGIApp, entra: Callable[[], CamundaEntra], *, change: Any = None) -> None:
        self._app, self._entra, self._change = app, entra, change
        self.seen: list[str | None] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            with suppress(HTTPException):
                self.seen.append((await who(self._entra(), Request(scope))).name)
            if self._change is not None:
                self._change(scope)
        await self._app(scope, receive, send)


async def who(entra: CamundaEntra, connection: HTTPConnection) -> EntraUser:
    """Whoever the current user is, asked by hand."""
    user = await entra.current_user(connection, SCOPES)
    assert user is not None
    return user


def asking_in_every_way(entra: CamundaEntra, clock: FakeClock | None = None) -> FastAPI:
    """A route with a guard, scopes, permissions, and its user in the signature, in each way that there is."""

    async def slow() -> None:
        if clock is not None:
            clock.advance(BEYOND)

    router = APIRouter(prefix="/every", dependencies=[Depends(entra.current_user)])

    @router.get(
        "/way",
        dependencies=[
            Security(entra.current_user, scopes=[READS]),
            Security(entra.current_user, scopes=[WRITES, READS]),
            Depends(slow),
            Depends(entra.require(roles=["Operate.Admin"])),
            Depends(entra.require(scopes=[READS])),
            Depends(entra.require_any(scopes=[READS], roles=["Operate.Admin"])),
            Security(entra.require(roles=["Operate.Admin"]), scopes=[WRITES]),
            Depends(entra.current_user, use_cache=False),
        ],
    )
    async def way(
        user: Annotated[EntraUser, Depends(entra.current_user)],
        perhaps: Annotated[EntraUser | None, Depends(entra.optional_user)],
        token: Annotated[str, Depends(entra.access_token)],
    ) -> str | None:
        assert perhaps is user
        assert token == user.access_token
        return user.name

    app = FastAPI()
    app.include_router(router)
    return app


@pytest.fixture
def stored(make_site: MakeSite) -> Site:
    """A site whose every request asks the store."""
    return make_site(session_store="memory")


@pytest.fixture
def reads(stored: Site, monkeypatch: pytest.MonkeyPatch) -> Reads:
    """What its store is asked."""
    return Reads(stored, monkeypatch)


def gets(client: Any) -> int:
    """How many records Redis was asked for."""
    commands = client.info("commandstats").items()
    return sum(each["calls"] for name, each in commands if name == "cmdstat_get")


async def test_a_route_that_asks_in_every_way_asks_redis_once(
    make_site: MakeSite, redis_server: RedisServer
) -> None:
    """FastAPI remembers a dependency by its scopes, too, so it asks each time."""
    site = make_site(session_store=redis_server.url, base_url=HOME)
    site.app.mount("/own", asking_in_every_way(site.entra, site.clock))
    browser = await site.browser().signed_in()
    with redis_server.client() as client:
        client.config_resetstat()
        answer = await browser.http.get("/own/every/way")
        assert (answer.status_code, answer.json()) == (200, ADA), answer.text
        assert gets(client) == 1
        client.flushall()
        assert await browser.status("/own/every/way") == 401
        assert gets(client) == 2
    await session_manager_of(site).store.close()


async def test_two_registrations_look_each_for_itself(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one has seen says nothing about whom the other one trusts."""
    outer, inner = make_site(session_store="memory"), make_site(session_store="memory")
    inner.app.mount("/own", outer.entra.guard(asking_in_every_way(outer.entra)))
    inner.app.mount("/others", outer.entra.guard(asking_in_every_way(inner.entra)))
    of_outer, of_inner = Reads(outer, monkeypatch), Reads(inner, monkeypatch)
    other = await inner.browser().signed_in()
    browser = inner.browser(like=await outer.browser().signed_in())
    assert await browser.status("/own/every/way") == 200
    assert (of_outer(), of_inner()) == (1, 0)
    assert await browser.status("/others/every/way") == 401
    assert await other.status("/others/every/way") == 401
    assert (of_outer(), of_inner()) == (2, 1)


async def test_a_token_that_is_not_remembered_is_judged_once(
    emulator: EntraEmulator, clock: FakeClock, verified: list[SigningKey]
) -> None:
    """All schemes share what came of it, also that for tokens alone; a session is no matter of the latter."""
    entra = CamundaEntra(
        emulator.settings(token_cache_size=0), http_client=emulator.http_client(), clock=clock
    )
    app = asking_in_every_way(entra)

    @app.get("/bearer", dependencies=[Security(entra.bearer, scopes=[READS]), Depends(entra.current_user)])
    async def of_bearer(user: Annotated[EntraUser, Depends(entra.bearer)]) -> str | None:
        return user.name

    token = bearer(emulator.token(roles=["Operate.Admin"], scp=f"{READS} {WRITES}"))
    async with client_of(app) as http:
        for path in ("/every/way", "/bearer"):
            answer = await http.get(path, headers=token)
            assert (answer.status_code, len(verified)) == (200, 1), answer.text
            verified.clear()


async def test_a_session_is_no_matter_of_the_scheme_for_tokens_alone(stored: Site, reads: Reads) -> None:
    """It stands beside the current user's, who has a session, and refuses all the same."""
    bearers = [Depends(stored.entra.current_user), Depends(stored.entra.bearer)]
    stored.app.get("/both", dependencies=bearers)(lambda: None)
    stored.app.get("/turned", dependencies=bearers[::-1])(lambda: None)
    browser = await stored.browser().signed_in()
    reads()
    assert [await browser.status(path) for path in ("/both", "/turned")] == [401, 401]
    assert reads() == 1


@pytest.mark.parametrize("store", ["cookie", "memory"])
async def test_calling_others_takes_the_session_that_was_found(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, emulator: EntraEmulator, store: str
) -> None:
    """Tokens in a person's name and groups from Graph need the session that let the request in."""
    a_lot(emulator, groups=300)
    site = make_site(session_store=store, group_overage="graph")
    entra = site.entra
    in_groups = [Depends(entra.require(groups=[hers(number)])) for number in range(3)]
    on_behalf_of = Depends(entra.on_behalf_of("https://graph.microsoft.com/User.Read"))
    site.app.get("/calls", dependencies=[Security(entra.current_user), *in_groups, on_behalf_of])(
        lambda: None
    )
    browser = await site.browser().signed_in()
    reads = Reads(site, monkeypatch)
    answer = await browser.http.get("/calls")
    assert (answer.status_code, reads()) == (200, 1), answer.text
    assert sum("getMemberObjects" in str(url) for url in site.wire.urls) == 1


@pytest.mark.parametrize("path", ["/auth/me", "/auth/verify?token=true", "/api", "/own/every/way"])
async def test_what_a_middleware_asked_is_not_asked_again(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """It may stand outside of ``install``'s: caches are told all the same whose the response is."""
    site = make_site(session_store="memory", entrance=lambda app: Asking(app, lambda: site.entra))
    site.app.include_router(site.entra.forward_auth_router())
    site.app.mount("/own", site.entra.guard(asking_in_every_way(site.entra, site.clock)))
    browser = await site.browser().signed_in()
    reads = Reads(site, monkeypatch)
    answer = await browser.http.get(path)
    assert (answer.status_code, reads()) == (200, 1)
    assert "cookie" in answer.headers["vary"].lower()


async def test_a_cookie_that_was_renewed_for_a_middleware_is_sent(make_site: MakeSite) -> None:
    """The dependency that asks afterwards stands inside of what sends cookies."""
    site = make_site(entrance=lambda app: Asking(app, lambda: site.entra))
    browser = await site.browser().signed_in()
    before = browser.session
    site.clock.advance(3600)
    assert await browser.status() == 200
    assert (site.renewals(), browser.session != before) == (1, True)


async def test_a_gateway_s_question_about_another_host_is_judged_anew(
    make_site: MakeSite, emulator: EntraEmulator
) -> None:
    """A sibling's page passes there alone, though a middleware asked before, by this service's own origin."""
    login, orders = "https://login.apps.example.com", "https://orders.apps.example.com"
    register(emulator, f"{login}/auth/login-callback")
    site = make_site(
        base_url=login,
        url=login,
        cookie_domain="apps.example.com",
        session_store="memory",
        entrance=lambda app: Asking(app, lambda: site.entra),
    )
    site.app.include_router(site.entra.forward_auth_router())
    browser = await site.browser().signed_in()
    gateway = {"X-Forwarded-Host": "orders.apps.example.com", "X-Forwarded-Proto": "https"}
    gateway |= {"X-Forwarded-Method": "POST"}
    statuses = [
        (await browser.http.get("/auth/verify", headers=gateway | {"Origin": page})).status_code
        for page in (orders, login)
    ]
    assert statuses == [200, 403]


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    """A client of the application in this process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME)


async def test_a_refusal_is_the_same_for_all_who_ask(
    stored: Site, reads: Reads, caplog: pytest.LogCaptureFixture
) -> None:
    """The store is asked once, the log has one line, and the client the reference of it."""
    caplog.set_level(logging.INFO)
    browser = await stored.browser().signed_in()
    references = []

    @stored.app.get("/twice")
    async def twice(request: Request) -> None:
        for scheme in (stored.entra.current_user, stored.entra.optional_user):
            with pytest.raises(HTTPException) as refused:
                await scheme(request, SCOPES)
            detail: Any = refused.value.detail
            references.append((refused.value.status_code, detail["message"]))
        await who(stored.entra, request)

    reads()
    reads.fail()
    answer = await browser.http.get("/twice")
    assert (answer.status_code, code_of(answer), reads()) == (503, "sessions_unavailable", 1)
    assert set(references) == {(503, answer.json()["detail"]["message"])}
    assert sum("redis.internal" in line for line in caplog.messages) == 1
    token = await browser.http.get("/twice", headers=bearer("garbage"))
    assert code_of(token) == "token_malformed"
    assert sum("token_malformed" in line for line in caplog.messages) == 1


async def test_other_refusals_of_a_request_are_told(stored: Site, caplog: pytest.LogCaptureFixture) -> None:
    """One line for each of them."""
    caplog.set_level(logging.INFO)
    browser = await stored.browser().signed_in()

    @stored.app.get("/three")
    async def three(request: Request) -> None:
        for role in ("First", "First", "Second"):
            with pytest.raises(HTTPException):
                await stored.entra.require(roles=[role])(request, SCOPES)

    assert await browser.status("/three") == 200
    lines = [line for line in caplog.messages if "role_missing" in line]
    assert [role in line for role, line in zip(("First", "Second"), lines, strict=True)] == [True, True]


@pytest.mark.parametrize(
    ("change", "status"), [("nothing", 200), ("cookie", 401), ("authorization", 401), ("method", 403)]
)
async def test_what_changes_the_request_makes_it_another_one(
    make_site: MakeSite, change: str, status: int
) -> None:
    """Credentials that came later count, and so does a method that changes something (CSRF)."""

    def changed(scope: Scope) -> None:
        headers = scope["headers"]
        if change == "cookie":
            headers[:] = [(name, value) for name, value in headers if name != b"cookie"]
        elif change == "authorization":
            headers.append((b"authorization", b"Bearer garbage"))
        elif change == "method":
            scope["method"] = "POST"

    def asking(app: ASGIApp) -> ASGIApp:
        return Asking(app, lambda: site.entra, change=lambda scope: changed(scope) if is_on else None)

    site, is_on = make_site(session_store="memory", entrance=asking), False
    site.app.post("/api", dependencies=[Depends(site.entra.current_user)])(lambda: None)
    browser = await site.browser().signed_in()
    is_on = True
    assert await browser.status() == status


async def test_who_asks_later_looks_again(stored: Site, reads: Reads) -> None:
    """What a route sends may take hours. Until its function returns, all but ``still_good`` hear the same."""
    entra, clock, counts = stored.entra, stored.clock, []

    @stored.app.get("/stream")
    async def stream(
        request: Request, _: Annotated[EntraUser, Depends(entra.current_user)]
    ) -> StreamingResponse:
        clock.advance(BEYOND)
        await who(entra, request)
        counts.append(reads())
        await entra.still_good(request)
        counts.append(reads())

        async def answer() -> AsyncIterator[str]:
            clock.advance(BEYOND)
            for _ in range(2):
                await who(entra, request)
            counts.append(reads())
            clock.advance(BEYOND)
            await entra.current_user.authenticate(request)
            await who(entra, request)
            counts.append(reads())
            yield "done"

        return StreamingResponse(answer())

    browser = await stored.browser().signed_in()
    reads()
    assert (await browser.http.get("/stream")).text == "done"
    assert counts == [1, 1, 1, 1]


async def test_a_socket_and_a_mount_that_ask_hours_later_look_again(stored: Site, reads: Reads) -> None:
    """Neither has a function whose end says that the answer is sent."""
    entra, clock, counts = stored.entra, stored.clock, []

    async def asking(scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        for _ in range(2):
            await who(entra, connection)
            counts.append(reads())
            clock.advance(BEYOND)

    stored.app.mount("/mount", entra.guard(asking))

    @stored.app.websocket("/socket")
    async def socket(socket: WebSocket, _: Annotated[EntraUser, Depends(entra.current_user)]) -> None:
        await asking(socket.scope, socket.receive, socket.send)

    browser = await stored.browser().signed_in()
    reads()
    headers = [(b"host", b"localhost:8000"), (b"cookie", f"{COOKIE}={browser.session}".encode())]
    scope = {"root_path": "", "query_string": b"", "scheme": "http", "headers": headers, "method": "GET"}
    for kind, path in (("http", "/mount/x"), ("websocket", "/socket")):
        own = [*headers, (b"origin", HOME.encode())]
        await stored.app({**scope, "type": kind, "path": path, "headers": own}, nothing, ignore)
    assert counts == [1, 1, 1, 1]


async def nothing() -> Message:
    """A client that sends nothing more."""
    return {"type": "http.disconnect"}


async def ignore(_: Message) -> None:
    """A client that has heard enough."""


@pytest.mark.parametrize("leaves", [False, True])
async def test_those_who_ask_at_the_same_time_wait_for_one_answer(
    stored: Site, reads: Reads, leaves: bool
) -> None:
    """Where the first of them is cancelled meanwhile, the next one asks."""

    @stored.app.get("/gather")
    async def gather(request: Request) -> list[str | None]:
        asking = [asyncio.create_task(who(stored.entra, request)) for _ in range(3)]
        await asyncio.sleep(0)
        if leaves:
            asking.pop(0).cancel()
        return [user.name for user in await asyncio.gather(*asking)]

    browser = await stored.browser().signed_in()
    reads()
    assert (await browser.http.get("/gather")).json() == [ADA] * (2 if leaves else 3)
    assert reads() == (2 if leaves else 1)


async def test_other_settings_look_again(stored: Site, reads: Reads) -> None:
    """``overridden`` may begin in the middle of a request; what was found before is of other settings."""

    @stored.app.get("/switch")
    async def switch(request: Request, _: Annotated[EntraUser, Depends(stored.entra.current_user)]) -> None:
        with stored.entra.overridden(stored.emulator.settings(session_store="memory")):
            await who(stored.entra, request)

    browser = await stored.browser().signed_in()
    reads()
    assert await browser.status("/switch") == 401
    assert reads() == 1


async def test_a_fault_of_our_own_code_is_no_answer(
    stored: Site, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks next asks anew; and nobody waits for it for ever."""
    read = reads.store.read

    async def broken(_: str) -> None:
        monkeypatch.setattr(reads.store, "read", read)
        raise ZeroDivisionError

    @stored.app.get("/again")
    async def again(request: Request) -> str | None:
        with suppress(ZeroDivisionError):
            await who(stored.entra, request)
        return (await who(stored.entra, request)).name

    browser = await stored.browser().signed_in()
    monkeypatch.setattr(reads.store, "read", broken)
    assert (await browser.http.get("/again")).json() == ADA


@pytest.mark.parametrize("path", ["/api", "/auth/me", "/auth/verify"])
async def test_a_refused_request_leaves_nothing_for_the_garbage_collector(
    stored: Site, reads: Reads, path: str
) -> None:
    """An error that was raised holds all that was at work then; the request keeps one that was not."""
    stored.app.include_router(stored.entra.forward_auth_router())
    browser = await stored.browser().signed_in()
    reads.fail()
    scopes: list[weakref.ref[Any]] = []

    class Seen(dict[str, Any]):
        """A scope that can be referred to weakly."""

    async def entrance(scope: Scope, receive: Receive, send: Send) -> None:
        seen = Seen(scope)
        scopes.append(weakref.ref(seen))
        await stored.app(seen, receive, send)

    async with client_of(entrance) as http:
        http.cookies = browser.http.cookies
        gc.collect()
        gc.disable()
        try:
            assert (await http.get(path)).status_code == 503
            assert [ref() for ref in scopes] == [None]
        finally:
            gc.enable()
