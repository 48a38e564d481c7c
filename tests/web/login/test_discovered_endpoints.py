"""Where browsers are sent: to the endpoints of Entra's document, wherever they are.

Two shapes are not those that issuers suggest. Learn, "Enable custom domains for Azure Active Directory B2C":
the domain and the policy are in each endpoint, the policy in the path or as the parameter p (public
repository veracity/veracity-documentation, authentication/web-native.md, 2019). Learn, "OpenID
Connect on the Microsoft identity platform", external tenants: the document of External ID is at
``<name>.ciamlogin.com``, while its issuer is at ``<tenant ID>.ciamlogin.com``.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import Depends, FastAPI

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.errors import EntraRefused
from camunda_entra_fastapi.testing import EntraEmulator
from tests.conftest import FakeClock
from tests.remote.test_credentials import CERTIFIED
from tests.site import HOME, MakeSite, Site, query_of

CONFIGURATION: Final = "/openid-configuration"
OWN_DOMAIN: Final = "https://login.contoso.example/contoso.onmicrosoft.com/b2c_1_signin/oauth2/v2.0/{}"
BY_PARAMETER: Final = "https://login.contoso.example/contoso.onmicrosoft.com/oauth2/v2.0/{}?p=b2c_1_signin"
EXTERNAL_ID: Final = "https://contoso.ciamlogin.com/contoso-tenant/oauth2/v2.0/{}"
SHAPES: Final = pytest.mark.parametrize("shape", [OWN_DOMAIN, BY_PARAMETER, EXTERNAL_ID])
MEMBERS: Final = {
    "authorization_endpoint": "authorize",
    "token_endpoint": "token",
    "end_session_endpoint": "logout",
}


def discover(site: Site, shape: str) -> None:
    """Let Entra's document have endpoints of that shape."""
    endpoints = {member: shape.format(name) for member, name in MEMBERS.items()}
    site.wire.change(CONFIGURATION, lambda document: document.update(endpoints))


def leads_to(location: str, endpoint: str) -> bool:
    """Whether an address is the endpoint with more parameters after its own, if it has any."""
    return location.startswith(f"{endpoint}{'&' if '?' in endpoint else '?'}")


def flow_of(document: dict[str, Any]) -> dict[str, Any]:
    """What Swagger UI signs in with."""
    flow: dict[str, Any] = document["components"]["securitySchemes"]["Entra"]["flows"]["authorizationCode"]
    return flow


@SHAPES
async def test_signing_out_goes_to_the_discovered_endpoint(site: Site, shape: str) -> None:
    """OpenID Connect RP-Initiated Logout 1.0, 2: to ``end_session_endpoint``, whose own query stays."""
    discover(site, shape)
    location = (await site.browser().http.post("/auth/logout")).headers["location"]
    assert leads_to(location, shape.format("logout"))
    assert query_of(location)["post_logout_redirect_uri"] == f"{HOME}/auth/login-callback"


@pytest.mark.parametrize(
    ("shape", "consent"),
    [
        (OWN_DOMAIN, "https://login.contoso.example/contoso.onmicrosoft.com/b2c_1_signin/v2.0/adminconsent"),
        (
            BY_PARAMETER,
            "https://login.contoso.example/contoso.onmicrosoft.com/v2.0/adminconsent?p=b2c_1_signin",
        ),
        (EXTERNAL_ID, "https://contoso.ciamlogin.com/contoso-tenant/v2.0/adminconsent"),
        (
            "https://login.x.example/common/oauth2/v2.0/{}",
            "https://login.x.example/organizations/v2.0/adminconsent",
        ),
    ],
)
async def test_consent_is_beside_the_discovered_endpoint(site: Site, shape: str, consent: str) -> None:
    """Documents do not have it; it is where people sign in, and knows no ``common`` (Learn)."""
    discover(site, shape)
    location = (await site.browser().open("/auth/admin-consent")).headers["location"]
    assert leads_to(location, consent)
    assert query_of(location)["client_id"] == site.entra.settings.client_id


@SHAPES
async def test_the_question_whether_to_sign_out_lets_browsers_go_there(site: Site, shape: str) -> None:
    """Browsers hold the redirect after a form against ``form-action``, too (CSP Level 3, 6.4.1.1)."""
    discover(site, shape)
    answer = await site.browser().open("/auth/logout", Sec_Fetch_Site="cross-site")
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(shape))
    assert f"form-action 'self' {origin};" in answer.headers["content-security-policy"]


async def test_a_provider_without_sign_out_is_left_alone(site: Site) -> None:
    """People are signed out here, and see the page that says so. ``end_session_endpoint`` is optional."""
    site.wire.change(CONFIGURATION, lambda document: document.pop("end_session_endpoint") and None)
    browser = await site.browser().signed_in()
    answer = await browser.http.post("/auth/logout")
    assert answer.headers["location"] == f"{HOME}/auth/login-callback"
    assert await browser.status() == 401
    assert "You are signed out" in (await browser.open(answer.headers["location"])).text
    asked = await browser.open("/auth/logout", Sec_Fetch_Site="cross-site")
    assert "form-action 'self';" in asked.headers["content-security-policy"]


