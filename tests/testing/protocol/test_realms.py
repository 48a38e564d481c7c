"""Which tenant a path means, who can sign in there, and for which application."""

from dataclasses import replace
from typing import Any

import pytest

from camunda_entra_fastapi.testing import Directory, EntraEmulator, Tenant, User
from camunda_entra_fastapi.testing.directory import BILLING, CONSUMERS, CONTOSO, OPERATE, UNRELATED
from tests.testing.browsing import (
    Browser,
    change_application,
    change_user,
    claims_of,
    code_of,
    people_on,
)
from tests.testing.conftest import Client

FABRIKAM = "fab00000-1111-4222-8333-444455556666"
PERSONAL = Tenant(CONSUMERS, "Personal accounts", "outlook.example", (User("pia@outlook.example", "Pia"),))
ANYBODY, MANY, ONE, PRIVATE = (
    "AzureADandPersonalMicrosoftAccount",
    "AzureADMultipleOrgs",
    "AzureADMyOrg",
    "PersonalMicrosoftAccount",
)
HOME = ["Ben Reader", "Ada Admin", "Gabi Guest"]


@pytest.fixture
def browser(client: Client, emulator: EntraEmulator) -> Browser:
    """A browser, with a tenant of personal accounts besides the two default ones."""
    emulator.directory = Directory((*emulator.directory.tenants, PERSONAL))
    return Browser(client)


def register(emulator: EntraEmulator, audience: str, **changes: Any) -> None:
    """Say for whose accounts Operate is."""
    change_application(emulator, OPERATE, sign_in_audience=audience, **changes)


@pytest.mark.parametrize("segment", ["contoso.onmicrosoft.com", "CONTOSO.onmicrosoft.com", CONTOSO.upper()])
async def test_a_domain_stands_for_its_tenant(browser: Browser, segment: str) -> None:
    """Each endpoint accepts it, in any letter case; tokens have the ID."""
    browser.client.tenant = segment
    tokens = await browser.tokens("Ada Admin")
    assert claims_of(tokens["access_token"])["tid"] == CONTOSO
    assert claims_of(tokens["id_token"])["iss"] == f"https://login.entra.localhost/{CONTOSO}/v2.0"
    assert (await browser.client.credentials()).status_code == 200
    document = await browser.client.http.get(f"/{segment}/v2.0/.well-known/openid-configuration")
    assert f"/{CONTOSO}/" in document.json()["issuer"]
    for path in ("discovery/v2.0/keys", "discovery/keys"):
        assert (await browser.client.http.get(f"/{segment}/{path}")).status_code == 200
    page = await browser.client.http.get(f"/{segment}/oauth2/v2.0/logout")
    assert "Ada Admin signed out of Contoso Workflow" in page.text


async def test_a_code_of_the_domain_is_redeemed_at_the_id(browser: Browser) -> None:
    """Both are the same tenant."""
    browser.client.tenant = "contoso.onmicrosoft.com"
    answer = await browser.arrive("Ada Admin")
    browser.client.tenant = CONTOSO
    assert (await browser.client.redeem_code(code=answer["code"])).status_code == 200


LISTED = [
    ("common", ANYBODY, ["Ben Reader", "Ada Admin", "Gabi Guest", "Pia"]),
    ("common", MANY, ["Ben Reader", "Ada Admin", "Gabi Guest"]),
    ("organizations", ANYBODY, ["Ben Reader", "Ada Admin", "Gabi Guest"]),
    ("organizations", MANY, ["Ben Reader", "Ada Admin", "Gabi Guest"]),
    ("consumers", ANYBODY, ["Pia"]),
    ("consumers", PRIVATE, ["Pia"]),
    (CONSUMERS, ANYBODY, ["Pia"]),
    ("outlook.example", ANYBODY, ["Pia"]),
    (CONTOSO, ANYBODY, HOME),
    (CONTOSO, ONE, HOME),
    (FABRIKAM, MANY, ["Gabi Guest"]),
]


@pytest.mark.parametrize(("segment", "audience", "people"), LISTED)
async def test_who_is_listed(
    browser: Browser, emulator: EntraEmulator, segment: str, audience: str, people: list[str]
) -> None:
    """Everybody whose accounts the path and the registration admit; a guest where at home."""
    register(emulator, audience)
    browser.client.tenant = segment
    page = await browser.open()
    assert people_on(page) == people


