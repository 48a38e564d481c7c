"""Tokens on behalf of a caller, and for a device on which no user signs in."""

from typing import Any

import httpx2
import pytest

from camunda_entra_fastapi.testing import ConditionalAccess, EntraEmulator, OptionalClaims
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE, UNRELATED
from tests.testing.browsing import Browser, change_application, change_tenant, claims_of, codes_of
from tests.testing.conftest import SECRET, Client

PAGE = "/common/oauth2/deviceauth"


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("scope", [f"{UNRELATED}/access_as_user", f"api://{UNRELATED}/.default"])
async def test_an_api_calls_on_for_its_caller(
    emulator: EntraEmulator, client: Client, version: Any, scope: str
) -> None:
    """The next API sees the person, and the first API as the client."""
    answer = await client.on_behalf_of(emulator.token(user="Ada Admin", version=version), scope=scope)
    claims = claims_of(answer.json()["access_token"])
    assert (claims["name"], claims["appid"], claims["scp"]) == ("Ada Admin", OPERATE, "access_as_user")
    assert "refresh_token" not in answer.json()


async def test_what_it_renews_needs_its_secret(emulator: EntraEmulator, client: Client) -> None:
    """``offline_access`` gives a refresh token that only its client can use."""
    scope = f"{UNRELATED}/access_as_user offline_access"
    issued = (await client.on_behalf_of(emulator.token(), scope=scope, client_info="1")).json()
    assert issued["client_info"]
    renewal = {"grant_type": "refresh_token", "client_id": OPERATE, "refresh_token": issued["refresh_token"]}
    assert codes_of(await client.redeem(**renewal)) == [7000218]
    assert (await client.redeem(**renewal, client_secret=SECRET)).status_code == 200


async def test_assertions_that_are_refused(emulator: EntraEmulator, client: Client) -> None:
    """Each by its code: no token, a stranger's, Graph's, another API's, an ID token, an application's own."""
    graph = emulator.token(application="https://graph.microsoft.com", scopes=["User.Read"])
    for assertion, code in {
        "garbage": 50013,
        EntraEmulator().token(): 50013,
        graph: 50013,
        emulator.token(application=UNRELATED): 500131,
        emulator.token(lifetime=-301): 500133,
        emulator.id_token(): 240002,
        emulator.token(app_only=True): 7000114,
        emulator.token(oid="nobody"): 50034,
        emulator.token(tid="nowhere"): 50034,
    }.items():
        answer = await client.on_behalf_of(assertion)
        assert (answer.json()["error"], codes_of(answer)) == ("invalid_grant", [code])
    client.tenant = "fabrikam.onmicrosoft.com"
    change_application(emulator, OPERATE, sign_in_audience="AzureADMultipleOrgs")
    assert codes_of(await client.on_behalf_of(emulator.token())) == [50013]


async def test_requests_that_are_refused(emulator: EntraEmulator, client: Client) -> None:
    """The assertion, the use of it, the credential; and browsers have no business here."""
    token = emulator.token()
    assert codes_of(await client.on_behalf_of(None)) == [900144]
    assert codes_of(await client.on_behalf_of(token, requested_token_use=None)) == [900144]
    assert codes_of(await client.on_behalf_of(token, client_secret=None)) == [7000218]
    change_application(emulator, OPERATE, sign_in_audience="AzureADMultipleOrgs")
    client.tenant = "common"
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    credentials = {"client_secret": None, "client_assertion": "garbage", "client_assertion_type": kind}
    assert codes_of(await client.on_behalf_of(token, **credentials)) == [50027]
    assert codes_of(await client.on_behalf_of(token, headers={"Origin": "https://x.example"})) == [9002326]


async def test_consent_counts_for_the_next_api(emulator: EntraEmulator, client: Client) -> None:
    """The API hears what it can tell its caller: to sign in for that scope."""
    change_application(emulator, OPERATE, admin_consent=False)
    refused = (await client.on_behalf_of(emulator.token())).json()
    assert (refused["error"], refused["suberror"], refused["error_codes"]) == (
        "invalid_grant",
        "consent_required",
        [65001],
    )


async def test_policies_count_for_the_next_api(emulator: EntraEmulator, client: Client) -> None:
    """A second factor that the caller showed is remembered; one that is missing comes back as claims."""
    policy = ConditionalAccess("mfa", applications=(UNRELATED,))
    change_tenant(emulator, policies=(policy,))
    refused = (await client.on_behalf_of(emulator.token())).json()
    assert (refused["error"], refused["error_codes"]) == ("interaction_required", [50076])
    assert "capolids" in refused["claims"]
    both = f"{OPERATE}/access_as_user {UNRELATED}/access_as_user"
    tokens = await Browser(client).tokens("Ada Admin", "It is me", scope=both)
    assert (await client.on_behalf_of(tokens["access_token"])).status_code == 200


async def test_revoked_callers_are_not_acted_for(emulator: EntraEmulator, client: Client) -> None:
    """Their access tokens are still good, but buy no others."""
    token = emulator.token(user="Ada Admin")
    emulator.travel(1)
    emulator.revoke("Ada Admin")
    assert codes_of(await client.on_behalf_of(token)) == [50173]
    emulator.travel(1)
    assert (await client.on_behalf_of(emulator.token(user="Ada Admin"))).status_code == 200


