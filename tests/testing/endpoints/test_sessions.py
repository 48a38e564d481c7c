"""Sessions of a browser, and when users are prompted again."""

from typing import Any

import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE, ConditionalAccess, OptionalClaims
from tests.conftest import FakeClock
from tests.testing.browsing import (
    Browser,
    change_application,
    change_tenant,
    change_user,
    claims_of,
    code_of,
    people_on,
)
from tests.testing.conftest import SECRET, Client

ADA, BEN = "Ada Admin", "Ben Reader"


@pytest.fixture
def browser(client: Client) -> Browser:
    """A browser without a session."""
    return Browser(client)


@pytest.fixture
async def adas(browser: Browser) -> Browser:
    """A browser in which Ada is signed in."""
    await browser.arrive(ADA)
    return browser


@pytest.fixture
async def both(adas: Browser) -> Browser:
    """A browser in which Ada and Ben are signed in."""
    await adas.arrive(BEN, prompt="select_account")
    return adas


async def test_who_signed_in_is_not_asked_again(adas: Browser) -> None:
    """The second time the answer comes at once, of the same session."""
    first, second = adas.answer, await adas.arrive()
    assert second["code"] != first["code"]
    assert second["session_state"] == first["session_state"]


async def test_another_browser_knows_nobody(adas: Browser) -> None:
    """The session lives in the browser's cookie."""
    adas.client.http.cookies.clear()
    await adas.open()
    assert adas.shows_accounts


async def test_a_cookie_that_somebody_made_up_is_not_taken_over(browser: Browser) -> None:
    """An attacker who plants a cookie in a browser cannot use its session later."""
    browser.client.http.cookies.set("local_emulator_browser", "planted", domain="login.entra.localhost")
    await browser.arrive(ADA)
    assert "planted" not in browser.response.headers["set-cookie"]
    browser.client.http.cookies.clear()
    browser.client.http.cookies.set("local_emulator_browser", "planted", domain="login.entra.localhost")
    await browser.open()
    assert browser.shows_accounts


async def test_of_several_people_one_is_picked(both: Browser) -> None:
    """The page says who is signed in; the one who is picked keeps the session."""
    page = await both.open()
    assert both.shows_accounts
    assert page.count("Signed in<") == 2
    ada = await both.arrive(ADA)
    assert ada["session_state"] != (await both.arrive(BEN))["session_state"]
    assert ada["session_state"] == (await both.arrive(ADA))["session_state"]


@pytest.mark.parametrize("people", [[], [ADA, BEN]])
async def test_in_silence_nobody_and_two_people_are_too_few_and_too_many(
    browser: Browser, people: list[str]
) -> None:
    """``prompt=none`` never shows a page: the application hears login_required."""
    for name in people:
        await browser.arrive(name, prompt="select_account")
    answer = await browser.arrive(prompt="none")
    assert (answer["error"], code_of(answer["error_description"])) == ("login_required", 50058)
    assert answer["state"] == "a state"


async def test_in_silence_one_person_gets_a_code(adas: Browser) -> None:
    """The only session of the browser is used."""
    answer = await adas.arrive(prompt="none")
    assert list(answer) == ["code", "state", "session_state"]


@pytest.mark.parametrize(
    ("hint", "fits"),
    [("BEN@contoso.example", True), ("gabi_fabrikam.example#EXT#@contoso.example", False), ("nobody", False)],
)
async def test_in_silence_a_hint_picks_one_of_several(both: Browser, hint: str, fits: bool) -> None:
    """``login_hint`` is a username in any letter case; without a session for it no session matches."""
    answer = await both.arrive(prompt="none", login_hint=hint)
    assert ("code" in answer) is fits
    if fits:
        redeemed = (await both.client.redeem_code(code=answer["code"])).json()
        assert claims_of(redeemed["id_token"])["name"] == BEN


async def test_the_claim_login_hint_is_a_hint(both: Browser) -> None:
    """The opaque claim of an ID token means the same person at the next sign-in."""
    hint = claims_of((await both.tokens(ADA))["id_token"])["login_hint"]
    assert "ada" not in hint
    tokens = await both.tokens(prompt="none", login_hint=hint)
    assert claims_of(tokens["id_token"])["name"] == ADA


async def test_a_hint_of_somebody_else_asks(adas: Browser) -> None:
    """Ada is signed in, but the application means Ben, who stands first on the page."""
    page = await adas.open(login_hint="ben@contoso.example")
    assert people_on(page)[0] == BEN
    assert BEN not in people_on(page)[1:]


@pytest.mark.parametrize("prompt", ["login", "select_account", "create"])
async def test_prompts_that_show_the_accounts(adas: Browser, prompt: str) -> None:
    """There is one session, and the page is shown nevertheless."""
    await adas.open(prompt=prompt)
    assert adas.shows_accounts


