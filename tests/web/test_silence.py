"""What clients are told of the inside: nothing (CWE-209). The log tells it, under a reference."""

import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import httpx
import pytest
from fastapi import Depends, FastAPI
from starlette.requests import HTTPConnection

from camunda_entra_fastapi import (
    EntraRefused,
    EntraUnavailable,
    EntraUser,
    GatewayIdentity,
    SessionsUnavailable,
)
from camunda_entra_fastapi.errors import CODES, UNAVAILABLE_CODES, EntraError, Refusal
from camunda_entra_fastapi.testing.directory import UNRELATED
from camunda_entra_fastapi.validation.identity import IdentitySigner
from camunda_entra_fastapi.web.challenges import Challenger
from tests.conftest import FakeClock
from tests.site import ADA, COOKIE, HOME, PERSON, MakeSite, Site, logged_under, reference_in
from tests.web.conftest import bearer
from tests.web.login.test_docs_token import FORM, OURS
from tests.web.login.test_sign_in import a_lot

BACKEND: Final = "https://entra.inside.example:8443"
SYSTEM: Final = "[Errno -2] Name or service not known"
TOKEN_FILE: Final = "/var/run/secrets/azure/tokens/azure-identity-token"
CLOSED: Final = "127.0.0.1:9"
INSIDE: Final = (
    "inside.example",
    ":8443",
    "Errno",
    "Name or service",
    "Error",
    "/var/run",
    "identity-token",
    CLOSED,
)
"""Parts of addresses, paths and systems' errors."""

Ask = Callable[[Site], Awaitable[httpx.Response]]


def cut_off(site: Site, end: str = "") -> None:
    """Entra, whose back channel is inside, cannot be reached any more."""

    async def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(SYSTEM)

    site.wire.handle(end, away)


async def a_bearer_token(site: Site) -> httpx.Response:
    cut_off(site)
    return await site.browser().http.get("/api", headers=bearer(site.emulator.token()))


async def a_gateways_question(site: Site) -> httpx.Response:
    cut_off(site)
    return await site.browser().http.get("/auth/verify", headers=bearer(site.emulator.token()))


async def a_probe(site: Site) -> httpx.Response:
    cut_off(site)
    return await site.browser().http.get("/auth/health")


async def a_program_that_signs_in(site: Site) -> httpx.Response:
    cut_off(site)
    return await site.browser().http.get("/auth/login")


async def a_person_who_signs_in(site: Site) -> httpx.Response:
    cut_off(site)
    return await site.browser().open("/auth/login")


async def a_person_who_comes_back(site: Site) -> httpx.Response:
    browser = site.browser()
    address = await browser.come_back()
    cut_off(site, "/token")
    return await browser.open(address)


async def a_program_that_comes_back(site: Site) -> httpx.Response:
    browser = site.browser()
    address = await browser.come_back()
    cut_off(site, "/token")
    return await browser.http.get(address)


async def a_session_to_renew(site: Site) -> httpx.Response:
    browser = await site.browser().signed_in()
    site.clock.advance(7200)
    cut_off(site)
    return await browser.http.get("/api")


async def the_docs_page(site: Site) -> httpx.Response:
    cut_off(site)
    return await site.browser().http.post("/auth/token", data=FORM, headers=OURS)


async def a_route_that_calls_on(site: Site) -> httpx.Response:
    cut_off(site, "/token")
    return await site.browser().http.get("/calling")


async def a_route_that_calls_in_a_name(site: Site) -> httpx.Response:
    token = site.emulator.token(user=ADA)
    cut_off(site, "/token")
    return await site.browser().http.get("/in-their-name", headers=bearer(token))


async def a_route_for_a_group(site: Site) -> httpx.Response:
    a_lot(site.emulator, groups=300)
    cut_off(site, "/getMemberObjects")
    return await site.browser().http.get("/grouped", headers=bearer(site.emulator.token(user=ADA)))


ASKING: Final[dict[Ask, str]] = {
    a_bearer_token: "keys_unavailable",
    a_gateways_question: "keys_unavailable",
    a_probe: "keys_unavailable",
    a_program_that_signs_in: "entra_unreachable",
    a_person_who_signs_in: "entra_unreachable",
    a_person_who_comes_back: "entra_unreachable",
    a_program_that_comes_back: "entra_unreachable",
    a_session_to_renew: "entra_unreachable",
    the_docs_page: "entra_unreachable",
    a_route_that_calls_on: "entra_unreachable",
    a_route_that_calls_in_a_name: "entra_unreachable",
    a_route_for_a_group: "entra_failed",
}


