"""Sessions stay alive by their refresh token, for as long as Entra and the settings allow."""

import asyncio
import gc
import logging
from collections.abc import Callable
from typing import Any, Final

import httpx
import pytest
from fastapi import FastAPI

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.sessions.memory import MemoryStore
from camunda_entra_fastapi.sign_in import session_manager
from camunda_entra_fastapi.sign_in.exchange import RENEW_BEFORE
from camunda_entra_fastapi.sign_in.session_manager import RENEWAL_PAUSE, SessionManager, UserSession
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE
from camunda_entra_fastapi.testing.directory.default import FABRIKAM
from tests.conftest import FakeClock
from tests.site import (
    ADA,
    BEN,
    COOKIE,
    HOME,
    Browser,
    MakeSite,
    Site,
    Store,
    Wire,
    code_of,
    guarded,
    kept_cookies,
    session_manager_of,
    set_cookies,
    texts_in,
)
from tests.testing.browsing import change_tenant, change_user, claims_of

HOUR: Final = 3600
EXPIRES: Final = HOUR - 1
"""Seconds after signing in, as ``expires_in`` says."""
EIGHT_HOURS: Final = 8 * HOUR


async def settle(condition: Callable[[], bool]) -> None:
    """Let other tasks go on until the condition holds."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("It does not come about.")


@Store
async def test_sessions_are_renewed_shortly_before_their_token_expires(
    make_site: MakeSite, store: str
) -> None:
    """Not a second earlier; then once, and the browser has the new state."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    site.clock.advance(EXPIRES - RENEW_BEFORE - 1)
    assert await browser.status() == 200
    assert site.renewals() == 0
    site.clock.advance(1)
    assert await browser.status() == 200
    assert site.renewals() == 1
    assert await browser.status() == 200
    assert site.renewals() == 1
    site.clock.advance(EXPIRES - RENEW_BEFORE - 1)
    assert await browser.status() == 200
    assert site.renewals() == 1


@Store
async def test_short_lived_tokens_are_renewed_in_their_last_tenth(make_site: MakeSite, store: str) -> None:
    """Else those of two minutes would be renewed with every request."""
    site = make_site(session_store=store)
    site.emulator.token_lifetime = 101
    browser = await site.browser().signed_in()
    site.clock.advance(89)
    assert await browser.status() == 200
    assert site.renewals() == 0
    site.clock.advance(2)
    assert await browser.status() == 200
    assert site.renewals() == 1


@Store
async def test_forty_requests_at_once_cause_one_renewal(make_site: MakeSite, store: str) -> None:
    """All wait for the same one, and all are answered."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    site.clock.advance(HOUR)
    before = site.emulator.count("/token")
    answers = await asyncio.gather(*(browser.http.get("/api") for _ in range(40)))
    assert {answer.status_code for answer in answers} == {200}
    assert site.emulator.count("/token") - before == site.renewals() == 1


@Store
async def test_forty_requests_at_once_share_a_failure(make_site: MakeSite, store: str) -> None:
    """Entra that has trouble is not asked forty times."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    site.clock.advance(HOUR)
    site.wire.answer("/token", 500)
    answers = await asyncio.gather(*(browser.http.get("/api") for _ in range(40)))
    assert {(answer.status_code, code_of(answer)) for answer in answers} == {(502, "entra_failed")}
    assert site.renewals() == 1


@Store
async def test_sessions_of_two_people_are_renewed_apart(make_site: MakeSite, store: str) -> None:
    """Nobody gets somebody else's."""
    site = make_site(session_store=store)
    ada, ben = await site.browser().signed_in(), await site.browser().signed_in(person=BEN)
    site.clock.advance(HOUR)
    answers = await asyncio.gather(*(each.http.get("/api") for each in (ada, ben, ada, ben)))
    assert [answer.json()["name"] for answer in answers] == [ADA, BEN, ADA, BEN]
    assert site.renewals() == 2


async def test_who_goes_away_cancels_the_renewal_for_nobody(site: Site) -> None:
    """The others, and the next ones, have it."""
    browser = await site.browser().signed_in()
    site.clock.advance(HOUR)
    answers = site.wire.hang("/token")
    first = asyncio.create_task(browser.http.get("/api"))
    await settle(lambda: site.renewals() == 1)
    second = asyncio.create_task(browser.http.get("/api"))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert first.cancelled()
    answers.set()
    assert (await second).status_code == 200
    assert site.renewals() == 1


