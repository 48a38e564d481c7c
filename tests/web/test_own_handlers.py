"""An application's own exception handlers and middlewares beside redirects, refusals and faults."""

from collections.abc import Callable
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteException
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.responses import PlainTextResponse, Response
from starlette.websockets import WebSocket

from camunda_entra_fastapi import (
    CamundaEntra,
    EntraError,
    EntraUnavailable,
    EntraUser,
    InvalidToken,
    RefusedRequest,
    SessionsUnavailable,
    SignInRedirect,
)
from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.web.answerable import answerable
from camunda_entra_fastapi.web.challenges import Challenger
from tests.site import BEN, HOME, PERSON, MakeSite, Site


async def mine(_: Request, error: Any) -> Response:
    """FastAPI's tutorial has such a handler, which forgets the headers."""
    return PlainTextResponse(f"mine: {type(error).__name__}", getattr(error, "status_code", 418))


def mine_in_a_thread(_: Request, error: Any) -> Response:
    """The same without async."""
    return PlainTextResponse(f"mine: {type(error).__name__}", getattr(error, "status_code", 418))


class Order(BaseModel):
    """What a route takes."""

    number: int


def guard(app: FastAPI, entra: CamundaEntra) -> None:
    """Routes that refuse in each way."""
    is_admin = Depends(entra.require(roles=["Operate.Admin"]))
    app.add_api_route("/admin", lambda: "admin", dependencies=[is_admin])
    token = entra.client_credentials("api://other/.default")

    @app.post("/orders")
    async def order(_: Annotated[EntraUser, Depends(entra.current_user)], what: Order) -> int:
        return what.number

    @app.get("/calling")
    async def calling() -> Any:
        return await token.aget_headers()

    @app.get("/raw")
    async def raw(request: Request) -> Any:
        user = await entra.current_user.authenticate(request)
        return user and user.name

    @app.get("/sessions")
    async def sessions() -> None:
        raise SessionsUnavailable("No route to redis.internal.")

    @app.get("/broken")
    async def broken() -> None:
        raise FetchFailed("Nobody should see this.")

    @app.get("/gone")
    async def gone() -> None:
        raise HTTPException(404, "gone")


@pytest.fixture
def with_handler(make_site: MakeSite) -> Callable[..., Site]:
    """Makes sites whose application has those handlers, made before or after ``install``."""

    def make(*kinds: Any, before: bool = True, handler: Any = mine) -> Site:
        app = FastAPI(exception_handlers=dict.fromkeys(kinds, handler) if before else None)
        site = make_site(app=app)
        for kind in kinds if not before else ():
            app.exception_handler(kind)(handler)
        guard(app, site.entra)
        return site

    return make


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("kind", [StarletteException, HTTPException])
async def test_people_sign_in_where_the_application_answers_http_exceptions(
    with_handler: Callable[..., Site], kind: Any, *, before: bool
) -> None:
    """The redirect has its address, programs their challenge, and people their page."""
    site = with_handler(kind, before=before)
    browser = site.browser()
    sent = await browser.open("/page")
    assert (sent.status_code, sent.headers["location"]) == (302, f"{HOME}/auth/login?return_to=/page")
    assert sent.headers["cache-control"] == "no-store"
    program = await browser.http.get("/page")
    assert program.headers["www-authenticate"].startswith("Bearer realm=")
    assert program.json()["detail"]["code"] == "credentials_missing"
    ben = await browser.signed_in(person=BEN)
    page = await ben.open("/admin")
    assert (page.status_code, "You have no access to this" in page.text) == (403, True)
    assert (await ben.http.get("/admin")).headers["www-authenticate"].endswith('.default"')
    assert (await ben.open("/gone")).text == "mine: HTTPException"


@pytest.mark.parametrize("handler", [mine, mine_in_a_thread])
async def test_an_application_may_answer_refusals_itself(
    with_handler: Callable[..., Site], handler: Any
) -> None:
    """Those of dependencies and of its routes' own code; the redirect is none and stays."""
    site = with_handler(RefusedRequest, handler=handler)
    site.wire.fail("/token")
    browser = site.browser()
    assert (await browser.open("/page")).headers["location"].endswith("return_to=/page")
    for path, status in (("/page", 401), ("/calling", 503), ("/sessions", 503)):
        answer = await browser.http.get(path)
        assert (answer.status_code, answer.text) == (status, "mine: RefusedRequest")


