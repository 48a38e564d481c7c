"""Signing out, here and at Entra, and an administrator's consent."""

import logging
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.sessions.store import Session
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE, OptionalClaims
from tests.site import (
    ADA,
    ATTEMPT,
    BEN,
    COOKIE,
    HOME,
    Browser,
    MakeSite,
    Site,
    Store,
    code_of,
    kept_cookies,
    query_of,
    register,
    session_manager_of,
    set_cookies,
    texts_in,
)
from tests.testing.browsing import change_application

LOGOUT: Final = "/auth/logout"
FRONT: Final = "/auth/front-channel-logout"
CONSENT: Final = "/auth/admin-consent"
CONSENTED: Final = "/auth/admin-consent-callback"
SAME_ORIGIN: Final = [
    {"Sec-Fetch-Site": "same-origin"},
    {"Origin": HOME},
    {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    {},
]
"""The last one is a program's: no page can make a browser leave out both."""
OTHERS: Final = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": HOME},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost:8001"},
    {"Origin": "null"},
]


@pytest.mark.parametrize("headers", SAME_ORIGIN, ids=str)
@Store
async def test_who_posts_is_signed_out_here_and_at_entra(
    make_site: MakeSite, store: str, headers: dict[str, str]
) -> None:
    """The session first; then Entra is told whom it is about and where to send them."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    copy = site.browser(browser)
    answer = await browser.http.post(LOGOUT, headers=headers)
    assert answer.status_code == 302
    assert answer.headers["cache-control"] == "no-store"
    address = answer.headers["location"]
    tenant = site.emulator.tenant.id
    assert address.startswith(f"{site.emulator.base_url}/{tenant}/oauth2/v2.0/logout?")
    query = query_of(address)
    assert query.pop("logout_hint")
    assert query == {"post_logout_redirect_uri": f"{HOME}/auth/login-callback"}
    assert set_cookies(answer)[COOKIE] == f"{COOKIE}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"
    assert not browser.cookies
    assert await browser.status() == 401
    assert await copy.status() == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": HOME},
        {"Referer": f"{HOME}/page"},
        {},
    ],
    ids=str,
)
async def test_links_of_the_own_site_sign_out(site: Site, headers: dict[str, str]) -> None:
    """So do addresses that somebody typed."""
    browser = await site.browser().signed_in()
    answer = await browser.http.get(LOGOUT, headers=headers)
    assert answer.status_code == 302
    assert await browser.status() == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Referer": "https://evil.example/page"},
        {"Referer": "http://localhost:80001/page"},
        {"Referer": "http://localhost:8000.evil.example/page"},
    ],
    ids=str,
)
async def test_links_of_other_sites_ask_first(site: Site, headers: dict[str, str]) -> None:
    """Nobody is signed out by a picture's address; the page's button does it."""
    browser = await site.browser().signed_in()
    program = await browser.http.get(LOGOUT, headers=headers)
    assert (program.status_code, code_of(program)) == (403, "cross_origin")
    page = await browser.http.get(LOGOUT, headers={"Sec-Fetch-Mode": "navigate"} | headers)
    assert page.status_code == 403
    assert f'action="{LOGOUT}"' in page.text
    assert 'method="post"' in page.text
    policy = page.headers["content-security-policy"]
    assert f"form-action 'self' {site.emulator.base_url};" in policy
    assert page.headers["x-frame-options"] == "DENY"
    assert not set_cookies(page)
    assert await browser.status() == 200


@pytest.mark.parametrize("headers", OTHERS, ids=str)
async def test_forms_of_other_sites_ask_first(site: Site, headers: dict[str, str]) -> None:
    """For POST, a neighbour on the same site is another one, too."""
    browser = await site.browser().signed_in()
    program = await browser.http.post(LOGOUT, headers=headers)
    assert (program.status_code, code_of(program)) == (403, "cross_origin")
    page = await browser.http.post(LOGOUT, headers={"Accept": "text/html"} | headers)
    assert (page.status_code, f'action="{LOGOUT}"' in page.text) == (403, True)
    assert await browser.status() == 200


async def test_who_is_not_signed_in_is_still_sent_to_entra(site: Site) -> None:
    """There may be a session there; nobody is hinted at."""
    answer = await site.browser().http.post(LOGOUT)
    assert answer.status_code == 302
    assert query_of(answer.headers["location"]).keys() == {"post_logout_redirect_uri"}
    assert COOKIE in set_cookies(answer)


async def test_without_the_claim_there_is_no_hint(make_site: MakeSite, emulator: EntraEmulator) -> None:
    """``login_hint`` is an optional claim; other names of people are not told to everybody's logs."""
    change_application(emulator, OPERATE, optional_claims=OptionalClaims())
    site = make_site()
    browser = await site.browser().signed_in()
    answer = await browser.http.post(LOGOUT)
    assert query_of(answer.headers["location"]).keys() == {"post_logout_redirect_uri"}