@Store
async def test_the_new_refresh_token_is_used_next(make_site: MakeSite, store: str) -> None:
    """Entra gives a new one each time."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    for _ in range(3):
        site.clock.advance(HOUR)
        assert await browser.status() == 200
    issued = [answer["refresh_token"] for answer in site.wire.tokens]
    sent = [form["refresh_token"] for form in site.wire.forms if form["grant_type"] == "refresh_token"]
    assert len(set(issued)) == 4
    assert sent == issued[:3]


@Store
async def test_the_old_refresh_token_is_kept_when_none_comes_back(make_site: MakeSite, store: str) -> None:
    """RFC 6749, 6: a new one need not be issued."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    site.wire.change("/token", lambda document: {n: v for n, v in document.items() if n != "refresh_token"})
    for renewals in (1, 2):
        site.clock.advance(HOUR)
        assert await browser.status() == 200
        assert site.renewals() == renewals
    assert site.wire.forms[-1]["refresh_token"] == site.wire.tokens[0]["refresh_token"]


@Store
async def test_without_a_new_id_token_the_session_goes_on(make_site: MakeSite, store: str) -> None:
    """OpenID Connect Core 1.0, 12.2: there might be none."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    site.wire.change("/token", lambda document: {n: v for n, v in document.items() if n != "id_token"})
    site.clock.advance(HOUR)
    assert await browser.status() == 200
    assert (await browser.http.get("/api")).json()["name"] == ADA


@Store
async def test_without_any_token_of_ours_the_old_claims_stay(make_site: MakeSite, store: str) -> None:
    """Where the access token is for another API, and no ID token comes."""
    site = make_site(
        session_store=store, scopes="openid profile offline_access https://graph.microsoft.com/User.Read"
    )
    browser = await site.browser().signed_in()
    site.wire.change("/token", lambda document: {n: v for n, v in document.items() if n != "id_token"})
    site.clock.advance(HOUR)
    assert (await browser.http.get("/api")).json()["name"] == ADA
    assert site.renewals() == 1


@Store
async def test_revoked_sign_ins_end_with_the_next_renewal(make_site: MakeSite, store: str) -> None:
    """``invalid_grant``: programs get 401, people are sent to sign in, and Entra is not asked again."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    site.clock.advance(60)
    site.emulator.revoke(ADA)
    assert await browser.status() == 200
    site.clock.advance(HOUR)
    answer = await browser.http.get("/api")
    assert (answer.status_code, code_of(answer)) == (401, "credentials_missing")
    assert (await browser.open("/page")).status_code == 302
    assert await browser.status() == 401
    assert site.renewals() == 1


@Store
async def test_revoked_sign_ins_end_although_the_token_is_still_good(make_site: MakeSite, store: str) -> None:
    """Entra was asked, and said no."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    site.clock.advance(EXPIRES - RENEW_BEFORE)
    site.emulator.revoke(ADA)
    assert await browser.status() == 401
    assert await browser.status() == 401
    assert site.renewals() == 1


def refusing(error: str, *codes: int, status: int = 400) -> Callable[[Wire], object]:
    """Entra's no."""
    document = {"error": error, "error_codes": list(codes), "error_description": "words"}
    return lambda wire: wire.answer("/token", status, json=document)


TROUBLE: Final[dict[str, tuple[Callable[[Wire], object], int, str]]] = {
    "wrong secret": (refusing("invalid_client", 7000215, status=401), 502, "entra_failed"),
    "secret expired": (refusing("invalid_client", 7000222, status=401), 502, "entra_failed"),
    "unknown application": (refusing("unauthorized_client", 700016), 502, "entra_failed"),
    "server error": (refusing("server_error"), 502, "entra_failed"),
    "temporarily unavailable": (refusing("temporarily_unavailable", 90033), 503, "entra_throttled"),
    "500": (lambda wire: wire.answer("/token", 500), 502, "entra_failed"),
    "429": (lambda wire: wire.answer("/token", 429, headers={"Retry-After": "9"}), 503, "entra_throttled"),
    "garbage": (lambda wire: wire.answer("/token", html="<html>"), 502, "entra_failed"),
    "unreachable": (lambda wire: wire.fail("/token"), 503, "entra_unreachable"),
    "timeout": (lambda wire: wire.fail("/token", httpx.ReadTimeout), 504, "entra_timeout"),
    "forged ID token": (
        lambda wire: wire.change("/token", lambda document: document | {"id_token": "x.y.z"}),
        502,
        "id_token_invalid",
    ),
}