async def test_a_handler_for_a_status_goes_first(with_handler: Callable[..., Site]) -> None:
    """As Starlette has it, for errors of routes as well."""
    site = with_handler(503, 302)
    site.wire.fail("/token")
    assert (await site.browser().http.get("/calling")).text == "mine: EntraUnavailable"
    assert (await site.browser().http.get("/sessions")).text == "mine: RefusedRequest"
    assert (await site.browser().open("/page")).text == "mine: SignInRedirect"


@pytest.mark.parametrize("kind", [EntraUnavailable, EntraError])
async def test_a_handler_for_our_errors_goes_first(with_handler: Callable[..., Site], kind: Any) -> None:
    """What a route's code raises is what it always was."""
    site = with_handler(kind)
    site.wire.fail("/token")
    assert (await site.browser().http.get("/calling")).text == "mine: EntraUnavailable"


async def test_a_handler_for_redirects_goes_first(with_handler: Callable[..., Site]) -> None:
    """Whoever names the class means it."""
    assert (await with_handler(SignInRedirect).browser().open("/page")).text == "mine: SignInRedirect"


async def test_what_a_route_asks_for_by_itself_is_refused_like_by_a_dependency(site: Site) -> None:
    """With challenge, redirect and page, and 503 for a store that is away."""
    guard(site.app, site.entra)
    browser = site.browser()
    refused = await browser.http.get("/raw", headers={"Authorization": "Bearer x.y.z"})
    assert (refused.status_code, "error=" in refused.headers["www-authenticate"]) == (401, True)
    away = await browser.http.get("/sessions")
    assert (away.status_code, away.headers["retry-after"]) == (503, "1")
    assert "redis.internal" not in away.text
    assert "does not work right now" in (await browser.open("/sessions")).text


async def test_what_is_for_nobody_stays_an_error_of_the_server(site: Site) -> None:
    """Its words are no client's business."""
    guard(site.app, site.entra)
    with pytest.raises(FetchFailed):
        await site.browser().http.get("/broken")


async def test_validation_comes_after_who_is_asking(with_handler: Callable[..., Site]) -> None:
    """A handler for bodies that are wrong, and one for everything, take nothing of ours."""
    site = with_handler(RequestValidationError, Exception)
    browser = site.browser()
    assert (await browser.http.post("/orders", json={})).headers["www-authenticate"]
    assert (await browser.open("/page")).headers["location"]
    ada = await browser.signed_in()
    ours = {"Sec-Fetch-Site": "same-origin"}
    assert (await ada.http.post("/orders", json={}, headers=ours)).text == "mine: RequestValidationError"


async def test_middlewares_between_see_finished_responses(make_site: MakeSite) -> None:
    """``BaseHTTPMiddleware`` neither loses a redirect nor sees an exception."""
    seen: list[int] = []

    class Watching(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
            response = await call_next(request)
            seen.append(response.status_code)
            return response

    app = FastAPI(exception_handlers={StarletteException: mine})
    app.add_middleware(Watching)
    site = make_site(app=app)
    guard(app, site.entra)
    site.wire.fail("/token")
    browser = site.browser()
    assert (await browser.open("/page")).headers["location"]
    assert (await browser.http.get("/calling")).headers["retry-after"]
    assert seen == [302, 503]


async def test_without_install_fastapi_s_own_handler_answers(make_site: MakeSite) -> None:
    """Both are ``HTTPException``s."""
    site = make_site()
    app = FastAPI()
    guard(app, site.entra)
    site.wire.fail("/token")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME) as http:
        assert (await http.get("/admin")).headers["www-authenticate"].startswith("Bearer")
        assert (await http.get("/admin", headers=PERSON)).headers["location"].endswith("return_to=/admin")
        calling = await http.get("/calling")
        assert (calling.status_code, calling.json()["detail"]["code"]) == (503, "entra_unreachable")


