"""The request log of pages and grants, and the endpoints that a throttle concerns."""

import httpx2
import pytest

from camunda_entra_fastapi.testing import EntraEmulator, RecordedRequest
from camunda_entra_fastapi.testing.directory import OPERATE, UNRELATED
from tests.testing.browsing import Browser, change_application, claims_of
from tests.testing.conftest import SECRET, WEB, Client

PAGE = "/common/oauth2/deviceauth"


def last(emulator: EntraEmulator) -> RecordedRequest:
    """The latest request."""
    return emulator.requests[-1]


async def trade(client: Client, assertion: str) -> httpx2.Response:
    """The token response on behalf of a caller, with a refresh token."""
    return await client.on_behalf_of(assertion, scope=f"{UNRELATED}/access_as_user offline_access")


async def test_a_devices_way_can_be_followed(emulator: EntraEmulator, client: Client) -> None:
    """The log has its start, its page and its tokens, each with the application, and the user once known."""
    started = await client.start_device()
    assert (last(emulator).did, last(emulator).client) == ("device start", "Operate")
    await client.http.get(PAGE)
    assert (last(emulator).did, last(emulator).client) == ("device sign in", "")
    await client.http.post(PAGE, data={"user_code": started["user_code"]})
    assert (last(emulator).client, last(emulator).user) == ("Operate", "")
    await client.http.post(PAGE, data={"user_code": started["user_code"], "user": "Ada Admin"})
    page = last(emulator)
    assert (page.did, page.client, page.user) == ("device sign in", "Operate", "Ada Admin")
    await client.poll_device(started)
    assert (last(emulator).did, last(emulator).client) == ("device code", "Operate")
    await client.poll_device(started)
    assert last(emulator).error.startswith("AADSTS70018: ")
    await client.start_device(client_id="nobody")
    assert (last(emulator).did, last(emulator).client) == ("device start", "")
    assert last(emulator).error.startswith("AADSTS700016: ")


async def test_a_sign_out_can_be_followed(emulator: EntraEmulator, client: Client) -> None:
    """The log has the user, if it is one."""
    await Browser(client).arrive("Ada Admin")
    address = f"/{client.tenant}/oauth2/v2.0/logout"
    await client.http.get(address)
    assert (last(emulator).did, last(emulator).user) == ("sign out", "Ada Admin")
    await client.http.get(address)
    assert (last(emulator).did, last(emulator).user) == ("sign out", "")


@pytest.mark.parametrize("path", ["adminconsent", "v2.0/adminconsent"])
async def test_an_administrators_consent_can_be_followed(
    emulator: EntraEmulator, client: Client, path: str
) -> None:
    """The application from the start, the administrator once known, and what was decided."""
    query = {"client_id": OPERATE, "redirect_uri": WEB, "scope": f"{OPERATE}/.default"}
    address = f"/{client.tenant}/{path}"
    await client.http.get(address, params=query)
    assert (last(emulator).did, last(emulator).client, last(emulator).user) == (
        "admin consent",
        "Operate",
        "",
    )
    await client.http.post(address, params=query, data={"user": "Ben Reader", "consent": "granted"})
    assert (last(emulator).client, last(emulator).user) == ("Operate", "Ben Reader")
    assert last(emulator).error.startswith("AADSTS90094: ")


async def test_no_grant_leaves_secrets_in_the_log(emulator: EntraEmulator, client: Client) -> None:
    """Codes of devices, assertions, and what they give are as secret as passwords."""
    started = await client.start_device()
    await client.http.post(PAGE, data={"user_code": started["user_code"], "user": "Ada Admin"})
    tokens = (await client.poll_device(started)).json()
    traded = (await trade(client, tokens["access_token"])).json()
    secrets = [SECRET, started["device_code"], started["user_code"]]
    secrets += [each[name] for each in (tokens, traded) for name in ("access_token", "refresh_token")]
    await client.poll_device(started)
    await trade(client, f"{tokens['access_token']}x")
    log = repr(emulator.requests)
    assert "AADSTS70018" in log
    assert "AADSTS50013" in log
    assert [secret for secret in secrets if secret in log] == []