@pytest.mark.parametrize(("break_it", "status", "code"), TROUBLE.values(), ids=TROUBLE.keys())
@Store
async def test_sessions_survive_entras_trouble(
    make_site: MakeSite,
    caplog: pytest.LogCaptureFixture,
    store: str,
    break_it: Callable[[Wire], object],
    status: int,
    code: str,
) -> None:
    """Unnoticed while the token is good; then 5xx, and all is well when Entra is back."""
    caplog.set_level(logging.DEBUG)
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    break_it(site.wire)
    site.clock.advance(EXPIRES - RENEW_BEFORE)
    answer = await browser.http.get("/api")
    assert (answer.status_code, kept_cookies(answer)) == (200, {})
    assert site.renewals() == 1
    site.clock.advance(RENEW_BEFORE)
    program, person = await browser.http.get("/api"), await browser.open("/page")
    assert code_of(program) == code
    assert f"<dd>{code}</dd>" in person.text
    assert "CAMUNDA_" not in person.text
    for answer in (program, person):
        assert answer.status_code == status
        assert "retry-after" in answer.headers
        assert not set_cookies(answer)
    site.wire.heal()
    assert await browser.status() == 200
    log = "\n".join(texts_in(caplog))
    assert not [secret for secret in site.wire.secrets() if secret in log]


