"""People whom a route or a gateway refuses get a page; programs get JSON, and both get the same headers."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any, Final

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, Security
from starlette.responses import PlainTextResponse, Response

from camunda_entra_fastapi import CamundaEntra, RefusedRequest
from camunda_entra_fastapi.errors import (
    AccessDenied,
    CredentialsMissing,
    EntraError,
    EntraRefused,
    EntraUnavailable,
    InsufficientClaims,
    InvalidRequest,
    InvalidToken,
    Refusal,
)
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.web.pages import Page
from camunda_entra_fastapi.web.pages.refusals import Visitor, refused
from tests.site import ADA, BEN, HOME, PERSON, Browser, MakeSite, Site, code_of

BEN_S: Final = "ben@contoso.example"
OURS: Final = PERSON | {"Sec-Fetch-Site": "same-origin"}
REFUSED: Final = "/auth/verify?refusal=true&role=Operate.Admin"


def links_of(page: httpx.Response) -> list[tuple[str, str]]:
    """The page's buttons, in order: where each leads, and what is written on it."""
    found = re.findall(r'<a class="action[^"]*" href="([^"]*)">(.*?)</a>', page.text)
    return [(unescape(href), words) for href, words in found]


def facts_of(page: httpx.Response) -> dict[str, str]:
    """What stands below *For support*."""
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page.text))


def guard(app: FastAPI, entra: CamundaEntra) -> None:
    """Routes that ask for more than Ben has."""
    admin = Depends(entra.require(roles=["Operate.Admin"]))
    some = Depends(entra.require_any(roles=["Auditor"], scopes=["Audit.Read"]))
    app.add_api_route("/admin/{key}", lambda: "admin", dependencies=[admin])
    app.add_api_route("/resolve", lambda: "resolved", methods=["POST"], dependencies=[admin])
    app.add_api_route("/some", lambda: "some", dependencies=[some])
    scoped = Security(entra.current_user, scopes=["Audit.Read"])
    app.add_api_route("/scoped", lambda: "scoped", dependencies=[scoped])
    group = Depends(entra.require(groups=["99999999-0000-4000-8000-000000000001"]))
    app.add_api_route("/group", lambda: "group", dependencies=[group])
    app.add_api_route("/program", lambda: "program", dependencies=[Depends(entra.bearer)])
    token = entra.client_credentials("api://other/.default")

    @app.get("/calling")
    async def calling() -> Any:
        return await token.aget_headers()

    @app.get("/gone")
    async def gone() -> Any:
        raise HTTPException(404, "gone")


def orders(make_site: MakeSite, **settings: Any) -> Site:
    """The service *Orders*, with those routes and a gateway's endpoints."""
    site = make_site(app=FastAPI(title="Orders & more"), **settings)
    guard(site.app, site.entra)
    site.app.include_router(site.entra.forward_auth_router())
    return site


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """The service with nothing but the six variables set."""
    return orders(make_site)


@pytest.fixture
async def ben(site: Site) -> Browser:
    """Somebody who is signed in, and lacks what the routes ask for."""
    return await site.browser().signed_in(person=BEN)


async def test_who_lacks_a_role_reads_what_is_missing_and_who_can_give_it(ben: Browser) -> None:
    """With two ways on, each of which leads back to the page; under the application's name."""
    page = await ben.open("/admin/7?sort=%26x")
    assert (page.status_code, page.headers["content-type"]) == (403, "text/html; charset=utf-8")
    text = unescape(page.text)
    assert f"{BEN_S} lacks the role Operate.Admin, which this needs." in text
    assert "an administrator assigns people and roles" in text
    assert "<title>You have no access to this · Orders & more</title>" in text
    assert '<p class="application">Orders & more</p>' in text
    again = "/auth/login?return_to=/admin/7%3Fsort%3D%2526x"
    assert links_of(page) == [
        (f"{HOME}{again}", "Sign in again"),
        (f"{HOME}{again}&prompt=select_account", "Use another account"),
    ]
    assert facts_of(page) | {"Application ID": ""} == {
        "Missing": "role Operate.Admin",
        "Account": BEN_S,
        "Error": "role_missing",
        "Application ID": "",
    }


