"""Answers of Entra's whose sign-in is gone: after Back, from many tabs at once, or long ago."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape
from string import ascii_letters, digits
from typing import Annotated
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from fastapi import Depends

from camunda_entra_fastapi import EntraUser
from camunda_entra_fastapi.sign_in.flow import MAX_ATTEMPTS, MAX_ATTEMPTS_CHARACTERS
from camunda_entra_fastapi.sign_in.state import MAX_RESTARTS, MAX_URL, Beginning
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE, OptionalClaims
from tests.site import (
    ADA,
    ATTEMPT,
    BEN,
    COOKIE,
    HOME,
    PERSON,
    Browser,
    MakeSite,
    Site,
    Store,
    code_of,
    kept_cookies,
    query_of,
)
from tests.testing.browsing import change_application

CALLBACK = "/auth/login-callback"
TABS = 20
WEEK = 7 * 24 * 3600


def onward_of(answer: httpx.Response) -> str:
    """Where the page makes the browser go by itself; empty where it does not."""
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]*)"', answer.text)
    return unescape(found[1]) if found else ""


def link_of(answer: httpx.Response) -> str:
    """Where the page's first link leads."""
    found = re.search(r'<a class="action first" href="([^"]*)"', answer.text)
    assert found, answer.text
    return unescape(found[1])


def return_to_of(address: str) -> list[str]:
    """The place to return to, in an address of the login page."""
    assert urlsplit(address).path == "/auth/login"
    return parse_qs(urlsplit(address).query).get("return_to", [])


def forget(browser: Browser, *beginnings: str) -> None:
    """Drop the browser's cookies whose names begin so."""
    for name in [name for name in browser.cookies if name.startswith(beginnings)]:
        browser.http.cookies.delete(name)


@dataclass
class Tab:
    """A tab that follows where it is led, one request at a time."""

    browser: Browser
    address: str
    opened: list[str] = field(default_factory=list)
    shown: httpx.Response | None = None
    """The page at which it stopped."""

    async def step(self) -> bool:
        """Make one request; whether there was any to make."""
        if self.shown is not None:
            return False
        self.opened.append(self.address)
        is_ours = self.address.startswith((HOME, "/"))
        answer = await (self.browser.open(self.address) if is_ours else self.browser.entra.get(self.address))
        onward = answer.headers["location"] if answer.is_redirect else onward_of(answer)
        if onward:
            self.address = urljoin(str(answer.request.url), onward)
        else:
            self.shown = answer
        return True

    async def stop(self) -> httpx.Response:
        """Go on until there is a page."""
        while await self.step():
            assert len(self.opened) < 50
        assert self.shown is not None
        return self.shown


async def test_who_is_signed_in_goes_on_to_the_page_of_that_sign_in(site: Site) -> None:
    """Once more and in another tab; no code is redeemed, and the session is the same one."""
    browser = site.browser()
    back = await browser.come_back("/incidents/7?tab=history")
    assert (await browser.open(back)).status_code == 303
    session = browser.session
    for _ in range(2):
        answer = await browser.open(back)
        assert (answer.status_code, answer.headers["location"]) == (303, "/incidents/7?tab=history")
        assert not kept_cookies(answer)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert (browser.session, len(site.wire.forms)) == (session, 1)


async def test_entras_page_answers_once_more_with_a_new_code(site: Site) -> None:
    """As after Back, where somebody else is chosen: they are not signed in, nor is their code redeemed."""
    browser = site.browser()
    departure = await browser.depart("/incidents/7")
    await browser.open(await browser.at_entra(departure, ADA))
    browser.entra.cookies.clear()
    answer = await browser.open(await browser.at_entra(departure, BEN))
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents/7")
    assert (await browser.http.get("/api")).json()["name"] == ADA
    assert len(site.wire.forms) == 1


async def test_programs_are_told_that_it_is_over(site: Site) -> None:
    """Signed in or not: they have no Back, and JSON is what they read."""
    browser = site.browser()
    back = await browser.come_back()
    assert (await browser.open(back)).status_code == 303
    answer = await browser.http.get(back)
    assert (answer.status_code, code_of(answer)) == (400, "login_expired")


