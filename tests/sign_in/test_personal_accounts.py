"""Personal Microsoft accounts where every organization is let in.

Learn, "OpenID Connect on the Microsoft identity platform", fetch the OpenID configuration document:
``organizations`` is for "users with work or school accounts from Microsoft Entra ID", ``common`` for those
and for personal accounts, whose tenant is always 9188040d-6c67-4c5b-b112-36a304b66dad.
"""

import logging
from collections.abc import Callable
from typing import Any, Final, Literal

import httpx
import pytest

from camunda_entra_fastapi.cli.explain.explanation import explain_token
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE
from camunda_entra_fastapi.testing.fixtures.trust import settings_for
from tests.cli.explain.test_tokens import own_keys
from tests.conftest import FakeClock
from tests.site import PERSON, MakeSite, Site, Store, query_of, texts_in
from tests.testing.browsing import change_application, claims_of
from tests.tokens import OTHER_TENANT, PERSONAL_TENANT

REFUSED: Final = (
    "The token is of a personal Microsoft account; this API lets in work or school accounts only. "
    "Sign in with one of those."
)
UPPER: Final = PERSONAL_TENANT.upper()


def of_tenant(emulator: EntraEmulator, tenant: str, version: Literal[1, 2] = 2, **claims: Any) -> str:
    """An access token as Entra issues it to a person of that tenant."""
    issuer = f"https://sts.windows.net/{tenant}/" if version == 1 else f"{emulator.base_url}/{tenant}/v2.0"
    own = {"tid": tenant, "iss": issuer, "aud": OPERATE} | claims
    return emulator.token(scopes=["access_as_user"], version=version, **own)


@pytest.fixture
def site_for(make_site: MakeSite, emulator: EntraEmulator) -> Callable[..., Site]:
    """Makes sites for the accounts that the issuer's segment stands for."""
    change_application(emulator, OPERATE, sign_in_audience="AzureADMultipleOrgs")

    def make(segment: str, tenants: object = "*", **settings: Any) -> Site:
        issuer = f"{emulator.base_url}/{segment}/v2.0"
        backend = issuer.replace("{tenantid}", "common")
        site = make_site(issuer=issuer, issuer_backend_url=backend, allowed_tenants=tenants, **settings)
        site.app.include_router(site.entra.forward_auth_router())
        return site

    return make


