"""Customers' tenants (External ID, B2C) behind a domain of their own: nothing is told by their host's name.

Learn: "Enable custom domains for Azure Active Directory B2C" (it is in issuer and endpoints), "Overview
of tokens in Azure AD B2C" (no ``tid``; ``idp`` is the identity provider that a customer used), "Enable custom
URL domains for apps in external tenants".
"""

from typing import Annotated, Any, Final

import httpx
import pytest
from fastapi import Depends, FastAPI

from camunda_entra_fastapi import CamundaEntra, EntraSettings, EntraUser
from camunda_entra_fastapi.cli.explain.explanation import explain_token
from camunda_entra_fastapi.runtime import policy_of
from camunda_entra_fastapi.testing import EntraEmulator
from tests.conftest import FakeClock
from tests.site import GABI, MakeSite, emulator, make_site
from tests.tokens import ABSENT, CLIENT_ID, NOW, TENANT, token, user_claims
from tests.validation.conftest import verify_claims

__all__ = ["emulator", "make_site"]

B2C: Final = {
    "issuer": f"https://login.contoso.example/{TENANT}/v2.0/",
    "issuer_backend_url": "https://login.contoso.example/contoso.onmicrosoft.com/B2C_1_signin/v2.0",
}


def settings(**values: Any) -> EntraSettings:
    """Settings of an API that is told nothing else."""
    return EntraSettings(type="AZUREAD", client_id=CLIENT_ID, **values)


@pytest.mark.parametrize("allow_guests", [True, False])
async def test_customers_of_an_own_domain_are_no_guests(
    emulator: EntraEmulator, clock: FakeClock, allow_guests: bool
) -> None:
    """Whoever signed in with Google is a customer; only ``acct`` tells a guest."""
    configured = emulator.settings(tenant_type="external", allow_guests=allow_guests)
    entra = CamundaEntra(configured, http_client=emulator.http_client(), clock=clock)
    app = FastAPI()

    @app.get("/me")
    async def me(user: Annotated[EntraUser, Depends(entra.bearer)]) -> dict[str, bool]:
        return {"guest": user.is_guest}

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
        for claims, expected in (({"idp": "google.com"}, False), ({"idp": "google.com", "acct": 1}, True)):
            token = emulator.token(scopes=["Incidents.Read"], **claims)
            answer = await http.get("/me", headers={"Authorization": f"Bearer {token}"})
            if expected and not allow_guests:
                assert answer.json()["detail"]["code"] == "guest_not_allowed"
            else:
                assert answer.json() == {"guest": expected}


@pytest.mark.parametrize(("tenant_type", "expected"), [("external", False), ("workforce", True)])
async def test_sessions_know_it_too(make_site: MakeSite, tenant_type: str, expected: bool) -> None:
    """Gabi's ``idp`` is another tenant: a guest of employees, a customer elsewhere, who may sign in."""
    site = make_site(tenant_type=tenant_type, allow_guests=expected)
    browser = await site.browser().signed_in(person=GABI)
    assert (await browser.http.get("/auth/me")).json()["is_guest"] is expected


@pytest.mark.parametrize("claims", [{"idp": "google.com"}, {"idp": "google.com", "tid": ABSENT, "acct": 0}])
def test_a_user_is_the_same_however_it_is_read(claims: dict[str, Any]) -> None:
    """Copied, or with all fields read at once, a customer stays one."""
    found = verify_claims(user_claims(**claims))
    user = EntraUser.from_claims(found, "token", has_customers=True)
    assert [user.is_guest, user.with_groups(["g"]).is_guest, user.model_dump()["is_guest"]] == [False] * 3
    assert EntraUser.from_sign_in(found, "token", has_customers=True).is_guest is False
    assert EntraUser.from_claims(found, "token").is_guest is ("acct" not in claims)


def test_the_policy_of_b2c_with_a_domain_of_its_own() -> None:
    """The backend URL's policy tells: no ``tid`` is demanded, and there are no tokens of version 1.0."""
    policy = policy_of(settings(**B2C, accept_v1_tokens=True))
    assert (policy.has_customers, policy.tenant, policy.v1_issuer) == (True, None, None)
    assert policy_of(settings(issuer=B2C["issuer"])).tenant == TENANT


def test_external_id_behind_its_own_domain_by_setting() -> None:
    """Where issuer and backend URL look like a company's, the setting decides."""
    own = f"https://login.contoso.example/{TENANT}/v2.0"
    policy = policy_of(settings(issuer=own, tenant_type="external"))
    assert (policy.has_customers, policy.tenant, policy.v1_issuer) == (True, None, None)


@pytest.mark.parametrize(("tenant_type", "expected"), [("external", False), ("workforce", True)])
def test_explain_calls_nobody_a_guest_there(tenant_type: str, expected: bool) -> None:
    """The command line judges as the service does."""
    own = settings(issuer=f"https://login.contoso.example/{TENANT}/v2.0", tenant_type=tenant_type)
    text = token(user_claims(iss=own.issuer, idp="google.com"))
    details = explain_token(text, own, None, NOW).details
    assert ("The person is a guest of the tenant." in details) is expected
