"""Signing in: from a page that needs it, by way of Entra, back to that page."""

import base64
import hashlib
import logging
import random
import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.sign_in.flow import SignIn
from camunda_entra_fastapi.sign_in.protocol import Attempt
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE, OptionalClaims
from camunda_entra_fastapi.testing.directory.default import FABRIKAM, UNRELATED
from camunda_entra_fastapi.web.cookies import MAX_ATTEMPTS_READ
from tests.conftest import FakeClock
from tests.site import (
    ADA,
    ATTEMPT,
    BEN,
    COOKIE,
    GABI,
    HOME,
    PERSON,
    MakeSite,
    Site,
    Store,
    code_of,
    guarded,
    kept_cookies,
    query_of,
    register,
    session_manager_of,
    set_cookies,
    texts_in,
)
from tests.testing.browsing import change_application, change_user

PUBLIC = "https://operate.example.com"
CALLBACK = "/auth/login-callback"


async def test_a_person_signs_in_and_comes_back_to_the_page(site: Site) -> None:
    """From the page to login, to Entra, to the callback, and to the page again."""
    browser = site.browser()
    answer = await browser.open("/page")
    assert (answer.status_code, answer.headers["location"]) == (302, f"{HOME}/auth/login?return_to=/page")
    answer = await browser.open(answer.headers["location"])
    assert answer.status_code == 302
    assert answer.headers["cache-control"] == "no-store"
    back = await browser.at_entra(answer.headers["location"], ADA)
    assert back.startswith(f"{HOME}{CALLBACK}?code=")
    answer = await browser.open(back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/page")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    answer = await browser.open("/page")
    assert (answer.status_code, answer.text) == (200, "<h1>Ada Admin</h1>")
    assert not browser.attempts


async def test_entra_is_asked_for_what_the_contract_says(site: Site) -> None:
    """The authorization request in full, and the redemption with its verifier and the client secret."""
    browser = site.browser()
    asked = query_of(await browser.depart())
    challenge, state, nonce = asked.pop("code_challenge"), asked.pop("state"), asked.pop("nonce")
    assert asked == {
        "client_id": OPERATE,
        "response_type": "code",
        "response_mode": "query",
        "redirect_uri": HOME + CALLBACK,
        "scope": f"openid profile email offline_access {OPERATE}/.default",
        "code_challenge_method": "S256",
    }
    assert len({challenge, state, nonce}) == 3
    await browser.signed_in()
    form = site.wire.forms[0]
    assert form["redirect_uri"] == HOME + CALLBACK
    assert form["client_secret"] == "local-emulator-secret-of-operate"
    assert len(base64.urlsafe_b64decode(form["code_verifier"] + "=")) == 32
    assert set(form) == {
        "client_id",
        "client_secret",
        "grant_type",
        "code",
        "redirect_uri",
        "code_verifier",
    }


async def test_the_challenge_is_the_hash_of_the_verifier(site: Site) -> None:
    """RFC 7636, 4.2, from what Entra is sent at both ends."""
    browser = site.browser()
    address = await browser.depart()
    await browser.open(await browser.at_entra(address, ADA))
    digest = hashlib.sha256(site.wire.forms[0]["code_verifier"].encode()).digest()
    expected = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert query_of(address)["code_challenge"] == expected


async def test_the_back_channel_goes_to_the_backend_url(make_site: MakeSite, emulator: EntraEmulator) -> None:
    """Browsers are sent to the issuer; this service redeems the code where it reaches Entra."""
    asked: list[str] = []
    backend = f"http://entra.backend.localhost:8443/{emulator.tenant.id}/v2.0"
    site = make_site(issuer_backend_url=backend)
    pass_on = site.wire.pass_on

    async def noting(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return await pass_on(request)

    for end in ("/token", "/keys", "/openid-configuration"):
        site.wire.handle(end, noting)
    address = await site.browser().depart()
    assert address.startswith(emulator.base_url)
    await site.browser().signed_in()
    assert len(asked) == 3
    assert all(url.startswith("http://entra.backend.localhost:8443/") for url in asked)


@pytest.mark.parametrize(
    "path",
    [
        "/incidents/7?tab=history",
        "/incidents/8?q=a%20b&q=c&r=%C3%BC%26",
        "/incidents/9?url=https://other.example/x",
    ],
)
async def test_deep_links_keep_their_query(site: Site, path: str) -> None:
    """To the letter."""
    answer = await site.browser().sign_in(path)
    assert answer.headers["location"] == path


@pytest.mark.parametrize(
    "asked",
    [
        "return_to=//evil.example",
        "return_to=https://evil.example/",
        "return_to=/%5Cevil.example",
        "return_to=/auth/logout",
        "return_to=/page&return_to=//evil.example",
        "return_to=//evil.example&return_to=/page",
        "return_to=",
        "",
    ],
)
async def test_whoever_asks_for_another_site_comes_home(site: Site, asked: str) -> None:
    """An unusable ``return_to`` becomes the root, and does not keep anybody from signing in."""
    browser = site.browser()
    answer = await browser.open(f"/auth/login?{asked}")
    answer = await browser.open(await browser.at_entra(answer.headers["location"], ADA))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_programs_are_never_sent_to_sign_in(site: Site) -> None:
    """Without credentials they get 401 in JSON; with a bad token so do browsers."""
    browser = site.browser()
    answer = await browser.http.get("/api")
    assert (answer.status_code, code_of(answer)) == (401, "credentials_missing")
    answer = await browser.open("/page", Authorization="Bearer x.y.z")
    assert (answer.status_code, code_of(answer)) == (401, "token_malformed")
    await browser.signed_in()
    assert (await browser.open("/page", Authorization="Bearer x.y.z")).status_code == 401


async def test_a_form_sent_without_a_session_comes_back_to_its_page(site: Site) -> None:
    """A POST cannot be repeated after signing in; the page that it came from can be shown again."""
    browser = site.browser()
    headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin"}
    answer = await browser.http.post("/change", headers=headers | {"Referer": f"{HOME}/incidents/7?x=1"})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{HOME}/auth/login?return_to=/incidents/7"
    answer = await browser.http.post("/change", headers=headers | {"Referer": "https://evil.example/x"})
    assert answer.headers["location"] == f"{HOME}/auth/login?return_to=/"


async def test_two_tabs_sign_in_at_once(site: Site) -> None:
    """Each has an attempt of its own, and comes back to its own page."""
    browser = site.browser()
    first, second = await browser.depart("/incidents/1"), await browser.depart("/incidents/2")
    assert len(browser.attempts) == 2
    backs = [await browser.at_entra(address, ADA) for address in (first, second)]
    assert (await browser.open(backs[1])).headers["location"] == "/incidents/2"
    assert len(browser.attempts) == 1
    assert (await browser.open(backs[0])).headers["location"] == "/incidents/1"
    assert not browser.attempts
    assert await browser.status() == 200


async def test_at_most_seven_sign_ins_are_pending(site: Site) -> None:
    """The oldest are dropped; those that remain still work."""
    browser = site.browser()
    addresses = []
    for number in range(9):
        addresses.append(await browser.depart(f"/incidents/{number}"))
        site.clock.advance(1)
        assert len(browser.attempts) <= 7
    assert len(browser.attempts) == 7
    backs = [await browser.at_entra(address, ADA) for address in addresses]
    for back in backs[:2]:
        answer = await browser.http.get(back)
        assert (answer.status_code, code_of(answer)) == (400, "login_expired")
    for number, back in enumerate(backs[2:], 2):
        assert (await browser.open(back)).headers["location"] == f"/incidents/{number}"


async def test_attempts_whose_time_is_over_are_cleared_away(site: Site) -> None:
    """With the next one, as are cookies of that name which are none of ours."""
    browser = site.browser()
    await browser.depart()
    browser.http.cookies.set(f"{ATTEMPT}0123456789abcdef", "nonsense", domain="localhost.local", path="/")
    site.clock.advance(600)
    await browser.depart()
    assert len(browser.attempts) == 1


async def test_a_flood_of_attempts_is_bounded_before_any_is_opened(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request opens twenty, and deletes so many at most, until seven are left; signing in goes on."""
    browser = site.browser()
    genuine = await browser.depart()
    own = {name: browser.cookies[name] for name in browser.attempts}
    flood = {f"{ATTEMPT}{number:016x}": f"{number}" for number in range(60)}
    browser.http.cookies.clear()
    for name, value in (flood | own).items():
        browser.http.cookies.set(name, value, domain="localhost.local", path="/")
    opened: list[str] = []
    before = SignIn.read_attempt

    def read_attempt(self: SignIn, sealed: str) -> Attempt | None:
        opened.append(sealed)
        return before(self, sealed)

    monkeypatch.setattr(SignIn, "read_attempt", read_attempt)
    left = len(browser.attempts)
    while left > 7:
        opened.clear()
        answer = await browser.http.get("/auth/login", headers=PERSON)
        assert len(opened) == MAX_ATTEMPTS_READ or left <= MAX_ATTEMPTS_READ
        assert sum(map(len, answer.headers.get_list("set-cookie"))) < 4096
        assert len(browser.attempts) < left
        left = len(browser.attempts)
    assert (await browser.open(await browser.at_entra(genuine, ADA))).headers["location"] == "/page"
    assert await browser.status() == 200


async def test_states_without_end_delete_no_more_than_there_can_be(site: Site) -> None:
    """An answer that names an attempt four hundred times deletes its cookie once."""
    browser = site.browser()
    state = httpx.URL(await browser.depart()).params["state"]
    answer = await browser.http.get(f"/auth/login-callback?{f'state={state}&' * 400}code=x")
    assert (answer.status_code, len(answer.headers.get_list("set-cookie"))) == (400, 1)
    assert not browser.attempts


async def refused(browser_answer: httpx.Response, status: int, code: str) -> None:
    """Assert the refusal, and that nobody is signed in by it."""
    assert (browser_answer.status_code, code_of(browser_answer)) == (status, code), browser_answer.text
    assert not kept_cookies(browser_answer)


async def test_answers_without_a_state_are_refused(site: Site) -> None:
    """Even when a sign-in is in progress in this browser."""
    browser = site.browser()
    back = await browser.come_back()
    await refused(await browser.http.get(f"{CALLBACK}?code={query_of(back)['code']}"), 400, "login_expired")
    await refused(await browser.http.get(f"{CALLBACK}?error=access_denied"), 400, "login_expired")
    assert not site.wire.forms


async def test_answers_to_another_browsers_sign_in_are_refused(site: Site) -> None:
    """Nobody can be signed in with somebody else's account by a link (login CSRF)."""
    attacker, victim = site.browser(), site.browser()
    back = await attacker.come_back()
    await victim.depart()
    await refused(await victim.http.get(back), 400, "login_expired")
    assert not site.wire.forms
    page = await victim.open(back)
    assert page.status_code == 400
    assert "Please sign in again" in page.text


async def test_another_attempts_cookie_does_not_do_for_a_state(site: Site) -> None:
    """The state is in the sealed cookie, and not its name alone."""
    browser = site.browser()
    back = await browser.come_back()
    names = browser.attempts
    await browser.depart()
    (own,), (other,) = names, browser.attempts - names
    browser.http.cookies.set(own, browser.cookies[other], domain="localhost.local", path="/")
    value = browser.cookies[other]
    browser.http.cookies.clear()
    browser.http.cookies.set(own, value)
    await refused(await browser.http.get(back), 400, "login_expired")


async def test_tampered_attempts_are_none(site: Site) -> None:
    """A changed cookie stands for no sign-in."""
    browser = site.browser()
    back = await browser.come_back()
    ((name, value),) = browser.cookies.items()
    browser.http.cookies.clear()
    browser.http.cookies.set(name, value[:-1] + ("A" if value[-1] != "A" else "Q"))
    await refused(await browser.http.get(back), 400, "login_expired")


async def test_an_admin_consent_is_no_sign_in(site: Site) -> None:
    """Nor the other way round: the kinds of attempts are kept apart."""
    browser = site.browser()
    answer = await browser.open("/auth/admin-consent")
    state = query_of(answer.headers["location"])["state"]
    await refused(await browser.http.get(f"{CALLBACK}?code=x&state={state}"), 400, "login_expired")
    state = query_of(await browser.depart())["state"]
    answer = await browser.http.get(f"/auth/admin-consent-callback?admin_consent=True&state={state}")
    await refused(answer, 400, "login_expired")


@Store
async def test_an_answer_counts_once(make_site: MakeSite, store: str) -> None:
    """Also for somebody who has copied all the browser's cookies."""
    site = make_site(session_store=store)
    browser = site.browser()
    back = await browser.come_back()
    thief = site.browser(browser)
    assert (await browser.open(back)).status_code == 303
    for late in (browser, thief):
        await refused(await late.http.get(back), 400, "login_expired")
    assert len(site.wire.forms) == 1
    assert await browser.status() == 200
    assert await thief.status() == 401


async def test_an_answer_counts_once_even_if_it_fails(site: Site) -> None:
    """The state is used up before Entra is asked."""
    browser = site.browser()
    back = await browser.come_back()
    copy = site.browser(browser)
    site.wire.fail("/token")
    await refused(await browser.http.get(back), 503, "entra_unreachable")
    site.wire.heal()
    assert not browser.attempts
    await refused(await copy.http.get(back), 400, "login_expired")


async def test_people_have_ten_minutes(site: Site) -> None:
    """To the second; then they are offered to sign in again, to the same page."""
    browser, other = site.browser(), site.browser()
    early, late = await browser.come_back("/incidents/1"), await other.come_back("/incidents/2")
    site.clock.advance(599)
    assert (await browser.open(early)).status_code == 303
    site.clock.advance(1)
    answer = await other.open(late)
    assert answer.status_code == 400
    assert "Please sign in again" in answer.text
    assert 'href="/auth/login?return_to=/incidents/2"' in answer.text
    assert not kept_cookies(answer)


@pytest.mark.parametrize("name", ["code", "state", "error", "session_state"])
async def test_repeated_parameters_are_refused(site: Site, name: str) -> None:
    """Ambiguous parameters are refused (RFC 6749, 3.1)."""
    browser = site.browser()
    back = await browser.come_back()
    value = query_of(back).get(name, "access_denied")
    answer = await browser.http.get(f"{back}&{name}={value}&{name}={value}")
    await refused(answer, 400, "login_request_invalid")
    assert not browser.attempts
    assert not site.wire.forms


async def test_an_error_counts_before_a_code(site: Site) -> None:
    """A code beside an error is not redeemed."""
    browser = site.browser()
    back = await browser.come_back()
    answer = await browser.http.get(f"{back}&error=access_denied")
    await refused(answer, 403, "consent_required")
    assert not site.wire.forms


async def test_an_answer_with_neither_error_nor_code_is_refused(site: Site) -> None:
    """It uses up the state, too."""
    browser = site.browser()
    state = query_of(await browser.depart())["state"]
    await refused(await browser.http.get(f"{CALLBACK}?state={state}&code="), 400, "login_request_invalid")
    assert not browser.attempts


@pytest.mark.parametrize(("size", "is_kept"), [(0, False), (1, True), (256, True), (257, False)])
async def test_a_session_state_that_is_none_is_left_out(
    make_site: MakeSite, emulator: EntraEmulator, size: int, *, is_kept: bool
) -> None:
    """It is of use for front-channel sign-out alone, and nobody may fill cookies with it."""
    change_application(emulator, OPERATE, optional_claims=OptionalClaims())
    site = make_site()
    browser = site.browser()
    back = await browser.come_back()
    given = "s" * size
    assert (await browser.open(back.replace(query_of(back)["session_state"], given))).status_code == 303
    found = await session_manager_of(site).find(browser.session)
    assert found is not None
    assert found.session.sid == (given if is_kept else None)


@Store
async def test_every_sign_in_begins_a_session_of_its_own(make_site: MakeSite, store: str) -> None:
    """A new cookie, and the old one is dead in this process; with the memory store everywhere."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    before = site.browser(browser)
    old = browser.session
    assert await before.status() == 200
    answer = await browser.open("/auth/login")
    await browser.open(await browser.at_entra(answer.headers["location"], ADA))
    assert browser.session != old
    assert await browser.status() == 200
    assert await before.status() == 401


@Store
async def test_a_session_cookie_that_was_planted_is_not_taken_over(make_site: MakeSite, store: str) -> None:
    """A sign-in creates a new cookie value (session fixation)."""
    site = make_site(session_store=store)
    attacker = await site.browser().signed_in(person=BEN)
    victim = site.browser()
    victim.http.cookies.set(COOKIE, attacker.session, domain="localhost.local", path="/")
    answer = await victim.open("/auth/login")
    await victim.open(await victim.at_entra(answer.headers["location"], ADA))
    assert victim.session != attacker.session
    assert (await victim.http.get("/api")).json()["name"] == ADA
    assert await attacker.status() == 401


SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    "name", ["error", "error_description", "error_subcode", "error_uri", "state", "code"]
)
@pytest.mark.parametrize("has_attempt", [True, False])
async def test_nothing_of_a_callback_becomes_script(site: Site, name: str, *, has_attempt: bool) -> None:
    """Neither in the page nor in JSON are the sender's own words repeated."""
    browser = site.browser()
    answers = []
    for headers in ({"Accept": "text/html"}, {"Accept": "application/json"}):
        state = query_of(await browser.depart())["state"] if has_attempt else "foreign"
        query = {"error": "invalid_request", "state": state} | {name: SCRIPT}
        answers.append(await browser.http.get(CALLBACK, params=query, headers=headers))
    page, program = answers
    assert page.status_code == program.status_code == 400
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    scripts = re.findall(r"<script>(.*?)</script>", page.text, flags=re.DOTALL)
    assert len(scripts) == policy.count("script-src 'sha256-") == policy.count("script-src")
    assert all(script.startswith("const list = ") for script in scripts)
    assert page.headers["content-security-policy"].startswith("default-src 'none';")
    assert program.headers["content-type"] == "application/json"
    for answer in answers:
        assert "alert" not in answer.text
        assert "onerror" not in answer.text
        assert not kept_cookies(answer)


async def test_entras_refusals_are_explained(site: Site) -> None:
    """The code says what to do; the IDs that support asks for are there, and Entra's words are not."""
    browser = site.browser()
    state = query_of(await browser.depart("/incidents/7?a=b&c=d"))["state"]
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    described = (
        f"AADSTS50105: Words of Entra's. Trace ID: {trace} Correlation ID: {correlation} "
        "Timestamp: 2026-01-02 03:04:05Z"
    )
    query = {"error": "interaction_required", "error_description": described, "state": state}
    copy = site.browser(browser)
    answer = await browser.http.get(CALLBACK, params=query)
    await refused(answer, 400, "login_refused")
    detail = answer.json()["detail"]
    assert detail["error"] == "interaction_required"
    assert {name: detail[name] for name in ("aadsts", "trace_id", "correlation_id", "timestamp")} == {
        "aadsts": 50105,
        "trace_id": trace,
        "correlation_id": correlation,
        "timestamp": "2026-01-02 03:04:05Z",
    }
    assert "Words of Entra" not in answer.text
    query["state"] = query_of(await copy.depart("/incidents/7?a=b&c=d"))["state"]
    page = await copy.http.get(CALLBACK, params=query, headers={"Accept": "text/html"})
    assert page.status_code == 400
    assert all(text in page.text for text in ("AADSTS50105", trace, correlation, "/auth/login?return_to="))
    assert 'href="/auth/login?return_to=/incidents/7%3Fa%3Db%26c%3Dd"' in page.text
    assert "Words of Entra" not in page.text


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ("server_error", 502, "entra_failed"),
        ("temporarily_unavailable", 503, "entra_throttled"),
        ("invalid_client", 400, "login_refused"),
        ("login_required", 400, "login_refused"),
        ("consent_required", 403, "consent_required"),
        ("no_such_error", 400, "login_refused"),
    ],
)
async def test_the_status_says_whose_fault_it_is(site: Site, error: str, status: int, code: str) -> None:
    """4xx for what the person or the registration caused, 5xx for Entra's own trouble."""
    browser = site.browser()
    state = query_of(await browser.depart())["state"]
    answer = await browser.http.get(CALLBACK, params={"error": error, "state": state})
    await refused(answer, status, code)
    assert ("retry-after" in answer.headers) is (status >= 500)


async def test_a_cancelled_sign_in_can_be_tried_again(site: Site) -> None:
    """The page says so, and leads to where the person wanted to go."""
    browser = site.browser()
    back = await browser.at_entra(await browser.depart("/incidents/7"), "Cancel")
    answer = await browser.open(back)
    assert answer.status_code == 403
    assert "Sign-in was cancelled" in answer.text
    again = re.search(r'href="(/auth/login\?return_to=[^"]+)"', answer.text)
    assert again
    answer = await browser.open(again[1])
    answer = await browser.open(await browser.at_entra(answer.headers["location"], ADA))
    assert answer.headers["location"] == "/incidents/7"


async def test_the_consent_that_is_missing_is_named_with_its_link(
    make_site: MakeSite, emulator: EntraEmulator
) -> None:
    """The page after a declined consent says who can consent, and where."""
    change_application(emulator, OPERATE, admin_consent=False)
    site = make_site()
    browser = site.browser()
    back = await browser.at_entra(await browser.depart(), BEN, "Decline")
    answer = await browser.open(back)
    assert answer.status_code == 403
    assert "Consent was declined" in answer.text
    assert f"{HOME}/auth/admin-consent" in answer.text


async def test_a_bare_callback_is_where_signing_out_ends(site: Site) -> None:
    """A page for people, a line for programs; who is signed in is sent home."""
    browser = site.browser()
    answer = await browser.open(CALLBACK)
    assert answer.status_code == 200
    assert "You are signed out" in answer.text
    answer = await browser.http.get(CALLBACK)
    assert (answer.status_code, answer.text) == (200, "Signed out.")
    await browser.signed_in()
    answer = await browser.open(CALLBACK)
    assert (answer.status_code, answer.headers["location"]) == (302, "/")


async def test_who_is_signed_in_is_told_as_json(site: Site) -> None:
    """At ``/auth/me``, uncached; 401 to everybody else, also to browsers."""
    browser = site.browser()
    answer = await browser.open("/auth/me")
    assert (answer.status_code, code_of(answer)) == (401, "credentials_missing")
    assert "authorization_uri" in answer.headers["www-authenticate"]
    answer = await (await browser.signed_in()).http.get("/auth/me")
    assert answer.headers["cache-control"] == "no-store"
    described = answer.json()
    assert described.pop("subject")
    assert described.pop("expires_at").startswith("2026-11-")
    assert described == {
        "name": ADA,
        "preferred_username": "ada@contoso.example",
        "email": "ada@contoso.example",
        "oid": "ada00000-0000-4000-8000-000000000001",
        "tid": site.emulator.tenant.id,
        "roles": ["Operate.Admin"],
        "groups": [
            "9a0b0000-0000-4000-8000-000000000001",
            "9a0b0000-0000-4000-8000-000000000002",
        ],
        "scopes": ["access_as_user", "Incidents.Read"],
        "is_app": False,
        "is_guest": False,
        "client_id": OPERATE,
    }


async def test_a_bearer_token_counts_at_me(site: Site) -> None:
    """It is whoever asks."""
    token = site.emulator.token(user=BEN)
    answer = await site.browser().http.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["name"] == BEN


@pytest.mark.parametrize(
    ("settings", "install", "prefix", "callback"),
    [
        ({"login_prefix": "/identity"}, {}, "/identity", "/identity/login-callback"),
        ({"callback_path": "/sso-callback"}, {}, "/auth", "/sso-callback"),
        ({}, {"prefix": "/x/y"}, "/x/y", "/x/y/login-callback"),
        ({}, {"callback_path": "/identity-callback"}, "/auth", "/identity-callback"),
        (
            {"login_prefix": "/identity", "callback_path": "/a"},
            {"prefix": "/in", "callback_path": "/api/authentication/callback"},
            "/in",
            "/api/authentication/callback",
        ),
    ],
)
async def test_the_pages_are_where_settings_or_arguments_say(
    make_site: MakeSite,
    emulator: EntraEmulator,
    settings: dict[str, Any],
    install: dict[str, Any],
    prefix: str,
    callback: str,
) -> None:
    """Camunda's components each have a callback path of their own; arguments count more than settings."""
    register(emulator, HOME + callback)
    site = make_site(install=install, **settings)
    browser = site.browser()
    answer = await browser.open("/page")
    assert answer.headers["location"] == f"{HOME}{prefix}/login?return_to=/page"
    back = await browser.come_back()
    assert back.startswith(f"{HOME}{callback}?")
    assert (await browser.open(back)).headers["location"] == "/page"
    assert (await browser.http.get(f"{prefix}/me")).status_code == 200
    assert "You are signed out" in (await site.browser().open(callback)).text


async def test_the_router_alone_signs_people_in(emulator: EntraEmulator, clock: FakeClock) -> None:
    """Without ``install``; also under a prefix of the application's own."""
    entra = CamundaEntra(emulator.settings(), http_client=emulator.http_client(), clock=clock)
    app = guarded(entra, FastAPI())
    app.include_router(entra.login_router(), prefix="/v1")
    register(emulator, f"{HOME}/v1{CALLBACK}")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=HOME) as http, emulator.http_client() as other:
        answer = await http.get("/v1/auth/login?return_to=/page")
        page = await other.get(answer.headers["location"])
        found = re.search(r'value="([^"]+)"><strong>Ada Admin<', page.text)
        assert found
        left = await other.post(page.request.url, data={"user": found[1]})
        answer = await http.get(left.headers["location"])
        assert answer.headers["location"] == "/page"
        assert (await http.get("/page")).text == "<h1>Ada Admin</h1>"


