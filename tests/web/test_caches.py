"""What caches may do with answers that a session cookie decided (RFC 9111, 3.5, 4.1 and 5.2.2.7)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.web.sessions import SessionCookieMiddleware
from tests.conftest import FakeClock
from tests.site import ADA, COOKIE, HOME, PERSON, MakeSite, Site, guarded

MARKED = ("Cookie", "private")
REFUSED = ("Cookie", "no-store")


def told(response: httpx.Response) -> tuple[str | None, str | None]:
    """What the response tells caches."""
    assert len(response.headers.get_list("vary")) < 2
    return response.headers.get("vary"), response.headers.get("cache-control")


def more_routes(app: FastAPI, entra: CamundaEntra, folder: Path) -> None:
    """Routes that look at sessions, and some that do not."""
    user, optional = Depends(entra.current_user), Depends(entra.optional_user)
    (folder / "file.txt").write_text("of somebody")

    @app.get("/optional")
    async def anybody(who: Annotated[EntraUser | None, optional]) -> dict[str, Any]:
        return {"name": who and who.name}

    @app.get("/token-only", dependencies=[Depends(entra.bearer)])
    async def token_only() -> None:
        pass

    @app.get("/admin", dependencies=[Depends(entra.require(roles=["Nobody.Has.It"]))])
    async def admin() -> None:
        pass

    @app.get("/streamed", dependencies=[user])
    async def streamed() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            await asyncio.sleep(0)
            yield b"two"

        return StreamingResponse(parts())

    @app.get("/file", dependencies=[user])
    async def file(request: Request) -> Response:
        response = FileResponse(folder / "file.txt", headers={"ETag": '"1"'})
        known = request.headers.get("if-none-match") == '"1"'
        return Response(status_code=304, headers={"ETag": '"1"'}) if known else response

    @app.get("/missing", dependencies=[user])
    async def missing() -> None:
        raise HTTPException(404)

    @app.get("/static", response_model=None)
    async def static() -> Response:
        return Response("for all", headers={"Cache-Control": "public, max-age=3600", "Vary": "Accept"})

    @app.get("/plain")
    async def plain() -> str:
        return "for all"

    app.router.routes.append(Mount("/files", StaticFiles(directory=folder)))


@pytest.fixture
def site(make_site: MakeSite, tmp_path: Path) -> Site:
    """A site with more routes."""
    site = make_site()
    more_routes(site.app, site.entra, tmp_path)
    return site


@pytest.mark.parametrize("store", ["cookie", "memory"])
async def test_what_a_session_decided_is_for_one_person(
    make_site: MakeSite, tmp_path: Path, store: str
) -> None:
    """JSON, pages, streams and files: no cache of others keeps them, and a browser does for this cookie."""
    site = make_site(session_store=store)
    more_routes(site.app, site.entra, tmp_path)
    browser = await site.browser().signed_in()
    for path in ("/api", "/page", "/optional", "/streamed", "/file", "/auth/me"):
        for _ in range(2):  # sessions are found in other ways the second time
            answer = await browser.http.get(path)
            assert answer.status_code == 200
            assert told(answer) == (REFUSED if path == "/auth/me" else MARKED)
    assert (await browser.http.get("/streamed")).text == "onetwo"
    unchanged = await browser.http.get("/file", headers={"If-None-Match": '"1"'})
    assert (unchanged.status_code, *told(unchanged)) == (304, *MARKED)  # as 200 would (RFC 9110, 15.4.5)
    changed = await browser.http.post("/change", headers={"Origin": HOME})
    assert (changed.status_code, *told(changed)) == (200, *MARKED)


async def test_refusals_of_a_session_are_not_stored(site: Site) -> None:
    """Neither 403, for what somebody is or for where the request is from, nor what a route raises."""
    browser = await site.browser().signed_in()
    for path, status in (("/admin", 403), ("/missing", 404)):
        answer = await browser.http.get(path)
        assert (answer.status_code, *told(answer)) == (status, *REFUSED)
    answer = await browser.http.post("/change", headers={"Origin": "https://evil.example"})
    assert (answer.status_code, *told(answer)) == (403, *REFUSED)


@pytest.mark.parametrize("cookie", [None, f"{COOKIE}=rubbish", f"{COOKIE}=13:x; other=1", "theme=dark"])
async def test_the_absence_of_a_session_decides_as_well(site: Site, cookie: str | None) -> None:
    """401, redirects, and what strangers see where a session is optional: the next one may be somebody."""
    http, headers = site.browser().http, {"Cookie": cookie} if cookie else {}
    for path, extra, status, expected in (
        ("/api", {}, 401, REFUSED),
        ("/page", PERSON, 302, REFUSED),
        ("/auth/me", {}, 401, REFUSED),
        ("/optional", {}, 200, MARKED),
        ("/optional", {"Authorization": "Basic eDp5"} if cookie else {}, 200, MARKED),
    ):
        answer = await http.get(path, headers=headers | extra)
        assert (path, answer.status_code, *told(answer)) == (path, status, *expected)


async def test_a_session_that_cannot_be_asked_for_decides_as_well(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That Entra is away is nobody else's answer."""
    browser = await site.browser().signed_in()
    site.wire.answer("/token", 503)
    site.clock.advance(4000)
    answer = await browser.http.get("/api")
    assert (answer.status_code, *told(answer)) == (502, *REFUSED)