@Store
async def test_after_a_failure_renewing_is_tried_again_after_a_pause(make_site: MakeSite, store: str) -> None:
    """While the token is good, requests do not each ask an Entra that is away."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    site.wire.fail("/token")
    site.clock.advance(EXPIRES - RENEW_BEFORE)
    for _ in range(3):
        assert await browser.status() == 200
    assert site.renewals() == 1
    site.clock.advance(RENEWAL_PAUSE - 1)
    assert await browser.status() == 200
    assert site.renewals() == 1
    site.clock.advance(1)
    assert await browser.status() == 200
    assert site.renewals() == 2
    site.wire.heal()
    site.clock.advance(RENEWAL_PAUSE)
    assert await browser.status() == 200
    assert site.renewals() == 3
    site.clock.advance(RENEW_BEFORE)
    assert await browser.status() == 200
    assert site.renewals() == 3


async def test_an_expired_token_is_renewed_in_spite_of_the_pause(site: Site) -> None:
    """The pause is for requests that can do without."""
    browser = await site.browser().signed_in()
    site.wire.fail("/token")
    site.clock.advance(EXPIRES - 1)
    assert await browser.status() == 200
    site.clock.advance(1)
    site.wire.heal()
    assert await browser.status() == 200
    assert site.renewals() == 2


@Store
async def test_a_hanging_entra_delays_nobody_whose_token_is_good(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    """But for the patience of one request; what is in progress may still succeed."""
    monkeypatch.setattr(session_manager, "RENEWAL_TIMEOUT", 0.02)
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    answers = site.wire.hang("/token")
    site.clock.advance(EXPIRES - RENEW_BEFORE)
    async with asyncio.timeout(site.entra.settings.http_timeout / 2):
        for _ in range(10):
            assert await browser.status() == 200
    assert site.renewals() == 1
    answers.set()
    await settle(lambda: len(site.wire.tokens) == 2)
    for _ in range(10):
        await asyncio.sleep(0)
    site.clock.advance(RENEW_BEFORE)
    assert await browser.status() == 200
    assert site.renewals() == 1


@Store
async def test_who_has_to_wait_waits_for_the_renewal_in_progress(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    """One that others had no patience for, when the token expires meanwhile."""
    monkeypatch.setattr(session_manager, "RENEWAL_TIMEOUT", 0.02)
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    answers = site.wire.hang("/token")
    site.clock.advance(EXPIRES - RENEW_BEFORE)
    assert await browser.status() == 200
    site.clock.advance(RENEW_BEFORE)
    waiting = asyncio.create_task(browser.status())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    answers.set()
    assert await waiting == 200
    assert site.renewals() == 1


@pytest.mark.parametrize("path", ["/api", "/page", "/own"])
async def test_every_kind_of_answer_brings_the_renewed_cookie(site: Site, path: str) -> None:
    """Also those that a route makes itself, whose own cookies stay; and no cache keeps it."""
    browser = await site.browser().signed_in()
    old = browser.session
    site.clock.advance(HOUR)
    answer = await browser.http.get(path)
    assert answer.status_code == 200
    line = kept_cookies(answer)[COOKIE]
    assert f"; Max-Age={EIGHT_HOURS - HOUR}; Path=/; HttpOnly; SameSite=Lax" in line
    assert answer.headers["cache-control"] == "no-store"
    assert ("theme" in kept_cookies(answer)) is (path == "/own")
    assert browser.session != old
    assert not set_cookies(await browser.http.get(path)).keys() & {COOKIE}


async def test_with_a_store_the_cookie_stays_the_same(make_site: MakeSite) -> None:
    """The browser has a handle alone."""
    site = make_site(session_store="memory")
    browser = await site.browser().signed_in()
    old = browser.session
    site.clock.advance(HOUR)
    answer = await browser.http.get("/api")
    assert (answer.status_code, set_cookies(answer)) == (200, {})
    assert browser.session == old


@Store
async def test_renewals_leave_nothing_behind(make_site: MakeSite, store: str) -> None:
    """The cache holds the newest state of a session alone, however often it was renewed."""

    def cached_sessions() -> int:
        gc.collect()
        return sum(isinstance(each, UserSession) for each in gc.get_objects())

    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    found = []
    for _ in range(3):
        site.clock.advance(HOUR)
        assert [await browser.status() for _ in range(2)] == [200, 200]
        found.append(cached_sessions())
    assert site.renewals() == 3
    assert found[1:] == found[:1] * 2


async def test_a_cookie_that_ends_like_a_cached_one_is_another(make_site: MakeSite) -> None:
    """The end finds a session in the cache, and the whole cookie decides: a changed one is none."""
    site = make_site(session_store="cookie")
    browser = await site.browser().signed_in()
    assert [await browser.status() for _ in range(2)] == [200, 200]  # the second one finds it in the cache
    value = browser.session
    changed = f"{value[:100]}{'A' if value[100] != 'A' else 'B'}{value[101:]}"
    other = {"Cookie": f"{COOKIE}={changed}"}
    assert (await site.browser().http.get("/api", headers=other)).status_code == 401
    same = {"Cookie": f"{COOKIE}={value}"}
    assert (await site.browser().http.get("/api", headers=same)).status_code == 200


async def test_the_old_cookie_causes_no_second_renewal(site: Site) -> None:
    """Requests that were in progress get the renewed one, too."""
    browser = await site.browser().signed_in()
    slow = site.browser(browser)
    site.clock.advance(HOUR)
    assert await browser.status() == 200
    answer = await slow.http.get("/api")
    assert answer.status_code == 200
    assert slow.session == browser.session
    assert site.renewals() == 1


async def test_the_newest_of_several_cookies_counts(site: Site) -> None:
    """After two renewals, the first one's cookie leads to the second one's session."""
    browser = await site.browser().signed_in()
    site.clock.advance(HOUR)
    await browser.status()
    middle = site.browser(browser)
    site.clock.advance(HOUR)
    await browser.status()
    assert await middle.status() == 200
    assert middle.session == browser.session
    assert site.renewals() == 2


async def test_a_replica_that_knows_nothing_renews_by_itself(make_site: MakeSite) -> None:
    """With cookies nothing is shared; Entra's old refresh tokens stay good, so nobody is signed out."""
    first, second = make_site(), make_site()
    browser = await first.browser().signed_in()
    other = second.browser(browser)
    first.clock.advance(HOUR)
    assert [await browser.status(), await other.status()] == [200, 200]
    assert [first.renewals(), second.renewals()] == [1, 1]
    assert await second.browser(browser).status() == 200


