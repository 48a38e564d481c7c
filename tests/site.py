"""A site that people sign in to, the Entra behind it, and a line between the two that can be tapped."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, parse_qsl, urljoin, urlsplit

import httpx
import pytest
from fastapi import Depends, FastAPI
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.http_library import AsyncHttpClient
from camunda_entra_fastapi.sign_in.session_manager import SessionManager
from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.directory import OPERATE
from tests.conftest import FakeClock
from tests.e2e.browser_less import Page
from tests.testing.browsing import change_application

ADA, BEN, GABI = "Ada Admin", "Ben Reader", "Gabi Guest"
HOME: Final = "http://localhost:8000"
SECRET: Final = "local-emulator-secret-of-operate"
COOKIE: Final = "entra_session_9b6d4f45"
"""The default name for the local Entra's default application."""
ATTEMPT: Final = f"{COOKIE}_attempt_"
PERSON: Final = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
"""The headers of an address that somebody typed."""

Handler = Callable[[httpx.Request], Awaitable[httpx.Response]]
Store = pytest.mark.parametrize("store", ["cookie", "memory"])


@cache
def signing_key(name: str = "Entra's") -> SigningKey:
    """A key of that name, the same for the whole run: making one takes a while."""
    assert name
    return SigningKey.generate()


class Wire(httpx.AsyncBaseTransport):
    """The connection between the site and Entra. For some paths, a test may respond in Entra's place."""

    def __init__(self, emulator: EntraEmulator) -> None:
        self._entra = emulator.http_client()
        self._instead: dict[str, Handler] = {}
        self.urls: list[httpx.URL] = []
        """The URLs of all requests."""
        self.forms: list[dict[str, str]] = []
        """The forms that were sent to the token endpoint."""
        self.tokens: list[dict[str, Any]] = []
        """The responses of Entra's own token endpoint."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Hand the request over to whoever answers it."""
        self.urls.append(request.url)
        if request.url.path.endswith("/token"):
            self.forms.append(dict(parse_qsl((await request.aread()).decode())))
        for end, answer in self._instead.items():
            if request.url.path.endswith(end):
                return await answer(request)
        return await self.pass_on(request)

    async def pass_on(self, request: httpx.Request) -> httpx.Response:
        """Entra's response."""
        answer = await self._entra.request(
            request.method, str(request.url), content=await request.aread(), headers=request.headers
        )
        if request.url.path.endswith("/token") and answer.status_code == 200:
            self.tokens.append(answer.json())
        return httpx.Response(answer.status_code, content=answer.content)

    async def aclose(self) -> None:
        """Hang up."""
        await self._entra.aclose()

    def heal(self) -> None:
        """Nobody answers in Entra's place any more."""
        self._instead.clear()

    def handle(self, end: str, answer: Handler) -> None:
        """Let that function answer for all paths with that end."""
        self._instead[end] = answer

    def answer(self, end: str, status: int = 200, **content: Any) -> None:
        """Always answer like this there."""

        async def answer(_: httpx.Request) -> httpx.Response:
            return httpx.Response(status, **content)

        self.handle(end, answer)

    def fail(self, end: str, error: type[Exception] = httpx.ConnectError) -> None:
        """Let the connection break there."""

        async def answer(_: httpx.Request) -> httpx.Response:
            raise error("No route to host")

        self.handle(end, answer)

    def hang(self, end: str) -> asyncio.Event:
        """Never answer there, until the event happens; then as Entra does."""
        event = asyncio.Event()

        async def answer(request: httpx.Request) -> httpx.Response:
            await event.wait()
            return await self.pass_on(request)

        self.handle(end, answer)
        return event

    def change(self, end: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Pass Entra's answers on, as that function has changed them."""

        async def answer(request: httpx.Request) -> httpx.Response:
            genuine = await self.pass_on(request)
            document = genuine.json()
            changed = change(document)
            return httpx.Response(genuine.status_code, json=document if changed is None else changed)

        self.handle(end, answer)

    def secrets(self) -> set[str]:
        """All that went over the line and is nobody else's business."""
        names = ("code", "client_secret", "code_verifier", "refresh_token", "access_token", "id_token")
        found = {str(each[name]) for each in (*self.forms, *self.tokens) for name in names if name in each}
        return found | {part for each in found if each.count(".") == 2 for part in each.split(".")[1:]}


@dataclass
class Browser:
    """Somebody's browser: the cookies of the site, and those of Entra."""

    http: httpx.AsyncClient
    entra: Any

    async def open(self, address: str, **headers: str) -> httpx.Response:
        """Go to a page of the site, without following where it leads."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.get(address, headers=PERSON | named)

    async def depart(self, path: str = "/page") -> str:
        """Go to a page that needs a sign-in; gives Entra's address that it leads to."""
        answer = await self.open(path)
        if urlsplit(answer.headers["location"]).netloc == urlsplit(str(self.http.base_url)).netloc:
            answer = await self.open(answer.headers["location"])
        assert answer.status_code == 302
        return str(answer.headers["location"])

    async def at_entra(self, address: str, *presses: str) -> str:
        """Press those buttons at Entra; gives the address that it leads back to."""
        answer = await self.entra.get(address)
        for label in presses:
            if answer.is_redirect:
                break
            answer = await self._press(answer, label)
        assert answer.is_redirect, answer.text
        return str(answer.headers["location"])

    async def come_back(self, path: str = "/page", person: str = ADA) -> str:
        """Sign in at Entra, and give the address of the callback, unopened."""
        return await self.at_entra(await self.depart(path), person)

    async def sign_in(self, path: str = "/page", person: str = ADA) -> httpx.Response:
        """The whole way; gives the callback's answer."""
        return await self.open(await self.come_back(path, person))

    async def signed_in(self, path: str = "/page", person: str = ADA) -> "Browser":
        """The whole way, which must have worked."""
        answer = await self.sign_in(path, person)
        assert answer.status_code == 303, answer.text
        return self

    async def status(self, path: str = "/api") -> int:
        """How a program's request by this browser's cookies is answered."""
        return (await self.http.get(path)).status_code

    @property
    def cookies(self) -> dict[str, str]:
        """The site's cookies, by name."""
        return {cookie.name: cookie.value or "" for cookie in self.http.cookies.jar}

    @property
    def session(self) -> str:
        """The cookie of the session."""
        return self.cookies[COOKIE]

    @property
    def attempts(self) -> set[str]:
        """The cookies of sign-ins in progress."""
        return {name for name in self.cookies if ATTEMPT in name}

    async def _press(self, page: httpx.Response, label: str) -> httpx.Response:
        for form in Page(page.text).forms:
            for text, sent in form.buttons:
                if text.startswith(label):
                    target = urljoin(str(page.request.url), form.action or str(page.request.url))
                    answer: httpx.Response = await self.entra.post(target, data=form.fields | sent)
                    return answer
        raise AssertionError(f"No button {label!r}: {page.text}")


@dataclass
class Site:
    """A service that trusts the emulator, over the wire."""

    app: FastAPI
    entra: CamundaEntra
    emulator: EntraEmulator
    wire: Wire
    clock: FakeClock
    url: str = HOME
    entrance: ASGIApp | None = None
    """The application that browsers reach, if it is another one."""
    opened: list[AsyncHttpClient] = field(default_factory=list)

    def browser(self, like: Browser | None = None) -> Browser:
        """Another browser; with all cookies of the other one if there is one."""
        entrance = self.entrance or self.app
        http = httpx.AsyncClient(transport=httpx.ASGITransport(entrance), base_url=self.url)
        entra = self.emulator.http_client()
        if like is not None:
            http.cookies = httpx.Cookies(like.http.cookies)
            for cookie in like.entra.cookies.jar:
                entra.cookies.jar.set_cookie(cookie)
        self.opened += http, entra
        return Browser(http, entra)

    def renewals(self) -> int:
        """How often a refresh token was sent."""
        return sum(form["grant_type"] == "refresh_token" for form in self.wire.forms)


def guarded(entra: CamundaEntra, app: FastAPI) -> FastAPI:
    """The application with a page, an API, something to change and an answer that is a route's own."""
    user = Annotated[EntraUser, Depends(entra.current_user)]

    @app.get("/page")
    @app.get("/incidents/{key}")
    async def page(who: user) -> HTMLResponse:
        return HTMLResponse(f"<h1>{who.name}</h1>")

    @app.get("/api")
    async def api(who: user) -> dict[str, object]:
        token = who.access_token
        return {"name": who.name, "roles": list(who.roles), "app": who.is_app, "token": len(token)}

    @app.post("/change")
    async def change(who: user) -> dict[str, object]:
        return {"by": who.name}

    @app.get("/own")
    async def own(_: user) -> Response:
        return Response("mine", headers={"Set-Cookie": "theme=dark"})

    return app


MakeSite = Callable[..., Site]


@pytest.fixture
def emulator(clock: FakeClock) -> EntraEmulator:
    """An emulator on the test's clock."""
    return EntraEmulator(clock=clock.time, new_key=signing_key)


@pytest.fixture
async def make_site(emulator: EntraEmulator, clock: FakeClock) -> AsyncIterator[MakeSite]:
    """Makes sites; keyword arguments are settings, those of ``install`` and ``CamundaEntra`` apart."""
    made: list[Site] = []

    def make(
        *,
        install: dict[str, Any] | None = None,
        app: FastAPI | None = None,
        url: str = HOME,
        entrance: Callable[[FastAPI], ASGIApp] | None = None,
        options: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Site:
        wire = Wire(emulator)
        client = httpx.AsyncClient(transport=wire)
        configured = emulator.settings(**settings)
        entra = CamundaEntra(configured, http_client=client, clock=clock, **(options or {}))
        app = guarded(entra, app or FastAPI())
        entra.install(app, **(install or {}))
        made.append(Site(app, entra, emulator, wire, clock, url, entrance and entrance(app), [client]))
        return made[-1]

    yield make
    for site in made:
        for client in site.opened:
            await client.aclose()


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site with nothing but the six variables set."""
    return make_site()


def register(emulator: EntraEmulator, *redirect_uris: str) -> None:
    """Register more redirect URIs for the site."""
    uris = {**emulator.application.redirect_uris, **dict.fromkeys(redirect_uris, "web")}
    change_application(emulator, OPERATE, redirect_uris=uris)


def session_manager_of(site: Site) -> SessionManager:
    """The site's session manager."""
    login_context = site.entra._runtimes[-1].login_context
    assert login_context is not None
    return login_context.sessions.manager


def query_of(address: str) -> dict[str, str]:
    """The parameters of an address, each of which is there once."""
    found = parse_qs(urlsplit(address).query, strict_parsing=True, keep_blank_values=True)
    assert all(len(values) == 1 for values in found.values()), found
    return {name: values[0] for name, values in found.items()}


def set_cookies(response: httpx.Response) -> dict[str, str]:
    """The response's ``Set-Cookie`` headers, by name."""
    return {line.partition("=")[0]: line for line in response.headers.get_list("set-cookie")}


def kept_cookies(response: httpx.Response) -> dict[str, str]:
    """Those that do not drop a cookie."""
    return {name: line for name, line in set_cookies(response).items() if "; Max-Age=0;" not in line}


def code_of(response: httpx.Response) -> str:
    """The code of a refusal in JSON."""
    return str(response.json()["detail"]["code"])


def texts_in(caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    """All that was logged, tracebacks included, but for the addresses that browsers go to."""
    for record in caplog.records:
        if record.name.startswith(("httpx", "httpcore")):
            continue
        yield record.getMessage()
        if record.exc_info and record.exc_info[1]:
            yield repr(record.exc_info[1])


def reference_in(message: str) -> str:
    """The reference under which the log says more than a fault's response."""
    found = re.fullmatch(
        r".* try again shortly\. This service's log says more under the reference (\w+)\.", message
    )
    assert found, message
    return found[1]


def logged_under(reference: str, caplog: pytest.LogCaptureFixture) -> str:
    """The only line of the log with that reference."""
    (line,) = [text for text in texts_in(caplog) if reference in text]
    return line