async def test_before_the_first_document_the_issuer_suggests_them(site: Site) -> None:
    """While Entra is away, nobody waits for it to be signed out; afterwards the document counts."""
    site.wire.fail(CONFIGURATION)
    http, settings = site.browser().http, site.entra.settings
    assert leads_to((await http.post("/auth/logout")).headers["location"], settings.end_session_url)
    assert leads_to((await http.get("/auth/admin-consent")).headers["location"], settings.admin_consent_url)
    assert flow_of((await http.get("/openapi.json")).json())["authorizationUrl"] == settings.authorization_url
    assert f'authorization_uri="{settings.authorization_url}"' in await challenge(http)
    discover(site, EXTERNAL_ID)
    site.clock.advance(60)
    await site.entra._runtimes[-1].keys.prefetch()
    assert leads_to((await http.post("/auth/logout")).headers["location"], EXTERNAL_ID.format("logout"))
    assert flow_of((await http.get("/openapi.json")).json())["authorizationUrl"] == EXTERNAL_ID.format(
        "authorize"
    )
    assert f'authorization_uri="{EXTERNAL_ID.format("authorize")}"' in await challenge(http)


async def test_an_old_document_is_better_than_none(site: Site) -> None:
    """When Entra is away later on, the last document stays in use."""
    discover(site, OWN_DOMAIN)
    http = site.browser().http
    await http.post("/auth/logout")
    site.wire.fail(CONFIGURATION)
    site.clock.advance(100_000)
    for _ in range(2):
        location = (await http.post("/auth/logout")).headers["location"]
        assert leads_to(location, OWN_DOMAIN.format("logout"))


async def challenge(http: httpx.AsyncClient) -> str:
    """What a program without credentials is told."""
    return str((await http.get("/api")).headers["www-authenticate"])


@SHAPES
@pytest.mark.parametrize(("install", "token_url"), [({}, "/auth/token"), ({"direct_docs": True}, None)])
async def test_swagger_ui_signs_in_at_the_discovered_endpoints(
    make_site: MakeSite, shape: str, install: dict[str, Any], token_url: str | None
) -> None:
    """Codes are redeemed at this service, or at the discovered endpoint too."""
    site = make_site(install=install)
    discover(site, shape)
    async with site.entra.lifespan():
        document = (await site.browser().http.get("/openapi.json")).json()
    flow = flow_of(document)
    assert flow["authorizationUrl"] == shape.format("authorize")
    assert flow["tokenUrl"] == (token_url or shape.format("token"))


async def test_the_scheme_alone_has_them_too(
    make_site: MakeSite, emulator: EntraEmulator, clock: FakeClock
) -> None:
    """An application that does without ``install`` and asks for its document once Entra was there."""
    site = make_site()
    discover(site, EXTERNAL_ID)
    async with httpx.AsyncClient(transport=site.wire) as client:
        entra = CamundaEntra(emulator.settings(), http_client=client, clock=clock)
        app = FastAPI()

        @app.get("/me")
        async def me(_: Annotated[EntraUser, Depends(entra.bearer)]) -> None:
            pass

        async with entra.lifespan():
            flow = flow_of(app.openapi())
    assert flow["authorizationUrl"] == EXTERNAL_ID.format("authorize")
    assert flow["tokenUrl"] == EXTERNAL_ID.format("token")


@pytest.mark.parametrize("change", [None, lambda document: document.pop("authorization_endpoint") and None])
async def test_a_document_for_apis_alone_leaves_a_guess(
    site: Site, change: Callable[[dict[str, Any]], Any] | None
) -> None:
    """OpenAPI demands an ``authorizationUrl`` (3.1, OAuth Flow Object), so there is one at any rate."""
    if change is not None:
        site.wire.change(CONFIGURATION, change)
    async with site.entra.lifespan():
        document = site.app.openapi()
    assert flow_of(document)["authorizationUrl"] == site.entra.settings.authorization_url


async def test_assertions_are_for_the_discovered_token_endpoint(make_site: MakeSite, tmp_path: Path) -> None:
    """Learn, "Certificate credentials": ``aud`` is the token endpoint, wherever requests are sent."""
    path = tmp_path / "operate.pem"
    path.write_bytes(CERTIFIED.pem + CERTIFIED.key_pem())
    site = make_site(client_secret=None, client_certificate=path)
    discover(site, EXTERNAL_ID)
    site.wire.answer("/token", 400, json={"error": "invalid_request"})
    token = site.entra.client_credentials(f"{site.entra.settings.client_id}/.default")
    with pytest.raises(EntraRefused):
        await token.aget_headers()
    (form,) = site.wire.forms
    payload = form["client_assertion"].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(f"{payload}=="))["aud"] == EXTERNAL_ID.format("token")