async def test_the_prompt_consent_asks_for_that_alone(adas: Browser) -> None:
    """The session is used; the consent page is shown again, although the permissions are granted."""
    page = await adas.open(prompt="consent")
    assert not adas.shows_accounts
    assert "Read the incidents that you may see" in page
    await adas.press("Accept")
    assert "code" in adas.answer


async def test_an_unknown_prompt_is_refused(browser: Browser) -> None:
    """As is one that names two."""
    for prompt in ("pigeon", "login consent"):
        answer = await browser.arrive(prompt=prompt)
        assert (answer["error"], code_of(answer["error_description"])) == ("invalid_request", 90023)


async def auth_time(browser: Browser, *presses: str, **changes: Any) -> int:
    """When the person signed in, as the ID token says."""
    tokens = await browser.tokens(*presses, max_age=100_000, **changes)
    time: int = claims_of(tokens["id_token"])["auth_time"]
    return time


async def test_the_prompt_login_is_a_new_sign_in(adas: Browser, clock: FakeClock) -> None:
    """The time of the sign-in is a later one, and the session stays the same one."""
    before, session = clock.now, adas.answer["session_state"]
    clock.advance(1000)
    assert await auth_time(adas) == before
    assert await auth_time(adas, ADA, prompt="login") == before + 1000
    assert adas.answer["session_state"] == session


async def test_picking_an_account_is_no_new_sign_in(
    adas: Browser, emulator: EntraEmulator, clock: FakeClock
) -> None:
    """A user who picks the account of an existing session does not sign in again."""
    change_application(emulator, OPERATE, optional_claims=OptionalClaims(id_token=("auth_time",)))
    before = clock.now
    clock.advance(1000)
    tokens = await adas.tokens(ADA, prompt="select_account")
    assert claims_of(tokens["id_token"])["auth_time"] == before


@pytest.mark.parametrize(("max_age", "prompted"), [(0, True), (999, True), (1000, False), (5000, False)])
async def test_a_sign_in_that_is_too_old_is_done_again(
    adas: Browser, clock: FakeClock, max_age: int, prompted: bool
) -> None:
    """``max_age`` in seconds, as OpenID Connect Core, 3.1.2.1 has it."""
    clock.advance(1000)
    await adas.open(max_age=max_age)
    assert adas.shows_accounts is prompted


async def test_a_sign_in_may_not_be_older_than_nothing(adas: Browser) -> None:
    """``max_age=0`` asks even in the same instant, and never passes in silence."""
    await adas.open(max_age=0)
    assert adas.shows_accounts
    answer = await adas.arrive(max_age=0, prompt="none")
    assert code_of(answer["error_description"]) == 50058


async def test_with_max_age_the_id_token_has_auth_time(adas: Browser, clock: FakeClock) -> None:
    """``auth_time`` is that of the new sign-in, also in what is refreshed later; without it there is none."""
    clock.advance(1000)
    tokens = await adas.tokens(ADA, max_age=10)
    signed_in = clock.now
    assert claims_of(tokens["id_token"])["auth_time"] == signed_in
    clock.advance(1000)
    form = {"grant_type": "refresh_token", "client_id": OPERATE, "client_secret": SECRET}
    renewed = await adas.client.redeem(refresh_token=tokens["refresh_token"], **form)
    assert claims_of(renewed.json()["id_token"])["auth_time"] == signed_in
    assert "auth_time" not in claims_of((await adas.tokens())["id_token"])


@pytest.mark.parametrize("max_age", ["-1", "1.5", "soon", "1234567890"])
async def test_a_max_age_that_is_no_number_of_seconds(browser: Browser, max_age: str) -> None:
    """It is refused before anybody is asked."""
    answer = await browser.arrive(max_age=max_age)
    assert (answer["error"], code_of(answer["error_description"])) == ("invalid_request", 90023)


@pytest.mark.parametrize(
    ("hint", "people"),
    [
        ("contoso.onmicrosoft.com", [BEN, ADA, "Gabi Guest"]),
        ("CONTOSO.example", [BEN, ADA, "Gabi Guest"]),
        ("organizations", [BEN, ADA, "Gabi Guest"]),
        ("consumers", []),
        ("fabrikam.example", []),
    ],
)
async def test_a_domain_hint_narrows_the_page(browser: Browser, hint: str, people: list[str]) -> None:
    """A domain of the tenant or of usernames, or the kind of account."""
    page = await browser.open(domain_hint=hint)
    assert people_on(page) == people
    assert ("Nobody of the directory can sign in here" in page) is not bool(people)