async def test_routes_that_ask_for_no_session_stay_as_they_are(site: Site) -> None:
    """Static files, public pages and APIs for tokens, whether or not the browser sends its cookie."""
    browser = await site.browser().signed_in()
    for http in (browser.http, site.browser().http):
        assert told(await http.get("/static")) == ("Accept", "public, max-age=3600")
        assert told(await http.get("/plain")) == (None, None)
        assert told(await http.get("/token-only")) == (None, None)
        assert told(await http.get("/nowhere")) == (None, None)
        file = await http.get("/files/file.txt")
        assert (file.status_code, *told(file)) == (200, None, None)


async def test_answers_to_tokens_stay_as_they_are(site: Site) -> None:
    """RFC 9111, 3.5 protects them, with and without a cookie beside the token, and in any order."""
    browser = await site.browser().signed_in()
    token, cookie = f"Bearer {site.emulator.token()}", f"{COOKIE}={browser.session}"
    pairs = [("Authorization", token), ("Cookie", cookie)]
    for headers in (pairs[:1], pairs, pairs[::-1]):
        for path in ("/api", "/optional"):
            answer = await site.browser().http.get(path, headers=headers)
            assert (answer.status_code, *told(answer)) == (200, None, None)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, MARKED),
        ({"Cache-Control": "public, max-age=60"}, ("Cookie", "public, max-age=60")),
        ({"Cache-Control": "no-store"}, ("Cookie", "no-store")),
        ({"Cache-Control": ""}, ("Cookie", "")),
        ({"Vary": "Accept-Encoding"}, ("Accept-Encoding, Cookie", "private")),
        ({"Vary": "accept , COOKIE"}, ("accept , COOKIE", "private")),
        ({"Vary": "*"}, ("*", "private")),
        ({"Vary": "Accept, *"}, ("Accept, *", "private")),
        ({"Vary": ""}, ("Cookie", "private")),
        ({"Vary": "X-Cookie"}, ("X-Cookie, Cookie", "private")),
        ({"Expires": "Thu, 01 Jan 2099 00:00:00 GMT"}, MARKED),
    ],
)
async def test_an_applications_own_words_stay(
    site: Site, own: dict[str, str], expected: tuple[str, str]
) -> None:
    """``Vary`` gets a member more, and none twice; ``Cache-Control`` is the application's if it has any."""

    @site.app.get("/own-words", dependencies=[Depends(site.entra.current_user)])
    async def own_words() -> Response:
        return Response(headers=own)

    browser = await site.browser().signed_in()
    assert told(await browser.http.get("/own-words")) == expected


@pytest.mark.parametrize(
    ("own", "control", "vary"),
    [
        ([(b"VARY", b"Accept"), (b"Vary", b"Origin")], ["private"], ["Accept", "Origin, Cookie"]),
        ([(b"Vary", b"Accept"), (b"vary", b"cookie")], ["private"], ["Accept", "cookie"]),
        ([(b"Cache-CONTROL", b"max-age=1")], ["max-age=1"], ["Cookie"]),
        (None, ["private"], ["Cookie"]),
    ],
)
async def test_headers_of_bare_asgi_applications_are_read_too(
    site: Site, own: list[tuple[bytes, bytes]] | None, control: list[str], vary: list[str]
) -> None:
    """In any case of letters, several of a name, as a tuple, or none at all (ASGI, response start)."""

    async def bare(scope: Scope, receive: Receive, send: Send) -> None:
        await site.entra.optional_user.authenticate(Request(scope))
        start: dict[str, Any] = {"type": "http.response.start", "status": 200}
        await send(start if own is None else start | {"headers": tuple(own)})
        await send({"type": "http.response.body", "body": b"bare"})

    site.app.mount("/bare", bare)
    answer = await site.browser().http.get("/bare/")
    assert answer.text == "bare"
    assert answer.headers.get_list("cache-control") == control
    assert answer.headers.get_list("vary") == vary