async def test_the_whole_way_out_and_back(site: Site) -> None:
    """Entra signs the person out without asking whom, and sends them to the page that says so."""
    browser = await site.browser().signed_in()
    answer = await browser.http.post(LOGOUT)
    page = await browser.entra.get(answer.headers["location"])
    assert "You are signed out" in page.text
    assert ADA in page.text
    assert f"{HOME}{FRONT}?sid=" in page.text
    assert f"{HOME}/auth/login-callback" in page.text
    assert "You are signed out" in (await browser.open("/auth/login-callback")).text
    assert "Who are you" in (await browser.entra.get(await browser.depart())).text


@pytest.mark.parametrize(
    ("settings", "install", "back"),
    [
        ({"post_logout_path": "/"}, {}, "/"),
        ({"post_logout_path": "/bye"}, {}, "/bye"),
        ({"callback_path": "/sso-callback"}, {}, "/sso-callback"),
        ({}, {"prefix": "/in"}, "/in/login-callback"),
    ],
)
async def test_people_come_back_to_where_the_settings_say(
    make_site: MakeSite, settings: dict[str, Any], install: dict[str, Any], back: str
) -> None:
    """The callback when nothing is said, as that is registered."""
    site = make_site(install=install, **settings)
    answer = await site.browser().http.post(f"{install.get('prefix', '/auth')}/logout")
    assert query_of(answer.headers["location"])["post_logout_redirect_uri"] == HOME + back


async def test_sign_out_behind_a_base_url_uses_its_names(
    make_site: MakeSite, emulator: EntraEmulator
) -> None:
    """The addresses, the cookie, and the origin that counts as our own."""
    public = "https://operate.example.com"
    register(emulator, f"{public}/auth/login-callback")
    site = make_site(base_url=public, url=public)
    browser = await site.browser().signed_in()
    answer = await browser.http.post(LOGOUT, headers={"Origin": HOME})
    assert (answer.status_code, code_of(answer)) == (403, "cross_origin")
    answer = await browser.http.post(LOGOUT, headers={"Origin": public})
    target = query_of(answer.headers["location"])["post_logout_redirect_uri"]
    assert target == f"{public}/auth/login-callback"
    assert f"__Host-{COOKIE}=; Max-Age=0; Path=/; Secure;" in set_cookies(answer)[f"__Host-{COOKIE}"]
    assert not browser.cookies


async def test_signing_out_needs_no_entra(site: Site) -> None:
    """Neither its discovery nor a token that is still good."""
    browser = await site.browser().signed_in()
    site.emulator.down()
    site.clock.advance(4000)
    assert (await browser.http.post(LOGOUT)).status_code == 302
    site.emulator.up()
    assert await browser.status() == 401
    assert site.renewals() == 0


async def test_what_changes_something_needs_a_page_of_our_own(site: Site) -> None:
    """The rule for all requests that carry the cookie alone; bearer tokens are not concerned."""
    browser = await site.browser().signed_in()
    for headers in ({}, *OTHERS):
        answer = await browser.http.post("/change", headers=headers)
        assert (answer.status_code, code_of(answer)) == (403, "cross_origin")
    for headers in SAME_ORIGIN[:3]:
        assert (await browser.http.post("/change", headers=headers)).json() == {"by": ADA}
    token = {"Authorization": f"Bearer {site.emulator.token(user=BEN)}"}
    answer = await browser.http.post("/change", headers=token | {"Sec-Fetch-Site": "cross-site"})
    assert answer.json() == {"by": BEN}


