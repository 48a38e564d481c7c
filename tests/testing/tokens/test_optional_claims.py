"""Claims that a registration adds to tokens: optional ones, groups and directory roles."""

from typing import Any

import pytest

from camunda_entra_fastapi.testing import EntraEmulator, Group
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE, UNRELATED, OptionalClaims
from tests.conftest import FakeClock
from tests.testing.browsing import (
    Browser,
    change_application,
    change_tenant,
    change_user,
    claims_of,
)
from tests.testing.conftest import Client

ADA, BEN, GABI = "Ada Admin", "Ben Reader", "Gabi Guest"
ADAS = "ada00000-0000-4000-8000-000000000001"
GUEST = "gabi_fabrikam.example#EXT#@contoso.example"
ABROAD = f"openid api://{UNRELATED}/access_as_user"


@pytest.fixture
def browser(client: Client) -> Browser:
    """A browser without a session."""
    return Browser(client)


OF_PEOPLE: list[tuple[str, str, Any]] = [
    ("acct", ADA, 0),
    ("acct", GABI, 1),
    ("auth_time", ADA, 1_795_000_000),
    ("email", ADA, "ada@contoso.example"),
    ("family_name", ADA, "Admin"),
    ("given_name", ADA, "Ada"),
    ("login_hint", ADA, "O.YWRhMDAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDAx"),
    ("upn", ADA, "ada@contoso.example"),
    ("upn", GABI, GUEST),
]


@pytest.mark.parametrize(("name", "person", "value"), OF_PEOPLE)
async def test_claims_of_people(
    browser: Browser, emulator: EntraEmulator, name: Any, person: str, value: Any
) -> None:
    """In access tokens when the API registers them, in ID tokens when the client does; else in none."""
    change_application(emulator, OPERATE, optional_claims=OptionalClaims())
    scope = f"openid offline_access {OPERATE}/.default"
    tokens = await browser.tokens(person, scope=scope)
    assert not {name} & (claims_of(tokens["access_token"]).keys() | claims_of(tokens["id_token"]).keys())
    change_application(emulator, OPERATE, optional_claims=OptionalClaims(access_token=(name,)))
    tokens = await browser.tokens(scope=scope)
    assert claims_of(tokens["access_token"])[name] == value
    assert name not in claims_of(tokens["id_token"])
    change_application(emulator, OPERATE, optional_claims=OptionalClaims(id_token=(name,)))
    tokens = await browser.tokens(scope=scope)
    assert claims_of(tokens["id_token"])[name] == value
    assert name not in claims_of(tokens["access_token"])


async def test_sid_is_the_session(browser: Browser, emulator: EntraEmulator) -> None:
    """The same in both tokens, and ``session_state`` in the answer."""
    change_application(
        emulator, OPERATE, optional_claims=OptionalClaims(access_token=("sid",), id_token=("sid",))
    )
    tokens = await browser.tokens(ADA)
    session = browser.answer["session_state"]
    assert claims_of(tokens["access_token"])["sid"] == claims_of(tokens["id_token"])["sid"] == session


async def test_preferred_username_of_version_1(browser: Browser, emulator: EntraEmulator) -> None:
    """Version 2.0 has it anyway."""
    assert "preferred_username" not in claims_of((await browser.tokens(ADA, scope=ABROAD))["access_token"])
    optional = OptionalClaims(access_token=("preferred_username",))
    change_application(emulator, UNRELATED, optional_claims=optional)
    claims = claims_of((await browser.tokens(scope=ABROAD))["access_token"])
    assert (claims["ver"], claims["preferred_username"]) == ("1.0", "ada@contoso.example")


async def test_the_client_id_as_audience_of_version_1(browser: Browser, emulator: EntraEmulator) -> None:
    """``aud:use_guid``; else it is what the scope named."""
    assert claims_of((await browser.tokens(ADA, scope=ABROAD))["access_token"])["aud"] == f"api://{UNRELATED}"
    change_application(emulator, UNRELATED, optional_claims=OptionalClaims(access_token=("aud:use_guid",)))
    assert claims_of((await browser.tokens(scope=ABROAD))["access_token"])["aud"] == UNRELATED


