"""``guard``: files and applications that are mounted, behind the decision that routes have."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.testclient import WebSocketDenialResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator
from tests.conftest import FakeClock
from tests.site import ADA, BEN, COOKIE, HOME, PERSON, MakeSite, Site, code_of, query_of, set_cookies

ADMIN: Final = ["Operate.Admin"]
NAVIGATION = PERSON | {"Accept": "text/html"}


async def who(request: Request) -> JSONResponse:
    """Who the guard has let in."""
    return JSONResponse({"name": request.state.user.name, "method": request.method})


async def socket(websocket: WebSocket) -> None:
    """The same, over a WebSocket."""
    await websocket.accept()
    await websocket.send_text(websocket.state.user.name)
    await websocket.close()


INSIDE = Starlette(
    routes=[Route("/who", who, methods=["GET", "POST"]), WebSocketRoute("/ws", socket)],
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file and a page."""
    (tmp_path / "plan.txt").write_text("the plan")
    (tmp_path / "index.html").write_text("<h1>Plans</h1>")
    return tmp_path


@pytest.fixture
def mounted(folder: Path) -> Callable[[CamundaEntra, FastAPI], None]:
    """Mounts files for administrators and an application for whoever is signed in."""

    def mount(entra: CamundaEntra, app: FastAPI) -> None:
        app.mount("/files", entra.guard(StaticFiles(directory=folder, html=True), roles=ADMIN))
        app.mount("/desk", entra.guard(INSIDE))

    return mount


@pytest.fixture
def site(make_site: MakeSite, mounted: Callable[..., None]) -> Site:
    """A site with both, mounted after ``install``."""
    site = make_site()
    mounted(site.entra, site.app)
    return site


def bearer(site: Site, user: str = ADA, **claims: Any) -> dict[str, str]:
    """The header with a token of that person."""
    return {"Authorization": f"Bearer {site.emulator.token(user=user, **claims)}"}


async def test_people_are_sent_to_sign_in_and_come_back_to_the_file(site: Site) -> None:
    """With mount and query, as from a route."""
    browser = site.browser()
    left = await browser.open("/files/plan.txt?version=7")
    assert (left.status_code, left.headers["cache-control"]) == (302, "no-store")
    assert left.headers["location"].startswith(f"{HOME}/auth/login?")
    back = await browser.sign_in("/files/plan.txt?version=7")
    assert (back.status_code, back.headers["location"]) == (303, "/files/plan.txt?version=7")
    assert (await browser.open("/files/plan.txt?version=7")).text == "the plan"


async def test_programs_get_the_challenge_or_the_file(site: Site) -> None:
    """JSON, as everywhere; a bad token is not passed over for a cookie."""
    browser = await site.browser().signed_in()
    http = site.browser().http
    nobody = await http.get("/files/plan.txt")
    assert (nobody.status_code, code_of(nobody)) == (401, "credentials_missing")
    assert nobody.headers["www-authenticate"].startswith("Bearer realm=")
    assert (await http.get("/files/plan.txt", headers=bearer(site))).text == "the plan"
    old = await browser.http.get("/files/plan.txt", headers=bearer(site, lifetime=-3600))
    assert (old.status_code, code_of(old)) == (401, "token_expired")