class Away:
    """A store that nobody can ask."""

    kind = "away"
    server_side = True

    def __init__(self) -> None:
        self.to_end: list[str] = []

    async def create(self, session: Session) -> str:
        """Fail."""
        raise SessionsUnavailable("The session store cannot be reached.")

    async def read(self, handle: str) -> Session | None:
        """Fail."""
        raise SessionsUnavailable("The session store cannot be reached.")

    async def replace(self, handle: str, session: Session) -> str | None:
        """Fail."""
        raise SessionsUnavailable("The session store cannot be reached.")

    async def end(self, handle: str) -> None:
        """Fail."""
        raise SessionsUnavailable("The session store cannot be reached.")

    def end_later(self, handle: str) -> None:
        """Keep it."""
        self.to_end.append(handle)

    async def end_by_sid(self, sid: str) -> int:
        """Fail."""
        raise SessionsUnavailable("The session store cannot be reached.")

    async def use_once(self, key: str, seconds: float) -> bool:
        """Fail."""
        raise SessionsUnavailable("The session store cannot be reached.")

    def renewing(self, handle: str) -> nullcontext[None]:
        """Nobody else is there."""
        return nullcontext()

    def sweep(self) -> None:
        """Nothing is held."""

    async def check(self) -> None:
        """Fail."""
        raise SessionsUnavailable("The session store cannot be reached.")

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
async def stranded(make_site: MakeSite) -> Browser:
    """Somebody signed in whose session store is away; at a site of its own."""
    site = make_site(session_store="memory")
    browser = await site.browser().signed_in()
    session_manager_of(site).store = Away()
    return browser


async def test_with_the_store_away_people_are_signed_out_at_entra(stranded: Browser) -> None:
    """And their cookie is dropped."""
    answer = await stranded.http.post(LOGOUT)
    assert answer.status_code == 302
    assert query_of(answer.headers["location"]).keys() == {"post_logout_redirect_uri"}
    assert not stranded.cookies


async def test_with_the_store_away_it_is_to_end_the_session_later(make_site: MakeSite) -> None:
    """Nobody could look it up, so that the store is handed what the cookie has; without a cookie, nothing."""
    site = make_site(session_store="memory")
    browser = await site.browser().signed_in()
    handle = browser.session
    session_manager_of(site).store = away = Away()
    await site.browser().http.post(LOGOUT)
    assert not away.to_end
    await browser.http.post(LOGOUT)
    assert away.to_end == [handle]


@pytest.mark.parametrize(
    "path",
    ["/api", "/auth/me", "/auth/login-callback?code=1&state=2", f"{FRONT}?sid=1"],
)
async def test_with_the_store_away_others_are_told_to_come_back(stranded: Browser, path: str) -> None:
    """503 with ``Retry-After``, and the cookie stays."""
    answer = await stranded.http.get(path)
    assert (answer.status_code, code_of(answer)) == (503, "sessions_unavailable")
    assert answer.headers["retry-after"] == "1"
    assert not set_cookies(answer)


async def test_with_the_store_away_nobody_signs_in_or_consents(stranded: Browser) -> None:
    """People see a page that says so; Entra's answer stays unused."""
    stranded.http.cookies.clear()
    back = await stranded.come_back()
    page = await stranded.open(back)
    assert page.status_code == 503
    assert "Sign-in is not possible right now" in page.text
    answer = await stranded.open(CONSENT)
    state = query_of(answer.headers["location"])["state"]
    page = await stranded.open(f"{CONSENTED}?admin_consent=True&state={state}")
    assert page.status_code == 503
    assert f'href="{CONSENT}"' in page.text


async def test_a_redis_that_is_not_there_is_no_error_of_ours(make_site: MakeSite) -> None:
    """A real one, at a port where nobody listens."""
    site = make_site(session_store="redis://127.0.0.1:9")
    browser = site.browser()
    page = await browser.sign_in()
    assert page.status_code == 503
    assert "Sign-in is not possible right now" in page.text


async def sids(site: Site, browser: Browser) -> str:
    """The ID of Entra's own session."""
    back = await browser.come_back()
    sid = query_of(back)["session_state"]
    assert (await browser.open(back)).status_code == 303
    return sid


@pytest.mark.parametrize("claims", [("login_hint", "sid"), ()], ids=["sid claim", "session_state alone"])
async def test_entra_ends_sessions_by_their_sid(
    make_site: MakeSite, emulator: EntraEmulator, claims: tuple[Any, ...]
) -> None:
    """All of that sign-in, without their cookies, and no others; whether or not ``sid`` is configured."""
    change_application(emulator, OPERATE, optional_claims=OptionalClaims(id_token=claims))
    site = make_site(session_store="memory")
    ada, ben = site.browser(), await site.browser().signed_in(person=BEN)
    sid = await sids(site, ada)
    frame = site.browser()
    answer = await frame.http.get(FRONT, params={"sid": sid})
    assert (answer.status_code, answer.text) == (200, "Signed out.")
    assert answer.headers["cache-control"] == "no-store"
    assert "x-frame-options" not in answer.headers
    assert [await ada.status(), await ben.status()] == [401, 200]


