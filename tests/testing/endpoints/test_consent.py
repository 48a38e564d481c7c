"""Consent: the permissions that need it, the users who may give it, and the errors without it."""

from dataclasses import replace
from typing import Any

import pytest

from camunda_entra_fastapi.testing import EntraEmulator, Group
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE, UNRELATED, Consent, Scope
from tests.testing.browsing import (
    Browser,
    change_application,
    change_tenant,
    change_user,
    claims_of,
    code_of,
)
from tests.testing.conftest import SECRET, Client

ADA, BEN, GABI = "Ada Admin", "Ben Reader", "Gabi Guest"
GRAPH = "00000003-0000-0000-c000-000000000000"
READ = f"{OPERATE}/Incidents.Read"
ABROAD = f"api://{UNRELATED}/access_as_user"
ADMIN_ONLY = (
    Scope("Incidents.Read", "Read the incidents that you may see"),
    Scope("Incidents.Write", "Change all incidents", admin_only=True),
)


@pytest.fixture
def browser(client: Client, emulator: EntraEmulator) -> Browser:
    """A browser, and a client without any consent."""
    change_application(emulator, OPERATE, admin_consent=False)
    return Browser(client)


def scopes_of(tokens: dict[str, Any]) -> list[str]:
    """The delegated permissions of the access token."""
    words: str = claims_of(tokens["access_token"])["scp"]
    return words.split()


async def test_with_an_administrators_consent_nobody_is_asked(client: Client) -> None:
    """The default directory is one that an administrator has been at."""
    assert "code" in await Browser(client).arrive(BEN)


async def test_the_page_names_the_permissions(browser: Browser) -> None:
    """The page has descriptions and values, OpenID Connect's too, and nothing else."""
    await browser.open(scope=f"openid offline_access {READ}")
    page = await browser.press(BEN)
    for words in (
        "Operate asks for your consent",
        "Read the incidents that you may see",
        "Incidents.Read",
        "Sign you in",
        "Stay signed in while you are away",
        f"{READ} https://graph.microsoft.com/openid",
    ):
        assert words in page
    assert "Use Operate as you" not in page
    assert "everybody" not in page


async def test_a_permission_without_a_description_is_named_by_its_value(browser: Browser) -> None:
    """A registration need not describe anything."""
    await browser.open(scope=ABROAD)
    page = await browser.press(BEN)
    assert "<strong>access_as_user</strong>" in page
    assert "<strong></strong>" not in page


async def test_what_was_accepted_is_remembered(browser: Browser) -> None:
    """A consent counts for that user, in each browser, and for those permissions alone."""
    await browser.arrive(BEN, "Accept", scope=f"openid {READ}")
    browser.client.http.cookies.clear()
    tokens = await browser.tokens(BEN, scope=f"openid {READ}")
    assert scopes_of(tokens) == ["Incidents.Read"]
    page = await browser.open(scope=f"openid {READ} {OPERATE}/access_as_user")
    assert "Use Operate as you" in page
    assert "Read the incidents" not in page
    browser.client.http.cookies.clear()
    await browser.open(scope=f"openid {READ}")
    assert "Read the incidents" in await browser.press(GABI)


async def test_what_was_declined_is_told_to_the_application(browser: Browser) -> None:
    """access_denied with 65004; the next time the person is asked again."""
    answer = await browser.arrive(BEN, "Decline")
    assert (answer["error"], code_of(answer["error_description"])) == ("access_denied", 65004)
    assert answer["state"] == "a state"
    await browser.open()
    assert browser.shows_accounts
    assert "asks for your consent" in await browser.press(BEN)


@pytest.mark.parametrize(
    ("user", "passes"),
    [(None, {BEN: True, ADA: True}), ("ben@contoso.example", {BEN: True, ADA: False})],
)
async def test_consents_of_the_directory(
    browser: Browser, emulator: EntraEmulator, user: str | None, passes: dict[str, bool]
) -> None:
    """A consent of the directory is for everybody, or for one user."""
    change_tenant(emulator, consents=(Consent(OPERATE, OPERATE, ("Incidents.Read",), user),))
    for name, expected in passes.items():
        browser.client.http.cookies.clear()
        await browser.open(scope=READ)
        await browser.press(name)
        assert ("location" in browser.response.headers) is expected