def add_routes(site: Site) -> Site:
    """The site with a gateway's endpoint, and with routes that call on."""
    calling = site.entra.client_credentials(f"{UNRELATED}/.default")
    in_their_name = Annotated[httpx.Auth, Depends(site.entra.on_behalf_of(f"{UNRELATED}/access_as_user"))]
    member = Annotated[EntraUser, Depends(site.entra.require(groups=[UNRELATED]))]
    site.app.include_router(site.entra.forward_auth_router())

    @site.app.get("/calling")
    async def call() -> str:
        return await calling.token()

    @site.app.get("/in-their-name")
    async def call_for(auth: in_their_name) -> str:
        return str(auth)

    @site.app.get("/grouped")
    async def grouped(who: member) -> str:
        return str(who.name)

    return site


@pytest.fixture
def inside(make_site: MakeSite, caplog: pytest.LogCaptureFixture) -> Callable[..., Site]:
    """Makes sites whose way to Entra leads through the inside."""
    caplog.set_level(logging.WARNING)

    def make(**settings: Any) -> Site:
        tenant = make_site().emulator.tenant.id
        backend = f"{BACKEND}/{tenant}/v2.0"
        return add_routes(make_site(issuer_backend_url=backend, group_overage="graph", **settings))

    return make


def assert_silent(answer: httpx.Response, code: str) -> str:
    """The response has the code, and nothing of the inside; gives its reference."""
    assert answer.status_code >= 500
    said = answer.text + "".join(map(str, answer.headers.items()))
    assert not [word for word in INSIDE if word in said], said
    if answer.headers["content-type"].startswith("text/html"):
        assert "try again shortly" in answer.text
        return answer.text.partition("under the reference ")[2][:8]
    body = answer.json()
    detail = body.get("detail", body)
    assert detail["code"] == code
    return reference_in(detail.get("message") or detail["error_description"])


@pytest.mark.parametrize("ask", ASKING, ids=lambda ask: ask.__name__)
async def test_faults_tell_the_log_alone_where_they_are(
    inside: Callable[..., Site], caplog: pytest.LogCaptureFixture, ask: Ask
) -> None:
    """CWE-209: pages, JSON and OAuth errors have a reference; the log has address and error under it."""
    answer = await ask(inside())
    line = logged_under(assert_silent(answer, ASKING[ask]), caplog)
    assert SYSTEM in line
    assert "https://" in line
    assert line.startswith(f"Answered {answer.status_code}, reference ")


async def test_the_path_of_a_credential_is_for_the_log(
    inside: Callable[..., Site], caplog: pytest.LogCaptureFixture
) -> None:
    """CWE-209: a federated token file that is not there is named to the operator alone."""
    site = inside(client_secret=None, federated_token_file=TOKEN_FILE, session_secret="s" * 32)
    for path, headers in (("/calling", {}), ("/in-their-name", bearer(site.emulator.token(user=ADA)))):
        answer = await site.browser().http.get(path, headers=headers)
        line = logged_under(assert_silent(answer, "entra_failed"), caplog)
        assert "answered" not in answer.json()["detail"]["message"]  # Entra was not even asked
        assert TOKEN_FILE in line
        assert UNRELATED in line


async def test_the_session_store_is_for_the_log(
    inside: Callable[..., Site], caplog: pytest.LogCaptureFixture
) -> None:
    """CWE-209: what a Redis that is away says is the operator's business."""
    site = inside(session_store=f"redis://{CLOSED}/0")
    browser = site.browser()
    browser.http.cookies.set(COOKIE, f"{'n' * 43}.{'k' * 43}")
    answer = await browser.http.get("/api")
    assert "ConnectionRefusedError" in logged_under(assert_silent(answer, "sessions_unavailable"), caplog)


async def test_a_refused_service_says_so_to_its_operator(
    inside: Callable[..., Site], caplog: pytest.LogCaptureFixture
) -> None:
    """502; cause, remedy and Entra's correlation ID are in the log, as an error."""
    site = inside()
    correlation = "5c0e0000-1111-4222-8333-444455556666"
    refusal = {"error": "invalid_client", "error_codes": [7000222], "correlation_id": correlation}
    site.wire.answer("/token", 401, json=refusal)
    answer = await site.browser().http.get("/in-their-name", headers=bearer(site.emulator.token(user=ADA)))
    line = logged_under(assert_silent(answer, "entra_refused"), caplog)
    assert "secret" in line
    assert correlation in line
    assert caplog.records[-1].levelname == "ERROR"