@pytest.mark.parametrize(
    ("segment", "name", "tenant"),
    [
        ("common", "Ada Admin", CONTOSO),
        ("common", "Gabi Guest", FABRIKAM),
        ("common", "Pia", CONSUMERS),
        ("organizations", "Gabi Guest", FABRIKAM),
        ("consumers", "Pia", CONSUMERS),
        (FABRIKAM, "Gabi Guest", FABRIKAM),
        (CONTOSO, "Gabi Guest", CONTOSO),
    ],
)
async def test_whose_tenant_the_tokens_are_of(
    browser: Browser, emulator: EntraEmulator, segment: str, name: str, tenant: str
) -> None:
    """The person's own where the path leaves it open; people of other tenants consent for themselves."""
    register(emulator, ANYBODY)
    browser.client.tenant = segment
    presses = [name] if tenant == CONTOSO else [name, "Accept"]
    tokens = await browser.tokens(*presses)
    for token in (tokens["access_token"], tokens["id_token"]):
        claims = claims_of(token)
        assert (claims["tid"], claims["iss"]) == (tenant, f"https://login.entra.localhost/{tenant}/v2.0")
    is_guest = (segment, name) == (CONTOSO, "Gabi Guest")
    assert ("idp" in claims) is is_guest


async def test_the_page_says_of_which_tenant_somebody_is(browser: Browser, emulator: EntraEmulator) -> None:
    """The tenant is shown if the path names none."""
    register(emulator, ANYBODY)
    browser.client.tenant = "common"
    assert '<span class="chip">Fabrikam' in await browser.open()
    browser.client.tenant = CONTOSO
    assert "of Contoso Workflow" not in await browser.open()


REFUSED: list[tuple[str, str, int]] = [
    ("common", ONE, 50194),
    ("organizations", ONE, 50194),
    ("consumers", ONE, 9001023),
    ("consumers", MANY, 9001023),
    (FABRIKAM, ONE, 700016),
    (FABRIKAM, PRIVATE, 700016),
    ("11111111-0000-4000-8000-000000000000", ONE, 90002),
    ("nowhere.example", ONE, 90002),
    ("nowhere", ONE, 900023),
    ("Common", ONE, 900023),
]


@pytest.mark.parametrize(("segment", "audience", "code"), REFUSED)
async def test_where_an_application_is_not_known(
    browser: Browser, emulator: EntraEmulator, segment: str, audience: str, code: int
) -> None:
    """The page says why, and the token endpoint says the same."""
    register(emulator, audience)
    browser.client.tenant = segment
    page = await browser.open()
    assert (browser.response.status_code, code_of(page)) == (200, code)
    assert "another account" not in page
    refused = await browser.client.redeem_code(code="x")
    assert (refused.status_code, refused.json()["error_codes"]) == (400, [code])


async def test_an_application_that_nobody_registered(browser: Browser) -> None:
    """700016, also for something that is no client ID, and for Graph's."""
    for client_id in (FABRIKAM, "x" * 500, "00000003-0000-0000-c000-000000000000"):
        page = await browser.open(client_id=client_id)
        assert code_of(page) == 700016
        assert "x" * 101 not in page


async def test_a_disabled_application(browser: Browser, emulator: EntraEmulator) -> None:
    """7000112, on the page and at the token endpoint."""
    answer = await browser.arrive("Ada Admin")
    change_application(emulator, OPERATE, enabled=False)
    assert code_of(await browser.open()) == 7000112
    refused = await browser.client.redeem_code(code=answer["code"])
    assert (refused.json()["error"], refused.json()["error_codes"]) == ("unauthorized_client", [7000112])


@pytest.mark.parametrize(("changes", "code"), [({"enabled": False}, 50057), ({"locked": True}, 50053)])
async def test_people_who_cannot_sign_in(
    browser: Browser, emulator: EntraEmulator, changes: dict[str, Any], code: int
) -> None:
    """The page offers another account, which can sign in."""
    change_user(emulator, "Ada Admin", **changes)
    await browser.open(prompt="login")
    assert code_of(await browser.press("Ada Admin")) == code
    assert "The application is not told" in browser.response.text
    await browser.press("Sign in with another account")
    assert browser.shows_accounts
    await browser.press("Ben Reader")
    assert browser.answer["state"] == "a state"