async def test_consents_of_other_clients_do_not_count(browser: Browser, emulator: EntraEmulator) -> None:
    """Nor do those for other resources."""
    change_tenant(
        emulator,
        consents=(
            Consent(BILLING, OPERATE, ("Incidents.Read",)),
            Consent(OPERATE, UNRELATED, ("access_as_user",)),
        ),
    )
    await browser.open(scope=READ)
    assert "asks for your consent" in await browser.press(BEN)


async def test_an_administrator_may_consent_for_everybody(browser: Browser) -> None:
    """A ticked box consents for everybody, so that other users see no page."""
    await browser.open()
    assert "Consent for everybody in Contoso Workflow" in await browser.press(ADA)
    await browser.press("Accept", "everybody")
    assert "code" in browser.answer
    for name in (BEN, GABI):
        browser.client.http.cookies.clear()
        assert "code" in await browser.arrive(name)


async def test_an_administrator_may_consent_alone(browser: Browser) -> None:
    """Without the tick it is for one."""
    await browser.arrive(ADA, "Accept")
    browser.client.http.cookies.clear()
    await browser.open()
    assert "asks for your consent" in await browser.press(BEN)


async def test_nobody_else_consents_for_everybody(browser: Browser) -> None:
    """A made-up tick counts for that user alone."""
    await browser.open()
    await browser.press(BEN)
    await browser.press("Accept", "everybody")
    assert "code" in browser.answer
    browser.client.http.cookies.clear()
    await browser.open()
    assert "asks for your consent" in await browser.press(GABI)


async def need_approval(browser: Browser, emulator: EntraEmulator, why: str) -> None:
    """Bring Ben to where an administrator is needed."""
    change_application(emulator, OPERATE, scopes=ADMIN_ONLY)
    change_tenant(emulator, user_consent=why != "people may not consent")
    scope = f"{OPERATE}/Incidents.Write" if why == "admin only" else READ
    await browser.open(scope=f"openid {scope}")
    await browser.press(BEN)


WHY = ["admin only", "people may not consent"]


@pytest.mark.parametrize("why", WHY)
async def test_an_administrator_must_approve(browser: Browser, emulator: EntraEmulator, why: str) -> None:
    """90094 stays on the page, names what is asked for, and has no button that accepts."""
    await need_approval(browser, emulator, why)
    page = browser.response.text
    assert (browser.response.status_code, code_of(page)) == (200, 90094)
    assert "Accept" not in page
    assert ("Change all incidents" in page) is (why == "admin only")
    assert ("needs an administrator" in page) is (why == "admin only")
    assert emulator.requests[-1].error.startswith("AADSTS90094: Ben Reader cannot consent to ")


@pytest.mark.parametrize("why", WHY)
async def test_somebody_else_may_sign_in_and_consent(
    browser: Browser, emulator: EntraEmulator, why: str
) -> None:
    """One way out of the approval page: an administrator comes and accepts."""
    await need_approval(browser, emulator, why)
    await browser.press("Sign in with another account")
    assert browser.shows_accounts
    assert "asks for your consent" in await browser.press(ADA)
    await browser.press("Accept", "everybody")
    assert browser.answer["state"] == "a state"
    browser.client.http.cookies.clear()
    await need_approval(browser, emulator, why)
    assert "code" in browser.answer


@pytest.mark.parametrize("why", WHY)
async def test_a_person_may_return_without_approval(
    browser: Browser, emulator: EntraEmulator, why: str
) -> None:
    """The other way out: the application hears what it hears of who cancels."""
    await need_approval(browser, emulator, why)
    await browser.press("Return to Operate without signing in")
    assert browser.answer == {"error": "access_denied", "error_subcode": "cancel", "state": "a state"}


async def test_approval_cannot_be_made_up(browser: Browser, emulator: EntraEmulator) -> None:
    """The form value of the consent page does not make a user an administrator."""
    await need_approval(browser, emulator, "admin only")
    (ben,) = (user for user in emulator.tenant.users if user.name == BEN)
    forged = {"user": ben.id, "consent": "granted", "everybody": "1"}
    page = await browser.client.http.post(browser.response.request.url, data=forged)
    assert code_of(page.text) == 90094