def stripping(prefix: str) -> Callable[[FastAPI], ASGIApp]:
    """A proxy that ends TLS, takes the prefix away and calls the service by another name."""

    def proxy(app: FastAPI) -> ASGIApp:
        async def forward(scope: Scope, receive: Receive, send: Send) -> None:
            assert scope["path"].startswith(prefix), scope["path"]
            headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
            path = scope["path"].removeprefix(prefix)
            inner = {"scheme": "http", "path": path, "raw_path": path.encode()}
            await app({**scope, **inner, "headers": [*headers, (b"host", b"operate:8080")]}, receive, send)

        return forward

    return proxy


@pytest.mark.parametrize("prefix", ["", "/camunda/operate"])
async def test_behind_a_proxy_the_base_url_counts(
    make_site: MakeSite, emulator: EntraEmulator, prefix: str
) -> None:
    """Redirect URI, cookies and all addresses are those that browsers see."""
    register(emulator, f"{PUBLIC}{prefix}{CALLBACK}")
    site = make_site(base_url=PUBLIC + prefix, url=PUBLIC, entrance=stripping(prefix))
    browser = site.browser()
    answer = await browser.open(f"{prefix}/page?x=1")
    login = f"{PUBLIC}{prefix}/auth/login?return_to={prefix}/page%3Fx%3D1"
    assert answer.headers["location"] == login
    answer = await browser.sign_in(f"{prefix}/page?x=1")
    assert answer.headers["location"] == f"{prefix}/page?x=1"
    assert kept_cookies(answer).keys() == {f"__Host-{COOKIE}"}
    assert "; Path=/; Secure;" in kept_cookies(answer)[f"__Host-{COOKIE}"]
    assert (await browser.open(f"{prefix}/page")).text == "<h1>Ada Admin</h1>"
    assert (await browser.open(prefix + CALLBACK)).headers["location"] == f"{prefix}/"
    answer = await browser.open(f"{prefix}/auth/login?return_to={prefix}/auth/me")
    answer = await browser.open(await browser.at_entra(answer.headers["location"], ADA))
    assert answer.headers["location"] == f"{prefix}/"