async def test_a_message_that_an_application_sends_to_everybody_stays_its_own(site: Site) -> None:
    """A bare ASGI application may keep the start of its answers: nobody gets another one's cookies by it."""
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}

    async def bare(scope: Scope, receive: Receive, send: Send) -> None:
        await site.entra.optional_user.authenticate(Request(scope))
        await send(start)
        await send({"type": "http.response.body", "body": b"bare"})

    site.app.mount("/bare", bare)
    browser = await site.browser().signed_in()
    site.clock.advance(4000)
    assert "set-cookie" in (await browser.http.get("/bare/")).headers
    assert "set-cookie" not in (await site.browser().http.get("/bare/")).headers
    assert start["headers"] == [(b"content-type", b"text/plain")]


@pytest.mark.parametrize(
    ("own", "sent"),
    [
        ('private="Set-Cookie"', "no-store"),
        ("max-age=60, PRIVATE", "max-age=60, PRIVATE"),
        ("x-private, max-age=60", "no-store"),
    ],
)
async def test_renewed_cookies_are_kept_from_all_caches_of_others(site: Site, own: str, sent: str) -> None:
    """``private`` for some headers alone lets the rest be stored (RFC 9111, 5.2.2.7), and is not enough."""

    @site.app.get("/renewed", dependencies=[Depends(site.entra.current_user)])
    async def renewed() -> Response:
        return Response(headers={"Cache-Control": own})

    browser = await site.browser().signed_in()
    site.clock.advance(4000)
    answer = await browser.http.get("/renewed")
    assert "set-cookie" in answer.headers
    assert told(answer) == ("Cookie", sent)


async def test_other_middleware_goes_on_with_it(make_site: MakeSite) -> None:
    """One that compresses adds its own member to ``Vary``, outside of ours as inside."""
    site = make_site()
    site.app.add_middleware(GZipMiddleware, minimum_size=0)
    browser = await site.browser().signed_in()
    answer = await browser.http.get("/api", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert told(answer) == ("Cookie, Accept-Encoding", "private")


async def test_two_sessions_are_one_cookie_header(make_site: MakeSite, emulator: EntraEmulator) -> None:
    """Where two services stand in one application, their middlewares add nothing twice."""
    site = make_site()
    settings = emulator.settings(cookie_name="second", login_prefix="/second")
    second = CamundaEntra(
        settings, http_client=emulator.http_client(), clock=site.clock, scheme_name="Second"
    )
    second.install(site.app)

    @site.app.get("/both", dependencies=[Depends(second.optional_user), Depends(site.entra.optional_user)])
    async def both() -> None:
        pass

    assert told(await site.browser().http.get("/both")) == MARKED


@pytest.mark.parametrize("installed", [True, False])
async def test_gateways_are_told_as_well(
    emulator: EntraEmulator, make_site: MakeSite, clock: FakeClock, *, installed: bool
) -> None:
    """``/auth/verify`` and ``/auth/ext-authz`` say so by themselves; what a token decided depends on none."""
    site = make_site()
    app = site.app if installed else FastAPI()
    app.include_router(site.entra.forward_auth_router(redirect=True))
    browser = await site.browser().signed_in()
    token = {"Authorization": f"Bearer {emulator.token()}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME) as http:
        for path in ("/auth/verify", "/auth/ext-authz/page"):
            for headers, status, vary in (
                ({"Cookie": f"{COOKIE}={browser.session}"}, 200, "Cookie"),
                ({"Cookie": f"{COOKIE}=rubbish"}, 401, "Cookie"),
                ({}, 401, "Cookie"),
                (PERSON, 302, "Cookie"),
                (token, 200, None),
                ({"Authorization": "Bearer rubbish"}, 401, None),
            ):
                answer = await http.get(path, headers=headers)
                assert (answer.status_code, *told(answer)) == (status, vary, "no-store")


async def test_a_router_alone_leaves_caches_to_the_application(
    emulator: EntraEmulator, clock: FakeClock, tmp_path: Path
) -> None:
    """Refusals are stored by nobody anyhow (RFC 9111, 3); the middleware does the rest, if it is added."""

    def site_of(*middlewares: Callable[..., Any]) -> Site:
        entra = CamundaEntra(emulator.settings(), http_client=emulator.http_client(), clock=clock)
        app = guarded(entra, FastAPI())
        more_routes(app, entra, tmp_path)
        app.include_router(entra.login_router())
        for middleware in middlewares:
            app.add_middleware(middleware)
        wire: Any = None
        return Site(app, entra, emulator, wire, clock)

    bare = await site_of().browser().signed_in(person=ADA)
    assert told(await bare.http.get("/api")) == (None, None)
    assert told(await bare.http.get("/auth/me")) == (None, "no-store")
    helped = await site_of(SessionCookieMiddleware).browser().signed_in(person=ADA)
    assert told(await helped.http.get("/api")) == MARKED
    assert told(await helped.http.get("/plain")) == (None, None)
    clock.advance(4000)
    assert COOKIE in (await helped.http.get("/api")).headers["set-cookie"]