@pytest.mark.parametrize(
    ("requested", "of_application", "of_person"),
    [
        ((), None, None),
        (("idtyp",), "app", None),
        (("idtyp:include_user_token",), "app", "user"),
        (("idtyp", "idtyp:include_user_token"), "app", "user"),
    ],
)
async def test_whose_token_it_is(
    browser: Browser,
    emulator: EntraEmulator,
    requested: Any,
    of_application: str | None,
    of_person: str | None,
) -> None:
    """``idtyp`` marks app-only tokens; users' tokens have it on request alone."""
    change_application(emulator, OPERATE, optional_claims=OptionalClaims(access_token=requested))
    answer = (await browser.client.credentials()).json()
    assert claims_of(answer["access_token"]).get("idtyp") == of_application
    tokens = await browser.tokens(ADA)
    assert claims_of(tokens["access_token"]).get("idtyp") == of_person


async def test_an_applications_token_has_nothing_of_people(client: Client, emulator: EntraEmulator) -> None:
    """Whatever the registration asks for."""
    people: Any = ("acct", "auth_time", "email", "family_name", "given_name", "login_hint", "sid", "upn")
    change_application(
        emulator,
        OPERATE,
        optional_claims=OptionalClaims(access_token=people),
        group_membership_claims="All",
    )
    claims = claims_of((await client.credentials()).json()["access_token"])
    assert not {*people, "groups", "wids", "name"} & claims.keys()
    assert claims["azp"] == BILLING


async def test_a_name_of_one_word_is_a_family_name(browser: Browser, emulator: EntraEmulator) -> None:
    """A user without a given name has no claim for it."""
    change_user(emulator, BEN, name="Ben")
    optional = OptionalClaims(access_token=("family_name", "given_name"))
    change_application(emulator, OPERATE, optional_claims=optional)
    claims = claims_of((await browser.tokens("Ben"))["access_token"])
    assert claims["family_name"] == "Ben"
    assert "given_name" not in claims


async def test_a_token_made_by_hand_comes_from_no_session(emulator: EntraEmulator, clock: FakeClock) -> None:
    """It has no ``sid`` and no ``auth_time``, whatever is registered."""
    optional = OptionalClaims(access_token=("sid", "auth_time", "upn"))
    change_application(emulator, OPERATE, optional_claims=optional)
    claims = claims_of(emulator.token(user=ADA))
    assert claims["upn"] == "ada@contoso.example"
    assert not {"sid", "auth_time"} & claims.keys()


async def test_guests_have_an_address_by_default(browser: Browser) -> None:
    """``email`` and ``idp`` come unasked for them."""
    tokens = await browser.tokens(GABI, scope=f"openid {OPERATE}/.default")
    for token in (tokens["access_token"], tokens["id_token"]):
        claims = claims_of(token)
        assert claims["email"] == "gabi@fabrikam.example"
        assert claims["idp"] == "https://sts.windows.net/fab00000-1111-4222-8333-444455556666/"


OUTER, INNER, NEWS, APART = (
    Group("Outer"),
    Group("Inner", member_of=("Outer",)),
    Group("News", security=False),
    Group("Apart"),
)
ADMINISTRATOR, EVERYBODY = (
    "62e90394-69f5-4237-9190-012177145e10",
    "b79fbf4d-3ef9-4689-8143-76b194e85509",
)

TOLD: list[tuple[str, str, list[Group] | None, list[str] | None]] = [
    ("None", ADA, None, None),
    ("SecurityGroup", ADA, [INNER, OUTER], None),
    ("DirectoryRole", ADA, None, [ADMINISTRATOR, EVERYBODY]),
    ("DirectoryRole", BEN, None, [EVERYBODY]),
    ("All", ADA, [INNER, NEWS, OUTER], [ADMINISTRATOR, EVERYBODY]),
    ("All", BEN, None, [EVERYBODY]),
    ("SecurityGroup", BEN, None, None),
]