@Store
async def test_a_renewal_for_somebody_else_ends_the_session(make_site: MakeSite, store: str) -> None:
    """OpenID Connect Core 1.0, 12.2: ``sub`` must be the same."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()

    def change(document: dict[str, Any]) -> None:
        claims = claims_of(document["id_token"]) | {"sub": "somebody-else"}
        document["id_token"] = site.emulator.sign(claims, v1=False)

    site.wire.change("/token", change)
    site.clock.advance(HOUR)
    assert await browser.status() == 401
    site.wire.heal()
    assert await browser.status() == 401
    assert site.renewals() == 1


@Store
async def test_an_access_token_of_somebody_else_does_not_change_who_it_is(
    make_site: MakeSite, store: str
) -> None:
    """Also without an ID token to compare: the session's own claims are there."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    token = site.emulator.token(user=BEN, lifetime=2 * HOUR)
    site.wire.change(
        "/token",
        lambda document: {n: v for n, v in document.items() if n != "id_token"} | {"access_token": token},
    )
    site.clock.advance(HOUR)
    answer = await browser.http.get("/api")
    assert (answer.status_code, code_of(answer)) == (502, "id_token_invalid")


@Store
async def test_without_a_refresh_token_the_session_ends_with_its_access_token(
    make_site: MakeSite, store: str
) -> None:
    """So does its cookie; it was never asked for ``offline_access``."""
    site = make_site(session_store=store, scopes=f"openid {OPERATE}/.default")
    browser = site.browser()
    answer = await browser.sign_in()
    assert f"; Max-Age={EXPIRES};" in kept_cookies(answer)[COOKIE]
    site.clock.advance(EXPIRES - 1)
    assert await browser.status() == 200
    site.clock.advance(1)
    assert await browser.status() == 401
    assert (await browser.open("/page")).status_code == 302
    assert site.renewals() == 0


@Store
async def test_claims_count_no_longer_than_their_token(make_site: MakeSite, store: str) -> None:
    """Its ``exp`` counts where ``expires_in`` says more."""
    site = make_site(session_store=store)
    site.wire.change("/token", lambda document: document | {"expires_in": 86_400})
    browser = await site.browser().signed_in()
    site.clock.advance(HOUR)
    assert await browser.status() == 200
    assert site.renewals() == 1


@Store
async def test_without_refresh_token_and_claims_of_ours_expires_in_counts(
    make_site: MakeSite, store: str
) -> None:
    """The access token for another API cannot be read here."""
    site = make_site(session_store=store, scopes="openid profile https://graph.microsoft.com/User.Read")
    browser = await site.browser().signed_in()
    site.clock.advance(EXPIRES - 1)
    assert await browser.status() == 200
    site.clock.advance(1)
    assert await browser.status() == 401


@Store
async def test_sessions_end_when_their_time_is_over(make_site: MakeSite, store: str) -> None:
    """However often they were renewed."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    for _ in range(7):
        site.clock.advance(HOUR)
        assert await browser.status() == 200
    site.clock.advance(HOUR - 1)
    assert await browser.status() == 200
    site.clock.advance(1)
    assert await browser.status() == 401
    assert site.renewals() == 8


@Store
async def test_the_lifetime_can_be_shorter_than_a_token(make_site: MakeSite, store: str) -> None:
    """In seconds or as ISO 8601 has it."""
    site = make_site(session_store=store, session_lifetime="PT10M")
    browser = site.browser()
    assert "; Max-Age=600;" in kept_cookies(await browser.sign_in())[COOKIE]
    site.clock.advance(599)
    assert await browser.status() == 200
    site.clock.advance(1)
    assert await browser.status() == 401
    assert site.renewals() == 0


@Store
async def test_a_renewal_does_not_raise_the_dead(make_site: MakeSite, store: str) -> None:
    """A sign-out during a renewal holds."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    copy = site.browser(browser)
    site.clock.advance(HOUR)
    answers = site.wire.hang("/token")
    waiting = asyncio.create_task(copy.http.get("/api"))
    await settle(lambda: site.renewals() == 1)
    assert (await browser.http.post("/auth/logout", headers={"Origin": HOME})).status_code == 302
    answers.set()
    answer = await waiting
    assert (answer.status_code, kept_cookies(answer)) == (401, {})
    assert await copy.status() == 401
    assert await browser.status() == 401