async def poll(client: Client, started: dict[str, Any], **changes: Any) -> httpx2.Response:
    """The token response for a device without a secret."""
    return await client.poll_device(started, **({"client_secret": None} | changes))


@pytest.fixture
def public(emulator: EntraEmulator) -> None:
    """Devices keep no secret."""
    change_application(emulator, OPERATE, allow_public_client=True, admin_consent=False)


@pytest.mark.usefixtures("public")
async def test_a_person_signs_in_for_a_device(emulator: EntraEmulator, client: Client) -> None:
    """It polls, the person types the code in any case, and the device has tokens once."""
    started = await client.start_device()
    assert list(started) == [
        *("user_code", "device_code", "verification_uri", "expires_in", "interval", "message")
    ]
    assert (started["expires_in"], started["interval"]) == (900, 5)
    pending = await poll(client, started)
    assert (pending.json()["error"], codes_of(pending)) == ("authorization_pending", [70016])
    page = (await client.http.get(PAGE)).text
    assert "Type the code" in page
    typed = {"user_code": f" {started['user_code'].lower()} "}
    response = await client.http.post(PAGE, data=typed)
    assert f'value="{started["user_code"]}"' in response.text
    typed = {"user_code": started["user_code"], "user": "Ada Admin"}
    assert "asks for your consent" in (await client.http.post(PAGE, data=typed)).text
    done = await client.http.post(PAGE, data=typed | {"consent": "granted"})
    assert "Signed in" in done.text
    tokens = (await poll(client, started, client_info="1")).json()
    claims = claims_of(tokens["access_token"])
    assert (claims["name"], claims["azpacr"]) == ("Ada Admin", "0")
    assert claims_of(tokens["id_token"])["aud"] == OPERATE
    again = await poll(client, started)
    assert (again.json()["error"], codes_of(again)) == ("bad_verification_code", [70018])
    renewal = {"grant_type": "refresh_token", "client_id": OPERATE, "refresh_token": tokens["refresh_token"]}
    assert (await client.redeem(**renewal)).status_code == 200
    assert "No device waits" in (await client.http.post(PAGE, data=typed)).text


@pytest.mark.usefixtures("public")
@pytest.mark.parametrize("answer", [{"cancel": "1"}, {"user": "Ada Admin", "consent": "refused"}])
async def test_a_person_may_decline(client: Client, answer: dict[str, str]) -> None:
    """The device gets an error, and the code is of no use any more."""
    started = await client.start_device()
    typed = {"user_code": started["user_code"]} | answer
    assert "Not signed in" in (await client.http.post(PAGE, data=typed)).text
    declined = await poll(client, started)
    assert (declined.json()["error"], codes_of(declined)) == ("authorization_declined", [70017])
    assert "No device waits" in (await client.http.post(PAGE, data=typed)).text


@pytest.mark.usefixtures("public")
async def test_codes_for_devices_expire(emulator: EntraEmulator, client: Client) -> None:
    """After a quarter of an hour, for the device and for the person."""
    started = await client.start_device()
    emulator.travel(900)
    expired = await poll(client, started)
    assert (expired.json()["error"], codes_of(expired)) == ("expired_token", [70020])
    typed = {"user_code": started["user_code"]}
    assert "No device waits" in (await client.http.post(PAGE, data=typed)).text


async def test_devices_need_a_registration_that_lets_them(emulator: EntraEmulator, client: Client) -> None:
    """Without it they must show a credential, as a device with a server behind it can."""
    started = await client.start_device()
    assert codes_of(await poll(client, started)) == [7000218]
    typed = {"user_code": started["user_code"], "user": "Ada Admin"}
    await client.http.post(PAGE, data=typed)
    tokens = (await poll(client, started, client_secret=SECRET)).json()
    assert claims_of(tokens["access_token"])["azpacr"] == "1"
    renewal = {"grant_type": "refresh_token", "client_id": OPERATE, "refresh_token": tokens["refresh_token"]}
    assert codes_of(await client.redeem(**renewal)) == [7000218]


async def test_starts_that_are_refused(client: Client) -> None:
    """As at the token endpoint."""
    assert (await client.start_device(client_id=BILLING[::-1]))["error_codes"] == [700016]
    assert (await client.start_device(scope=""))["error_codes"] == [900144]


async def test_a_page_for_devices_survives_nonsense(client: Client) -> None:
    """A repeated field is reported on the page."""
    page = await client.http.post(PAGE, content="user_code=a&user_code=b")
    assert "more than once" in page.text


async def test_the_second_factor_of_a_sign_in_is_in_the_token(
    emulator: EntraEmulator, client: Client
) -> None:
    """Version 1.0 tokens name it in ``amr``."""
    policy = ConditionalAccess("mfa")
    change_tenant(emulator, policies=(policy,))
    change_application(
        emulator, OPERATE, requested_access_token_version=None, optional_claims=OptionalClaims()
    )
    tokens = await Browser(client).tokens("Ada Admin", "It is me", scope=f"{OPERATE}/access_as_user")
    assert claims_of(tokens["access_token"])["amr"] == ["pwd", "mfa"]
