"""The pages that ``install`` adds: there for those who ask, and in nobody's way."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.routing import NoMatchFound
from starlette.types import ASGIApp, Receive, Scope, Send

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.testing import EntraEmulator

Include = Callable[[CamundaEntra, FastAPI], None]

PAGES = {
    "GET /auth/login": 302,
    "GET /auth/login/": 307,
    "POST /auth/login": 405,
    "GET /auth/me": 401,
    "GET /auth/health": 200,
    "HEAD /auth/health": 200,
    "DELETE /auth/logout": 405,
    "GET /auth/token": 405,
    "GET /auth": 404,
    "GET /auth/": 404,
    "GET /auth/nothing": 404,
    "GET /auth/login/more": 404,
    "GET /auth/profile": 200,
    "GET /Auth/login": 404,
}
"""Requests, and the status of each response."""


@pytest.fixture
def entra(emulator: EntraEmulator) -> CamundaEntra:
    """A plugin with login pages."""
    return CamundaEntra(emulator.settings(base_url=None), http_client=emulator.http_client())


def installed(entra: CamundaEntra, app: FastAPI) -> None:
    """All pages as one route."""
    entra.install(app)


def one_by_one(entra: CamundaEntra, app: FastAPI) -> None:
    """Each page as a route of its own."""
    app.include_router(entra.login_router())


def application(entra: CamundaEntra, include: Include) -> FastAPI:
    """One with the pages, and a route of its own beside them."""
    app = FastAPI(lifespan=entra.lifespan)
    include(entra, app)

    @app.get("/auth/profile")
    async def profile() -> str:
        return "mine"

    return app


def statuses(app: ASGIApp, root: str = "") -> dict[str, int]:
    """The statuses of all of ``PAGES``, below that root."""
    found = {}
    with TestClient(app, follow_redirects=False) as client:
        for request_line in PAGES:
            method, _, path = request_line.partition(" ")
            found[request_line] = client.request(method, root + path).status_code
    return found


@pytest.mark.parametrize("include", [installed, one_by_one])
def test_the_pages_answer_as_routes_of_their_own_would(entra: CamundaEntra, include: Include) -> None:
    """Other methods are told apart, a slash too many is redirected, an application's routes are reached."""
    assert statuses(application(entra, include)) == PAGES


@pytest.mark.parametrize("include", [installed, one_by_one])
def test_the_pages_are_there_in_a_mounted_application(entra: CamundaEntra, include: Include) -> None:
    """Where a part of the path is taken by who mounts it."""
    outer = FastAPI()
    outer.mount("/inner", application(entra, include))
    assert statuses(outer, "/inner") == PAGES


@pytest.mark.parametrize("include", [installed, one_by_one])
@pytest.mark.parametrize("path", ["/auth/login", "/proxied/auth/login"])
def test_the_pages_are_there_behind_a_proxy_that_takes_a_prefix_away(
    entra: CamundaEntra, include: Include, path: str
) -> None:
    """Servers leave ``root_path`` in the path or take it out."""
    app = application(entra, include)

    async def proxied(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "root_path": "/proxied"}, receive, send)

    client = TestClient(proxied, follow_redirects=False)
    assert client.get(path).status_code == 302


@pytest.mark.parametrize("include", [installed, one_by_one])
def test_addresses_of_pages_can_be_asked_for_by_name(entra: CamundaEntra, include: Include) -> None:
    """As those of all routes; a name of none is told as such."""
    app = application(entra, include)
    assert app.url_path_for("login") == "/auth/login"
    assert app.url_path_for("profile") == "/auth/profile"
    with pytest.raises(NoMatchFound):
        app.url_path_for("nothing")


def test_pages_of_another_prefix_are_there(entra: CamundaEntra) -> None:
    """The prefix that ``install`` was given is what tools for metrics call the pages."""
    app = FastAPI(lifespan=entra.lifespan)
    entra.install(app, prefix="/sso")
    with TestClient(app, follow_redirects=False) as client:
        assert client.get("/sso/login").status_code == 302
        assert client.get("/auth/login").status_code == 404
    assert "/sso" in [getattr(route, "path", None) for route in app.routes]


def test_the_pages_make_later_routes_no_slower_each(entra: CamundaEntra) -> None:
    """One route is tried before those of the application, however many pages there are."""
    bare, app = FastAPI(), FastAPI()
    entra.install(app)
    assert len(app.routes) == len(bare.routes) + 1