async def test_who_lacks_the_role_reads_so(site: Site) -> None:
    """A page for people, with the title of the application, and JSON for programs."""
    ben = await site.browser().signed_in(person=BEN)
    page = await ben.open("/files/plan.txt")
    assert (page.status_code, page.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert "lacks the role Operate.Admin" in page.text
    assert "return_to=/files/plan.txt" in page.text
    program = await ben.http.get("/files/plan.txt")
    assert (program.status_code, code_of(program)) == (403, "role_missing")
    assert (await ben.http.get("/desk/who")).json()["name"] == BEN


async def test_a_missing_file_is_told_to_nobody_but_those_let_in(site: Site) -> None:
    """Whether there is one, is said after who is asking; so is a folder without its last slash."""
    ada, nobody = await site.browser().signed_in(), site.browser()
    for path, status in (("/files/none.txt", 404), ("/files/../plan.txt", 404), ("/files/", 200)):
        assert (await ada.http.get(path)).status_code == status
    assert {(await nobody.http.get(path)).status_code for path in ("/files/none.txt", "/files/plan.txt")} == {
        401
    }


@pytest.mark.parametrize("store", ["cookie", "memory"])
async def test_no_cache_of_others_keeps_a_file(
    make_site: MakeSite, mounted: Callable[..., None], store: str
) -> None:
    """As with routes; and what the browser has it may ask about."""
    site = make_site(session_store=store)
    mounted(site.entra, site.app)
    ada = await site.browser().signed_in()
    file = await ada.http.get("/files/plan.txt")
    assert (file.headers["cache-control"], file.headers["vary"]) == ("private", "Cookie")
    known = await ada.http.get("/files/plan.txt", headers={"If-None-Match": file.headers["etag"]})
    assert (known.status_code, known.headers["cache-control"]) == (304, "private")
    refused = await site.browser().http.get("/files/plan.txt")
    assert (refused.headers["cache-control"], refused.headers["vary"]) == ("no-store", "Cookie")


async def test_changes_need_a_page_of_ours(site: Site) -> None:
    """With the cookie; a token needs none."""
    ada = await site.browser().signed_in()
    for headers, status in (
        ({"Origin": HOME}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({}, 403),
        (bearer(site) | {"Origin": "https://evil.example"}, 200),
    ):
        assert (await ada.http.post("/desk/who", headers=headers)).status_code == status


async def test_a_renewed_session_reaches_the_browser(site: Site) -> None:
    """Once, by the middleware of ``install``."""
    ada = await site.browser().signed_in()
    site.clock.advance(4000)
    answer = await ada.http.get("/files/plan.txt")
    assert list(set_cookies(answer)) == [COOKIE]
    assert len(answer.headers.get_list("set-cookie")) == 1
    assert (answer.headers["cache-control"], site.renewals()) == ("no-store", 1)


async def test_faults_are_those_of_routes(site: Site) -> None:
    """503 with a reference: JSON for programs, a page for people."""
    ada = await site.browser().signed_in()
    site.clock.advance(4000)
    site.wire.fail("/token")
    program = await ada.http.get("/files/plan.txt")
    assert (program.status_code, code_of(program)) == (503, "entra_unreachable")
    assert "under the reference" in program.json()["detail"]["message"]
    page = await ada.open("/files/plan.txt")
    assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert "retry-after" in page.headers


async def test_websockets_are_refused_before_they_are_accepted(site: Site) -> None:
    """With the status and the challenge; those of another site's page, too."""
    ada = await site.browser().signed_in()
    address = f"{HOME.replace('http', 'ws')}/desk/ws"
    client = TestClient(site.app, cookies=ada.cookies)
    with client.websocket_connect(address, headers={"Origin": HOME}) as websocket:
        assert websocket.receive_text() == ADA
    for cookies, headers, code in (
        ({}, {}, "credentials_missing"),
        (ada.cookies, {"Origin": "https://evil.example"}, "cross_origin"),
    ):
        with (
            pytest.raises(WebSocketDenialResponse) as caught,
            TestClient(site.app, cookies=cookies).websocket_connect(address, headers=headers),
        ):
            pytest.fail("it was accepted")
        assert caught.value.json()["detail"]["code"] == code


async def test_a_server_without_denials_closes_the_websocket(site: Site) -> None:
    """With the documented close code, and the refusal's code as the reason."""
    sent: list[Any] = []
    scope: Scope = {"type": "websocket", "path": "/desk/ws", "headers": [], "query_string": b""}

    async def receive() -> Any:
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    await site.app(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "credentials_missing"}]


async def test_the_application_inside_asks_for_nothing_twice(
    make_site: MakeSite, emulator: EntraEmulator
) -> None:
    """Its own dependencies find the user whom the guard has found, with and without a cache."""
    site = make_site(token_cache_size=0)
    inner, verified = FastAPI(), 0
    validate = site.entra.current_user.authentication.validator.validate

    async def counted(*arguments: Any) -> EntraUser:
        nonlocal verified
        verified += 1
        return await validate(*arguments)

    @inner.get("/name")
    async def name(
        request: Request, user: Annotated[EntraUser, Depends(site.entra.require(roles=ADMIN))]
    ) -> list[Any]:
        return [user.name, user is request.state.user]

    site.app.mount("/inner", site.entra.guard(inner))
    authentication = site.entra.current_user.authentication
    object.__setattr__(authentication.validator, "validate", counted)
    answer = await site.browser().http.get("/inner/name", headers=bearer(site))
    assert (answer.json(), verified) == ([ADA, True], 1)
    ben = await site.browser().signed_in(person=BEN)
    assert code_of(await ben.http.get("/inner/name")) == "role_missing"


@pytest.mark.parametrize("base_url", [None, "https://x.example/outer"])
@pytest.mark.parametrize("root_path", ["", "/outer"])
async def test_behind_a_prefix(
    make_site: MakeSite, mounted: Callable[..., None], base_url: str | None, root_path: str
) -> None:
    """Login page and way back have the public prefix, and never the mount's in front of it."""
    site = make_site(base_url=base_url)
    mounted(site.entra, site.app)
    transport = httpx.ASGITransport(site.app, root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url=HOME) as http:
        left = await http.get("/files/plan.txt", headers=NAVIGATION)
    prefix = "/outer" if base_url else root_path
    origin = "https://x.example" if base_url else HOME
    assert left.headers["location"] == f"{origin}{prefix}/auth/login?return_to={prefix}/files/plan.txt"


async def test_install_may_come_later(
    emulator: EntraEmulator, clock: FakeClock, mounted: Callable[..., None]
) -> None:
    """The guard looks at what is there when somebody asks."""
    entra = CamundaEntra(emulator.settings(), http_client=emulator.http_client(), clock=clock)
    app = FastAPI()
    mounted(entra, app)
    wire: Any = None
    entra.install(app)
    ada = await Site(app, entra, emulator, wire, clock).browser().signed_in("/files/plan.txt")
    assert (await ada.http.get("/files/plan.txt")).text == "the plan"


async def test_a_plain_starlette_application(emulator: EntraEmulator, clock: FakeClock, folder: Path) -> None:
    """It has the login pages as routes, and no middleware of ours: the guard renews and tells caches."""
    entra = CamundaEntra(emulator.settings(), http_client=emulator.http_client(), clock=clock)
    files = entra.guard(StaticFiles(directory=folder), roles=ADMIN)
    app: Any = Starlette(routes=[*entra.login_router().routes, Mount("/a", Mount("/files", files))])
    wire: Any = None
    site = Site(app, entra, emulator, wire, clock)
    browser = site.browser()
    left = await browser.open("/a/files/plan.txt")
    assert left.headers["location"] == f"{HOME}/auth/login?return_to=/a/files/plan.txt"
    ada = await browser.signed_in("/a/files/plan.txt")
    answer = await ada.http.get("/a/files/plan.txt")
    assert (answer.text, answer.headers["cache-control"], answer.headers["vary"]) == (
        "the plan",
        "private",
        "Cookie",
    )
    clock.advance(4000)
    assert list(set_cookies(await ada.http.get("/a/files/plan.txt"))) == [COOKIE]
    ben = await site.browser().signed_in("/a/files/plan.txt", person=BEN)
    assert "lacks the role Operate.Admin" in (await ben.open("/a/files/plan.txt")).text


async def test_a_whole_application_for_programs(emulator: EntraEmulator, clock: FakeClock) -> None:
    """Without login pages, a guard may be around everything; its lifespan passes."""
    entra = CamundaEntra(emulator.settings(), http_client=emulator.http_client(), clock=clock)
    ran = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        ran.append("begin")
        yield
        ran.append("end")

    inside = Starlette(routes=[Route("/who", who)], lifespan=lifespan)
    with TestClient(entra.guard(inside)) as client:
        refused = client.get("/who", headers=NAVIGATION)
        assert (refused.status_code, refused.headers["content-type"]) == (401, "text/html; charset=utf-8")
        token = {"Authorization": f"Bearer {emulator.token(user=ADA)}"}
        assert client.get("/who", headers=token).json()["name"] == ADA
    assert ran == ["begin", "end"]


@pytest.mark.parametrize("order", ["around the login pages", "mounted before them"])
async def test_a_guarded_login_page_is_told_of_and_no_loop(
    emulator: EntraEmulator, clock: FakeClock, order: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The browser gets 401 at the login page itself, and the log says what to do."""
    entra = CamundaEntra(emulator.settings(), http_client=emulator.http_client(), clock=clock)
    app = FastAPI()
    entrance: ASGIApp = app
    if order == "mounted before them":
        app.mount("/", entra.guard(INSIDE))
        entra.install(app)
    else:
        entra.install(app)
        entrance = entra.guard(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(entrance), base_url=HOME) as http:
        left = await http.get("/who?a=b", headers=NAVIGATION)
        assert query_of(left.headers["location"]) == {"return_to": "/who?a=b"}
        for location in (left.headers["location"], "/auth/%6Cogin?return_to=/who"):
            end = await http.get(location, headers=NAVIGATION)
            assert (end.status_code, "location" in end.headers) == (401, False)
    assert "The login page /auth/login is behind entra.guard" in caplog.text


async def test_mounted_at_the_root_after_install(make_site: MakeSite, folder: Path) -> None:
    """A single-page application's files, all of them for people who are signed in."""
    site = make_site()
    site.app.mount("/", site.entra.guard(StaticFiles(directory=folder, html=True)))
    ada = await site.browser().signed_in("/index.html")
    assert (await ada.open("/")).text == "<h1>Plans</h1>"


async def test_tests_may_say_who_is_there(site: Site) -> None:
    """``dependency_overrides`` of the application around it count, with what the function depends on."""
    claims = {"aud": "a", "iss": "i", "sub": "s", "iat": 1, "nbf": 1, "exp": 2, "azp": "c", "name": "Fake"}
    closed = []

    async def roles() -> AsyncIterator[list[str]]:
        yield ["Operate.Admin"]
        closed.append(True)

    async def fake(names: Annotated[list[str], Depends(roles)], request: Request) -> EntraUser:
        user = EntraUser.from_claims(claims | {"roles": names}, "none")
        request.state.user = user
        return user

    site.app.dependency_overrides[site.entra.current_user] = fake
    assert (await site.browser().http.get("/files/plan.txt")).text == "the plan"
    assert closed == [True]
    assert (await site.browser().http.get("/desk/who")).json()["name"] == "Fake"


def test_arguments_are_those_of_require(entra_site: CamundaEntra) -> None:
    """A typing error is told at start."""
    with pytest.raises(TypeError, match="takes a list"):
        entra_site.guard(INSIDE, roles="Operate.Admin")
    with pytest.raises(ValueError, match="auth_context"):
        entra_site.guard(INSIDE, auth_context="x")


@pytest.fixture
def entra_site(site: Site) -> CamundaEntra:
    """The site's ``CamundaEntra``."""
    return site.entra


async def test_names_of_routes_inside_are_found(make_site: MakeSite) -> None:
    """Templates of admin pages ask ``url_for``, which begins at the outermost router."""

    async def links(request: Request) -> JSONResponse:
        return JSONResponse([str(request.url_for("links")), str(request.url_for("static", path="a.css"))])

    site = make_site()
    routes = [Route("/links", links, name="links"), Mount("/static", INSIDE, name="static")]
    site.app.mount("/admin", site.entra.guard(Starlette(routes=routes)))
    ada = await site.browser().signed_in()
    assert (await ada.http.get("/admin/links")).json() == [
        f"{HOME}/admin/links",
        f"{HOME}/admin/static/a.css",
    ]


async def test_what_fails_inside_is_not_the_guards(site: Site) -> None:
    """Its errors, and what it sends, go on unchanged."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("teapot", 418)(scope, receive, send)
        raise RuntimeError("inside")

    site.app.mount("/broken", site.entra.guard(broken))
    with pytest.raises(RuntimeError, match="inside"):
        await site.browser().http.get("/broken/", headers=bearer(site))


def test_the_close_code_reaches_a_client(site: Site) -> None:
    """Through a server that cannot send a response instead."""

    class WithoutDenials:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {}
            await self.app(scope, receive, send)

    client = TestClient(WithoutDenials(site.app))
    with pytest.raises(WebSocketDisconnect) as caught, client.websocket_connect("/desk/ws"):
        pytest.fail("it was accepted")
    assert (caught.value.code, caught.value.reason) == (1008, "credentials_missing")


@pytest.mark.parametrize("wrong", [Starlette, None, "files"], ids=str)
def test_what_is_no_application_is_refused_at_start(site: Site, wrong: Any) -> None:
    """A class that nobody called, above all."""
    name = wrong.__name__ if wrong is Starlette else type(wrong).__name__
    with pytest.raises(
        TypeError, match=f"^guard got {name}, which is no ASGI application. Give it an instance"
    ):
        site.entra.guard(wrong)
