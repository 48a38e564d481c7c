"""Conditional Access: second factors, blocks, authentication contexts, and what claims requests ask for."""

import json
from typing import Any

import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import (
    OPERATE,
    UNRELATED,
    ConditionalAccess,
    OptionalClaims,
)
from tests.conftest import FakeClock
from tests.testing.browsing import (
    Browser,
    change_application,
    change_tenant,
    change_user,
    claims_of,
    code_of,
)
from tests.testing.conftest import Client

ADA, BEN = "Ada Admin", "Ben Reader"
OWN = f"openid profile offline_access {OPERATE}/.default"
ABROAD = f"openid offline_access api://{UNRELATED}/access_as_user"
CP1 = json.dumps({"access_token": {"xms_cc": {"values": ["cp1"]}}})


@pytest.fixture
def browser(client: Client) -> Browser:
    """A browser without a session."""
    return Browser(client)


def demand(emulator: EntraEmulator, *policies: ConditionalAccess) -> None:
    """Put policies in place of those that there are."""
    change_tenant(emulator, policies=policies)


async def renew(browser: Browser, tokens: dict[str, Any], **changes: str) -> dict[str, Any]:
    """The token response for Operate's refresh token."""
    answer = await browser.client.refresh(tokens, **changes)
    found: dict[str, Any] = answer.json()
    assert answer.status_code == (400 if "error" in found else 200)
    return found


def context(name: str) -> str:
    """A claims request for an authentication context, as a challenge has it."""
    return json.dumps({"access_token": {"acrs": {"essential": True, "value": name}}})


async def test_a_second_factor_is_asked_for_once(browser: Browser, emulator: EntraEmulator) -> None:
    """The page names who demands it; the session remembers it, in silence and for other applications."""
    demand(emulator, ConditionalAccess("mfa"))
    await browser.open(scope=ABROAD)
    page = await browser.press(BEN)
    assert "A policy of Contoso Workflow demands a second factor for Unrelated API" in page
    assert "location" not in browser.response.headers
    await browser.press("It is me, Ben Reader")
    first = (await browser.client.redeem_code(code=browser.answer["code"])).json()
    assert claims_of(first["access_token"])["amr"] == ["pwd", "mfa"]
    again = await browser.tokens(scope=ABROAD, prompt="none")
    assert claims_of(again["access_token"])["amr"] == ["pwd", "mfa"]
    assert "code" in await browser.arrive(scope=OWN)
    assert "error" not in await renew(browser, first)


async def test_without_a_policy_there_is_one_factor(browser: Browser) -> None:
    """No page asks for a second factor, and the token says so."""
    tokens = await browser.tokens(BEN, scope=ABROAD)
    assert claims_of(tokens["access_token"])["amr"] == ["pwd"]


async def test_cancelling_the_second_factor_cancels_the_sign_in(
    browser: Browser, emulator: EntraEmulator
) -> None:
    """The redirect URI gets the error, and no session begins."""
    demand(emulator, ConditionalAccess("mfa"))
    await browser.open()
    await browser.press(BEN)
    await browser.press("Cancel")
    assert browser.answer == {"error": "access_denied", "error_subcode": "cancel", "state": "a state"}
    await browser.open()
    assert browser.shows_accounts


async def test_the_second_factor_counts_behind_the_consent_page(
    browser: Browser, emulator: EntraEmulator
) -> None:
    """Both pages are answered once, in that order."""
    demand(emulator, ConditionalAccess("mfa"))
    change_application(emulator, OPERATE, admin_consent=False)
    await browser.open(scope=ABROAD)
    assert "It is me" in await browser.press(BEN)
    assert "asks for your consent" in await browser.press("It is me")
    await browser.press("Accept")
    tokens = (await browser.client.redeem_code(code=browser.answer["code"])).json()
    assert claims_of(tokens["access_token"])["amr"] == ["pwd", "mfa"]