async def test_a_backend_does_not_tell_where_its_gateway_is(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """CWE-209: the keys' address is inside."""

    def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(SYSTEM)

    client = httpx.AsyncClient(transport=httpx.MockTransport(away))
    identity = GatewayIdentity(f"{BACKEND}/auth/identity-keys", "orders", http_client=client, clock=clock)
    app = FastAPI()

    @app.get("/me")
    async def me(who: Annotated[EntraUser, Depends(identity)]) -> str:
        return str(who.name)

    signed = IdentitySigner(("s" * 32,), "d").sign({"sub": "s"}, "orders", clock.time(), clock.time() + 60)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME) as http:
        answer = await http.get("/me", headers={"X-Entra-Identity": signed})
    assert SYSTEM in logged_under(assert_silent(answer, "keys_unavailable"), caplog)


SECRET_PLACE: Final = f"{BACKEND}/token cannot be reached: {SYSTEM}; {TOKEN_FILE}"
FAULTS: Final[list[EntraError]] = [
    *(EntraUnavailable(code, SECRET_PLACE, 1) for code in UNAVAILABLE_CODES.values()),
    *(
        EntraUnavailable(code, SECRET_PLACE, 1)
        for code in (
            *("keys_unavailable", "issuer_unexpected", "id_token_invalid", "tenant_check_failed"),
            "fetch_failed",
        )
    ),
    EntraRefused(SECRET_PLACE, Refusal("invalid_client")),
    SessionsUnavailable(SECRET_PLACE),
]


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: error.code)
@pytest.mark.parametrize("extensions", [{}, {"websocket.http.response": {}}])
def test_no_fault_of_any_kind_says_its_message(
    caplog: pytest.LogCaptureFixture, error: EntraError, extensions: dict[str, Any]
) -> None:
    """CWE-209: neither to HTTP nor to WebSockets, with a response or without; it is logged each time."""
    challenger = Challenger("tenant", lambda: "https://login.example/authorize", "client")
    for kind in ("http", "websocket"):
        caplog.clear()
        connection = HTTPConnection({"type": kind, "headers": [], "extensions": extensions})
        told = vars(challenger.exception(error, connection))
        assert not [word for word in INSIDE if word in str(told)], told
        (line,) = caplog.messages
        assert SECRET_PLACE in line
        assert error.code in line


def test_all_codes_of_faults_have_a_sentence() -> None:
    """So that none falls back to the general one."""
    challenger = Challenger("tenant", lambda: "https://login.example/authorize", "client")
    general = challenger.error_response(EntraUnavailable("fetch_failed", "x", 1)).detail["message"][:40]
    faults = [error for error in FAULTS if error.code != "fetch_failed"]
    sentences = {challenger.error_response(error).detail["message"][:40] for error in faults}
    assert len(sentences) == len(faults)
    assert general not in sentences
    assert {error.code for error in faults} <= set(CODES)


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "cross-site"}])
async def test_a_host_behind_the_proxy_is_for_the_log(
    site: Site, caplog: pytest.LogCaptureFixture, headers: dict[str, str]
) -> None:
    """CWE-209: without a base URL the Host may be a name of the inside, as proxies change it."""
    caplog.set_level(logging.INFO)
    browser = await site.browser().signed_in()
    host = {"Host": "operate.inside.example:8443"}
    refused = await browser.http.post("/change", headers=host | headers)
    assert (refused.status_code, refused.json()["detail"]["code"]) == (403, "cross_origin")
    assert "inside.example" not in refused.text
    assert "https://operate.inside.example:8443" in caplog.text.replace("http:", "https:")
    caplog.clear()
    form = FORM | {"redirect_uri": f"{HOME}/elsewhere"}
    refused = await browser.http.post(
        "/auth/token", data=form, headers=host | {"Sec-Fetch-Site": "same-origin"}
    )
    assert refused.json()["error_description"] == "redirect_uri must be /docs/oauth2-redirect here."
    assert "operate.inside.example:8443/docs/oauth2-redirect" in caplog.text


async def test_a_person_can_pass_the_reference_on(inside: Callable[..., Site]) -> None:
    """The page has it, and says that nothing is wrong with the account."""
    site = inside()
    cut_off(site)
    page = await site.browser().http.get("/auth/login", headers=PERSON)
    assert (page.status_code, "Nothing is wrong with your account" in page.text) == (503, True)
    assert len(assert_silent(page, "entra_unreachable")) == len("0123abcd")