async def test_the_way_on_works(site: Site, ben: Browser) -> None:
    """Another account signs in from the page, and sees what was refused."""
    page = await ben.open("/admin/7")
    other = links_of(page)[1][0]
    left = await ben.open(other)
    assert "prompt=select_account" in left.headers["location"]
    back = await ben.open(await ben.at_entra(left.headers["location"], ADA))
    assert (back.status_code, back.headers["location"]) == (303, "/admin/7")
    assert (await ben.open("/admin/7")).json() == "admin"


@pytest.mark.parametrize("path", ["/admin/7", "/some", "/scoped", "/group", REFUSED])
async def test_no_header_of_the_json_is_lost(ben: Browser, path: str) -> None:
    """The challenge, what caches are told, and the status are the same for a person and a program."""
    page = await ben.open(path)
    program = await ben.http.get(path)
    assert page.status_code == program.status_code
    assert page.headers["content-type"].startswith("text/html")
    assert program.headers["content-type"] == "application/json"
    for name in ("www-authenticate", "vary"):
        assert page.headers.get(name) == program.headers.get(name) is not None
    assert page.headers["cache-control"] == program.headers["cache-control"] == "no-store"
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert code_of(program) == facts_of(page)["Error"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/some", "has none of these, and this needs one: scope Audit.Read, role Auditor."),
        ("/scoped", "Your account lacks the scope Audit.Read, which this needs."),
        (
            "/group",
            "is not in the group 99999999-0000-4000-8000-000000000001, and this is for members alone.",
        ),
        (REFUSED, "lacks the role Operate.Admin, which this needs."),
    ],
)
async def test_each_permission_has_its_words(site: Site, ben: Browser, path: str, words: str) -> None:
    """And the ways on, for all of them can be mended by a sign-in."""
    page = await ben.open(path)
    assert words in unescape(page.text)
    assert [label for _, label in links_of(page)] == ["Sign in again", "Use another account"]


async def test_a_session_is_told_to_sign_in_again_and_a_token_to_be_requested(
    ben: Browser, emulator: EntraEmulator
) -> None:
    """Nobody with a browser can request a token; programs can do nothing else."""
    for path in ("/admin/7", REFUSED):
        session = (await ben.http.get(path)).json()["detail"]["message"]
        assert session == (
            "The session lacks the role 'Operate.Admin'. Assign it in Entra (Enterprise applications, Users "
            "and groups) and sign in again."
        )
        token = emulator.token(user=BEN)
        program = await ben.http.get(path, headers={"Authorization": f"Bearer {token}"})
        assert program.json()["detail"]["message"].startswith("The token lacks the role 'Operate.Admin'.")
        assert program.json()["detail"]["message"].endswith("and request a new token.")


async def test_a_program_stays_one_whatever_it_accepts(ben: Browser, emulator: EntraEmulator) -> None:
    """Browsers send no token with a navigation, so whoever does is none."""
    headers = PERSON | {"Authorization": f"Bearer {emulator.token(user=BEN)}", "Accept": "text/html"}
    for path in ("/admin/7", REFUSED):
        answer = await ben.http.get(path, headers=headers)
        assert (answer.status_code, code_of(answer)) == (403, "role_missing")


async def test_a_refused_form_leads_back_to_the_page_it_stood_on(ben: Browser) -> None:
    """Nobody returns to an address that takes forms alone."""
    page = await ben.http.post("/resolve", headers=OURS | {"Referer": f"{HOME}/incidents/7"})
    assert page.status_code == 403
    assert links_of(page)[0][0] == f"{HOME}/auth/login?return_to=/incidents/7"
    foreign = await ben.http.post("/resolve", headers=PERSON | {"Sec-Fetch-Site": "cross-site"})
    assert "This came from another site" in foreign.text
    assert links_of(foreign) == [("/", "Open this service")]


async def test_while_entra_is_away_people_are_told_to_wait(site: Site, ben: Browser) -> None:
    """503 with Retry-After as for programs, and the reference for the log."""
    site.clock.advance(7200)
    site.wire.fail("/token")
    page = await ben.open("/page?x=1")
    assert page.status_code == 503
    assert int(page.headers["retry-after"]) > 0
    assert "This does not work right now" in page.text
    assert re.search(r"under the reference \w{8}\.", page.text)
    assert links_of(page) == [("/page?x=1", "Try again")]
    assert (await ben.http.get("/page")).headers["content-type"] == "application/json"
    gateway = await ben.open("/auth/verify?refusal=true", X_Forwarded_Uri="/orders/7?a=1")
    assert (gateway.status_code, links_of(gateway)) == (503, [("/orders/7?a=1", "Try again")])


