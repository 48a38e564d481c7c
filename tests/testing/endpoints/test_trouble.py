"""Faults on demand, time, the request log, TLS, and what goes wrong at the token endpoint."""

import datetime
import ssl
import stat
from typing import Any

import httpx2
import pytest

from camunda_entra_fastapi.testing import ConditionalAccess, EntraEmulator, RecordedRequest, Secret
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE, UNRELATED
from camunda_entra_fastapi.testing.serving.certificates import make_tls
from tests.testing.browsing import (
    Browser,
    change_application,
    change_tenant,
    change_user,
    claims_of,
    codes_of,
)
from tests.testing.conftest import SECRET, Client

FABRIKAM = "fabrikam.onmicrosoft.com"


async def test_applications_that_ask_too_often(emulator: EntraEmulator, client: Client) -> None:
    """429 with the seconds to wait, until they are over."""
    emulator.throttle(30)
    emulator.travel(10)
    refused = await client.credentials()
    assert (refused.status_code, refused.headers["retry-after"], refused.text) == (
        429,
        "20",
        "Too Many Requests",
    )
    emulator.travel(20)
    assert (await client.credentials()).status_code == 200
    emulator.throttle()
    emulator.throttle(0)
    assert (await client.credentials()).status_code == 200


async def test_peoples_clients_that_ask_too_often(emulator: EntraEmulator, client: Client) -> None:
    """The error names their loop, and the code is not used up."""
    code = await client.code()
    emulator.throttle()
    refused = await client.redeem_code(code=code)
    assert (refused.status_code, codes_of(refused)) == (400, [50196])
    emulator.travel(60)
    assert (await client.redeem_code(code=code)).status_code == 200


async def test_time_passes_for_all_at_once(emulator: EntraEmulator, client: Client) -> None:
    """Tokens, codes and descriptions of errors."""
    before = claims_of(emulator.token())["iat"]
    code = await client.code()
    emulator.travel(600)
    assert claims_of(emulator.token())["iat"] == before + 600
    assert codes_of(await client.redeem_code(code=code)) == [70008]
    emulator.travel(-600)
    assert (await client.redeem_code(code=code)).status_code == 200


async def test_tokens_may_live_as_long_as_wanted() -> None:
    """The lifetime is in the token and beside it."""
    emulator = EntraEmulator(token_lifetime=60)
    async with emulator.http_client() as http:
        answer = (await Client(http, emulator.tenant.id).credentials()).json()
    claims = claims_of(answer["access_token"])
    assert (answer["expires_in"], claims["exp"] - claims["iat"]) == (59, 360)


async def test_the_log_tells_what_a_person_can_follow() -> None:
    """Grant, application, person and what went wrong, and nothing that is secret."""
    seen: list[RecordedRequest] = []
    emulator = EntraEmulator(on_request=seen.append)
    async with emulator.http_client() as http:
        client = Client(http, emulator.tenant.id)
        code = await client.code()
        tokens = (await client.redeem_code(code=code)).json()
        await client.redeem_code(code=code)
        await client.redeem_code(code=code, client_secret="wr0ng")
    assert seen == list(emulator.requests)
    page, pressed, redeemed, again, wrong = seen
    assert (page.did, page.client, page.user, page.status) == ("sign in", "Operate", "", 200)
    assert (pressed.did, pressed.user, pressed.status) == ("sign in", "Ada Admin", 302)
    assert (redeemed.did, redeemed.client, redeemed.error) == ("code", "Operate", "")
    assert again.error.startswith("AADSTS54005: ")
    assert wrong.error.startswith("AADSTS7000215: ")
    for secret in (code, tokens["access_token"], tokens["refresh_token"], SECRET, "wr0ng"):
        assert not any(secret in repr(record) for record in seen)


async def test_revoking_a_stranger_is_a_mistake_in_the_test(emulator: EntraEmulator) -> None:
    """It would go unnoticed otherwise."""
    with pytest.raises(ValueError, match="Eve"):
        emulator.revoke("Eve")


async def test_refresh_after_permissions_ended(emulator: EntraEmulator, client: Client) -> None:
    """Each refresh looks into the directory: consent, policies, the account itself."""
    tokens = await Browser(client).tokens("Ada Admin")
    change_application(emulator, OPERATE, admin_consent=False)
    refused = await client.refresh(tokens)
    assert (codes_of(refused), refused.json()["suberror"]) == ([65001], "consent_required")
    change_application(emulator, OPERATE, admin_consent=True)
    change_tenant(emulator, policies=(ConditionalAccess("mfa"),))
    refused = await client.refresh(tokens)
    assert (codes_of(refused), refused.json()["suberror"]) == ([50076], "basic_action")
    change_tenant(emulator, policies=())
    change_user(emulator, "Ada Admin", enabled=False)
    assert codes_of(await client.refresh(tokens)) == [50057]
    emulator.revoke("Ada Admin")
    refused = await client.refresh(tokens)
    assert (codes_of(refused), refused.json()["suberror"]) == ([50173], "bad_token")
    change_tenant(emulator, users=())
    assert codes_of(await client.refresh(tokens)) == [50173]