async def test_throttling_concerns_every_grant_and_nothing_else(
    emulator: EntraEmulator, client: Client
) -> None:
    """People can sign in and documents are served; each refused code and token is as good as before."""
    change_application(emulator, OPERATE, allow_public_client=True)
    started = await client.start_device()
    tokens = await Browser(client).tokens("Ada Admin")
    renewal = {
        "grant_type": "refresh_token",
        "client_id": OPERATE,
        "client_secret": SECRET,
        "refresh_token": tokens["refresh_token"],
    }
    emulator.throttle(60)
    await client.http.post(PAGE, data={"user_code": started["user_code"], "user": "Ada Admin"})
    assert (await client.http.get(f"/{client.tenant}/discovery/v2.0/keys")).status_code == 200
    for _ in range(2):
        for answer in (
            await client.poll_device(started),
            await trade(client, tokens["access_token"]),
            await client.redeem(**renewal),
        ):
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
            assert answer.json()["error_codes"] == [50196]
    emulator.travel(59.5)
    assert (await client.credentials()).headers["retry-after"] == "1"
    emulator.travel(0.5)
    assert (await client.poll_device(started)).status_code == 200
    assert (await trade(client, tokens["access_token"])).status_code == 200
    assert (await client.redeem(**renewal)).status_code == 200


async def test_refresh_tokens_age_with_the_clock(emulator: EntraEmulator, client: Client) -> None:
    """90 days after their own issue, however old the sign-in is: AADSTS700082."""
    tokens = await Browser(client).tokens("Ada Admin")
    renewal = {"grant_type": "refresh_token", "client_id": OPERATE, "client_secret": SECRET}
    emulator.travel(90 * 86_400 - 1)
    renewed = (await client.redeem(**renewal, refresh_token=tokens["refresh_token"])).json()
    emulator.travel(1)
    refused = await client.redeem(**renewal, refresh_token=tokens["refresh_token"])
    assert (refused.json()["error"], refused.json()["error_codes"]) == ("invalid_grant", [700082])
    assert (await client.redeem(**renewal, refresh_token=renewed["refresh_token"])).status_code == 200


async def test_a_revocation_reaches_codes_that_wait(emulator: EntraEmulator, client: Client) -> None:
    """A code from before does not become a sign-in that outlives it; one from afterwards does."""
    old = await client.code()
    emulator.travel(1)
    emulator.revoke("Ada Admin")
    refused = await client.redeem_code(code=old)
    assert (refused.json()["suberror"], refused.json()["error_codes"]) == ("bad_token", [50173])
    emulator.travel(1)
    assert (await client.redeem_code(code=await client.code())).status_code == 200


@pytest.mark.parametrize("enabled", [True, False])
async def test_resources_count_as_they_are_registered_now(
    emulator: EntraEmulator, client: Client, enabled: bool
) -> None:
    """Codes and refresh tokens from before a change give what the directory says, or AADSTS500014."""
    scope = f"offline_access {UNRELATED}/access_as_user"
    browser = Browser(client)
    tokens = await browser.tokens("Ada Admin", scope=scope)
    code = (await browser.arrive(scope=scope))["code"]
    change_application(emulator, UNRELATED, enabled=enabled, requested_access_token_version=2)
    renewal = {"grant_type": "refresh_token", "client_id": OPERATE, "client_secret": SECRET}
    answers = (
        await client.redeem(**renewal, refresh_token=tokens["refresh_token"]),
        await client.redeem_code(code=code),
    )
    for answer in answers:
        if enabled:
            assert claims_of(answer.json()["access_token"])["ver"] == "2.0"
        else:
            assert (answer.json()["error"], answer.json()["error_codes"]) == ("invalid_resource", [500014])
