"""Without a base URL, requests whose Host names no host: 400, or a path in place of an address; never 500."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from itertools import cycle
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import pytest
from fastapi import Depends, WebSocket
from starlette.routing import BaseRoute, Route

from camunda_entra_fastapi import EntraUser
from camunda_entra_fastapi.web import docs_assets
from camunda_entra_fastapi.web.login.mount import LoginMount
from tests.site import COOKIE, HOME, MakeSite, Site, query_of

Headers = list[tuple[bytes, bytes]]

ODD: Final[dict[str, list[bytes]]] = {
    "missing": [],
    "empty": [b""],
    "several": [b"localhost:8000", b"evil.example"],
    "the same twice": [b"localhost:8000", b"localhost:8000"],
    "half an IPv6 address": [b"["],
    "the other half": [b"]"],
    "an IPv6 address without end": [b"[::1"],
    "an IPv6 address and more": [b"[::1]evil.example"],
    "no IPv6 address": [b"[evil.example]"],
    "blank": [b"a b"],
    "tab": [b"a\tb"],
    "line end": [b"a\r\nSet-Cookie: x=y"],
    "NUL": [b"a\x00b"],
    "port too large": [b"x:99999"],
    "negative port": [b"x:-1"],
    "port that is none": [b"x:http"],
    "port without digits": [b"x:"],
    "two ports": [b"x:80:81"],
    "Latin-1": ["\u00e9vil".encode("latin-1")],
    "UTF-8": ["\u00e9vil".encode()],
    "no text at all": [b"\xff\xfe\x80"],
    "user": [b"user@host"],
    "user and password": [b"localhost:8000@evil.example"],
    "path": [b"host/path"],
    "query": [b"host?x=y"],
    "fragment": [b"host#x"],
    "backslash": [b"host\\x"],
    "list": [b"a,b"],
    "percent-encoded": [b"evil%2eexample"],
    "quoted": [b'"host"'],
    "10 KB": [b"x" * 10_240],
    "markup": [b"<script>alert(1)</script>"],
}
"""RFC 9110, 7.2 and RFC 3986, 3.2.2 and 3.2.3 say what a Host is; none of these is one."""

FORM_TYPE: Final = b"application/x-www-form-urlencoded"
FLAVOURS: Final[dict[str, Headers]] = {
    "program": [],
    "person": [(b"sec-fetch-mode", b"navigate"), (b"sec-fetch-site", b"none"), (b"accept", b"text/html")],
    "form": [(b"origin", HOME.encode()), (b"referer", f"{HOME}/page".encode())],
    "old form": [(b"accept", b"text/html"), (b"referer", b"http:///page"), (b"referer", b"None/page")],
    "own page": [
        (b"sec-fetch-site", b"same-origin"),
        (b"content-type", b"application/x-www-form-urlencoded"),
    ],
    "odd": [
        (b"origin", b"["),
        (b"referer", b"http://[/"),
        (b"x-forwarded-host", b"["),
        (b"accept", b"text/html"),
    ],
}
GATEWAYS: Final[Headers] = [(b"x-forwarded-method", b"POST"), (b"x-forwarded-uri", b"http://[/x")]
QUERIES: Final = (
    b"",
    b"redirect=true",
    b"return_to=/x&state=s&code=c",
    b"error=access_denied&state=s",
    b"\xff=\xfe",
)


def pages_of(routes: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Method and path of all routes."""
    for route in routes:
        if isinstance(route, LoginMount):
            yield from pages_of(list(route.routes))
        elif isinstance(route, Route):
            for method in route.methods or {"GET"}:
                yield method, route.path.replace("{path:path}", "x/y").replace("{key}", "7")


@dataclass(frozen=True)
class Walk:
    """A site with every route there is, and all of their methods and paths."""

    site: Site
    pages: list[tuple[str, str]]