async def test_a_device_gets_an_error_when_approval_is_missing(
    client: Client, emulator: EntraEmulator
) -> None:
    """The ways out of the approval page keep the code that the person typed."""
    change_application(emulator, OPERATE, admin_consent=False, allow_public_client=True)
    change_tenant(emulator, user_consent=False)
    started = await client.http.post(
        f"/{client.tenant}/oauth2/v2.0/devicecode", data={"client_id": OPERATE, "scope": READ}
    )
    codes = started.json()
    browser = Browser(client, await client.http.get(codes["verification_uri"]))
    await browser.press("Next", user_code=codes["user_code"])
    assert code_of(await browser.press(BEN)) == 90094
    await browser.press("Sign in with another account")
    assert browser.shows_accounts
    await browser.press(BEN)
    assert "The device was told" in await browser.press("Return to Operate")
    form = {"grant_type": "device_code", "client_id": OPERATE, "device_code": codes["device_code"]}
    assert (await client.redeem(**form)).json()["error"] == "authorization_declined"


async def test_a_device_gets_its_tokens_by_another_account(client: Client, emulator: EntraEmulator) -> None:
    """After a disabled account another one can use the same code."""
    change_application(emulator, OPERATE, allow_public_client=True)
    change_user(emulator, BEN, enabled=False)
    started = await client.http.post(
        f"/{client.tenant}/oauth2/v2.0/devicecode", data={"client_id": OPERATE, "scope": READ}
    )
    codes = started.json()
    browser = Browser(client, await client.http.get(codes["verification_uri"]))
    await browser.press("Next", user_code=codes["user_code"])
    assert code_of(await browser.press(BEN)) == 50057
    await browser.press("Sign in with another account")
    assert "Operate goes on at the device now" in await browser.press(ADA)


async def test_the_prompt_consent_always_asks(browser: Browser) -> None:
    """The page lists all requested permissions, granted or not; a refusal revokes nothing."""
    await browser.arrive(BEN, "Accept")
    page = await browser.open(prompt="consent")
    for words in ("Use Operate as you", "Read the incidents", "Sign you in"):
        assert words in page
    await browser.press("Decline")
    assert code_of(browser.answer["error_description"]) == 65004
    assert "code" in await browser.arrive()


async def test_the_prompt_consent_needs_something_to_consent_to(
    browser: Browser, emulator: EntraEmulator
) -> None:
    """An application without permissions asks for none."""
    change_application(emulator, OPERATE, scopes=(), permissions=None)
    await browser.open(prompt="consent", scope=f"{OPERATE}/.default")
    await browser.press(BEN)
    assert "code" in browser.answer


async def test_default_is_content_with_anything_granted(browser: Browser, emulator: EntraEmulator) -> None:
    """No page is shown, and the token has the granted permissions: no more and no less."""
    change_application(emulator, OPERATE, scopes=(*ADMIN_ONLY, "access_as_user"))
    change_tenant(
        emulator,
        consents=(
            Consent(OPERATE, OPERATE, ("Incidents.Write",)),
            Consent(OPERATE, GRAPH, ("openid", "offline_access")),
        ),
    )
    tokens = await browser.tokens(BEN, scope=f"openid offline_access {OPERATE}/.default")
    assert scopes_of(tokens) == ["Incidents.Write"]
    form = {"grant_type": "refresh_token", "client_id": OPERATE, "client_secret": SECRET}
    renewed = await browser.client.redeem(refresh_token=tokens["refresh_token"], **form)
    assert scopes_of(renewed.json()) == ["Incidents.Write"]


async def test_default_of_graph_names_each_scope_once(browser: Browser) -> None:
    """OpenID Connect's own are Graph's, too, and stand in its token because they were asked for."""
    scope = "openid https://graph.microsoft.com/.default"
    assert scopes_of(await browser.tokens(BEN, "Accept", scope=scope)) == ["User.Read", "openid"]