@pytest.mark.parametrize(
    ("segment", "tenants", "tenant", "code"),
    [
        ("organizations", "*", OTHER_TENANT, None),
        ("organizations", "*", PERSONAL_TENANT, "tenant_mismatch"),
        ("organizations", "*", UPPER, "tenant_mismatch"),
        ("organizations", f"{OTHER_TENANT},{PERSONAL_TENANT}", PERSONAL_TENANT, None),
        ("organizations", f"{OTHER_TENANT},{PERSONAL_TENANT}", UPPER, None),
        ("organizations", PERSONAL_TENANT, OTHER_TENANT, "tenant_mismatch"),
        ("organizations", OTHER_TENANT, PERSONAL_TENANT, "tenant_mismatch"),
        ("common", "*", PERSONAL_TENANT, None),
        ("{tenantid}", "*", PERSONAL_TENANT, None),
        ("common", OTHER_TENANT, PERSONAL_TENANT, "tenant_mismatch"),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("path", ["/api", "/auth/verify", "/auth/verify?identity=orders"])
async def test_by_bearer_token(
    site_for: Callable[..., Site],
    segment: str,
    tenants: str,
    tenant: str,
    code: str | None,
    version: Literal[1, 2],
    path: str,
) -> None:
    """``/organizations`` lets personal accounts in where their tenant is listed; ``/common`` stays open."""
    site = site_for(segment, tenants, accept_v1_tokens=True)
    token = of_tenant(site.emulator, tenant, version)
    answer = await site.browser().http.get(path, headers={"Authorization": f"Bearer {token}"})
    if code is None:
        assert answer.status_code == 200, answer.text
        return
    assert (answer.status_code, answer.json()["detail"]["code"]) == (401, code)
    assert "x-entra-identity" not in answer.headers
    is_everybody = tenants == "*"
    assert (answer.json()["detail"]["message"] == REFUSED) is is_everybody


async def test_the_consumers_own_issuer_stays_open(make_site: MakeSite, emulator: EntraEmulator) -> None:
    """A service for personal accounts alone names their tenant as its own."""
    issuer = f"{emulator.base_url}/{PERSONAL_TENANT}/v2.0"
    site = make_site(issuer=issuer, issuer_backend_url=f"{emulator.base_url}/organizations/v2.0")
    site.wire.change("/openid-configuration", lambda document: document | {"issuer": issuer})
    headers = {"Authorization": f"Bearer {of_tenant(emulator, PERSONAL_TENANT)}"}
    assert (await site.browser().http.get("/api", headers=headers)).status_code == 200


async def test_the_log_says_where_to_change_what(
    site_for: Callable[..., Site], caplog: pytest.LogCaptureFixture
) -> None:
    """The remedy is another one than for a tenant that a list lacks: nothing can be added to ``*``."""
    caplog.set_level(logging.INFO)
    for tenants in ("*", OTHER_TENANT):
        site = site_for("organizations", tenants)
        headers = {"Authorization": f"Bearer {of_tenant(site.emulator, PERSONAL_TENANT)}"}
        await site.browser().http.get("/api", headers=headers)
    everybody, listed = [text for text in texts_in(caplog) if text.startswith("Request refused")]
    assert everybody.startswith(f"Request refused: tenant_mismatch: {REFUSED} Remedy: ")
    for words in ("/common in place of /organizations", PERSONAL_TENANT, "together with all others"):
        assert words in everybody
        assert words not in listed.partition("Remedy")[2]


def come_as(site: Site, tenant: str, nonce: str | None, *, id_token: bool = True) -> None:
    """Let Entra answer with tokens of somebody of that tenant."""
    whose = {"tid": tenant, "iss": f"{site.emulator.base_url}/{tenant}/v2.0"}

    def change(document: dict[str, Any]) -> dict[str, Any]:
        if id_token:
            claims = claims_of(document["id_token"]) | whose | ({} if nonce is None else {"nonce": nonce})
            claims.pop("at_hash", None)
            document["id_token"] = site.emulator.sign(claims, v1=False)
        else:
            document.pop("id_token", None)
        access = claims_of(document["access_token"]) | whose
        return document | {"access_token": site.emulator.sign(access, v1=False)}

    site.wire.change("/token", change)


async def come_back(site: Site, tenant: str, headers: dict[str, str]) -> httpx.Response:
    """Sign in at Entra as somebody of that tenant."""
    browser = site.browser()
    address = await browser.depart()
    come_as(site, tenant, query_of(address)["nonce"])
    return await browser.http.get(await browser.at_entra(address, "Ada Admin"), headers=headers)


@pytest.mark.parametrize(
    ("segment", "tenants", "status"),
    [
        ("organizations", "*", 403),
        ("organizations", f"{OTHER_TENANT},{PERSONAL_TENANT}", 303),
        ("common", "*", 303),
    ],
)
async def test_by_signing_in(
    site_for: Callable[..., Site], segment: str, tenants: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The callback refuses, with words for people and for the log, and offers another account."""
    caplog.set_level(logging.INFO)
    site = site_for(segment, tenants)
    assert (await come_back(site, PERSONAL_TENANT, {})).status_code == status
    page = await come_back(site, PERSONAL_TENANT, PERSON)
    assert page.status_code == status
    assert (await come_back(site, OTHER_TENANT, {})).status_code == 303
    if status == 403:
        assert "Sign in with one of those." in page.text
        assert "prompt=select_account" in page.text
        assert (
            "set-cookie" not in page.headers
            or f"{site.entra.settings.cookie_name}=" not in page.headers["set-cookie"]
        )
        refused = [text for text in texts_in(caplog) if text.startswith("Sign-in refused")]
        assert [text.count("/common in place of /organizations") for text in refused] == [1, 1]


@pytest.mark.parametrize("id_token", [True, False])
@Store
async def test_by_renewing_a_session(site_for: Callable[..., Site], store: str, id_token: bool) -> None:
    """Which ends where Entra answers for such an account, whether or not with an ID token."""
    site = site_for("organizations", session_store=store)
    browser = await site.browser().signed_in()
    assert await browser.status() == 200
    come_as(site, PERSONAL_TENANT, None, id_token=id_token)
    site.clock.advance(6000)
    assert await browser.status() == 401
    site.wire.heal()
    assert await browser.status() == 401


@pytest.mark.parametrize(("segment", "refused"), [("organizations", True), ("common", False)])
def test_explain_has_the_same_verdict_with_a_remedy_of_its_own(
    emulator: EntraEmulator, clock: FakeClock, segment: str, refused: bool
) -> None:
    """``doctor --sign-in`` shows the same checks of both tokens."""
    issuer = f"{emulator.base_url}/{segment}/v2.0"
    settings = emulator.settings(issuer=issuer, issuer_backend_url=issuer, allowed_tenants="*")
    token = of_tenant(emulator, PERSONAL_TENANT)
    explanation = explain_token(token, settings, own_keys(emulator), clock.time())
    assert "It is of a personal Microsoft account." in explanation.details
    assert explanation.result is not None
    (check,) = [each for each in explanation.result.checks if each.name == "issuer, tenant"]
    assert explanation.verdict[0] == ("refused" if refused else "accepted")
    if refused:
        assert check.message == REFUSED.partition(". ")[0] + "."
        assert check.remedy.startswith("Sign in with a work or school account")
        assert PERSONAL_TENANT in check.remedy


@pytest.mark.parametrize("segment", ["common", "organizations", "{tenantid}"])
def test_an_applications_tests_meet_the_same_refusal(segment: str) -> None:
    """The pytest plugin keeps what the issuer stands for."""
    emulator = EntraEmulator()
    issuer = f"https://login.microsoftonline.com/{segment}/v2.0"
    own = emulator.settings(issuer=issuer, issuer_backend_url="", allowed_tenants="*")
    kept = "common" if segment == "{tenantid}" else segment
    assert settings_for(emulator, own).issuer == f"{emulator.base_url}/{kept}/v2.0"