@pytest.mark.parametrize(
    "target", [b"//evil.example/page", b"/page?x=\\", b"/page?x=\xe4", b'/page?x="><script>', b"/page?x= y"]
)
async def test_no_odd_address_breaks_the_page_or_leads_elsewhere(
    emulator: EntraEmulator, target: bytes
) -> None:
    """What browsers could read as another site becomes the start page."""
    app = FastAPI()
    entra = CamundaEntra(emulator.settings(), http_client=emulator.http_client())
    entra.install(app)
    path, _, query = target.partition(b"?")

    @app.get("/{path:path}")
    async def away(path: str) -> None:
        raise EntraUnavailable("entra_unreachable", "No route.", 5)

    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost:8000"), (b"sec-fetch-mode", b"navigate")]
    scope = {
        "type": "http",
        "method": "GET",
        "path": path.decode(),
        "query_string": query,
        "headers": headers,
    }
    await app(scope | {"root_path": "", "scheme": "http"}, receive, send)
    assert sent[0]["status"] == 503
    assert b'href="/">Try again</a>' in sent[1]["body"] or b'href="/page?x=&#34;&gt;' in sent[1]["body"]
    assert b"evil" not in sent[1]["body"]


async def test_a_route_that_gets_no_token_for_another_service(site: Site) -> None:
    """502 or 503: a page for people as well."""
    site.wire.answer("/token", 400, json={"error": "invalid_client", "error_codes": [7000215]})
    page = await site.browser().open("/calling")
    assert page.status_code == 502
    assert "This service is not set up correctly" in page.text
    assert (await site.browser().http.get("/calling")).json()["detail"]["code"] == "entra_refused"


async def test_what_is_for_programs_says_so(site: Site, ben: Browser) -> None:
    """A browser's address bar sends no token; the status and the challenge stay."""
    page = await ben.open("/program")
    assert (page.status_code, "This is for programs" in page.text) == (401, True)
    assert page.headers["www-authenticate"].startswith("Bearer realm=")
    assert (await ben.http.get("/program")).json()["detail"]["code"] == "credentials_missing"


async def test_an_odd_host_is_told_as_a_page(site: Site) -> None:
    """It is a proxy's doing, and nobody's who browses."""
    answer = await site.browser().http.get("/auth/login", headers=PERSON | {"Host": "a b"})
    assert (answer.status_code, "This request cannot be understood" in answer.text) == (400, True)


async def test_at_a_gateway_nobody_may_sign_in_from_the_page(site: Site) -> None:
    """And comes back to the page behind the gateway, which only the gateway's headers name."""
    page = await site.browser().open("/auth/verify?refusal=true", X_Forwarded_Uri="/orders/7?a=1")
    assert page.status_code == 401
    assert links_of(page) == [("/auth/login?return_to=/orders/7%3Fa%3D1", "Sign in")]


async def test_a_gateway_s_slip_is_no_visitor_s_fault(ben: Browser) -> None:
    """It says what the gateway asked wrongly, for whoever runs it."""
    page = await ben.open("/auth/verify?refusal=true&rule=x")
    assert (page.status_code, "This service is not set up correctly" in page.text) == (400, True)
    assert "Whoever runs this service" in page.text


async def test_a_refusal_that_would_pass_now_says_try_again(ben: Browser) -> None:
    """It never becomes a pass."""
    page = await ben.open("/auth/verify?refusal=true", X_Forwarded_Uri="/orders")
    assert page.status_code == 503
    assert links_of(page) == [("/orders", "Try again")]


async def test_with_a_base_url_the_links_are_whole_addresses(make_site: MakeSite) -> None:
    """At routes and behind gateways."""
    site = orders(make_site, base_url="https://orders.example.com/shop")
    site.url = "https://orders.example.com"
    page = await site.browser().open("/auth/verify?refusal=true", X_Forwarded_Uri="/shop/7")
    assert links_of(page)[0][0] == "https://orders.example.com/shop/auth/login?return_to=/shop/7"