@pytest.mark.parametrize(
    "how", ["another browser", "cancelled", "no state", "nonsense", "changed", "consent"]
)
async def test_answers_that_were_never_ours_lead_who_is_signed_in_home(site: Site, how: str) -> None:
    """Or to the place of a sign-in that this service began in another browser, as a link would."""
    browser = await site.browser().signed_in()
    session = browser.session
    other = site.browser()
    back = await other.come_back("/incidents/9")
    state = query_of(back)["state"]
    place = "/"
    match how:
        case "another browser":
            place = "/incidents/9"
        case "cancelled":
            place, back = "/incidents/9", f"{CALLBACK}?error=access_denied&state={state}"
        case "no state":
            back = f"{CALLBACK}?code=x"
        case "nonsense":
            back = f"{CALLBACK}?code=x&state=ü.1.a"
        case "changed":
            back = back.replace(state, state[:-2] + ("AA" if state[-2:] != "AA" else "QA"))
        case "consent":
            consent = await other.open("/auth/admin-consent")
            back = f"{CALLBACK}?code=x&state={query_of(consent.headers['location'])['state']}"
    answer = await browser.open(back)
    assert (answer.status_code, answer.headers["location"]) == (303, place)
    assert not kept_cookies(answer)
    assert browser.session == session
    assert len(site.wire.forms) == 1


async def test_who_is_not_signed_in_signs_in_anew_by_itself(site: Site) -> None:
    """The answer is refused as ever; its page goes on to the login page, and so does its link."""
    browser = site.browser()
    back = await browser.come_back("/incidents/7?a=b&c=%C3%BC")
    forget(browser, ATTEMPT)
    answer = await browser.open(back)
    assert answer.status_code == 400
    assert "Please sign in again" in answer.text
    assert not kept_cookies(answer)
    assert return_to_of(link_of(answer)) == return_to_of(onward_of(answer)) == ["/incidents/7?a=b&c=%C3%BC"]
    assert "again=" not in link_of(answer)
    assert (await browser.http.get(back)).status_code == 400
    tab = Tab(browser, back)
    assert (await tab.stop()).status_code == 200
    assert tab.opened[-1] == f"{HOME}/incidents/7?a=b&c=%C3%BC"
    assert len(site.wire.forms) == 1


@pytest.mark.parametrize("clicks", [0, 1])
async def test_a_browser_without_cookies_is_sent_round_once(site: Site, clicks: int) -> None:
    """Then it stays at the page with the link, after each click anew."""
    browser = site.browser()
    tab = Tab(browser, await browser.come_back("/incidents/7"))
    for _ in range(clicks + 1):
        while tab.shown is None:
            forget(browser, ATTEMPT)
            await tab.step()
        assert tab.shown.status_code == 400
        assert return_to_of(link_of(tab.shown)) == ["/incidents/7"]
        assert sum("/authorize" in address for address in tab.opened) <= 2 * clicks + 1
        tab.address, tab.shown = link_of(tab.shown), None


async def test_a_mark_of_ones_own_does_not_begin_more(site: Site) -> None:
    """The number in the login page's address ends where there is none."""
    browser = site.browser()
    for again, sent_on in (("1", False), ("3", False), ("4", True), ("-1", True), ("x", True), ("", True)):
        departure = (await browser.open(f"/auth/login?return_to=/page&again={again}")).headers["location"]
        back = await browser.at_entra(departure, ADA)
        forget(browser, ATTEMPT)
        assert bool(onward_of(await browser.open(back))) is sent_on, again


async def test_a_browser_that_keeps_cookies_has_more_than_one_chance(site: Site) -> None:
    """Of many tabs, one may push out the other's attempt; but not without end."""
    browser = site.browser()
    tab = Tab(browser, await browser.come_back("/incidents/7"))
    while tab.shown is None:
        forget(browser, ATTEMPT)
        await browser.depart("/incidents/8")
        await tab.step()
    assert return_to_of(link_of(tab.shown)) == ["/incidents/7"]
    assert sum("/authorize" in address for address in tab.opened) == MAX_RESTARTS


