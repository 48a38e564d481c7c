"""Every kind of issuer, from the variables to the verdict, with the documents that it publishes."""

from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from camunda_entra_fastapi import CamundaEntra, EntraSettings, EntraUser
from tests.conftest import FakeClock
from tests.tokens import CLIENT_ID, NOW, OTHER_TENANT, TENANT, V1_ISSUER, jwk, token, user_claims

CHINA = "https://login.partner.microsoftonline.cn"

CASES = {
    "workforce": (f"https://login.microsoftonline.com/{TENANT}/v2.0", None, None),
    "US Government": (f"https://login.microsoftonline.us/{TENANT}/v2.0", None, None),
    "China": (f"{CHINA}/{TENANT}/v2.0", None, None),
    "External ID": (
        f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0",
        f"https://contoso.ciamlogin.com/{TENANT}/v2.0",
        f"https://contoso.ciamlogin.com/{TENANT}/discovery/v2.0/keys",
    ),
    "Azure AD B2C": (
        f"https://contoso.b2clogin.com/{TENANT}/v2.0/",
        "https://contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1_signin/v2.0",
        "https://contoso.b2clogin.com/contoso.onmicrosoft.com/b2c_1_signin/discovery/v2.0/keys",
    ),
    "behind a proxy": (
        f"https://login.microsoftonline.com/{TENANT}/v2.0",
        f"https://proxy.example/entra/{TENANT}/v2.0",
        f"https://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys",
    ),
}


def status_and_code(
    settings: EntraSettings, issuer: str, jwks_uri: str, claims: dict[str, object]
) -> tuple[int, str | None, list[str]]:
    """An API's response to the token, and the addresses that it requested."""
    requested: list[str] = []

    def publish(request: httpx.Request) -> httpx.Response:
        requested.append(str(request.url))
        if request.url.path.endswith("/.well-known/openid-configuration"):
            return httpx.Response(200, json={"issuer": issuer, "jwks_uri": jwks_uri})
        return httpx.Response(200, json={"keys": [jwk()]})

    clock = FakeClock(NOW)
    entra = CamundaEntra(
        settings, http_client=httpx.AsyncClient(transport=httpx.MockTransport(publish)), clock=clock
    )
    app = FastAPI(lifespan=entra.lifespan)

    @app.get("/")
    async def me(user: Annotated[EntraUser, Depends(entra.current_user)]) -> None: ...

    with TestClient(app) as client:
        answer = client.get("/", headers={"Authorization": f"Bearer {token(claims)}"})
    code = None if answer.status_code == 200 else answer.json()["detail"]["code"]
    return answer.status_code, code, requested


def settings(issuer: str, backend: str | None = None, **more: object) -> EntraSettings:
    """Settings for the issuer."""
    backend_url = {"issuer_backend_url": backend} if backend else {}
    return EntraSettings(type="AZUREAD", issuer=issuer, client_id=CLIENT_ID, **backend_url, **more)


@pytest.mark.parametrize("case", CASES)
def test_a_token_of_the_issuer_passes_and_another_does_not(case: str) -> None:
    """Keys come from where the document says, moved onto the back channel where that is another place."""
    issuer, backend, jwks_uri = CASES[case]
    jwks_uri = jwks_uri or issuer.replace("/v2.0", "/discovery/v2.0/keys")
    found = settings(issuer, backend)
    status, code, requested = status_and_code(found, issuer, jwks_uri, user_claims(iss=issuer))
    assert (status, code) == (200, None)
    expected = jwks_uri
    if case == "behind a proxy":
        expected = f"https://proxy.example/entra/{TENANT}/discovery/v2.0/keys"
    assert requested == [f"{found.issuer_backend_url.rstrip('/')}/.well-known/openid-configuration", expected]
    other = user_claims(iss=issuer.replace(TENANT, OTHER_TENANT))
    assert status_and_code(found, issuer, jwks_uri, other)[:2] == (401, "issuer_mismatch")


@pytest.mark.parametrize("case", ["workforce", "US Government", "China"])
def test_v1_tokens_of_workforce_tenants(case: str) -> None:
    """China has an issuer of its own for them."""
    issuer = CASES[case][0]
    v1_issuer = V1_ISSUER.replace("sts.windows.net", "sts.chinacloudapi.cn") if case == "China" else V1_ISSUER
    jwks_uri = issuer.replace("/v2.0", "/discovery/v2.0/keys")
    claims = user_claims(iss=v1_issuer, ver="1.0")
    assert status_and_code(settings(issuer), issuer, jwks_uri, claims)[:2] == (401, "v1_token")
    accepting = settings(issuer, accept_v1_tokens=True)
    assert status_and_code(accepting, issuer, jwks_uri, claims)[:2] == (200, None)


def test_b2c_has_no_v1_tokens() -> None:
    """Its tokens call themselves 1.0 and are none; one of the workforce's is foreign there."""
    issuer, backend, jwks_uri = CASES["Azure AD B2C"]
    accepting = settings(issuer, backend, accept_v1_tokens=True)
    passes = status_and_code(accepting, issuer, str(jwks_uri), user_claims(iss=issuer, ver="1.0"))
    assert passes[:2] == (200, None)
    refused = status_and_code(accepting, issuer, str(jwks_uri), user_claims(iss=V1_ISSUER, ver="1.0"))
    assert refused[:2] == (401, "issuer_mismatch")