@Store
async def test_changes_in_the_directory_show_after_a_renewal(make_site: MakeSite, store: str) -> None:
    """Roles that were taken away are gone within the life of a token."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    change_user(site.emulator, ADA, name="Ada Former", roles={})
    assert (await browser.http.get("/api")).json()["roles"] == ["Operate.Admin"]
    site.clock.advance(HOUR)
    for _ in range(2):
        described = (await browser.http.get("/api")).json()
        assert (described["name"], described["roles"]) == ("Ada Former", [])
    assert (await browser.http.get("/auth/me")).json()["roles"] == []


@Store
async def test_who_is_deleted_or_disabled_is_out_with_the_next_renewal(
    make_site: MakeSite, store: str
) -> None:
    """Entra refuses them."""
    site = make_site(session_store=store)
    ada, ben = await site.browser().signed_in(), await site.browser().signed_in(person=BEN)
    change_user(site.emulator, ADA, enabled=False)
    others = tuple(user for user in site.emulator.tenant.users if user.name != BEN)
    change_tenant(site.emulator, users=others)
    site.clock.advance(HOUR)
    assert [await ada.status(), await ben.status()] == [401, 401]


@Store
async def test_who_becomes_a_guest_is_out_where_guests_are(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture, store: str
) -> None:
    """The settings count at each renewal; the log says why."""
    caplog.set_level(logging.INFO)
    site = make_site(session_store=store, allow_guests=False)
    browser = await site.browser().signed_in()
    change_user(site.emulator, ADA, home_tenant=FABRIKAM)
    site.clock.advance(HOUR)
    assert await browser.status() == 401
    assert any("A session ended, as it cannot be renewed: Guest" in text for text in texts_in(caplog))


@Store
async def test_another_person_of_the_same_browser_is_another_session(make_site: MakeSite, store: str) -> None:
    """The cached session of one user is not used for another."""
    site = make_site(session_store=store, token_cache_size=1)
    ada, ben = await site.browser().signed_in(), await site.browser().signed_in(person=BEN)
    for _ in range(3):
        assert (await ada.http.get("/api")).json()["name"] == ADA
        assert (await ben.http.get("/api")).json()["name"] == BEN
    assert len(session_manager_of(site)._by_id) == 1


async def found_by(manager: SessionManager, browser: Browser) -> UserSession:
    """The session of the browser's cookie."""
    found = await manager.find(browser.session)
    assert found is not None
    return found


def replica_of(site: Site) -> SessionManager:
    """Another process with the same store."""
    manager = session_manager_of(site)
    return SessionManager(manager.store, manager._exchange, site.clock.time, cache_size=10)


async def test_replicas_that_share_a_store_renew_once(make_site: MakeSite) -> None:
    """A replica that finds the session renewed by another one uses it."""
    site = make_site(session_store="memory")
    browser = await site.browser().signed_in()
    manager, replica = session_manager_of(site), replica_of(site)
    found = await found_by(replica, browser)
    site.clock.advance(HOUR)
    first = await manager.renew_if_due(await found_by(manager, browser))
    second = await replica.renew_if_due(found)
    assert site.renewals() == 1
    assert first is not None
    assert second is not None
    assert second.session is first.session
    assert second.user.expires_at == first.user.expires_at


async def test_a_session_that_another_replica_ended_is_not_renewed(make_site: MakeSite) -> None:
    """Entra is not even asked."""
    site = make_site(session_store="memory")
    browser = await site.browser().signed_in()
    manager, replica = session_manager_of(site), replica_of(site)
    found = await found_by(replica, browser)
    site.clock.advance(HOUR)
    await manager.end(await found_by(manager, browser))
    assert await replica.renew_if_due(found) is None
    assert site.renewals() == 0