def in_turn(tabs: list[Tab]) -> list[Tab]:
    """Each one request, then the next."""
    return tabs * 20


def at_random(tabs: list[Tab]) -> list[Tab]:
    """Whichever, until all are done."""
    order = tabs * 20
    random.Random(7).shuffle(order)
    return order


@pytest.mark.parametrize("order", [in_turn, at_random])
@pytest.mark.parametrize("entra", ["knows who it is", "asks"])
async def test_twenty_tabs_come_back_to_their_own_addresses(
    site: Site, order: Callable[[list[Tab]], list[Tab]], entra: str
) -> None:
    """All are signed in at the end, without a click where Entra's session lives; attempts stay bounded."""
    browser = await site.browser().signed_in()
    forget(browser, COOKIE)
    if entra == "asks":
        browser.entra.cookies.clear()
    addresses = [f"/incidents/{number}?row={number}" for number in range(TABS)]
    tabs = [Tab(browser, address) for address in addresses]
    for tab in order(tabs):
        await tab.step()
        assert len(browser.attempts) <= MAX_ATTEMPTS
        kept = sum(len(value) for name, value in browser.cookies.items() if ATTEMPT in name)
        assert kept <= MAX_ATTEMPTS_CHARACTERS
    if entra == "asks":
        for tab in tabs:
            assert "/authorize" in tab.address
            tab.address, tab.shown = await browser.at_entra(tab.address, ADA), None
            await tab.stop()
    for tab, address in zip(tabs, addresses, strict=True):
        assert tab.shown is not None
        assert (tab.shown.status_code, urlsplit(tab.opened[-1])._replace(scheme="", netloc="").geturl()) == (
            200,
            address,
        )
    assert await browser.status() == 200


@pytest.mark.parametrize("place", ["https://evil.example/x", "//evil.example/x", "/\\evil.example/x"])
async def test_a_place_beyond_this_service_is_judged_anew(site: Site, place: str) -> None:
    """Settings change, and a place that they allowed is told for a week: the login page has the last word."""
    browser = await site.browser().signed_in()
    login_context = site.entra._runtimes[-1].login_context
    assert login_context is not None
    beginning = Beginning("login", int(site.clock.time()), place)
    state = login_context.sign_in.states.write("secret", beginning)
    tab = Tab(browser, f"{CALLBACK}?code=x&state={state}")
    assert (await tab.stop()).request.url == f"{HOME}/"


async def test_a_tab_that_begins_anew_finds_another_one_signed_in(site: Site) -> None:
    """It goes on without a sign-in of its own; a link without the mark, or with a prompt, begins one."""
    browser = await site.browser().signed_in()
    answer = await browser.open("/auth/login?return_to=/incidents/7&again=1")
    assert (answer.status_code, answer.headers["location"]) == (302, "/incidents/7")
    answer = await browser.open("/auth/login?again=2")
    assert (answer.status_code, answer.headers["location"]) == (302, "/")
    for others in ("", "&again=0", "&again=1&prompt=login", "&again=1&claims=e30"):
        answer = await browser.open(f"/auth/login?return_to=/incidents/7{others}")
        assert "/authorize?" in answer.headers["location"], others
    assert len(site.wire.forms) == 1


@Store
async def test_of_two_people_in_two_tabs_the_later_one_stays(make_site: MakeSite, store: str) -> None:
    """Both attempts are good; the session of the first ends, and going back to the first changes nothing."""
    site = make_site(session_store=store)
    browser = site.browser()
    first, second = await browser.depart("/incidents/1"), await browser.depart("/incidents/2")
    ada = await browser.at_entra(first, ADA)
    browser.entra.cookies.clear()
    ben = await browser.at_entra(second, BEN)
    assert (await browser.open(ada)).headers["location"] == "/incidents/1"
    before = site.browser(browser)
    assert (await browser.open(ben)).headers["location"] == "/incidents/2"
    assert (await browser.http.get("/api")).json()["name"] == BEN
    assert await before.status() == 401
    assert (await browser.open(ada)).headers["location"] == "/incidents/1"
    assert (await browser.http.get("/api")).json()["name"] == BEN
    assert len(site.wire.forms) == 2