def mounting(path: str) -> Callable[[FastAPI], ASGIApp]:
    """The application as a part of another one."""

    def mount(app: FastAPI) -> ASGIApp:
        outer = FastAPI()
        outer.mount(path, app)
        return outer

    return mount


def rooted(root: str, *, is_stripped: bool) -> Callable[[FastAPI], ASGIApp]:
    """A server that was told a ``root_path``, behind a proxy that strips it or does not."""

    def serve(app: FastAPI) -> ASGIApp:
        async def entrance(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope["path"].removeprefix(root) if is_stripped else scope["path"]
            await app({**scope, "root_path": root, "path": path}, receive, send)

        return entrance

    return serve


@pytest.mark.parametrize(
    "entrance",
    [
        mounting("/operate"),
        rooted("/operate", is_stripped=True),
        rooted("/operate", is_stripped=False),
    ],
    ids=["mounted", "stripped", "whole"],
)
async def test_below_a_path_all_addresses_have_it(
    make_site: MakeSite, emulator: EntraEmulator, entrance: Callable[[FastAPI], ASGIApp]
) -> None:
    """Without any setting, for mounted applications and servers with a ``root_path``."""
    register(emulator, f"{HOME}/operate{CALLBACK}")
    site = make_site(entrance=entrance)
    browser = site.browser()
    answer = await browser.open("/operate/page?x=1")
    assert answer.headers["location"] == f"{HOME}/operate/auth/login?return_to=/operate/page%3Fx%3D1"
    answer = await browser.sign_in("/operate/page?x=1")
    assert answer.headers["location"] == "/operate/page?x=1"
    assert (await browser.open("/operate/page")).text == "<h1>Ada Admin</h1>"
    assert (await browser.open(f"/operate{CALLBACK}")).headers["location"] == "/operate/"
    assert 'href="/operate/auth/login"' in (await site.browser().open(f"/operate{CALLBACK}")).text


async def test_a_mounted_application_shares_the_sign_in_of_the_one_around_it(
    make_site: MakeSite, emulator: EntraEmulator
) -> None:
    """Its pages send people to the outer one's login, and back."""
    site = make_site()
    site.app.mount("/inner", guarded(site.entra, FastAPI()))
    browser = site.browser()
    answer = await browser.open("/inner/page")
    assert answer.headers["location"] == f"{HOME}/auth/login?return_to=/inner/page"
    assert (await browser.sign_in("/inner/page")).headers["location"] == "/inner/page"
    assert (await browser.open("/inner/page")).text == "<h1>Ada Admin</h1>"


FLAGS = "HttpOnly; SameSite=Lax"


@pytest.mark.parametrize(
    ("url", "settings", "prefix", "flags"),
    [
        (HOME, {}, "", f"Path=/; {FLAGS}"),
        (PUBLIC, {}, "__Host-", f"Path=/; Secure; {FLAGS}"),
        (
            PUBLIC,
            {"cookie_domain": "example.com"},
            "__Secure-",
            f"Path=/; Domain=example.com; Secure; {FLAGS}",
        ),
    ],
    ids=["http", "https", "domain"],
)
async def test_cookies_have_the_names_and_flags_of_their_site(
    make_site: MakeSite,
    emulator: EntraEmulator,
    url: str,
    settings: dict[str, Any],
    prefix: str,
    flags: str,
) -> None:
    """Those of attempts live ten minutes and are dropped as they were set; the session's lives 8 hours."""
    register(emulator, url + CALLBACK)
    site = make_site(url=url, cookie_name="operate", **settings)
    browser = site.browser()
    answer = await browser.open("/auth/login")
    ((name, line),) = set_cookies(answer).items()
    assert re.fullmatch(rf"{prefix}operate_attempt_[0-9a-f]{{16}}", name)
    assert re.fullmatch(rf"{name}=[\w.-]+; Max-Age=600; {flags}", line)
    answer = await browser.open(await browser.at_entra(answer.headers["location"], ADA))
    lines = set_cookies(answer)
    assert lines.keys() == {name, f"{prefix}operate"}
    assert lines[name] == f"{name}=; Max-Age=0; {flags}"
    assert re.fullmatch(rf"{prefix}operate=[\w.-]+; Max-Age=28800; {flags}", lines[f"{prefix}operate"])
    assert await browser.status() == 200


async def test_a_link_may_ask_for_an_account_or_a_prompt(site: Site) -> None:
    """Entra is told, and nothing else of the link."""
    browser = site.browser()
    answer = await browser.open("/auth/login?prompt=login&login_hint=ben@contoso.example&domain_hint=x&a=b")
    asked = query_of(answer.headers["location"])
    assert (asked["prompt"], asked["login_hint"]) == ("login", "ben@contoso.example")
    assert not {"domain_hint", "a"} & asked.keys()


@pytest.mark.parametrize(
    "query",
    [
        {"prompt": "none"},
        {"prompt": "x"},
        {"prompt": ""},
        {"login_hint": ""},
        {"login_hint": "a" * 257},
        {"login_hint": "a\nb"},
    ],
)
async def test_other_hints_are_left_out(site: Site, query: dict[str, str]) -> None:
    """A silent sign-in would end in an error, and a hint is somebody's name."""
    answer = await site.browser().http.get("/auth/login", params=query)
    assert not {"prompt", "login_hint"} & query_of(answer.headers["location"]).keys()


async def test_who_chooses_an_account_gets_no_hint(site: Site) -> None:
    """Else Entra would pass the choice over."""
    answer = await site.browser().open("/auth/login?prompt=select_account&login_hint=ben@contoso.example")
    asked = query_of(answer.headers["location"])
    assert asked["prompt"] == "select_account"
    assert "login_hint" not in asked


async def test_our_own_sign_in_is_let_in_whatever_clients_are_allowed(make_site: MakeSite) -> None:
    """``ALLOWED_CLIENTS`` is about who calls the API, and need not name the API itself."""
    site = make_site(allowed_clients=BILLING)
    browser = await site.browser().signed_in()
    assert (await browser.http.get("/api")).json()["roles"] == ["Operate.Admin"]
    headers = {"Authorization": f"Bearer {site.emulator.token(client=OPERATE)}"}
    answer = await browser.http.get("/api", headers=headers)
    assert (answer.status_code, code_of(answer)) == (403, "client_not_allowed")


async def test_guests_are_refused_where_they_are_not_allowed(make_site: MakeSite) -> None:
    """With a page that leads to the choice of another account, and no session."""
    site = make_site(allow_guests=False)
    browser = site.browser()
    answer = await browser.sign_in("/incidents/7", GABI)
    assert answer.status_code == 403
    assert not kept_cookies(answer)
    assert 'href="/auth/login?return_to=/incidents/7&amp;prompt=select_account"' in answer.text
    answer = await browser.http.get(await browser.come_back(person=GABI))
    await refused(answer, 403, "guest_not_allowed")
    assert (await (await site.browser().signed_in()).http.get("/api")).json()["name"] == ADA


async def test_guests_are_let_in_otherwise(site: Site) -> None:
    """And are known as such."""
    browser = await site.browser().signed_in(person=GABI)
    assert (await browser.http.get("/auth/me")).json()["is_guest"] is True


async def test_tenants_that_are_not_allowed_are_refused(make_site: MakeSite, emulator: EntraEmulator) -> None:
    """Entra lets in everybody for a multi-tenant issuer; the settings decide."""
    change_application(emulator, OPERATE, sign_in_audience="AzureADMultipleOrgs")
    issuer = f"{emulator.base_url}/organizations/v2.0"
    several = {"issuer": issuer, "issuer_backend_url": issuer}
    site = make_site(**several, allowed_tenants=FABRIKAM)
    browser = site.browser()
    answer = await browser.http.get(await browser.come_back(person=ADA))
    await refused(answer, 403, "tenant_mismatch")
    site = make_site(**several, allowed_tenants=emulator.tenant.id)
    assert await (await site.browser().signed_in()).status() == 200


@pytest.mark.parametrize(
    "api", [f"api://{UNRELATED}/access_as_user", "https://graph.microsoft.com/User.Read"]
)
@Store
async def test_with_an_access_token_for_another_api_the_id_token_tells_who_it_is(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture, api: str, store: str
) -> None:
    """A person without scopes here; the log says why, and the other API's token is kept for it."""
    caplog.set_level(logging.INFO)
    site = make_site(scopes=f"openid profile offline_access {api}", session_store=store)
    browser = await site.browser().signed_in()
    described = (await browser.http.get("/auth/me")).json()
    assert (described["name"], described["scopes"], described["is_app"]) == (ADA, [], False)
    assert described["oid"] == "ada00000-0000-4000-8000-000000000001"
    assert described["roles"] == ["Operate.Admin"]
    assert (await browser.http.get("/api")).json()["token"] == len(site.wire.tokens[0]["access_token"])
    assert any("its user is made from the ID token" in text for text in texts_in(caplog))
    site.clock.advance(3600)
    assert (await browser.http.get("/auth/me")).json()["name"] == ADA
    assert site.renewals() == 1


async def test_the_access_token_is_kept_for_calls_on(site: Site) -> None:
    """Where it fits into the cookies."""
    browser = await site.browser().signed_in()
    assert (await browser.http.get("/api")).json()["token"] == len(site.wire.tokens[0]["access_token"])


def a_lot(emulator: EntraEmulator, groups: int, roles: int = 0) -> None:
    """Put Ada into many groups and roles, whose names do not compress."""
    source = random.Random(42)
    ids = tuple(str(uuid.UUID(int=source.getrandbits(128), version=4)) for _ in range(groups))
    names = tuple(f"R.{source.getrandbits(320):x}" for _ in range(roles))
    change_application(emulator, OPERATE, app_roles=(*emulator.application.app_roles, *names))
    change_user(emulator, ADA, groups=ids, roles={OPERATE: ("Operate.Admin", *names)})


async def test_many_groups_are_spread_over_several_cookies(
    make_site: MakeSite, emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Each below 4 KB, all together below 7 KB without the access token, which then is not kept."""
    a_lot(emulator, groups=190)
    site = make_site()
    browser = site.browser()
    answer = await browser.sign_in()
    lines = kept_cookies(answer)
    assert lines.keys() == {COOKIE, f"{COOKIE}-1"}
    assert all(len(line) <= 4096 for line in lines.values())
    assert sum(len(name) + len(value) for name, value in browser.cookies.items()) < 7 * 1024
    told = (await browser.http.get("/api")).json()
    assert told["token"] == 0
    assert len((await browser.http.get("/auth/me")).json()["groups"]) == 190
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "is the local Entra" in warning


async def test_a_session_that_proxies_would_refuse_is_warned_of(
    make_site: MakeSite, emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """With the number of bytes, before anybody wonders about 400s."""
    a_lot(emulator, groups=190, roles=40)
    site = make_site()
    browser = site.browser()
    lines = kept_cookies(await browser.sign_in())
    assert all(len(line) <= 4096 for line in lines.values())
    assert len(lines) >= 3
    assert len((await browser.http.get("/api")).json()["roles"]) == 41
    handle = "".join(browser.cookies[name] for name in sorted(lines)).removeprefix(f"{len(lines)}:")
    _, warning = [record for record in caplog.records if record.levelno == logging.WARNING]
    told = re.search(r"takes (\d+) bytes of cookies, of which (\d+) are claims", warning.getMessage())
    assert told
    assert int(told[1]) == len(handle)
    assert int(told[2]) > 4000


async def test_chunks_of_a_larger_session_are_dropped(make_site: MakeSite, emulator: EntraEmulator) -> None:
    """A smaller session leaves no chunks of the larger one before."""
    a_lot(emulator, groups=190)
    site = make_site()
    browser = await site.browser().signed_in()
    assert f"{COOKIE}-1" in browser.cookies
    answer = await browser.open("/auth/login?prompt=select_account")
    answer = await browser.open(await browser.at_entra(answer.headers["location"], BEN))
    assert f"{COOKIE}-1=; Max-Age=0;" in set_cookies(answer)[f"{COOKIE}-1"]
    assert browser.cookies.keys() == {COOKIE}
    assert (await browser.http.get("/api")).json()["name"] == BEN


async def test_chunks_count_in_their_order_and_all_of_them(
    make_site: MakeSite, emulator: EntraEmulator
) -> None:
    """Swapped, missing or repeated ones are no session."""
    a_lot(emulator, groups=190)
    site = make_site()
    browser = await site.browser().signed_in()
    first, second = browser.cookies[COOKIE].removeprefix("2:"), browser.cookies[f"{COOKIE}-1"]
    expected = {
        (f"2:{first}", second): 200,
        (f"2:{second}", first): 401,
        (f"2:{first}", first): 401,
        (f"2:{first}", ""): 401,
        (f"3:{first}", second[:-1]): 401,
        (first, second): 401,
    }
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site.app), base_url=HOME) as http:
        for (one, other), status in expected.items():
            answer = await http.get("/api", headers={"Cookie": f"{COOKIE}={one}; {COOKIE}-1={other}"})
            assert answer.status_code == status


@pytest.mark.parametrize(
    "damage",
    [
        lambda value: value[:-1],
        lambda value: value[:40],
        lambda value: value[:30] + ("A" if value[30] != "A" else "B") + value[31:],
        lambda value: "2:" + value[:-1],
        lambda value: "13:" + value[1:],
        lambda value: "14:" + value,
        lambda value: value + value,
        lambda _: "x",
        lambda _: "1...",
        lambda _: "a" * 50_000,
        lambda _: "ü".encode().decode("latin-1"),
    ],
)
@Store
async def test_damaged_cookies_are_no_session(
    make_site: MakeSite, store: str, damage: Callable[[str], str]
) -> None:
    """Signed out, to programs and people, and never an error of ours."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    damaged = damage(browser.session)
    headers = {b"Cookie": f"{COOKIE}={damaged}".encode("latin-1")}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site.app), base_url=HOME) as http:
        assert (await http.get("/api", headers=headers)).status_code == 401
        assert (await http.get("/page", headers=headers | {b"Accept": b"text/html"})).status_code == 302