async def test_default_without_anything_granted_asks_for_all_that_is_listed(
    browser: Browser, emulator: EntraEmulator
) -> None:
    """Without a list that is all that people may consent to."""
    change_application(emulator, OPERATE, scopes=(*ADMIN_ONLY, Scope("Other", "Do other things")))
    await browser.open(scope=f"{OPERATE}/.default")
    page = await browser.press(BEN)
    assert "Read the incidents" in page
    assert "Do other things" in page
    assert "Change all incidents" not in page
    await browser.press("Accept")
    redeemed = (await browser.client.redeem_code(code=browser.answer["code"])).json()
    assert scopes_of(redeemed) == ["Incidents.Read", "Other"]


async def test_the_registration_lists_what_default_means(browser: Browser, emulator: EntraEmulator) -> None:
    """And the administrator granted no more than that; more can be asked for by name."""
    listed = {OPERATE: ("Incidents.Read",), GRAPH: ("openid",)}
    change_application(emulator, OPERATE, admin_consent=True, permissions=listed)
    tokens = await browser.tokens(BEN)
    assert scopes_of(tokens) == ["Incidents.Read"]
    page = await browser.open(scope=f"{OPERATE}/access_as_user")
    assert "Use Operate as you" in page
    await browser.press("Accept")
    assert "code" in browser.answer


async def test_default_of_a_resource_that_is_not_listed(browser: Browser, emulator: EntraEmulator) -> None:
    """650057 names the resource, and its client ID to add."""
    change_application(emulator, OPERATE, permissions={OPERATE: ("Incidents.Read",)})
    answer = await browser.arrive(scope=f"openid api://{UNRELATED}/.default")
    assert (answer["error"], code_of(answer["error_description"])) == ("invalid_resource", 650057)
    assert UNRELATED in answer["error_description"]
    answer = await browser.arrive(BEN, "Accept", scope=f"openid {OPERATE}/.default")
    assert "code" in answer


async def test_a_preauthorized_client_needs_no_consent(browser: Browser, emulator: EntraEmulator) -> None:
    """The resource trusts the client, so that no page is shown."""
    change_application(emulator, UNRELATED, preauthorized=(OPERATE,))
    assert "code" in await browser.arrive(BEN, scope=ABROAD)
    assert "asks for your consent" in await browser.open(scope=READ)


async def test_several_resources_are_consented_to_at_once(browser: Browser) -> None:
    """The token is for the first one; the others can be had with the refresh token."""
    tokens = await browser.tokens(BEN, "Accept", scope=f"offline_access {READ} {ABROAD}", nonce=None)
    assert scopes_of(tokens) == ["Incidents.Read"]
    form = {"grant_type": "refresh_token", "client_id": OPERATE, "client_secret": SECRET}
    renewed = await browser.client.redeem(refresh_token=tokens["refresh_token"], scope=ABROAD, **form)
    assert claims_of(renewed.json()["access_token"])["aud"] == f"api://{UNRELATED}"


async def test_without_consent_nothing_happens_in_silence(browser: Browser) -> None:
    """interaction_required with 65001; what was granted passes."""
    await browser.arrive(BEN, "Accept", scope=f"openid {READ}")
    answer = await browser.arrive(prompt="none", scope=f"openid {OPERATE}/access_as_user")
    assert (answer["error"], code_of(answer["error_description"])) == ("interaction_required", 65001)
    assert f"{OPERATE}/access_as_user" in answer["error_description"]
    assert "code" in await browser.arrive(prompt="none", scope=f"openid {READ}")


async def test_without_consent_the_token_endpoint_refuses(browser: Browser) -> None:
    """invalid_grant with the suberror by which clients know that a person must be asked."""
    tokens = await browser.tokens(BEN, "Accept", scope=f"offline_access {READ}")
    form = {"grant_type": "refresh_token", "client_id": OPERATE, "client_secret": SECRET}
    answer = await browser.client.redeem(refresh_token=tokens["refresh_token"], scope=ABROAD, **form)
    assert (answer.status_code, answer.json()["error"], answer.json()["suberror"]) == (
        400,
        "invalid_grant",
        "consent_required",
    )
    assert answer.json()["error_codes"] == [65001]
    assert ABROAD in answer.json()["error_description"]