async def test_a_link_with_anothers_answer_signs_nobody_in_as_them(site: Site) -> None:
    """A victim ends at Entra, asked who they are, with a sign-in of their own (login CSRF)."""
    attacker, victim = site.browser(), site.browser()
    back = await attacker.come_back("/incidents/9", BEN)
    for _ in range(2):
        tab = Tab(victim, back)
        answer = await tab.stop()
        assert answer.request.url.path.endswith("/authorize")
        assert query_of(tab.opened[-1])["state"] != query_of(back)["state"]
        assert await victim.status() == 401
        assert not site.wire.forms
    assert (await attacker.open(back)).status_code == 303


@pytest.mark.parametrize("part", ["secret", "sealed", "other sealed", "none sealed", "longer"])
async def test_a_changed_state_does_not_fit_its_own_attempt(site: Site, part: str) -> None:
    """Each of its characters counts; the attempt is neither used nor is anything of it told."""
    browser = site.browser()
    back = await browser.come_back("/incidents/7")
    state = query_of(back)["state"]
    secret, _, sealed = state.partition(".")
    _, _, others = query_of(await browser.depart("/incidents/8"))["state"].partition(".")
    changed = {
        "secret": f"{'B' if secret[0] == 'A' else 'A'}{secret[1:]}.{sealed}",
        "sealed": f"{secret}.{sealed[:-2]}{'AA' if sealed[-2:] != 'AA' else 'QA'}",
        "other sealed": f"{secret}.{others}",
        "none sealed": secret,
        "longer": f"{state}A",
    }[part]
    answer = await browser.http.get(back.replace(state, changed))
    assert (answer.status_code, code_of(answer)) == (400, "login_expired")
    page = await browser.open(back.replace(state, changed))
    assert (page.status_code, link_of(page), onward_of(page)) == (400, "/auth/login", "")
    assert not site.wire.forms


async def test_another_services_state_tells_nothing(make_site: MakeSite, site: Site) -> None:
    """With another secret it does not open, and so it is no place to go to."""
    back = (
        await make_site(session_secret="another secret of 32 characters!!")
        .browser()
        .come_back("/incidents/7")
    )
    page = await site.browser().open(back)
    assert (page.status_code, link_of(page), onward_of(page)) == (400, "/auth/login", "")


@pytest.mark.parametrize(("seconds", "is_told"), [(600, True), (WEEK - 1, True), (WEEK, False), (-601, True)])
async def test_the_place_is_told_for_a_week(site: Site, seconds: int, *, is_told: bool) -> None:
    """Entra's page may wait over a weekend; afterwards there is the link alone."""
    browser = site.browser()
    back = await browser.come_back("/incidents/7")
    site.clock.advance(seconds)
    page = await browser.open(back)
    assert page.status_code == 400
    assert return_to_of(link_of(page)) == (["/incidents/7"] if is_told else [])
    assert bool(onward_of(page)) is is_told


@pytest.mark.parametrize("query", ["error=access_denied&error_subcode=cancel", "error=server_error", ""])
async def test_who_has_cancelled_is_not_sent_to_entra_by_itself(site: Site, query: str) -> None:
    """The page has the link, with the place."""
    browser = site.browser()
    state = query_of(await browser.depart("/incidents/7"))["state"]
    forget(browser, ATTEMPT)
    page = await browser.open(f"{CALLBACK}?state={state}&{query}")
    assert (page.status_code, onward_of(page)) == (400, "")
    assert return_to_of(link_of(page)) == ["/incidents/7"]


async def test_an_answer_that_failed_begins_anew_when_reloaded(site: Site) -> None:
    """Entra was away when it came, and its state is used up."""
    browser = site.browser()
    back = await browser.come_back("/incidents/7")
    site.wire.fail("/token")
    page = await browser.open(back)
    assert (page.status_code, onward_of(page)) == (503, "")
    assert return_to_of(link_of(page)) == ["/incidents/7"]
    site.wire.heal()
    tab = Tab(browser, back)
    assert (await tab.stop()).status_code == 200
    assert tab.opened[-1] == f"{HOME}/incidents/7"