@pytest.fixture
def walk(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Walk:
    """A site with docs behind sign-in, and all that there is for gateways and WebSockets.

    Swagger UI's files are small ones, as each is read some hundred times.
    """
    (tmp_path / "static").mkdir()
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "redoc.standalone.js", "favicon.png"):
        (tmp_path / "static" / name).write_bytes(b"small")
    spec = ModuleSpec("fastapi_offline", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(docs_assets, "find_spec", lambda _: spec)
    site = make_site(install={"protect_docs": True})
    gateways = site.entra.forward_auth_router()
    site.app.include_router(gateways)
    user = Annotated[EntraUser, Depends(site.entra.current_user)]

    @site.app.websocket("/ws")
    async def ws(socket: WebSocket, _: user) -> None:
        await socket.accept()
        await socket.close()

    return Walk(site, sorted(set(pages_of([*site.app.routes, *gateways.routes]))))


async def call(
    site: Site,
    method: str,
    path: str,
    headers: Headers,
    query: bytes = b"",
    body: bytes = b"",
    kind: str = "http",
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body, as from a server that checks nothing."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body} if kind == "http" else {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": kind,
        "path": path,
        "raw_path": path.encode(),
        "headers": headers,
        "query_string": query,
        "scheme": "http" if kind == "http" else "ws",
        "server": ("10.1.2.3", 8765),
        "root_path": "",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "extensions": {"websocket.http.response": {}},
    }
    scope |= {"method": method, "subprotocols": []}
    await site.app(scope, receive, send)
    start = sent[0]
    return (
        start.get("status", 101),
        dict(start.get("headers", ())),
        b"".join(each.get("body", b"") for each in sent),
    )


def assert_harmless(answer: tuple[int, dict[bytes, bytes], bytes], hosts: list[bytes], where: str) -> None:
    """No server error; and neither the odd host nor the server's own address is told."""
    status, headers, body = answer
    assert status < 500, where
    everything = b"".join(headers.values()) + body
    assert b"10.1.2.3" not in everything, where
    for host in hosts:
        assert len(host) < 8 or host == b"localhost:8000" or host not in everything, where
    location = headers.get(b"location", b"").decode()
    if location and "/oauth2/" not in location:
        assert location.startswith("/"), (where, location)
        assert not urlsplit(location).netloc, (where, location)
    assert "10.1.2.3" not in location, where


async def test_no_route_fails_for_an_odd_host(walk: Walk) -> None:
    """Each route of ours, by each method, for programs and people, signed in or not, with whatever query."""
    cookie = (b"cookie", f"{COOKIE}={(await walk.site.browser().signed_in()).session}".encode())
    for odd, hosts in ODD.items():
        host = [(b"host", value) for value in hosts]
        queries = cycle(QUERIES)
        for method, path in walk.pages:
            for name, flavour in FLAVOURS.items():
                for extra in ([], [cookie, *GATEWAYS]):
                    query = next(queries)
                    answer = await call(walk.site, method, path, [*host, *flavour, *extra], query)
                    assert_harmless(answer, hosts, f"{odd}: {method} {path}?{query!r} as {name}")


async def test_no_websocket_fails_for_an_odd_host(walk: Walk) -> None:
    """It is refused like any other whose page is not known."""
    cookie = (b"cookie", f"{COOKIE}={(await walk.site.browser().signed_in()).session}".encode())
    for odd, hosts in ODD.items():
        headers = [*((b"host", value) for value in hosts), cookie]
        for origin, status in ((b"http://localhost:8000", 400), (b"[", 400), (None, 400)):
            extra = [] if origin is None else [(b"origin", origin)]
            answer = await call(walk.site, "", "/ws", [*headers, *extra], kind="websocket")
            assert answer[0] == status, odd
            assert b"host_malformed" in answer[2], odd


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/auth/login"), ("GET", "/auth/admin-consent"), ("POST", "/auth/logout")]
)
async def test_pages_that_need_an_address_say_what_is_wrong(site: Site, method: str, path: str) -> None:
    """400 with the shape of the right one; and nobody is signed out half-way."""
    browser = await site.browser().signed_in()
    cookie = (b"cookie", f"{COOKIE}={browser.session}".encode())
    for odd, hosts in ODD.items():
        headers = [*((b"host", value) for value in hosts), (b"sec-fetch-site", b"same-origin"), cookie]
        status, sent, body = await call(site, method, path, headers)
        told = b"host_malformed" in body, b"orders.example.com" in body
        assert (status, *told) == (400, True, True), odd
        assert b"set-cookie" not in sent, odd
        assert b'error="invalid_request"' in sent[b"www-authenticate"], odd
        assert await browser.status() == 200, odd