async def test_who_catches_an_error_finds_what_it_was(site: Site) -> None:
    """Class, code, words and what Entra said; nothing else is printed of it."""
    site.wire.answer("/token", 400, json={"error": "invalid_client", "error_codes": [7000215]})
    token = site.entra.client_credentials("api://other/.default")
    with pytest.raises(EntraError) as found:
        await token.token()
    assert type(found.value).__name__ == "EntraRefused"
    assert found.value.code == "entra_refused"
    assert str(found.value) == found.value.message
    assert "There is no token for api://other/.default" in found.value.message
    assert repr(found.value).startswith('EntraRefused("There is no token')
    assert found.value.refusal.aadsts == 7000215  # type: ignore[attr-defined]  # EntraRefused has it


def test_what_no_client_is_told_stays_as_it_is() -> None:
    """There is no response for it."""
    challenger = Challenger("tenant", lambda: "https://login.example/authorize", "client")
    error = FetchFailed("Nobody should see this.")
    assert answerable(error, challenger) is error


async def run_socket(app: FastAPI, *, denial: bool) -> list[dict[str, Any]]:
    """What the server is told while a client opens ``/socket``."""
    sent: list[dict[str, Any]] = []
    came = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1001}]

    async def receive() -> Any:
        return came.pop(0)

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {"type": "websocket", "path": "/socket", "query_string": b"", "headers": [], "root_path": ""}
    extensions: dict[str, Any] = {"websocket.http.response": {}} if denial else {}
    await app(scope | {"extensions": extensions, "subprotocols": []}, receive, send)
    return sent


OPEN: Any = [
    (EntraUnavailable("entra_unreachable", "No route.", 5), 1013),
    (SessionsUnavailable("No route."), 1013),
    (InvalidToken("token_expired", "Too late."), 1008),
]


@pytest.mark.parametrize("denial", [True, False])
@pytest.mark.parametrize(("error", "code"), OPEN)
async def test_an_open_websocket_is_closed_with_a_code(
    site: Site, error: EntraError, code: int, *, denial: bool
) -> None:
    """A denial response would come too late."""

    @site.app.websocket("/socket")
    async def socket(socket: WebSocket) -> None:
        await socket.accept()
        raise error

    sent = await run_socket(site.app, denial=denial)
    assert sent[1:] == [{"type": "websocket.close", "code": code, "reason": error.code}]


async def test_an_open_websocket_says_that_entra_refuses(site: Site) -> None:
    """1011: nothing that the client does would help."""
    site.wire.answer("/token", 400, json={"error": "invalid_client", "error_codes": [7000215]})
    token = site.entra.client_credentials("api://other/.default")

    @site.app.websocket("/socket")
    async def socket(socket: WebSocket) -> None:
        await socket.accept()
        await token.token()

    assert (await run_socket(site.app, denial=True))[1:] == [
        {"type": "websocket.close", "code": 1011, "reason": "entra_refused"}
    ]


@pytest.mark.parametrize("denial", [True, False])
async def test_a_websocket_that_is_not_open_is_denied(site: Site, *, denial: bool) -> None:
    """With a response where the server can send one, else with 1008."""

    @site.app.websocket("/socket")
    async def socket(_: WebSocket) -> None:
        raise EntraUnavailable("entra_unreachable", "No route.", 5)

    first = (await run_socket(site.app, denial=denial))[0]
    if denial:
        assert (first["type"], first["status"]) == ("websocket.http.response.start", 503)
    else:
        assert first == {"type": "websocket.close", "code": 1008, "reason": "entra_unreachable"}


async def test_a_dependency_that_asks_again_closes_the_socket(site: Site) -> None:
    """Nobody is there, which is found out when it is open already."""

    @site.app.websocket("/socket")
    async def socket(socket: WebSocket) -> None:
        await socket.accept()
        await site.entra.current_user.authenticate(socket)
        raise site.entra.current_user.refuse(InvalidToken("token_expired", "Too late."), socket)

    assert (await run_socket(site.app, denial=True))[1:] == [
        {"type": "websocket.close", "code": 1008, "reason": "token_expired"}
    ]


async def test_nobody_is_told_who_is_gone(site: Site) -> None:
    """The client closed it meanwhile."""

    @site.app.websocket("/socket")
    async def socket(socket: WebSocket) -> None:
        await socket.accept()
        await socket.receive()
        raise EntraUnavailable("entra_unreachable", "No route.", 5)

    assert [message["type"] for message in await run_socket(site.app, denial=True)] == ["websocket.accept"]