async def test_the_issuer_may_be_named(make_site: MakeSite) -> None:
    """OpenID Connect Front-Channel Logout 1.0, 3; Entra does not."""
    site = make_site(session_store="memory")
    browser = site.browser()
    sid = await sids(site, browser)
    wrong = await site.browser().http.get(FRONT, params={"sid": sid, "iss": "https://evil.example"})
    assert (wrong.status_code, await browser.status()) == (400, 200)
    right = await site.browser().http.get(FRONT, params={"sid": sid, "iss": site.entra.settings.issuer})
    assert (right.status_code, await browser.status()) == (200, 401)


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("sid=", 400), (f"sid={'s' * 257}", 400), ("sid=a&sid=b", 400), (f"sid={'s' * 256}", 200)],
    ids=["missing", "empty", "long", "repeated", "unknown"],
)
async def test_a_sid_that_is_none_ends_nothing(make_site: MakeSite, query: str, status: int) -> None:
    """One that nobody has is answered as any other: nothing is told of who is signed in."""
    site = make_site(session_store="memory")
    browser = await site.browser().signed_in()
    answer = await browser.http.get(f"{FRONT}?{query}")
    assert answer.status_code == status
    assert not set_cookies(answer)
    assert await browser.status() == 200


async def test_a_frame_that_brings_the_cookie_has_it_dropped(site: Site) -> None:
    """Older browsers send it along; with the cookie store that is all that can be done."""
    browser = site.browser()
    sid = await sids(site, browser)
    copy = site.browser(browser)
    answer = await browser.http.get(FRONT, params={"sid": sid})
    assert "Max-Age=0" in set_cookies(answer)[COOKIE]
    assert await browser.status() == 401
    assert await copy.status() == 401  # in this process


async def test_sessions_that_live_in_cookies_are_not_ended_from_elsewhere(site: Site) -> None:
    """A stateless store cannot end sessions; README says so."""
    browser = site.browser()
    sid = await sids(site, browser)
    answer = await site.browser().http.get(FRONT, params={"sid": sid})
    assert (answer.status_code, set_cookies(answer)) == (200, {})
    assert await browser.status() == 200