async def test_a_navigation_is_sent_to_a_path(site: Site) -> None:
    """Browsers resolve it against the address that they have (RFC 9110, 10.2.2)."""
    for odd, hosts in ODD.items():
        headers = [*((b"host", value) for value in hosts), *FLAVOURS["person"]]
        for method, status, path, back in (("GET", 302, "/page", b"/page"), ("POST", 303, "/change", b"/")):
            answer = await call(site, method, path, headers)
            assert answer[0] == status, odd
            assert answer[1][b"location"] == b"/auth/login?return_to=" + back, odd


async def test_whoever_comes_back_gets_a_page(site: Site) -> None:
    """The callback needs no address; its page for missing consent has a path to the consent."""
    for odd, hosts in ODD.items():
        browser = site.browser()
        state = query_of(await browser.depart())["state"]
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items()).encode()
        headers = [*((b"host", value) for value in hosts), *FLAVOURS["person"], (b"cookie", cookies)]
        query = f"state={state}&error=access_denied&error_description=AADSTS65001".encode()
        status, _, body = await call(site, "GET", "/auth/login-callback", headers, query)
        assert (status, b'href="/auth/admin-consent"' in body) == (403, True), odd


async def test_a_base_url_makes_the_host_indifferent(make_site: MakeSite) -> None:
    """Then nothing is read of it."""
    site = make_site(base_url="https://operate.example")
    for odd, hosts in ODD.items():
        status, headers, _ = await call(site, "GET", "/auth/login", [(b"host", value) for value in hosts])
        redirect_uri = query_of(headers[b"location"].decode())["redirect_uri"]
        assert (status, redirect_uri) == (302, "https://operate.example/auth/login-callback"), odd


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        (b"localhost:8000", "http://localhost:8000"),
        (b"Operate.Example.COM:80", "http://operate.example.com"),
        (b"[::1]:8000", "http://[::1]:8000"),
        (b"[::ffff:10.0.0.1]", "http://[::ffff:10.0.0.1]"),
        (b"operate_web:65535", "http://operate_web:65535"),
        (b"xn--vil-bla.example.", "http://xn--vil-bla.example."),
        (b"x:0", "http://x:0"),
    ],
)
async def test_hosts_that_browsers_send_are_read(site: Site, host: bytes, origin: str) -> None:
    """Names, addresses and ports of containers and development, too."""
    _, headers, _ = await call(site, "GET", "/auth/login", [(b"host", host)])
    assert query_of(headers[b"location"].decode())["redirect_uri"] == f"{origin}/auth/login-callback"


def test_the_walk_passes_by_every_page(walk: Walk) -> None:
    """Sign-in, gateways' questions, docs, health, and routes of the application."""
    paths = {path for _, path in walk.pages}
    for end in ("login", "login-callback", "logout", "me", "token", "front-channel-logout", "admin-consent"):
        assert f"/auth/{end}" in paths
    assert {"/auth/verify", "/auth/ext-authz/x/y", "/auth/health", "/docs", "/openapi.json", "/page"} <= paths


@pytest.mark.parametrize("referer", [b"None/page", b"/page", b"http:///page"])
async def test_a_form_returns_to_no_page_of_an_unknown_address(walk: Walk, referer: bytes) -> None:
    """What no address is known for, no ``Referer`` is a page of."""
    headers = [(b"host", b"a b"), (b"referer", referer), *FLAVOURS["person"]]
    status, sent, _ = await call(walk.site, "POST", "/change", headers)
    assert (status, sent[b"location"]) == (303, b"/auth/login?return_to=/")