TYPED = [
    (CONTOSO, "gabi@fabrikam.example", 50020),
    (CONTOSO, "pia@outlook.example", 50020),
    (CONTOSO, "nobody@contoso.example", 50034),
    ("organizations", "pia@outlook.example", 50020),
    ("consumers", "ada@contoso.example", 50020),
]


@pytest.mark.parametrize(("segment", "name", "code"), TYPED)
async def test_names_that_are_typed_and_cannot_sign_in(
    browser: Browser, emulator: EntraEmulator, segment: str, name: str, code: int
) -> None:
    """A user of another tenant has another code than an unknown user."""
    register(emulator, ANYBODY)
    browser.client.tenant = segment
    await browser.open()
    assert code_of(await browser.press("Sign in with this account", user=name)) == code
    await browser.press("Sign in with another account")
    assert browser.shows_accounts


@pytest.mark.parametrize("name", ["ADA@contoso.example", "Ada Admin", "ada00000-0000-4000-8000-000000000001"])
async def test_names_that_are_typed_and_can(browser: Browser, name: str) -> None:
    """The username in any case, the display name, or the object ID."""
    await browser.open()
    await browser.press("Sign in with this account", user=name)
    assert "code" in browser.answer


async def test_consent_brings_an_application_into_a_foreign_tenant(
    browser: Browser, emulator: EntraEmulator
) -> None:
    """It has a service principal there afterwards, and can ask for tokens of its own."""
    change_application(emulator, BILLING, sign_in_audience=MANY)
    change_application(emulator, OPERATE, sign_in_audience=MANY)
    secret = "local-emulator-secret-of-operate"
    browser.client.tenant = FABRIKAM

    async def own_token() -> dict[str, Any]:
        answer = await browser.client.credentials(client_id=OPERATE, client_secret=secret)
        found: dict[str, Any] = answer.json()
        return found

    assert (await own_token())["error_codes"] == [7000229]
    page = await browser.open()
    assert people_on(page) == ["Gabi Guest"]
    assert "Use Operate as you" in await browser.press("Gabi Guest")
    assert (await own_token())["error_codes"] == [7000229]
    await browser.press("Accept")
    assert claims_of((await own_token())["access_token"])["tid"] == FABRIKAM


async def test_an_api_for_one_tenant_is_not_in_another(browser: Browser, emulator: EntraEmulator) -> None:
    """A user of Fabrikam gets no token by ``common`` for an API of Contoso alone."""
    register(emulator, MANY)
    browser.client.tenant = "common"
    scope = f"openid api://{UNRELATED}/access_as_user"
    await browser.open(scope=scope)
    assert code_of(await browser.press("Gabi Guest")) == 500011
    answer = await browser.arrive("Ada Admin", scope=scope)
    assert "code" in answer


async def test_a_single_tenant_application_is_redeemed_at_home_alone(
    browser: Browser, emulator: EntraEmulator
) -> None:
    """A code of one tenant is none of another, and none of personal accounts'."""
    register(emulator, ANYBODY)
    browser.client.tenant = CONTOSO
    answer = await browser.arrive("Ada Admin")
    for segment in (FABRIKAM, "consumers"):
        browser.client.tenant = segment
        refused = await browser.client.redeem_code(code=answer["code"])
        assert refused.json()["error_codes"] == [700005]
    browser.client.tenant = "organizations"
    assert (await browser.client.redeem_code(code=answer["code"])).status_code == 200


async def test_there_may_be_nobody(browser: Browser, emulator: EntraEmulator) -> None:
    """Without a tenant of personal accounts the page says that no user can sign in."""
    register(emulator, ANYBODY)
    emulator.directory = replace(emulator.directory, tenants=emulator.directory.tenants[:2])
    browser.client.tenant = "consumers"
    assert "Nobody of the directory can sign in here" in await browser.open()
    browser.client.tenant = CONSUMERS
    assert code_of(await browser.open()) == 90002


@pytest.mark.parametrize("segment", ["common", "consumers"])
async def test_applications_for_personal_accounts_alone_admit_no_others(
    browser: Browser, emulator: EntraEmulator, segment: str
) -> None:
    """An organization's account is not listed, and not let in."""
    register(emulator, PRIVATE)
    browser.client.tenant = segment
    assert people_on(await browser.open()) == ["Pia"]
    assert code_of(await browser.press("Sign in with this account", user="ada@contoso.example")) == 50020
    browser.client.tenant = CONSUMERS
    register(emulator, ONE)
    assert code_of(await browser.open()) == 9001023