async def test_refresh_after_the_user_is_gone(emulator: EntraEmulator, client: Client) -> None:
    """A deleted account has its own code."""
    tokens = await Browser(client).tokens("Ada Admin")
    change_tenant(emulator, users=())
    assert codes_of(await client.refresh(tokens)) == [50034]


async def test_one_sign_in_serves_several_apis(client: Client) -> None:
    """The renewal names another resource; scopes of OpenID Connect alone keep the one there was."""
    tokens = await Browser(client).tokens("Ada Admin")
    other = (await client.refresh(tokens, scope=f"{UNRELATED}/access_as_user")).json()
    assert claims_of(other["access_token"])["aud"] == UNRELATED
    same = (await client.refresh(tokens, scope="openid offline_access")).json()
    assert claims_of(same["access_token"])["aud"] == OPERATE
    assert codes_of(await client.refresh(tokens, resource="x")) == [901002]


async def test_tenants_for_applications(emulator: EntraEmulator, client: Client) -> None:
    """None is named, or one that never heard of the application."""
    client.tenant = "common"
    change_application(emulator, BILLING, sign_in_audience="AzureADMultipleOrgs")
    change_application(emulator, OPERATE, sign_in_audience="AzureADMultipleOrgs")
    assert codes_of(await client.credentials()) == [50059]
    client.tenant = FABRIKAM
    refused = await client.credentials()
    assert (refused.status_code, codes_of(refused)) == (401, [7000229])


async def test_credentials_that_have_ended(emulator: EntraEmulator, client: Client) -> None:
    """An expired secret has another code than a wrong one; one that expires later is valid."""
    now = datetime.datetime.fromtimestamp(emulator.now(), datetime.UTC)
    soon = Secret("s3cret", now + datetime.timedelta(seconds=10))
    change_application(emulator, BILLING, secrets=(soon,))
    assert (await client.credentials(client_secret="s3cret")).status_code == 200
    emulator.travel(10)
    refused = await client.credentials(client_secret="s3cret")
    assert (refused.status_code, codes_of(refused)) == (401, [7000222])
    assert codes_of(await client.credentials(client_secret="s4cret")) == [7000215]


async def test_assertions_need_their_type(client: Client) -> None:
    """Whatever the assertion is."""
    form = {"client_secret": None, "client_assertion": "x"}
    assert codes_of(await client.credentials(**form)) == [9002313]
    assert codes_of(await client.credentials(**form, client_assertion_type="y")) == [9002313]


async def test_resources_that_are_closed(emulator: EntraEmulator, client: Client) -> None:
    """A resource refuses applications without a role, or is disabled for all."""
    change_application(emulator, OPERATE, assignment_required=True)
    assert (await client.credentials()).status_code == 200
    change_application(emulator, BILLING, granted_roles={})
    assert codes_of(await client.credentials()) == [501051]
    change_application(emulator, OPERATE, assigned=(BILLING,))
    assert (await client.credentials()).status_code == 200
    change_application(emulator, OPERATE, enabled=False)
    assert codes_of(await client.credentials()) == [500014]


async def test_scopes_are_bounded(client: Client) -> None:
    """More than 200 parts are refused."""
    scope = " ".join(f"{OPERATE}/{number}" for number in range(201))
    assert (await Browser(client).arrive(scope=scope))["error_description"].startswith("AADSTS70011: ")


async def test_other_hosts_are_not_known(client: Client) -> None:
    """Instance discovery vouches for its own host alone."""
    parameters = {"authorization_endpoint": "https://login.example/common/oauth2/v2.0/authorize"}
    refused = await client.http.get("/common/discovery/instance", params=parameters)
    assert (refused.json()["error"], codes_of(refused)) == ("invalid_instance", [50049])


async def test_consents_are_bounded(emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many are forgotten together."""
    monkeypatch.setattr("camunda_entra_fastapi.testing.world.state.MAX_ENTRIES", 2)
    emulator.state.consents |= {(str(number), "", "", None): {"x"} for number in range(2)}
    emulator.state.grant(emulator.tenant, emulator.application, [], None)
    assert not emulator.state.consents


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_tls_is_strict(emulator: EntraEmulator, host: str) -> None:
    """The certificate is good for this machine by all its names, for who trusts the file."""
    with emulator.serve(host, tls=True) as address:
        assert emulator.ca_file
        trusting = ssl.create_default_context(cafile=str(emulator.ca_file))
        trusting.verify_flags |= ssl.VERIFY_X509_STRICT
        document = f"{address}/common/v2.0/.well-known/openid-configuration"
        with httpx2.Client(verify=trusting, trust_env=False) as http:
            assert http.get(document).json()["issuer"].startswith(address)
        with (
            httpx2.Client(verify=ssl.create_default_context(), trust_env=False) as http,
            pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            http.get(document)
    assert emulator.ca_file is None


def test_the_key_is_for_nobody_else_and_gone_afterwards() -> None:
    """A name that is no address has its place in the certificate, too."""
    with make_tls("entra.example").files() as (certificate, key):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        folder = key.parent
        assert sorted(path.name for path in folder.iterdir()) == ["server.key", "server.pem"]
        loaded: Any = ssl._ssl._test_decode_cert(str(certificate))  # type: ignore[attr-defined]
        assert ("DNS", "entra.example") in loaded["subjectAltName"]
    assert not folder.exists()