POLICIES = [
    (ConditionalAccess("mfa", applications=(OPERATE,)), OWN, BEN, True),
    (ConditionalAccess("mfa", applications=(UNRELATED,)), OWN, BEN, False),
    (ConditionalAccess("mfa", applications=(UNRELATED,)), ABROAD, BEN, True),
    (ConditionalAccess("mfa", applications=(UNRELATED,)), f"{OWN} {ABROAD}", BEN, True),
    (ConditionalAccess("mfa", users=("ben@contoso.example",)), OWN, BEN, True),
    (ConditionalAccess("mfa", users=("ben@contoso.example",)), OWN, ADA, False),
    (ConditionalAccess("mfa", context="c1"), OWN, BEN, False),
]


@pytest.mark.parametrize(("policy", "scope", "name", "prompted"), POLICIES)
async def test_users_and_resources_that_a_policy_applies_to(
    browser: Browser,
    emulator: EntraEmulator,
    policy: ConditionalAccess,
    scope: str,
    name: str,
    prompted: bool,
) -> None:
    """Its people, on the way to its resources; for everybody and everything where it names none."""
    demand(emulator, policy)
    await browser.open(scope=scope)
    assert ("It is me" in await browser.press(name)) is prompted


async def test_a_second_factor_needs_a_page(browser: Browser, emulator: EntraEmulator) -> None:
    """50076 has the claims that the next sign-in must satisfy."""
    await browser.arrive(BEN)
    demand(emulator, ConditionalAccess("mfa"))
    answer = await browser.arrive(prompt="none")
    assert (answer["error"], code_of(answer["error_description"])) == ("interaction_required", 50076)
    claims = json.loads(answer["claims"])
    assert claims["access_token"]["capolids"]["essential"] is True
    await browser.arrive("It is me", claims=answer["claims"])
    assert "code" in await browser.arrive(prompt="none")


async def test_a_second_factor_is_not_possible_at_the_token_endpoint(
    browser: Browser, emulator: EntraEmulator
) -> None:
    """A refresh token of before the policy is refused, with claims and suberror."""
    tokens = await browser.tokens(BEN)
    demand(emulator, ConditionalAccess("mfa"))
    refused = await renew(browser, tokens)
    assert (refused["error"], refused["suberror"]) == ("interaction_required", "basic_action")
    assert refused["error_codes"] == [50076]
    assert json.loads(refused["claims"])["access_token"]["capolids"]["essential"] is True


async def test_a_blocked_user_sees_the_error_page(browser: Browser, emulator: EntraEmulator) -> None:
    """53003 is on the page, which offers another account; message_only where no page can be shown."""
    tokens = await browser.tokens(BEN)
    demand(emulator, ConditionalAccess("block", users=("ben@contoso.example",)))
    assert code_of(await browser.open()) == 53003
    answer = await browser.arrive(prompt="none")
    assert (answer["error"], code_of(answer["error_description"])) == ("interaction_required", 53003)
    refused = await renew(browser, tokens)
    assert (refused["error_codes"], refused["suberror"]) == ([53003], "message_only")
    await browser.open()
    await browser.press("Sign in with another account")
    await browser.press(ADA)
    assert "code" in browser.answer


async def test_users_without_a_registered_second_factor(browser: Browser, emulator: EntraEmulator) -> None:
    """50079 is on the page, and where no page can be shown; without a policy it does not matter."""
    change_user(emulator, BEN, second_factor=False)
    tokens = await browser.tokens(BEN)
    demand(emulator, ConditionalAccess("mfa"))
    assert code_of(await browser.open()) == 50079
    answer = await browser.arrive(prompt="none")
    assert code_of(answer["error_description"]) == 50079
    refused = await renew(browser, tokens)
    assert refused["error_codes"] == [50079]
    assert json.loads(refused["claims"])["access_token"]["polids"]["essential"] is True