@pytest.mark.parametrize("client_id", [OPERATE, UNRELATED])
async def test_users_who_are_not_assigned_are_refused(
    client: Client, emulator: EntraEmulator, client_id: str
) -> None:
    """50105 is on the page, for the client as for the API; with prompt=none it goes to the redirect URI."""
    browser = Browser(client)
    await browser.arrive(BEN, scope=ABROAD)
    change_application(emulator, client_id, assignment_required=True)
    assert code_of(await browser.open(scope=ABROAD)) == 50105
    answer = await browser.arrive(scope=ABROAD, prompt="none")
    assert (answer["error"], code_of(answer["error_description"])) == ("interaction_required", 50105)


@pytest.mark.parametrize(
    "assigned",
    [
        ("Staff",),
        ("9a0b0000-0000-4000-8000-000000000002",),
        ("ben@contoso.example",),
        ("be110000-0000-4000-8000-000000000002",),
    ],
)
async def test_assigned_users_are_let_in(
    client: Client, emulator: EntraEmulator, assigned: tuple[str, ...]
) -> None:
    """A user is assigned by a group, or by name; others are refused."""
    change_application(emulator, OPERATE, assignment_required=True, assigned=assigned)
    browser = Browser(client)
    assert "code" in await browser.arrive(BEN)
    browser.client.http.cookies.clear()
    await browser.open()
    assert code_of(await browser.press(GABI)) == 50105


async def test_a_role_is_an_assignment(client: Client, emulator: EntraEmulator) -> None:
    """Ada has a role of Operate; Ben has none."""
    change_application(emulator, OPERATE, assignment_required=True)
    browser = Browser(client)
    assert "code" in await browser.arrive(ADA)
    await browser.open(prompt="select_account")
    assert code_of(await browser.press(BEN)) == 50105


async def test_groups_have_two_names(client: Client, emulator: EntraEmulator) -> None:
    """A user whose group is listed by ID is assigned by the group's name."""
    group = Group("Operators")
    change_tenant(emulator, groups=(*emulator.tenant.groups, group))
    change_user(emulator, GABI, groups=(group.id,))
    change_application(emulator, OPERATE, assignment_required=True, assigned=("Operators",))
    assert "code" in await Browser(client).arrive(GABI)


async def test_applications_are_assigned_too(client: Client, emulator: EntraEmulator) -> None:
    """One with a role, or one that is listed; any other is refused with 501051."""
    change_application(emulator, OPERATE, assignment_required=True)
    assert (await client.credentials()).status_code == 200
    change_application(emulator, BILLING, granted_roles={})
    refused = await client.credentials()
    assert (refused.json()["error"], refused.json()["error_codes"]) == ("invalid_grant", [501051])
    change_application(emulator, OPERATE, assigned=(BILLING,))
    assert (await client.credentials()).status_code == 200


async def test_a_scope_has_an_end(browser: Browser) -> None:
    """Two hundred parts are read, one more is refused."""
    words = [f"{OPERATE}/{number}" for number in range(201)]
    for count, message in ((200, "exposes no scope"), (201, "more than 200 parts")):
        answer = await browser.arrive(scope=" ".join(words[:count]))
        assert code_of(answer["error_description"]) == 70011
        assert message in answer["error_description"]


async def test_consents_are_bounded(browser: Browser, emulator: EntraEmulator) -> None:
    """An emulator that runs for weeks forgets old ones rather than to grow."""
    emulator.state.consents.update({(str(number), "", "", None): set() for number in range(10_000)})
    await browser.arrive(BEN, "Accept")
    assert len(emulator.state.consents) < 10
    assert "code" in await browser.arrive(prompt="none")


async def test_groups_within_groups_are_not_assigned(client: Client, emulator: EntraEmulator) -> None:
    """Entra assigns the members of the group itself, and no others."""
    groups = tuple(replace(group, member_of=("Partners",)) for group in emulator.tenant.groups[:2])
    change_tenant(emulator, groups=(*groups, emulator.tenant.groups[2]))
    change_application(emulator, OPERATE, assignment_required=True, assigned=("Partners",))
    browser = Browser(client)
    assert "code" in await browser.arrive(GABI)
    await browser.open(prompt="select_account")
    assert code_of(await browser.press(BEN)) == 50105