async def test_front_channel_sign_out_tells_the_log_how_many(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    """But not whose."""
    caplog.set_level(logging.INFO)
    site = make_site(session_store="memory")
    browser = site.browser()
    sid = await sids(site, browser)
    await site.browser().http.get(FRONT, params={"sid": sid})
    assert "Front-channel sign-out ended 1 sessions" in list(texts_in(caplog))
    assert not any(sid in text for text in texts_in(caplog))


async def consent(browser: Browser, label: str) -> str:
    """Go to the consent page and press that button; gives the address that it leads back to."""
    answer = await browser.open(CONSENT)
    assert answer.status_code == 302
    return await browser.at_entra(answer.headers["location"], label)


async def test_an_administrator_consents_for_everybody(make_site: MakeSite, emulator: EntraEmulator) -> None:
    """Afterwards nobody is asked; and nobody is signed in by it."""
    change_application(emulator, OPERATE, admin_consent=False)
    site = make_site()
    browser = site.browser()
    answer = await browser.open(CONSENT)
    query = query_of(answer.headers["location"])
    path = urlsplit(answer.headers["location"]).path
    assert path == f"/{emulator.tenant.id}/v2.0/adminconsent"
    assert query.pop("state")
    assert query == {
        "client_id": OPERATE,
        "scope": f"{OPERATE}/.default",
        "redirect_uri": f"{HOME}{CONSENTED}",
    }
    back = await browser.at_entra(answer.headers["location"], f"Accept as {ADA}")
    assert query_of(back)["admin_consent"] == "True"
    copy = site.browser(browser)
    answer = await browser.open(back)
    assert answer.status_code == 200
    assert "Consent was given" in answer.text
    assert 'href="/auth/login"' in answer.text
    assert not kept_cookies(answer)
    assert not browser.cookies
    assert await browser.status() == 401
    assert await (await site.browser().signed_in(person=BEN)).status() == 200
    late = await copy.http.get(back)
    assert (late.status_code, code_of(late)) == (400, "login_expired")


async def test_programs_get_a_line(site: Site) -> None:
    """Where people get the page."""
    browser = site.browser()
    answer = await browser.http.get(await consent(browser, f"Accept as {ADA}"))
    assert (answer.status_code, answer.text) == (200, "Consent was given.")


async def test_admin_consent_true_beside_an_error_is_none(site: Site) -> None:
    """Entra says so when the administrator declines."""
    browser = site.browser()
    back = await consent(browser, "Decline")
    assert query_of(back)["admin_consent"] == "True"
    assert query_of(back)["error"]
    page = await browser.open(back)
    assert page.status_code == 403
    assert "Consent was not given" in page.text
    assert "left with Cancel" in page.text
    answer = await browser.http.get(await consent(browser, "Decline"))
    assert (answer.status_code, code_of(answer)) == (403, "consent_required")
    assert not browser.cookies


@pytest.mark.parametrize(
    "query",
    [
        "admin_consent=True&error=permission_denied&error_description=x",
        "admin_consent=True&error=access_denied&error_subcode=cancel",
        "error=access_denied",
        "admin_consent=True&error=",
        "admin_consent=False",
        "admin_consent=",
        "admin_consent=1",
        "tenant=c0de0000-1111-4222-8333-444455556666",
        "",
    ],
)
async def test_everything_else_is_a_failure(site: Site, query: str) -> None:
    """With a link to try again."""
    browser = site.browser()
    for headers in ({}, {"Accept": "text/html"}):
        state = query_of((await browser.open(CONSENT)).headers["location"])["state"]
        answer = await browser.http.get(f"{CONSENTED}?{query}&state={state}", headers=headers)
        assert answer.status_code == 403
        assert not kept_cookies(answer)
    assert f'href="{CONSENT}"' in answer.text


async def test_the_tenant_in_an_answer_is_not_believed(site: Site) -> None:
    """Anybody can write it there (Learn: admin consent, do not use it to authenticate)."""
    browser = await site.browser().signed_in(person=BEN)
    before = (await browser.http.get("/auth/me")).json()
    state = query_of((await browser.open(CONSENT)).headers["location"])["state"]
    tenant = "fab00000-1111-4222-8333-444455556666"
    page = await browser.open(f"{CONSENTED}?admin_consent=True&tenant={tenant}&state={state}")
    assert page.status_code == 200
    assert tenant not in page.text
    assert (await browser.http.get("/auth/me")).json() == before


Mangle = Callable[[str], str]


@pytest.mark.parametrize(
    "mangle",
    [
        lambda back: back.split("state=")[0] + "x=y",
        lambda back: back + "x",
        lambda back: f"{CONSENTED}?admin_consent=True&state=foreign",
        lambda back: f"{CONSENTED}?admin_consent=True",
        lambda back: CONSENTED,
    ],
    ids=["without", "changed", "foreign", "missing", "bare"],
)
async def test_a_consent_that_nobody_asked_for_here_says_nothing(site: Site, mangle: Mangle) -> None:
    """The state counts before everything else."""
    browser = site.browser()
    back = mangle(await consent(browser, f"Accept as {ADA}"))
    answer = await browser.http.get(back)
    assert (answer.status_code, code_of(answer)) == (400, "login_expired")
    page = await browser.open(back)
    assert page.status_code == 400
    assert "Please sign in again" in page.text
    assert f'href="{CONSENT}"' in page.text


async def test_a_consent_takes_ten_minutes_at_most(site: Site) -> None:
    """As a sign-in does."""
    browser = site.browser()
    back = await consent(browser, f"Accept as {ADA}")
    site.clock.advance(600)
    answer = await browser.http.get(back)
    assert (answer.status_code, code_of(answer)) == (400, "login_expired")


async def test_consents_with_repeated_parameters_are_refused(site: Site) -> None:
    """Which of them would count?"""
    browser = site.browser()
    answer = await browser.http.get(f"{await consent(browser, f'Accept as {ADA}')}&admin_consent=False")
    assert (answer.status_code, code_of(answer)) == (400, "login_request_invalid")


async def test_consents_and_sign_ins_share_the_seven_attempts(site: Site) -> None:
    """Whatever was begun first is dropped first."""
    browser = site.browser()
    back = await browser.come_back()
    for _ in range(7):
        site.clock.advance(1)
        await browser.open(CONSENT)
    assert len(browser.attempts) == 7
    assert all(name.startswith(ATTEMPT) for name in browser.attempts)
    answer: httpx.Response = await browser.http.get(back)
    assert (answer.status_code, code_of(answer)) == (400, "login_expired")