async def test_an_authentication_context_is_satisfied_by_a_page(
    browser: Browser, emulator: EntraEmulator
) -> None:
    """The token names it in ``acrs`` once the second factor was shown; who does not ask has none."""
    demand(emulator, ConditionalAccess("mfa", context="c1"))
    tokens = await browser.tokens(BEN)
    assert "acrs" not in claims_of(tokens["access_token"])
    await browser.open(claims=context("c1"))
    await browser.press("It is me")
    stepped_up = (await browser.client.redeem_code(code=browser.answer["code"])).json()
    assert claims_of(stepped_up["access_token"])["acrs"] == ["c1"]
    assert claims_of((await renew(browser, stepped_up))["access_token"])["acrs"] == ["c1"]
    assert "acrs" not in claims_of((await browser.tokens())["access_token"])


async def test_an_authentication_context_is_not_satisfied_in_silence(
    browser: Browser, emulator: EntraEmulator
) -> None:
    """50076 repeats the context that is wanted, at both endpoints."""
    demand(emulator, ConditionalAccess("mfa", context="c1"))
    tokens = await browser.tokens(BEN)
    answer = await browser.arrive(prompt="none", claims=context("c1"))
    refused = await renew(browser, tokens, claims=context("c1"))
    for claims in (answer["claims"], refused["claims"]):
        assert json.loads(claims) == {"access_token": {"acrs": {"essential": True, "values": ["c1"]}}}
    assert refused["error_codes"] == [50076]
    assert "error" not in await renew(browser, tokens, claims=context("c2"))


async def test_several_contexts_may_be_asked_for(browser: Browser) -> None:
    """``values`` stands for ``value``; contexts without a policy demand nothing."""
    claims = json.dumps({"access_token": {"acrs": {"values": ["c1", "c2"]}}})
    tokens = await browser.tokens(BEN, claims=claims)
    assert claims_of(tokens["access_token"])["acrs"] == ["c1", "c2"]


@pytest.mark.parametrize("value", ["cp1", "CP1"])
async def test_clients_that_handle_challenges_get_tokens_for_a_day(
    browser: Browser, emulator: EntraEmulator, clock: FakeClock, value: str
) -> None:
    """The resource must handle them, too; the response says when to refresh."""
    change_application(emulator, OPERATE, optional_claims=OptionalClaims(access_token=("xms_cc",)))
    claims = json.dumps({"access_token": {"xms_cc": {"values": [value]}}})
    tokens = await browser.tokens(BEN, claims=claims)
    found = claims_of(tokens["access_token"])
    assert (found["xms_cc"], found["exp"]) == (["cp1"], clock.now + 86_400)
    assert (tokens["expires_in"], tokens["ext_expires_in"], tokens["refresh_in"]) == (86_399, 86_399, 43_200)
    renewed = await renew(browser, tokens)
    assert (claims_of(renewed["access_token"])["xms_cc"], renewed["refresh_in"]) == (["cp1"], 43_200)


async def test_other_tokens_live_for_an_hour(browser: Browser, emulator: EntraEmulator) -> None:
    """It takes both: a client that says so, and a resource that wants to know."""
    tokens = await browser.tokens(BEN, claims=CP1)
    assert "xms_cc" not in claims_of(tokens["access_token"])
    assert ("refresh_in" in tokens, tokens["expires_in"]) == (False, 3599)
    change_application(emulator, OPERATE, optional_claims=OptionalClaims(access_token=("xms_cc",)))
    tokens = await browser.tokens()
    assert "xms_cc" not in claims_of(tokens["access_token"])
    assert ("refresh_in" in tokens, tokens["expires_in"]) == (False, 3599)
    renewed = await renew(browser, tokens, claims=CP1)
    assert claims_of(renewed["access_token"])["xms_cc"] == ["cp1"]


async def test_applications_get_tokens_for_a_day_too(client: Client, emulator: EntraEmulator) -> None:
    """Client credentials are the same, as measured at Entra."""
    change_application(emulator, OPERATE, optional_claims=OptionalClaims(access_token=("xms_cc",)))
    answer = (await client.credentials(claims=CP1)).json()
    assert (answer["expires_in"], answer["refresh_in"]) == (86_399, 43_200)
    assert claims_of(answer["access_token"])["xms_cc"] == ["cp1"]