async def test_a_session_that_cannot_be_renewed_is_none(site: Site) -> None:
    """Whose sign-in is over goes to sign in rather than to a page that would send them there."""
    browser = site.browser()
    back = await browser.come_back("/incidents/7")
    await browser.open(back)
    site.clock.advance(5000)
    site.wire.answer("/token", 400, json={"error": "invalid_grant", "error_description": "AADSTS50173: x"})
    page = await browser.open(back)
    assert (page.status_code, return_to_of(onward_of(page))) == (400, ["/incidents/7"])


async def test_nobody_goes_on_while_nobody_can_tell_who_is_signed_in(site: Site) -> None:
    """A session is due and Entra away: the page stays, and sends nobody round."""
    browser = site.browser()
    back = await browser.come_back("/incidents/7")
    await browser.open(back)
    site.clock.advance(5000)
    site.wire.fail("/token")
    page = await browser.open(back)
    assert (page.status_code, return_to_of(link_of(page))) == (400, ["/incidents/7"])


def unruly(size: int) -> str:
    """A place with that many characters that no compression makes shorter."""
    return f"/incidents/7?q={''.join(random.Random(size).choices(ascii_letters + digits, k=size))}"


@pytest.mark.parametrize(
    "place",
    [unruly(200), unruly(900), f"/incidents/7?{'status=open&' * 80}", "/incidents/7?q=" + "%D0%9F" * 160],
)
async def test_an_address_for_entra_stays_short(site: Site, place: str) -> None:
    """With the place in it, which is told without the attempt, too."""
    browser = site.browser()
    departure = await browser.depart(place)
    assert len(departure) <= MAX_URL
    back = await browser.at_entra(departure, ADA)
    late = site.browser()
    assert (await browser.open(back)).headers["location"] == place
    page = await late.open(back)
    assert page.status_code == 400
    assert return_to_of(link_of(page)) == [place]


async def test_a_place_that_makes_the_address_too_long_stays_in_the_cookie(site: Site) -> None:
    """The person comes back to it by their attempt; without that they are led home, signed in or not."""
    browser, place = site.browser(), unruly(960)
    departure = await browser.open(f"/auth/login?return_to={place}&login_hint={'%C3%BC' * 200}")
    back = await browser.at_entra(departure.headers["location"], ADA)
    assert len(query_of(back)["state"]) < 200
    cancelled = site.browser(browser)
    page = await cancelled.open(f"{CALLBACK}?error=access_denied&state={query_of(back)['state']}")
    assert return_to_of(link_of(page)) == [place]
    page = await site.browser().open(back)
    assert (link_of(page), onward_of(page)) == ("/auth/login", "/auth/login?again=1")
    other = await site.browser().signed_in()
    assert (await other.open(back)).headers["location"] == "/"


async def test_a_place_in_the_state_takes_no_room_in_the_cookie(site: Site) -> None:
    """Cookies are scarce: twenty tabs that begin at once leave room in the 8 KiB that proxies read."""
    sizes = set()
    for place in ("/incidents/7", unruly(900)):
        browser = site.browser()
        await browser.depart(place)
        ((name, value),) = browser.cookies.items()
        sizes.add(len(value))
    assert len(sizes) == 1
    assert 20 * (len(f"__Host-{name}=; ") + sizes.pop()) < 8_192


async def test_the_attempts_cookie_counts_where_it_has_the_place(site: Site) -> None:
    """To its own page, as long as it was."""
    browser, place = site.browser(), unruly(960)
    departure = await browser.open(f"/auth/login?return_to={place}&login_hint={'%C3%BC' * 200}")
    back = await browser.at_entra(departure.headers["location"], ADA)
    assert (await browser.open(back)).headers["location"] == place


