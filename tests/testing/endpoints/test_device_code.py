"""Devices that wait for a person: several at once, strange ones, and what changes while they wait."""

from dataclasses import replace
from typing import Any

import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE
from tests.testing.browsing import change_application, change_user, claims_of, codes_of
from tests.testing.conftest import Client

FABRIKAM = "fabrikam.onmicrosoft.com"
PAGE = "/common/oauth2/deviceauth"


async def enter(client: Client, started: dict[str, Any], **form: str) -> str:
    """A person types the code, and presses something; gives the page."""
    return (await client.http.post(PAGE, data={"user_code": started["user_code"]} | form)).text


async def test_the_message_has_address_and_code(emulator: EntraEmulator, client: Client) -> None:
    """A person can act on the message alone, and the address carries no code, as at Entra."""
    started = await client.start_device()
    assert started["verification_uri"] == emulator.base_url + PAGE
    assert "verification_uri_complete" not in started
    for part in (started["verification_uri"], started["user_code"]):
        assert part in started["message"]
    assert len(started["user_code"]) == 9
    assert not set(started["user_code"]) & set("AEIOU01")


async def test_devices_do_not_get_each_others_tokens(client: Client) -> None:
    """A user who entered the code of one device is not signed in on another."""
    first, second = await client.start_device(), await client.start_device()
    assert "Signed in" in await enter(client, first, user="Ada Admin")
    assert codes_of(await client.poll_device(second)) == [70016]
    assert "Signed in" in await enter(client, second, user="Ben Reader")
    tokens = [(await client.poll_device(each)).json()["access_token"] for each in (first, second)]
    assert [claims_of(token)["name"] for token in tokens] == ["Ada Admin", "Ben Reader"]


async def test_codes_that_no_device_has(client: Client) -> None:
    """The page asks again, and does not say which of them were good once."""
    await client.start_device()
    page = await client.http.post(PAGE, data={"user_code": "ZZZZZZZZZ", "user": "Ada Admin"})
    assert "No device waits with that code" in page.text
    assert 'role="alert"' in page.text
    assert 'name="user_code"' in page.text


async def test_a_code_is_its_applications_alone(client: Client) -> None:
    """Another application's credential does not help, and garbage neither."""
    started = await client.start_device()
    await enter(client, started, user="Ada Admin")
    other = {"client_id": BILLING, "client_secret": "local-emulator-secret-of-billing"}
    stolen = await client.poll_device(started, **other)
    assert (stolen.json()["error"], codes_of(stolen)) == ("bad_verification_code", [70018])
    assert codes_of(await client.poll_device(started, device_code="garbage")) == [70018]
    assert codes_of(await client.poll_device(started, device_code=None)) == [900144]
    assert (await client.poll_device(started)).status_code == 200


async def test_a_wrong_secret_leaves_the_code_as_it_was(client: Client) -> None:
    """The secret is checked before the user's decision is revealed."""
    started = await client.start_device()
    for _ in range(2):
        refused = await client.poll_device(started, client_secret="wrong")
        assert (refused.status_code, codes_of(refused)) == (401, [7000215])
        await enter(client, started, user="Ada Admin")
    assert (await client.poll_device(started)).status_code == 200


async def test_the_short_name_of_the_grant_is_known(client: Client) -> None:
    """Microsoft's clients of old send ``device_code`` alone."""
    started = await client.start_device()
    await enter(client, started, user="Ada Admin")
    assert (await client.poll_device(started, grant_type="device_code")).status_code == 200


async def test_browsers_redeem_no_codes_of_devices(client: Client) -> None:
    """They could renew nothing with what they would get: AADSTS9002326."""
    started = await client.start_device()
    await enter(client, started, user="Ada Admin")
    refused = await client.poll_device(started, {"Origin": "http://localhost:8000"})
    assert (refused.json()["error"], codes_of(refused)) == ("invalid_request", [9002326])
    assert (await client.poll_device(started)).status_code == 200


async def test_a_code_is_good_for_the_tenant_that_was_signed_in_to(
    emulator: EntraEmulator, client: Client
) -> None:
    """AADSTS700005 elsewhere; /common serves all."""
    change_application(emulator, OPERATE, sign_in_audience="AzureADMultipleOrgs")
    home = client.tenant
    started = await client.start_device()
    await enter(client, started, user="Ada Admin")
    client.tenant = FABRIKAM
    refused = await client.poll_device(started)
    assert (refused.json()["error"], codes_of(refused)) == ("invalid_grant", [700005])
    client.tenant = "common"
    token = (await client.poll_device(started)).json()["access_token"]
    assert claims_of(token)["tid"] == home


async def test_a_disabled_or_revoked_user_gets_no_device_token(
    emulator: EntraEmulator, client: Client
) -> None:
    """The account is checked when the device polls."""
    started = await client.start_device()
    await enter(client, started, user="Ada Admin")
    change_user(emulator, "Ada Admin", enabled=False)
    assert codes_of(await client.poll_device(started)) == [50057]
    change_user(emulator, "Ada Admin", enabled=True)
    emulator.travel(1)
    emulator.revoke("Ada Admin")
    refused = await client.poll_device(started)
    assert (refused.json()["suberror"], codes_of(refused)) == ("bad_token", [50173])


async def test_the_page_counts_the_registration_as_it_is(emulator: EntraEmulator, client: Client) -> None:
    """An application that was disabled, or lost its consent, since the device started."""
    started = await client.start_device()
    change_application(emulator, OPERATE, enabled=False)
    assert "AADSTS7000112" in await enter(client, started, user="Ada Admin")
    change_application(emulator, OPERATE, enabled=True, admin_consent=False)
    assert "asks for your consent" in await enter(client, started, user="Ada Admin")


async def test_a_tenant_may_go_while_a_device_waits(emulator: EntraEmulator, client: Client) -> None:
    """The person reads it on the page."""
    change_application(emulator, OPERATE, sign_in_audience="AzureADMultipleOrgs")
    client.tenant = FABRIKAM
    started = await client.start_device()
    contoso = emulator.tenant
    members = tuple(user for user in contoso.users if user.home_tenant is None)
    emulator.directory = replace(emulator.directory, tenants=(replace(contoso, users=members),))
    assert "AADSTS90002" in await enter(client, started)


@pytest.mark.parametrize("name", ["Nobody", "gabi@fabrikam.example"])
async def test_users_of_another_tenant_get_the_error_page(client: Client, name: str) -> None:
    """The device waits on, for a user who can sign in."""
    started = await client.start_device()
    assert "AADSTS500" in await enter(client, started, user=name)
    assert codes_of(await client.poll_device(started)) == [70016]