async def test_claims_of_the_id_token_may_be_asked_for(browser: Browser, clock: FakeClock) -> None:
    """Those that are known, registered or not; the others are passed over."""
    claims = json.dumps({"id_token": {"auth_time": {"essential": True}, "acct": None, "shoe_size": None}})
    found = claims_of((await browser.tokens(BEN, claims=claims))["id_token"])
    assert (found["auth_time"], found["acct"]) == (clock.now, 0)
    assert "shoe_size" not in found


UNDERSTOOD = [
    "{}",
    '{"access_token": null, "id_token": null}',
    '{"access_token": {"acrs": null, "xms_cc": {"essential": true}, "nbf": {"value": "1604106651"}}}',
    '{"userinfo": {"name": null}}',
]


@pytest.mark.parametrize("claims", UNDERSTOOD)
async def test_claims_requests_that_demand_nothing(browser: Browser, claims: str) -> None:
    """Unknown claims are no mistake (OpenID Connect Core, 5.5)."""
    tokens = await browser.tokens(BEN, claims=claims)
    assert not {"acrs", "xms_cc"} & claims_of(tokens["access_token"]).keys()


MALFORMED = [
    "eyJhY2Nlc3NfdG9rZW4iOnt9fQ==",
    "[]",
    "null",
    "1",
    '"text"',
    "{",
    '{"access_token": []}',
    '{"access_token": "acrs"}',
    '{"access_token": {"acrs": "c1"}}',
    '{"access_token": {"acrs": {"values": "c1"}}}',
    '{"access_token": {"acrs": {"value": 1}}}',
    '{"access_token": {"acrs": {"values": [["c1"]]}}}',
    '{"id_token": 1}',
    '{"id_token": ["auth_time"]}',
    "[" * 4000,
    '{"access_token": {}}' + " " * 4096,
]


@pytest.mark.parametrize("claims", MALFORMED)
async def test_malformed_claims_requests(browser: Browser, claims: str) -> None:
    """9000410 at both endpoints, before anything else happens."""
    answer = await browser.arrive(claims=claims)
    assert (answer["error"], code_of(answer["error_description"])) == ("invalid_request", 9000410)
    refused = (await browser.client.credentials(claims=claims)).json()
    assert (refused["error"], refused["error_codes"]) == ("invalid_request", [9000410])


async def test_a_code_meets_the_directory_as_it_is_now(browser: Browser, emulator: EntraEmulator) -> None:
    """A user who was disabled or blocked after the sign-in gets no tokens."""
    code = (await browser.arrive(BEN))["code"]
    demand(emulator, ConditionalAccess("block"))
    assert (await browser.client.redeem_code(code=code)).json()["error_codes"] == [53003]
    demand(emulator)
    change_user(emulator, BEN, enabled=False)
    assert (await browser.client.redeem_code(code=code)).json()["error_codes"] == [50057]
    change_user(emulator, BEN, enabled=True)
    assert (await browser.client.redeem_code(code=code)).status_code == 200


async def test_a_token_in_the_answer_itself_may_live_for_a_day(
    browser: Browser, emulator: EntraEmulator
) -> None:
    """The lifetime beside the token is the token's."""
    optional_claims = OptionalClaims(access_token=("xms_cc",))
    change_application(emulator, OPERATE, optional_claims=optional_claims, access_token_issuance=True)
    answer = await browser.arrive(BEN, response_type="token", claims=CP1)
    claims = claims_of(answer["access_token"])
    assert answer["expires_in"] == "86399"
    assert claims["exp"] - claims["iat"] == 86_400 + 300


async def test_an_id_token_has_contexts_if_its_client_requests_them(
    browser: Browser, emulator: EntraEmulator
) -> None:
    """As an optional claim of the client's registration."""
    claims = json.dumps({"access_token": {"acrs": {"value": "c1"}}})
    assert "acrs" not in claims_of((await browser.tokens(BEN, claims=claims))["id_token"])
    change_application(emulator, OPERATE, optional_claims=OptionalClaims(id_token=("acrs",)))
    assert claims_of((await browser.tokens(claims=claims))["id_token"])["acrs"] == ["c1"]
    assert "acrs" not in claims_of((await browser.tokens())["id_token"])