@pytest.fixture
def vault(make_site: MakeSite, emulator: EntraEmulator) -> Site:
    """A site with a page that wants the authentication context c1."""
    change_application(emulator, OPERATE, optional_claims=OptionalClaims(access_token=("acrs",)))
    site = make_site()

    @site.app.get("/vault")
    async def vault(user: Annotated[EntraUser, Depends(site.entra.require(auth_context="c1"))]) -> str:
        return user.name or ""

    return site


async def test_back_after_a_stronger_sign_in_goes_on(vault: Site) -> None:
    """The session has what the page wants."""
    browser = await vault.browser().signed_in()
    vault.clock.advance(60)
    back = await browser.at_entra(await browser.depart("/vault?x=1"), ADA)
    assert (await browser.open(back)).headers["location"] == "/vault?x=1"
    answer = await browser.open(back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/vault?x=1")
    assert (await browser.open("/vault?x=1")).status_code == 200


async def test_a_stronger_sign_in_whose_attempt_is_lost_does_not_go_round(vault: Site) -> None:
    """The session is older and lacks it, so the page would ask for it again; the person clicks instead."""
    browser = await vault.browser().signed_in()
    vault.clock.advance(60)
    tab = Tab(browser, await browser.at_entra(await browser.depart("/vault?x=1"), ADA))
    forget(browser, ATTEMPT)
    page = await tab.stop()
    assert (page.status_code, onward_of(page)) == (400, "")
    assert return_to_of(link_of(page)) == ["/vault?x=1"]
    tab = Tab(browser, link_of(page))
    assert (await tab.stop()).json() == ADA
    assert tab.opened[-1] == f"{HOME}/vault?x=1"


async def test_a_stronger_sign_in_of_nobody_begins_as_a_plain_one(vault: Site) -> None:
    """The page asks for the rest when it is opened."""
    browser = await vault.browser().signed_in()
    back = await browser.at_entra(await browser.depart("/vault?x=1"), ADA)
    forget(browser, COOKIE)
    assert (await Tab(browser, back).stop()).json() == ADA


async def consented(site: Site) -> tuple[Browser, str]:
    """An administrator's browser after consenting, and the address that it came back to."""
    browser = site.browser()
    answer = await browser.open("/auth/admin-consent")
    back = await browser.at_entra(answer.headers["location"], f"Accept as {ADA}")
    assert "Consent was given" in (await browser.open(back)).text
    return browser, back


async def test_going_back_to_a_consent_frightens_nobody(site: Site) -> None:
    """It claims neither that consent was given nor that anything is wrong; programs get the code."""
    browser, back = await consented(site)
    page = await browser.open(back)
    assert page.status_code == 400
    assert "Nothing is left to do here" in page.text
    assert "Consent was given" not in page.text
    assert link_of(page) == "/auth/login"
    assert not kept_cookies(page)
    answer = await browser.http.get(back)
    assert (answer.status_code, code_of(answer)) == (400, "login_expired")


async def test_a_consent_that_was_never_asked_for_is_none_of_ours(site: Site) -> None:
    """Nor is a sign-in's state one of a consent."""
    browser = site.browser()
    login = query_of(await browser.depart())["state"]
    forget(browser, ATTEMPT)
    for state in ("x", login):
        page = await browser.open(f"/auth/admin-consent-callback?admin_consent=True&state={state}")
        assert page.status_code == 400
        assert "Please sign in again" in page.text


async def test_a_consents_answer_begins_no_sign_in(site: Site) -> None:
    """At the other callback it is none of a sign-in's, and nobody is sent to Entra by it."""
    browser = site.browser()
    state = query_of((await browser.open("/auth/admin-consent")).headers["location"])["state"]
    page = await browser.open(f"{CALLBACK}?code=x&state={state}")
    assert (page.status_code, link_of(page), onward_of(page)) == (400, "/auth/login", "")


async def test_the_page_that_goes_on_may_do_so_by_its_own_policy(site: Site) -> None:
    """It runs no script for it, and no frame shows it."""
    browser = site.browser()
    back = await browser.come_back()
    forget(browser, ATTEMPT)
    page = await browser.http.get(back, headers=PERSON)
    assert onward_of(page)
    assert "script-src" not in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"
