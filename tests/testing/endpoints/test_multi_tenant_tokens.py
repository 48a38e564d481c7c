"""Tokens of a multi-tenant application: their tenants and their users."""

from dataclasses import replace
from typing import Any

import pytest

from camunda_entra_fastapi.testing import Consent, EntraEmulator, User
from camunda_entra_fastapi.testing.directory import BILLING, CONTOSO, OPERATE, UNRELATED
from tests.testing.browsing import Browser, change_application, claims_of
from tests.testing.conftest import Client

FABRIKAM = "fab00000-1111-4222-8333-444455556666"
GUEST = "6ab10000-0000-4000-8000-000000000003"
AT_HOME = "6ab10000-0000-4000-8000-000000000004"
GRAPH = "00000003-0000-0000-c000-000000000000"


@pytest.fixture(autouse=True)
def everywhere(emulator: EntraEmulator) -> None:
    """Operate is for all organizations, and Fabrikam's administrator agreed to it."""
    change_application(emulator, OPERATE, sign_in_audience="AzureADMultipleOrgs")
    change_application(emulator, BILLING, sign_in_audience="AzureADMultipleOrgs")
    consents = (
        Consent(OPERATE, OPERATE, ("access_as_user", "Incidents.Read")),
        Consent(OPERATE, GRAPH, ("openid", "profile", "email", "offline_access")),
    )
    change_fabrikam(emulator, consents=consents)


def change_fabrikam(emulator: EntraEmulator, **changes: Any) -> None:
    """Change the second tenant."""
    fabrikam = emulator.directory.tenants[1]
    emulator.directory = emulator.directory.with_tenant(replace(fabrikam, **changes))


@pytest.mark.parametrize(
    ("first", "second", "person"), [(FABRIKAM, CONTOSO, GUEST), (CONTOSO, FABRIKAM, AT_HOME)]
)
async def test_a_refresh_token_is_good_wherever_its_person_is(
    client: Client, first: str, second: str, person: str
) -> None:
    """At home or as a guest, the token is of the tenant in the path, and so is the next refresh token."""
    client.tenant = first
    tokens = await Browser(client).tokens("Gabi Guest")
    assert claims_of(tokens["access_token"])["tid"] == first
    client.tenant = second
    renewed = (await client.refresh(tokens)).json()
    assert (claims_of(renewed["access_token"])["tid"], claims_of(renewed["access_token"])["oid"]) == (
        second,
        person,
    )
    assert claims_of(renewed["id_token"])["iss"].endswith(f"/{second}/v2.0")
    client.tenant = "common"
    assert claims_of((await client.refresh(renewed)).json()["access_token"])["tid"] == second
    assert claims_of((await client.refresh(tokens)).json()["access_token"])["tid"] == first


async def test_a_refresh_token_does_not_take_strangers_along(emulator: EntraEmulator, client: Client) -> None:
    """AADSTS50020 at a tenant that knows a namesake at most; at home, it stays good."""
    namesakes = (User("ada@fabrikam.example", "Ada Admin"), User("ada@contoso.example", "Ada"))
    change_fabrikam(emulator, users=namesakes)
    tokens = await Browser(client).tokens("Ada Admin")
    home, client.tenant = client.tenant, FABRIKAM
    refused = await client.refresh(tokens)
    assert (refused.json()["error"], refused.json()["error_codes"]) == ("invalid_grant", [50020])
    assert "Ada Admin" in refused.json()["error_description"]
    client.tenant = home
    assert (await client.refresh(tokens)).status_code == 200


async def test_the_other_tenants_rules_hold_there(emulator: EntraEmulator, client: Client) -> None:
    """Its consents, its account, and the one that signed in."""
    tokens = await Browser(client).tokens("Gabi Guest")
    client.tenant = FABRIKAM
    other = f"{UNRELATED}/access_as_user"
    assert (await client.refresh(tokens, scope=other)).json()["error_codes"] == [500011]
    gabi = emulator.directory.tenants[1].users[0]
    change_fabrikam(emulator, consents=())
    assert (await client.refresh(tokens)).json()["error_codes"] == [65001]
    change_fabrikam(emulator, users=(replace(gabi, enabled=False),))
    assert (await client.refresh(tokens)).json()["error_codes"] == [50057]


async def test_personal_accounts_have_an_endpoint_of_their_own(
    emulator: EntraEmulator, client: Client
) -> None:
    """A sign-in with an organization's account is not refreshed at /consumers."""
    change_application(emulator, OPERATE, sign_in_audience="AzureADandPersonalMicrosoftAccount")
    tokens = await Browser(client).tokens("Ada Admin")
    client.tenant = "consumers"
    assert (await client.refresh(tokens)).json()["error_codes"] == [50020]


async def test_an_application_is_itself_in_each_tenant_that_consented(
    emulator: EntraEmulator, client: Client
) -> None:
    """The same credential, the tenant's own tokens; elsewhere AADSTS7000229."""
    client.tenant = FABRIKAM
    refused = await client.credentials()
    assert (refused.status_code, refused.json()["error_codes"]) == (401, [7000229])
    change_fabrikam(emulator, consents=(Consent(BILLING, OPERATE, ()),))
    token = (await client.credentials()).json()["access_token"]
    assert (claims_of(token)["tid"], claims_of(token)["azp"]) == (FABRIKAM, BILLING)
    assert claims_of(token)["iss"].endswith(f"/{FABRIKAM}/v2.0")
    elsewhere = await client.credentials(scope=f"{UNRELATED}/.default")
    assert elsewhere.json()["error_codes"] == [500011]
