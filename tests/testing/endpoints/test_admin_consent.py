"""Admin consent covers all that is registered, OpenID Connect's scopes, and a service principal."""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE, UNRELATED
from tests.testing.browsing import Browser, change_application
from tests.testing.conftest import WEB, Client

FABRIKAM = "fab00000-1111-4222-8333-444455556666"
V2 = {"scope": f"{OPERATE}/.default"}


async def ask(client: Client, *, v1: bool = False, **query: str) -> httpx2.Response:
    """An application sends an administrator."""
    parameters = {"client_id": OPERATE} | ({} if v1 else V2) | query
    return await client.http.get(address_of(client, v1=v1), params=parameters)


async def decide(
    client: Client, user: str, decision: str = "granted", *, v1: bool = False, **query: str
) -> httpx2.Response:
    """A user presses a button on the page."""
    parameters = {"client_id": OPERATE} | ({} if v1 else V2) | query
    form = {"user": user, "consent": decision}
    return await client.http.post(address_of(client, v1=v1), params=parameters, data=form)


def address_of(client: Client, *, v1: bool) -> str:
    """The endpoint, in the version that asks for all that is registered, or in the newer one."""
    return f"/{client.tenant}/{'' if v1 else 'v2.0/'}adminconsent"


def answer_of(response: httpx2.Response) -> dict[str, Any]:
    """The response to the redirect URI."""
    assert response.status_code == 302, response.text
    query = urlsplit(response.headers["location"]).query
    return {name: values[0] for name, values in parse_qs(query).items()}


def listed(page: str) -> list[str]:
    """The names of the permissions on the page."""
    items = re.findall(r"<li><strong>([^<]+)</strong>(?:<br><span[^>]*>([^<,]+))?", page)
    return [value or text for text, value in items]


@pytest.fixture
def everywhere(emulator: EntraEmulator, client: Client) -> None:
    """The applications are for all organizations; Fabrikam's administrator looks at them."""
    for name in (OPERATE, BILLING):
        change_application(emulator, name, sign_in_audience="AzureADMultipleOrgs", redirect_uris={WEB: "web"})
    fabrikam = emulator.directory.tenants[1]
    users = (replace(fabrikam.users[0], administrator=True),)
    emulator.directory = emulator.directory.with_tenant(replace(fabrikam, users=users))
    client.tenant = FABRIKAM


@pytest.mark.parametrize("v1", [True, False])
async def test_nobody_is_asked_afterwards(emulator: EntraEmulator, client: Client, v1: bool) -> None:
    """Not even about OpenID Connect's own scopes, which every sign-in asks for."""
    change_application(emulator, OPERATE, admin_consent=False)
    browser = Browser(client)
    await browser.open()
    assert "asks for your consent" in await browser.press("Ben Reader")
    page = (await ask(client, v1=v1)).text
    assert {"access_as_user", "Incidents.Read", "openid", "profile", "offline_access"} <= set(listed(page))
    assert answer_of(await decide(client, "Ada Admin", v1=v1))["admin_consent"] == "True"
    client.http.cookies.clear()
    assert "code" in await browser.arrive("Ben Reader")


async def test_scopes_of_openid_connect_are_listed_once(client: Client) -> None:
    """Also when the application names some of them."""
    page = (await ask(client, scope=f"openid email {OPERATE}/.default")).text
    assert sorted(listed(page)) == sorted(
        ["access_as_user", "Incidents.Read", "openid", "email", "profile", "offline_access"]
    )


async def test_version_1_lists_every_api_where_the_registration_lists_none(
    emulator: EntraEmulator, client: Client
) -> None:
    """``permissions=None`` stands for all that there are; those that are named stand for themselves."""
    everything = listed((await ask(client, v1=True)).text)
    assert everything.count("access_as_user") == 2
    assert "User.Read" in everything
    change_application(emulator, OPERATE, permissions={UNRELATED: ("access_as_user",), BILLING: ()})
    chosen = listed((await ask(client, v1=True)).text)
    assert chosen == ["access_as_user", "openid", "profile", "email", "offline_access"]


async def test_who_declines_grants_nothing(emulator: EntraEmulator, client: Client) -> None:
    """People are asked as before."""
    change_application(emulator, OPERATE, admin_consent=False)
    for v1 in (True, False):
        declined = answer_of(await decide(client, "Ada Admin", "refused", v1=v1))
        assert declined["admin_consent"] == "True"
        assert "state" not in declined
    browser = Browser(client)
    await browser.open()
    assert "asks for your consent" in await browser.press("Ben Reader")


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("v1", [True, False])
@pytest.mark.parametrize("permissions", [None, {OPERATE: ()}])
async def test_a_consent_puts_the_application_into_the_tenant(
    emulator: EntraEmulator, client: Client, v1: bool, permissions: Any
) -> None:
    """AADSTS7000229 before; afterwards it gets tokens there, though it has no delegated permission at all."""
    change_application(emulator, BILLING, permissions=permissions)
    assert (await client.credentials()).json()["error_codes"] == [7000229]
    granted = await decide(client, "Gabi Guest", v1=v1, client_id=BILLING)
    assert answer_of(granted)["tenant"] == FABRIKAM
    assert (await client.credentials()).status_code == 200


@pytest.mark.usefixtures("everywhere")
async def test_a_consent_is_its_tenants_alone(emulator: EntraEmulator, client: Client) -> None:
    """At /organizations the consent is for the administrator's tenant, and the response names it."""
    change_application(emulator, OPERATE, admin_consent=False)
    client.tenant = "organizations"
    page = (await ask(client)).text
    assert "Ada Admin" in page
    assert "Gabi Guest" in page
    assert answer_of(await decide(client, "gabi@fabrikam.example"))["tenant"] == FABRIKAM
    browser = Browser(client)
    await browser.open()
    assert "asks for your consent" in await browser.press("Ben Reader")
    assert "code" in await browser.arrive("Gabi Guest", prompt="select_account")


@pytest.mark.parametrize("v1", [True, False])
async def test_strangers_cannot_consent(client: Client, v1: bool) -> None:
    """A user of another tenant, or an unknown one, cannot; the redirect URI gets no response."""
    assert "AADSTS50020" in (await decide(client, "gabi@fabrikam.example", v1=v1)).text
    assert "AADSTS50034" in (await decide(client, "Nobody", v1=v1)).text


@pytest.mark.parametrize("v1", [True, False])
async def test_an_answer_goes_to_registered_addresses(client: Client, v1: bool) -> None:
    """The first one where none is named, none at all where another one is."""
    answer = await decide(client, "Ada Admin", v1=v1)
    assert answer.headers["location"].startswith(f"{WEB}?admin_consent=True&")
    page = await ask(client, v1=v1, redirect_uri="https://evil.example/")
    assert "AADSTS50011" in page.text
    unknown = await decide(client, "Ada Admin", v1=v1, client_id=UNRELATED)
    assert "AADSTS900971" in unknown.text