async def test_a_session_that_another_replica_ends_meanwhile_stays_ended(make_site: MakeSite) -> None:
    """The renewal comes too late."""
    site = make_site(session_store="memory")
    browser = await site.browser().signed_in()
    manager, replica = session_manager_of(site), replica_of(site)
    site.clock.advance(HOUR)
    answers = site.wire.hang("/token")
    renewing = asyncio.create_task(replica.renew_if_due(await found_by(replica, browser)))
    await settle(lambda: site.renewals() == 1)
    await manager.end(await found_by(manager, browser))
    answers.set()
    assert await renewing is None
    assert await manager.find(browser.session) is None


async def test_what_another_replica_renewed_is_seen(make_site: MakeSite) -> None:
    """The store's state counts, not what was cached of it."""
    site = make_site(session_store="memory")
    browser = await site.browser().signed_in()
    manager, replica = session_manager_of(site), replica_of(site)
    before = await found_by(replica, browser)
    change_user(site.emulator, ADA, roles={})
    site.clock.advance(HOUR)
    await manager.renew_if_due(await found_by(manager, browser))
    after = await found_by(replica, browser)
    assert (before.user.roles, after.user.roles) == (["Operate.Admin"], [])


def test_event_loops_do_not_wait_for_each_other(clock: FakeClock) -> None:
    """A renewal that hangs in one loop is none to another, and its end disturbs nobody."""
    emulator = EntraEmulator(clock=clock.time)
    wire = Wire(emulator)
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        site, found = first.run_until_complete(_signed_in(emulator, wire, clock))
        manager = session_manager_of(site)
        clock.advance(EXPIRES - RENEW_BEFORE)
        answers = wire.hang("/token")
        waiting = first.create_task(manager.renew_if_due(found))
        first.run_until_complete(settle(lambda: site.renewals() == 1))
        wire.heal()
        renewed = second.run_until_complete(manager.renew_if_due(found))
        assert renewed is not None
        assert renewed.session.access_expires_at > found.session.access_expires_at
        assert site.renewals() == 2

        async def finish() -> UserSession | None:
            answers.set()
            return await waiting

        assert first.run_until_complete(finish()) is not None
        assert second.run_until_complete(manager.find(found.handle)) is not None
    finally:
        for loop in (first, second):
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()


async def _signed_in(emulator: EntraEmulator, wire: Wire, clock: FakeClock) -> tuple[Site, UserSession]:
    client = httpx.AsyncClient(transport=wire)
    entra = CamundaEntra(emulator.settings(session_store="memory"), http_client=client, clock=clock)
    app = guarded(entra, FastAPI())
    entra.install(app)
    site = Site(app, entra, emulator, wire, clock)
    browser = await site.browser().signed_in()
    return site, await found_by(session_manager_of(site), browser)


async def test_a_renewal_that_is_cut_off_leaves_nothing_behind(make_site: MakeSite) -> None:
    """As when a loop ends: the next request begins another one."""
    site = make_site()
    browser = await site.browser().signed_in()
    site.clock.advance(HOUR)
    site.wire.hang("/token")
    waiting = asyncio.create_task(browser.status())
    await settle(lambda: site.renewals() == 1)
    (renewal,) = [task for task in asyncio.all_tasks() if task.get_name().endswith("session renewal")]
    renewal.cancel()
    await asyncio.gather(waiting, renewal, return_exceptions=True)
    site.wire.heal()
    assert await browser.status() == 200
    assert not session_manager_of(site)._renewals._tasks


async def test_the_store_in_memory_is_what_the_setting_names(make_site: MakeSite) -> None:
    """The tests of this module are about two different stores."""
    stores = [type(session_manager_of(make_site(session_store=name)).store) for name in ("memory", "cookie")]
    assert stores[0] is MemoryStore
    assert stores[1] is not MemoryStore


async def test_the_user_of_a_renewed_session_has_the_new_token(site: Site) -> None:
    """Routes never get an expired token."""
    browser = await site.browser().signed_in()
    site.clock.advance(HOUR)
    found = await found_by(session_manager_of(site), browser)
    fresh = await session_manager_of(site).renew_if_due(found)
    assert fresh is not None
    assert fresh.user.access_token == site.wire.tokens[-1]["access_token"]
    assert fresh.session.id == found.session.id