def with_groups(emulator: EntraEmulator, kind: str, **changes: Any) -> None:
    """Put Ada in Inner, which is in Outer, and in News, which is no security group; Ben in none."""
    change_tenant(emulator, groups=(*emulator.tenant.groups, OUTER, INNER, NEWS, APART))
    change_user(emulator, ADA, groups=("Inner", "News"))
    change_user(emulator, BEN, groups=())
    change_application(emulator, OPERATE, group_membership_claims=kind, **changes)


@pytest.mark.parametrize(("kind", "name", "groups", "roles"), TOLD)
async def test_groups_in_a_token(
    browser: Browser,
    emulator: EntraEmulator,
    kind: str,
    name: str,
    groups: list[Group] | None,
    roles: list[str] | None,
) -> None:
    """In both tokens, as ``groupMembershipClaims`` has it; groups around groups count."""
    with_groups(emulator, kind)
    tokens = await browser.tokens(name)
    for token in (tokens["access_token"], tokens["id_token"]):
        claims = claims_of(token)
        assert claims.get("groups") == ([group.id for group in groups] if groups else None)
        assert claims.get("wids") == roles


@pytest.mark.parametrize(
    ("assigned", "expected"),
    [
        (("Inner", "Apart"), [INNER]),
        ((INNER.id,), [INNER]),
        (("Outer",), []),
        (("News",), []),
        ((), []),
    ],
)
async def test_groups_of_the_application(
    browser: Browser, emulator: EntraEmulator, assigned: tuple[str, ...], expected: list[Group]
) -> None:
    """``ApplicationGroup`` lists assigned groups that have the user as a direct member, and no others."""
    with_groups(emulator, "ApplicationGroup", assigned=assigned)
    tokens = await browser.tokens(ADA)
    assert claims_of(tokens["access_token"]).get("groups", []) == [group.id for group in expected]


@pytest.mark.parametrize(("count", "listed"), [(200, True), (201, False)])
async def test_more_than_200_groups_are_not_listed(
    browser: Browser, emulator: EntraEmulator, count: int, listed: bool
) -> None:
    """A claim names the endpoint to ask instead; directory roles are listed all the same."""
    many = tuple(Group(f"Group {number}") for number in range(count))
    change_tenant(emulator, groups=(*emulator.tenant.groups, *many))
    change_user(emulator, ADA, groups=tuple(group.name for group in many))
    change_application(emulator, OPERATE, group_membership_claims="All")
    tokens = await browser.tokens(ADA)
    for token in (tokens["access_token"], tokens["id_token"]):
        claims = claims_of(token)
        assert len(claims.get("groups", [])) == (count if listed else 0)
        assert ("_claim_names" in claims, "_claim_sources" in claims) == (not listed, not listed)
        assert claims["wids"] == [ADMINISTRATOR, EVERYBODY]
    if not listed:
        assert claims["_claim_names"] == {"groups": "src1"}
        endpoint = f"https://graph.windows.net/{emulator.tenant.id}/users/{ADAS}/getMemberObjects"
        assert claims["_claim_sources"] == {"src1": {"endpoint": endpoint}}


async def test_assigned_groups_avoid_the_overage(browser: Browser, emulator: EntraEmulator) -> None:
    """``ApplicationGroup`` is the way out: of 201 groups, the one that is assigned is listed."""
    many = tuple(Group(f"Group {number}") for number in range(201))
    change_tenant(emulator, groups=(*emulator.tenant.groups, *many))
    change_user(emulator, ADA, groups=tuple(group.name for group in many))
    change_application(emulator, OPERATE, group_membership_claims="ApplicationGroup", assigned=("Group 7",))
    claims = claims_of((await browser.tokens(ADA))["access_token"])
    assert claims["groups"] == [many[7].id]
    assert "_claim_names" not in claims


async def test_the_resource_decides_which_groups_are_in_its_token(
    browser: Browser, emulator: EntraEmulator
) -> None:
    """The API for the access token, the client for the ID token."""
    change_application(emulator, UNRELATED, group_membership_claims="None")
    tokens = await browser.tokens(ADA, scope=ABROAD)
    assert "groups" not in claims_of(tokens["access_token"])
    assert claims_of(tokens["id_token"])["groups"]