async def test_another_deployments_cookie_is_no_session(make_site: MakeSite, emulator: EntraEmulator) -> None:
    """Even when the session secret is the same: another client, another session."""
    secret = "a-secret-that-two-deployments-share-by-mistake"
    other_id = "0be7a7e1-1111-4222-8333-444455556666"
    emulator.directory = emulator.directory.with_tenant(
        replace(
            emulator.tenant,
            applications=(
                *emulator.tenant.applications,
                replace(emulator.application, client_id=other_id, id="", identifier_uris=()),
            ),
        )
    )
    first, second = make_site(session_secret=secret), make_site(session_secret=secret, client_id=other_id)
    third = make_site(session_secret=secret)
    browser = await first.browser().signed_in()
    elsewhere, replica = second.browser(browser), third.browser(browser)
    assert await elsewhere.status() == 401
    assert await replica.status() == 200


async def test_a_sign_in_begun_on_one_replica_ends_on_another(
    make_site: MakeSite, emulator: EntraEmulator
) -> None:
    """With nothing in common but the settings."""
    first, second = make_site(), make_site()
    browser = first.browser()
    back = await browser.come_back()
    other = second.browser(browser)
    assert (await other.open(back)).status_code == 303
    assert await first.browser(other).status() == 200


async def test_the_redirect_uris_to_register_are_logged(
    make_site: MakeSite, emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """At start by the base URL; without one, with the first sign-in, once."""
    caplog.set_level(logging.INFO)
    site = make_site(base_url=PUBLIC)
    async with site.entra.lifespan():
        pass
    (told,) = [text for text in texts_in(caplog) if "Redirect URIs" in text]
    for path in (CALLBACK, "/docs/oauth2-redirect", "/auth/admin-consent-callback"):
        assert PUBLIC + path in told
    assert f"{PUBLIC}/auth/front-channel-logout" in told
    caplog.clear()
    site = make_site()
    for _ in range(2):
        await site.browser().depart()
    assert [text for text in texts_in(caplog) if "redirect URI" in text] == [
        f"People sign in with the redirect URI {HOME}{CALLBACK}, which must be registered"
    ]


@Store
async def test_nothing_secret_is_logged_on_the_way(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture, store: str
) -> None:
    """Neither codes nor tokens, secrets, states, nonces or cookies."""
    caplog.set_level(logging.DEBUG)
    site = make_site(session_store=store)
    browser = site.browser()
    asked = query_of(await browser.depart())
    await browser.signed_in()
    site.clock.advance(3600)
    assert await browser.status() == 200
    secrets = site.wire.secrets() | {asked["state"], asked["nonce"], browser.session}
    log = "\n".join(texts_in(caplog))
    assert "redirect URI" in log
    assert not [secret for secret in secrets if secret in log]


async def test_attempts_with_long_ways_back_leave_room_for_a_session(site: Site) -> None:
    """Links of another site cannot fill the browser's requests with our cookies until proxies refuse them."""
    browser = site.browser()
    letters = random.Random(1).choices(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=960
    )
    place = f"/incidents/8?q={''.join(letters)}"  # with the hint it is too long for a state
    for _ in range(9):
        answer = await browser.open(f"/auth/login?return_to={place}&login_hint={'%C3%BC' * 200}")
        assert sum(len(value) for name, value in browser.cookies.items() if ATTEMPT in name) <= 3_500
    assert len(browser.attempts) == 2
    answer = await browser.open(await browser.at_entra(answer.headers["location"], ADA))
    assert (answer.status_code, answer.headers["location"]) == (303, place)