async def mine(_: Request, error: Exception) -> Response:
    """An application's own handler."""
    return PlainTextResponse(type(error).__name__, 418)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("kind", [RefusedRequest, 403])
async def test_an_application_s_own_handler_for_refusals_goes_first(
    emulator: EntraEmulator, kind: Any, *, before: bool
) -> None:
    """Whenever it is registered, by class or status."""
    app = FastAPI()
    entra = CamundaEntra(emulator.settings(), http_client=emulator.http_client())
    if before:
        app.exception_handler(kind)(mine)
    entra.install(app)
    if not before:
        app.exception_handler(kind)(mine)

    @app.get("/x")
    async def refuse() -> None:
        raise entra.current_user.refuse(AccessDenied("guest_not_allowed", "No."), request_of(app))

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME) as http:
        assert (await http.get("/x", headers=PERSON)).status_code == 418


async def test_handlers_for_entra_s_faults_stay_the_application_s(emulator: EntraEmulator) -> None:
    """Also those that it was made with."""
    app = FastAPI(exception_handlers={EntraUnavailable: mine, EntraRefused: mine})
    entra = CamundaEntra(emulator.settings(), http_client=emulator.http_client())
    entra.install(app)

    @app.get("/x")
    async def away() -> None:
        raise EntraUnavailable("entra_unreachable", "No route.", 5)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME) as http:
        assert (await http.get("/x", headers=PERSON)).text == "EntraUnavailable"


async def test_other_errors_are_left_to_fastapi(ben: Browser) -> None:
    """A 404 of the application's own is none of ours."""
    assert (await ben.open("/gone")).json() == {"detail": "gone"}


def request_of(app: FastAPI) -> Request:
    """A request without credentials."""
    return Request({"type": "http", "method": "GET", "path": "/x", "headers": [], "app": app})


VISITORS: Final = (Visitor("/auth/login?return_to=/x", "/x", BEN_S, "client"), Visitor(None, "/x", "", ""))


REFUSALS: Final[list[tuple[EntraError, str | None, str]]] = [
    (AccessDenied("guest_not_allowed", "m"), "You have no access to this", "Guests are not let in"),
    (AccessDenied("client_not_allowed", "The message."), "You have no access to this", "The message."),
    (AccessDenied("groups_not_listed", "CAMUNDA_X"), "You have no access to this", "in so many groups"),
    (AccessDenied("consent_required", "m"), "You have no access to this", "somebody has to consent"),
    (AccessDenied("access_token_unavailable", "m"), "You have no access to this", "too old for this"),
    (
        AccessDenied("role_missing", "m", missing=[("role", "A"), ("role", "B")]),
        "You have no access to this",
        "lacks the roles A and B, which this needs.",
    ),
    (InsufficientClaims("m", {}), "A stronger sign-in is needed", "proves more"),
    (InvalidRequest("host_malformed", "m"), "This request cannot be understood", "m"),
    (InvalidToken("token_expired", "m"), "This service is not set up correctly", "not accepted"),
    (EntraRefused("m", Refusal("invalid_client")), "This service is not set up correctly", "m"),
    (CredentialsMissing(), None, ""),
]


def every_refusal() -> Iterator[Page]:
    """One of each, for those who look at pages."""
    for error, _, _ in REFUSALS:
        for visitor in VISITORS:
            yield refused(error, error.message, visitor)


@pytest.mark.parametrize("visitor", VISITORS)
@pytest.mark.parametrize(("error", "title", "words"), REFUSALS)
def test_there_are_words_for_every_refusal(
    error: EntraError, title: str | None, words: str, visitor: Visitor
) -> None:
    """With ways on where there are login pages, and without a variable's name."""
    page = refused(error, error.message, visitor)
    if title is None:
        title = "Sign in first" if visitor.login_url else "This is for programs"
    assert page.title == title
    assert words in page.what
    assert "CAMUNDA_" not in f"{page.what}{page.remedy}"
    has_way_on = isinstance(error, AccessDenied | InsufficientClaims | CredentialsMissing)
    assert bool(page.actions) is (has_way_on and visitor.login_url is not None)