@pytest.mark.parametrize(("hint", "fits"), [("contoso.example", True), ("consumers", False)])
async def test_a_domain_hint_counts_in_silence(adas: Browser, hint: str, fits: bool) -> None:
    """The only session matches the hint or not."""
    assert ("code" in await adas.arrive(prompt="none", domain_hint=hint)) is fits


@pytest.mark.parametrize(
    ("base_url", "attributes"),
    [
        ("https://login.entra.localhost", {"HttpOnly", "Path=/", "SameSite=none", "Secure"}),
        ("http://127.0.0.1:8080", {"HttpOnly", "Path=/", "SameSite=lax"}),
    ],
)
async def test_the_cookie_fits_the_scheme(clock: FakeClock, base_url: str, attributes: set[str]) -> None:
    """Frames of other sites sign in silently with it over https; over http browsers take no such cookie."""
    emulator = EntraEmulator(clock=clock.time, base_url=base_url)
    async with emulator.http_client() as http:
        browser = Browser(Client(http, emulator.tenant.id))
        await browser.arrive(ADA)
        value, *found = browser.response.headers["set-cookie"].split("; ")
        assert value.startswith("local_emulator_browser=")
        assert set(found) == attributes
        assert "code" in await browser.arrive(prompt="none")


async def test_a_deleted_user_has_no_session(adas: Browser, emulator: EntraEmulator) -> None:
    """The directory is asked each time."""
    change_tenant(emulator, users=tuple(each for each in emulator.tenant.users if each.name != ADA))
    page = await adas.open()
    assert adas.shows_accounts
    assert "Signed in<" not in page


async def test_a_disabled_user_sees_the_error_page(adas: Browser, emulator: EntraEmulator) -> None:
    """The page offers another account; with prompt=none the error says that interaction is required."""
    change_user(emulator, ADA, enabled=False)
    assert code_of(await adas.open()) == 50057
    await adas.press("Sign in with another account")
    await adas.press(BEN)
    assert (
        claims_of((await adas.client.redeem_code(code=adas.answer["code"])).json()["id_token"])["name"] == BEN
    )


async def test_a_disabled_user_gets_no_silent_sign_in(adas: Browser, emulator: EntraEmulator) -> None:
    """The application hears interaction_required."""
    change_user(emulator, ADA, enabled=False)
    answer = await adas.arrive(prompt="none")
    assert (answer["error"], code_of(answer["error_description"])) == ("interaction_required", 50057)


async def test_tokens_have_what_the_directory_says_now(adas: Browser, emulator: EntraEmulator) -> None:
    """A session stores the user's identity, not the user's permissions."""
    change_user(emulator, ADA, roles={})
    tokens = await adas.tokens(prompt="none")
    assert "roles" not in claims_of(tokens["access_token"])


async def test_revoking_ends_sessions_and_refresh_tokens(
    both: Browser, emulator: EntraEmulator, clock: FakeClock
) -> None:
    """Ada must sign in again everywhere; Ben is not concerned."""
    refresh_tokens = {name: (await both.tokens(name))["refresh_token"] for name in (ADA, BEN)}
    clock.advance(1)
    emulator.revoke(ADA)
    form = {"grant_type": "refresh_token", "client_id": OPERATE, "client_secret": SECRET}
    refused = await both.client.redeem(refresh_token=refresh_tokens[ADA], **form)
    assert (refused.status_code, refused.json()["error"], refused.json()["suberror"]) == (
        400,
        "invalid_grant",
        "bad_token",
    )
    assert refused.json()["error_codes"] == [50173]
    assert (await both.client.redeem(refresh_token=refresh_tokens[BEN], **form)).status_code == 200
    tokens = await both.tokens(prompt="none")
    assert claims_of(tokens["id_token"])["name"] == BEN


async def test_after_revoking_a_new_sign_in_counts(
    adas: Browser, emulator: EntraEmulator, clock: FakeClock
) -> None:
    """A later sign-in is valid again."""
    emulator.revoke(ADA)
    await adas.open()
    assert adas.shows_accounts
    clock.advance(1)
    tokens = await adas.tokens(ADA)
    form = {"grant_type": "refresh_token", "client_id": OPERATE, "client_secret": SECRET}
    assert (await adas.client.redeem(refresh_token=tokens["refresh_token"], **form)).status_code == 200
    assert "code" in await adas.arrive(prompt="none")


async def test_a_new_sign_in_wants_its_second_factor_again(adas: Browser, emulator: EntraEmulator) -> None:
    """``prompt=login`` forgets what was shown before."""
    change_tenant(emulator, policies=(ConditionalAccess("mfa"),))
    await adas.arrive("It is me")
    assert "code" in await adas.arrive()
    await adas.arrive(ADA, "It is me", prompt="login")
    assert "code" in adas.answer
