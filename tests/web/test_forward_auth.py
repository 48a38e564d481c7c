"""Gateways that ask whether a request may pass, and as whom."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Final
from urllib.parse import unquote

import httpx
import pytest
from fastapi import Depends, FastAPI, WebSocket
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.web.identity_headers import MAX_LIST, identity_headers
from tests.conftest import FakeClock
from tests.growth_of_work import LIMIT, growth_of
from tests.odd_addresses import LEADING_HOME, ODD
from tests.site import (
    ADA,
    COOKIE,
    HOME,
    PERSON,
    Browser,
    MakeSite,
    Site,
    Store,
    code_of,
    query_of,
    session_manager_of,
    set_cookies,
)
from tests.tokens import user_claims
from tests.web.login.test_sign_in import a_lot

VERIFY: Final = "/auth/verify"
HOUR: Final = 3600
ADA_OID: Final = "ada00000-0000-4000-8000-000000000001"


@pytest.fixture
def gated(make_site: MakeSite) -> Callable[..., Site]:
    """Makes sites with the verify endpoint; ``verify`` has its arguments."""

    def make(verify: dict[str, Any] | None = None, **settings: Any) -> Site:
        site = make_site(**settings)
        site.app.include_router(site.entra.forward_auth_router(**(verify or {})))
        return site

    return make


@pytest.fixture
def site(gated: Callable[..., Site]) -> Site:
    """A site whose gateway asks."""
    return gated()


def user_of(**claims: Any) -> EntraUser:
    """Somebody whose token has these claims besides the usual ones."""
    return EntraUser.from_claims(user_claims(**claims), "")


async def ask(
    site: Site, query: str = "", token: str | None = None, path: str = VERIFY, **headers: str
) -> httpx.Response:
    """The response to a gateway for a request with that token."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        named["Authorization"] = f"Bearer {token}"
    return await site.browser().http.get(path + query, headers=named)


def auth_headers_of(answer: httpx.Response) -> dict[str, str]:
    """The identity headers, without what is common to their names."""
    return {
        name.removeprefix("x-auth-request-"): value
        for name, value in answer.headers.items()
        if name.startswith("x-auth-request-")
    }


async def test_nobody_is_refused_with_a_challenge(site: Site) -> None:
    """The answer is the one that a route of ours would give."""
    answer = await ask(site)
    assert (answer.status_code, code_of(answer)) == (401, "credentials_missing")
    assert answer.headers["www-authenticate"].startswith("Bearer realm=")
    assert answer.headers["cache-control"] == "no-store"
    assert auth_headers_of(answer) == {}


async def test_the_bearer_of_a_good_token_passes_as_its_user(site: Site, emulator: EntraEmulator) -> None:
    """All headers are there, so that nothing a client sent under their names can remain."""
    token = emulator.token(user=ADA, roles=["Operate.Admin", "Other"], scopes=["Incidents.Read"])
    answer = await ask(site, token=token)
    assert (answer.status_code, answer.content) == (200, b"")
    assert auth_headers_of(answer) == {
        "user": ADA_OID,
        "tenant": emulator.tenant.id,
        "email": "",
        "preferred-username": "ada@contoso.example",
        "roles": "Operate.Admin,Other",
        "groups": "9a0b0000-0000-4000-8000-000000000001,9a0b0000-0000-4000-8000-000000000002",
        "incomplete": "",
    }
    assert answer.headers["cache-control"] == "no-store"


async def test_head_is_answered_alike(site: Site, emulator: EntraEmulator) -> None:
    """Some gateways ask that way."""
    http = site.browser().http
    assert (await http.head(VERIFY)).status_code == 401
    good = await http.head(VERIFY, headers={"Authorization": f"Bearer {emulator.token()}"})
    assert good.status_code == 200
    assert auth_headers_of(good)["user"]


async def test_a_bad_token_is_refused_and_never_sent_to_sign_in(site: Site) -> None:
    """A request with a token is a program's."""
    answer = await ask(site, "?redirect=true", token="a.b.c", Sec_Fetch_Mode="navigate")
    assert (answer.status_code, code_of(answer)) == (401, "token_malformed")


async def test_a_bad_token_is_not_passed_over_for_a_good_cookie(site: Site) -> None:
    """Somebody sent it on purpose."""
    browser = await site.browser().signed_in()
    answer = await browser.http.get(VERIFY, headers={"Authorization": "Bearer a.b.c"})
    assert answer.status_code == 401


async def test_two_tokens_are_too_many(site: Site) -> None:
    """The gateway and its upstream could read different ones."""
    headers = [("Authorization", "Bearer a"), ("Authorization", "Bearer b")]
    answer = await site.browser().http.get(VERIFY, headers=headers)
    assert (answer.status_code, code_of(answer)) == (400, "authorization_repeated")


async def test_a_session_passes_as_its_user(site: Site) -> None:
    """A browser's cookie counts like a token."""
    browser = await site.browser().signed_in()
    answer = await browser.http.get(VERIFY)
    assert (answer.status_code, auth_headers_of(answer)["user"]) == (200, ADA_OID)
    assert "set-cookie" not in answer.headers
    await browser.http.post("/auth/logout")
    assert (await browser.http.get(VERIFY)).status_code == 401


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("role=A", 200),
        ("role=A&role=B", 200),
        ("role=A&role=C", 403),
        ("role=a", 403),
        ("scope=S", 200),
        ("scope=S&scope=T", 403),
        ("role=A&scope=T", 403),
        ("any_role=C&any_role=B", 200),
        ("any_role=C&any_scope=S", 200),
        ("any_role=C&any_scope=T", 403),
        ("any_role=A&role=C", 403),
        ("any_group=00000000-0000-0000-0000-000000000001", 403),
        ("group=9a0b0000-0000-4000-8000-000000000002", 200),
        ("any_group=9a0b0000-0000-4000-8000-000000000002", 200),
        ("group=00000000-0000-0000-0000-000000000001", 403),
    ],
)
async def test_what_is_demanded_must_be_there(
    site: Site, emulator: EntraEmulator, query: str, status: int
) -> None:
    """All that is named, and one of what is named with any."""
    answer = await ask(site, f"?{query}", emulator.token(roles=["A", "B"], scopes=["S"]))
    assert answer.status_code == status
    assert bool(auth_headers_of(answer)) is (status == 200)
    if status == 403:
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    "query",
    [
        *("roles=A", "role=", "Role=A", "any=A", "redirect=yes", "redirect=", "token=1", "x", "scope"),
        *("redirect=true&redirect=true", "token=true&token=false", "identity=", "identity=a&identity=b"),
        *("identity=a%20b", f"identity={'a' * 257}"),
    ],
)
async def test_a_slip_in_the_gateways_configuration_is_no_door(
    site: Site, emulator: EntraEmulator, query: str
) -> None:
    """A parameter that is not understood is refused, and the message lists those there are."""
    answer = await ask(site, f"?{query}", emulator.token(roles=["A"]))
    assert (answer.status_code, code_of(answer)) == (400, "verify_request_invalid")
    assert "any_role" in answer.json()["detail"]["message"]


async def test_a_refusal_that_is_asked_for_again_never_becomes_a_pass(
    site: Site, emulator: EntraEmulator
) -> None:
    """nginx has to ask twice for the words, and shows the second answer to the client."""
    answer = await ask(site, "?refusal=true", emulator.token())
    assert (answer.status_code, code_of(answer)) == (503, "sessions_unavailable")
    assert auth_headers_of(answer) == {}
    assert (await ask(site, "?refusal=true")).status_code == 401
    assert (await ask(site, "?refusal=true&role=A", emulator.token())).status_code == 403
    assert (await ask(site, "?refusal=false", emulator.token())).status_code == 200


async def test_the_token_is_handed_on_when_asked_for(site: Site, emulator: EntraEmulator) -> None:
    """And otherwise stays here."""
    token = emulator.token()
    assert auth_headers_of(await ask(site, "?token=true", token))["access-token"] == token
    assert "access-token" not in auth_headers_of(await ask(site, "?token=false", token))
    browser = await site.browser().signed_in()
    answer = await browser.http.get(f"{VERIFY}?token=true")
    assert auth_headers_of(answer)["access-token"] == site.wire.tokens[-1]["access_token"]


async def test_the_token_comes_ready_for_gateways_that_only_copy(
    site: Site, gated: Callable[..., Site], emulator: EntraEmulator
) -> None:
    """As Authorization, by the query or for every request; nobody gets it unasked."""
    token = emulator.token()
    answer = await ask(site, "?authorization=true", token)
    assert (answer.headers["Authorization"], "access-token" in auth_headers_of(answer)) == (
        f"Bearer {token}",
        False,
    )
    both = await ask(gated({"authorization": True}), "?token=true", token)
    assert (both.headers["Authorization"], auth_headers_of(both)["access-token"]) == (
        f"Bearer {token}",
        token,
    )
    for query in ("", "?token=true", "?authorization=false"):
        assert "Authorization" not in (await ask(site, query, token)).headers


def cookies_of(browser: Browser) -> dict[str, str]:
    """The cookies of the browser, for another one."""
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}


async def test_a_token_that_cookies_had_no_room_for_is_cached(
    site: Site, emulator: EntraEmulator, clock: FakeClock
) -> None:
    """By the process that got it, at sign-in and at renewal, with the old cookie and the new one."""
    a_lot(emulator, groups=190)
    browser = await site.browser().signed_in()
    answer = await browser.http.get(f"{VERIFY}?token=true")
    assert auth_headers_of(answer)["access-token"] == site.wire.tokens[-1]["access_token"]
    assert (site.renewals(), "set-cookie" in answer.headers) == (0, False)
    old = cookies_of(browser)
    clock.advance(6000)
    await browser.http.get(VERIFY)
    for cookies in (cookies_of(browser), old):
        answer = await site.browser().http.get(f"{VERIFY}?token=true", headers=cookies)
        assert auth_headers_of(answer)["access-token"] == site.wire.tokens[-1]["access_token"]
    assert site.renewals() == 1


async def test_a_process_that_never_saw_the_token_obtains_it_anew_once(
    site: Site, gated: Callable[..., Site], emulator: EntraEmulator
) -> None:
    """Not with every request; neither before nor after the browser has the new cookie."""
    a_lot(emulator, groups=190)
    old = cookies_of(await site.browser().signed_in())
    other = gated()
    browser = other.browser()
    first = await browser.http.get(f"{VERIFY}?token=true", headers=old)
    token = auth_headers_of(first)["access-token"]
    assert token == other.wire.tokens[-1]["access_token"]
    assert other.renewals() == 1
    for cookies in (cookies_of(browser), old):
        answer = await other.browser().http.get(f"{VERIFY}?token=true", headers=cookies)
        assert auth_headers_of(answer)["access-token"] == token
    assert other.renewals() == 1


async def test_a_token_that_cannot_be_had_is_said_to_be_missing(
    gated: Callable[..., Site], emulator: EntraEmulator
) -> None:
    """The upstream would only refuse the request in a way that nobody understands."""
    client_id = emulator.settings().client_id
    site = gated(scopes=["openid", "email", f"{client_id}/.default"])
    a_lot(emulator, groups=190, roles=20)
    browser = await site.browser().signed_in()
    answer = await browser.http.get(f"{VERIFY}?token=true")
    assert (answer.status_code, code_of(answer)) == (403, "access_token_unavailable")
    assert (await browser.http.get(VERIFY)).status_code == 200


async def test_the_token_of_a_session_that_just_ended_is_not_there(
    site: Site, gated: Callable[..., Site], emulator: EntraEmulator
) -> None:
    """Entra refuses to renew it, so somebody has to sign in again."""
    a_lot(emulator, groups=190)
    cookies = cookies_of(await site.browser().signed_in())
    other = gated()
    other.wire.answer("/token", 400, json={"error": "invalid_grant", "error_codes": [50173]})
    answer = await other.browser().http.get(f"{VERIFY}?token=true", headers=cookies)
    assert (answer.status_code, code_of(answer)) == (401, "credentials_missing")


@pytest.mark.parametrize("trouble", ["fail", "hang"])
async def test_a_token_that_is_good_is_given_while_entra_is_away(
    site: Site, emulator: EntraEmulator, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Also where cookies had no room for it: until it expires, then the fault is told."""
    monkeypatch.setattr("camunda_entra_fastapi.sign_in.session_manager.RENEWAL_TIMEOUT", 0.02)
    a_lot(emulator, groups=190)
    browser = await site.browser().signed_in()
    (found,) = session_manager_of(site)._by_id.values()
    getattr(site.wire, trouble)("/token")
    for now in (found.session.renew_at, found.session.access_expires_at - 1):
        clock.now = now
        async with asyncio.timeout(site.entra.settings.http_timeout / 2):
            answer = await browser.http.get(f"{VERIFY}?token=true")
        assert auth_headers_of(answer)["access-token"] == site.wire.tokens[0]["access_token"]
    site.wire.fail("/token")
    clock.now = found.session.access_expires_at
    assert (await browser.http.get(f"{VERIFY}?token=true")).status_code in {502, 503, 504}


async def test_tokens_that_are_kept_for_small_cookies_are_bounded(
    site: Site, emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sessions that share one place in the cache each get their own token, requested anew."""
    monkeypatch.setattr("camunda_entra_fastapi.sign_in.session_manager.MAX_ACCESS_TOKENS", 1)
    a_lot(emulator, groups=190)
    browsers = [await site.browser().signed_in() for _ in range(2)]
    tokens = [
        auth_headers_of(await each.http.get(f"{VERIFY}?token=true"))["access-token"] for each in browsers
    ]
    assert tokens == [each["access_token"] for each in site.wire.tokens[-2:]]
    assert site.renewals() == 2


async def test_a_token_that_is_there_is_not_obtained_anew(site: Site) -> None:
    """Another request may have renewed the session a moment ago."""
    browser = await site.browser().signed_in()
    manager = session_manager_of(site)
    found = await manager.find(browser.session)
    assert found is not None
    assert await manager.with_access_token(found) is found
    assert site.renewals() == 0


def calls_on(site: Site) -> Site:
    """The site with a route that calls on."""

    @site.app.get("/call")
    async def call(token: Annotated[str, Depends(site.entra.access_token)]) -> str:
        return token

    return site


async def test_the_token_is_there_for_routes_as_well(site: Site, emulator: EntraEmulator) -> None:
    """By a dependency, for sessions and bearers."""
    calls_on(site)
    token = emulator.token()
    assert (await ask(site, token=token, path="/call")).json() == token
    assert (await ask(site, path="/call")).status_code == 401
    a_lot(emulator, groups=190)
    browser = await site.browser().signed_in()
    answer = await browser.http.get("/call")
    assert answer.json() == site.wire.tokens[-1]["access_token"]


async def test_without_a_token_to_call_on_a_route_refuses(
    site: Site, gated: Callable[..., Site], emulator: EntraEmulator
) -> None:
    """Like everything else: Entra does not renew the sign-in, so the person has to sign in again."""
    a_lot(emulator, groups=190)
    cookies = cookies_of(await site.browser().signed_in())
    other = calls_on(gated())
    other.wire.answer("/token", 400, json={"error": "invalid_grant", "error_codes": [50173]})
    assert (await other.browser().http.get("/call", headers=cookies)).status_code == 401


@pytest.mark.parametrize(
    ("headers", "return_to"),
    [
        ({}, "/"),
        ({"X-Forwarded-Uri": "/incidents/7?tab=a&x=%2F"}, "/incidents/7%3Ftab%3Da%26x%3D%252F"),
        ({"X-Original-URI": "/a\tb"}, "/"),
        ({"X-Original-URI": "/a%20b"}, "/a%2520b"),
        ({"X-Original-URL": f"{HOME}/deep?x=1"}, "/deep%3Fx%3D1"),
        ({"X-Original-URL": f"{HOME}/deep"}, "/deep"),
        ({"X-Original-URL": "https://evil.example/deep"}, "/"),
        ({"X-Original-URL": "https://[evil/deep"}, "/"),
        ({"X-Forwarded-Uri": "//evil.example/x"}, "/"),
        ({"X-Forwarded-Uri": "/\\evil.example"}, "/"),
        ({"X-Forwarded-Uri": "https://evil.example/"}, "/"),
        ({"X-Forwarded-Uri": "/auth/login"}, "/"),
        ({"X-Forwarded-Uri": "/x", "X-Forwarded-Method": "POST"}, "/"),
        ({"X-Forwarded-Method": "POST", "X-Forwarded-Uri": "/x", "Referer": f"{HOME}/form"}, "/form"),
        ({"X-Forwarded-Method": "POST", "Referer": "https://evil.example/form"}, "/"),
    ],
)
async def test_people_are_sent_to_sign_in_and_back(
    site: Site, headers: dict[str, str], return_to: str
) -> None:
    """Where they come back to is a page of this site, whatever anybody says."""
    answer = await site.browser().http.get(f"{VERIFY}?redirect=true", headers=PERSON | headers)
    assert (answer.status_code, answer.headers["location"]) == (302, f"/auth/login?return_to={return_to}")
    assert answer.headers["cache-control"] == "no-store"


async def test_signing_in_leads_back_to_the_page_behind_the_gateway(site: Site) -> None:
    """With its query."""
    browser = site.browser()
    answer = await browser.http.get(
        f"{VERIFY}?redirect=true", headers=PERSON | {"X-Forwarded-Uri": "/incidents/7?a=1&b=2"}
    )
    leads_to = await browser.at_entra(await browser.depart(answer.headers["location"]), ADA)
    back = await browser.open(leads_to)
    assert (back.status_code, back.headers["location"]) == (303, "/incidents/7?a=1&b=2")


async def test_with_a_base_url_the_way_to_sign_in_is_a_whole_address(gated: Callable[..., Site]) -> None:
    """Traefik would take a path for one of the service that it asked."""
    site = gated(base_url="https://operate.example.com/root")
    answer = await site.browser().http.get(f"{VERIFY}?redirect=true", headers=PERSON)
    assert answer.headers["location"] == "https://operate.example.com/root/auth/login?return_to=/"


async def test_programs_are_not_sent_to_sign_in(site: Site) -> None:
    """They get their 401, with the challenge."""
    assert (await ask(site, "?redirect=true", Accept="application/json")).status_code == 401
    assert (await ask(site, "?redirect=true", Sec_Fetch_Mode="cors")).status_code == 401
    assert (await ask(site, Sec_Fetch_Mode="navigate")).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Uri": "/auth/login"},
        {"X-Forwarded-Uri": "/health"},
        {"X-Original-URL": f"{HOME}/auth/login-callback"},
        {"X-Forwarded-Method": "OPTIONS"},
        {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"},
        {"X-Auth-Request-User": "ada", "X-Entra-Identity": "a.b.c", "X-Forwarded-User": "ada"},
    ],
)
async def test_nothing_that_a_client_says_lets_it_through(site: Site, headers: dict[str, str]) -> None:
    """Credentials alone do."""
    assert (await site.browser().http.get(VERIFY, headers=headers)).status_code == 401


OURS: Final = {"Sec-Fetch-Site": "same-origin"}
OTHERS: Final = {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Forwarded-Method": "POST"} | OURS, 200),
        ({"X-Forwarded-Method": "POST"} | OTHERS, 403),
        ({"X-Forwarded-Method": "POST"}, 403),
        ({"X-Original-Method": "delete"} | OTHERS, 403),
        ({"X-Forwarded-Method": "GET", "X-Original-Method": "POST"} | OTHERS, 403),
        ({"X-Forwarded-Method": "GET"} | OTHERS, 200),
        ({"X-Forwarded-Method": "POST", "Origin": HOME}, 200),
        ({"X-Forwarded-Method": "GET", "Sec-WebSocket-Key": "x"} | OTHERS, 403),
        ({"X-Forwarded-Method": "GET", "Upgrade": "websocket"} | OTHERS, 403),
        ({"Sec-WebSocket-Key": "x"} | OURS, 200),
        (OTHERS, 403),
        ({"Origin": "null"}, 403),
        (OURS, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 200),
        ({}, 200),
    ],
)
async def test_changes_by_cookie_must_come_from_pages_of_ours(
    site: Site, headers: dict[str, str], status: int
) -> None:
    """The gateway's method can only make the decision stricter; without one, ``Origin`` decides."""
    browser = await site.browser().signed_in()
    answer = await browser.http.get(VERIFY, headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert code_of(answer) == "cross_origin"


async def test_changes_by_token_may_come_from_anywhere(site: Site, emulator: EntraEmulator) -> None:
    """No browser sends one by itself."""
    headers = OTHERS | {"X-Forwarded-Method": "POST", "Authorization": f"Bearer {emulator.token()}"}
    assert (await site.browser().http.get(VERIFY, headers=headers)).status_code == 200


@Store
async def test_a_renewed_session_comes_back_through_the_gateway(
    gated: Callable[..., Site], store: str
) -> None:
    """The cookie as such, and in headers of their own, as some gateways know only one header of a name."""
    site = gated(session_store=store)
    browser = await site.browser().signed_in()
    site.clock.advance(HOUR)
    answer = await browser.http.get(VERIFY)
    assert (answer.status_code, site.renewals()) == (200, 1)
    assert [f"set-cookie-{number}" for number, _ in enumerate(set_cookies(answer), 1)] == [
        name for name in auth_headers_of(answer) if name.startswith("set-cookie-")
    ]
    assert (COOKIE in set_cookies(answer)) is (store == "cookie")
    assert answer.headers["cache-control"] == "no-store"
    assert (await browser.http.get(VERIFY)).status_code == 200
    assert site.renewals() == 1


async def test_a_renewed_session_comes_with_a_refusal_as_well(site: Site) -> None:
    """A user without the role stays signed in."""
    browser = await site.browser().signed_in()
    site.clock.advance(HOUR)
    answer = await browser.http.get(f"{VERIFY}?role=None")
    assert answer.status_code == 403
    assert COOKIE in set_cookies(answer)


async def test_a_large_session_is_renewed_cookie_by_cookie(site: Site, emulator: EntraEmulator) -> None:
    """Each has a header of its own."""
    a_lot(emulator, groups=190)
    browser = await site.browser().signed_in()
    site.clock.advance(HOUR)
    answer = await browser.http.get(VERIFY)
    values = answer.headers.get_list("set-cookie")
    assert len(values) > 1
    assert [auth_headers_of(answer)[f"set-cookie-{number}"] for number in range(1, len(values) + 1)] == values


async def test_without_the_middleware_renewed_cookies_come_once(
    emulator: EntraEmulator, clock: FakeClock
) -> None:
    """``login_router`` alone brings none with other answers, but this endpoint is ours."""
    async with emulator.http_client() as client, emulator.http_client() as entra_client:
        entra = CamundaEntra(emulator.settings(), http_client=client, clock=clock)
        app = FastAPI()
        app.include_router(entra.login_router())
        app.include_router(entra.forward_auth_router())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME) as http:
            browser = Browser(http, entra_client)
            await browser.sign_in("/auth/login?return_to=/")
            clock.advance(HOUR)
            answer = await http.get(VERIFY)
    assert answer.status_code == 200
    assert len(answer.headers.get_list("set-cookie")) == 1
    assert answer.headers["set-cookie"] == auth_headers_of(answer)["set-cookie-1"]


async def test_known_keys_are_enough_when_entra_is_away(site: Site, emulator: EntraEmulator) -> None:
    """A fault of Entra's is nobody's 401."""
    token = emulator.token()
    assert (await ask(site, token=token)).status_code == 200
    site.wire.fail("")
    assert (await ask(site, token=token)).status_code == 200
    assert (await ask(site, token=emulator.token(roles=["New"]))).status_code == 200


async def test_keys_that_were_never_there_are_entras_fault(site: Site, emulator: EntraEmulator) -> None:
    """503, and when to ask again."""
    site.wire.fail("")
    answer = await ask(site, token=emulator.token())
    assert (answer.status_code, code_of(answer)) == (503, "keys_unavailable")
    assert int(answer.headers["retry-after"]) >= 1


async def test_without_a_secret_tokens_are_verified_and_nobody_is_redirected(
    emulator: EntraEmulator, clock: FakeClock
) -> None:
    """There is no page to sign in, nor a key to sign with."""
    async with emulator.http_client() as client:
        settings = emulator.settings(client_secret=None)
        entra = CamundaEntra(settings, http_client=client, clock=clock)
        app = FastAPI()
        app.include_router(entra.forward_auth_router(redirect=True, token=True))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME) as http:
            assert (await http.get(VERIFY, headers=PERSON)).status_code == 401
            bearer = {"Authorization": f"Bearer {emulator.token()}"}
            answer = await http.get(VERIFY, headers=bearer | {"X-Forwarded-Method": "POST"})
            assert (answer.status_code, bool(auth_headers_of(answer)["access-token"])) == (200, True)
            answer = await http.get(f"{VERIFY}?identity=backend", headers=bearer)
            assert (answer.status_code, code_of(answer)) == (400, "verify_request_invalid")
            assert "CAMUNDA_ENTRA_SESSION_SECRET" in answer.json()["detail"]["message"]
            assert (await http.get("/auth/identity-keys")).json() == {"keys": []}
            assert (await http.get("/auth/health")).json() == {"status": "ok"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_envoy_asks_with_the_originals_method_path_and_query(
    gated: Callable[..., Site], emulator: EntraEmulator, method: str
) -> None:
    """The query is the client's, so what is demanded stands in code alone."""
    site = gated({"roles": ["A"]})
    http = site.browser().http
    for path in ("/auth/ext-authz", "/auth/ext-authz/", "/auth/ext-authz/x/y?role=&token=true&any_role=B"):
        for token, status in ((None, 401), (emulator.token(), 403), (emulator.token(roles=["A"]), 200)):
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            answer = await http.request(method, path, headers=headers)
            assert answer.status_code == status
            assert "access-token" not in auth_headers_of(answer)


async def test_envoys_changes_by_cookie_must_come_from_pages_of_ours(site: Site) -> None:
    """The method is the original's."""
    browser = await site.browser().signed_in()
    for headers, status in ((OURS, 200), (OTHERS, 403), ({}, 403)):
        assert (await browser.http.post("/auth/ext-authz/x", headers=headers)).status_code == status
    assert (await browser.http.get("/auth/ext-authz/x", headers=OTHERS)).status_code == 200


async def test_through_envoy_people_come_back_to_the_page_they_wanted(gated: Callable[..., Site]) -> None:
    """Which stands behind the prefix, query and all."""
    site = gated({"redirect": True})
    answer = await site.browser().http.get("/auth/ext-authz/incidents/7?a=1", headers=PERSON)
    assert answer.headers["location"] == "/auth/login?return_to=/incidents/7%3Fa%3D1"
    answer = await site.browser().http.get("/auth/ext-authz//evil.example/", headers=PERSON)
    assert answer.headers["location"] == "/auth/login?return_to=/"


@pytest.mark.parametrize("address", ODD)
async def test_through_gateways_odd_addresses_come_back_as_they_were(
    gated: Callable[..., Site], address: str
) -> None:
    """To the letter, whether the gateway repeats the path or names it in a header."""
    http = gated({"redirect": True}).browser().http
    answer = await http.get(f"/auth/ext-authz{address}", headers=PERSON)
    assert query_of(answer.headers["location"]) == {"return_to": address}
    answer = await http.get(VERIFY, headers=PERSON | {"X-Forwarded-Uri": address})
    assert query_of(answer.headers["location"]) == {"return_to": address}


@pytest.mark.parametrize("address", LEADING_HOME)
async def test_through_gateways_nobody_is_led_elsewhere(gated: Callable[..., Site], address: str) -> None:
    """However the slashes are spelled."""
    http = gated({"redirect": True}).browser().http
    answer = await http.get(f"/auth/ext-authz{address}", headers=PERSON)
    assert query_of(answer.headers["location"]) == {"return_to": "/"}


async def test_what_code_demands_holds_beside_the_query(
    gated: Callable[..., Site], emulator: EntraEmulator
) -> None:
    """The query adds permissions, and decides about the rest."""
    site = gated({"roles": ["A"], "scopes": ["S"], "groups": [], "token": True}, base_url=HOME)
    good = emulator.token(roles=["A"], scopes=["S"])
    assert (await ask(site, token=emulator.token(roles=["A"]))).status_code == 403
    assert (await ask(site, "?role=B", good)).status_code == 403
    assert auth_headers_of(await ask(site, token=good))["access-token"] == good
    assert "access-token" not in auth_headers_of(await ask(site, "?token=false", good))


def test_a_single_text_is_no_list_of_roles(emulator: EntraEmulator) -> None:
    """Its letters would be taken for names."""
    entra = CamundaEntra(emulator.settings())
    with pytest.raises(TypeError, match="roles"):
        entra.forward_auth_router(roles="Operate.Admin")


async def test_the_endpoints_go_where_they_are_wanted(gated: Callable[..., Site]) -> None:
    """By argument, or with the login pages by setting."""
    site = gated({"prefix": "/gate"})
    assert (await ask(site, path="/gate/verify")).status_code == 401
    assert (await ask(site, path="/gate/health")).status_code == 200
    assert (await ask(site)).status_code == 404
    assert (await ask(gated(login_prefix="/sso"), path="/sso/verify")).status_code == 401


def test_openapi_does_not_show_them(site: Site) -> None:
    """They are no part of the API."""
    assert not [path for path in site.app.openapi()["paths"] if path.startswith("/auth")]


async def test_health_says_ready_when_there_are_keys(make_site: MakeSite) -> None:
    """They are fetched when there were none; later the known ones are enough."""
    site = make_site()
    site.wire.fail("")
    answer = await site.browser().http.get("/auth/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert code_of(answer) == "keys_unavailable"
    assert int(answer.headers["retry-after"]) >= 1
    site.wire.heal()
    site.clock.advance(HOUR)
    answer = await site.browser().http.get("/auth/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["cache-control"] == "no-store"
    site.wire.fail("")
    assert (await site.browser().http.get("/auth/health")).status_code == 200


async def test_health_says_no_while_the_session_store_is_away(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody who signed in could be told from a stranger."""

    async def check() -> None:
        raise SessionsUnavailable("The store is away.", 5)

    monkeypatch.setattr(session_manager_of(site).store, "check", check)
    answer = await site.browser().http.get("/auth/health")
    assert (answer.status_code, code_of(answer)) == (503, "sessions_unavailable")
    assert answer.headers["retry-after"] == "5"


def decoded(value: str) -> list[str]:
    """A list, read as the documentation says."""
    return [unquote(member) for member in value.split(",")] if value else []


@given(st.text(max_size=80), st.lists(st.text(min_size=1, max_size=12), max_size=6))
def test_every_text_comes_out_as_it_went_in(name: str, members: list[str]) -> None:
    """In characters that headers may have, and nothing else."""
    members = [member for member in members if member < "\ud800"]
    headers = identity_headers(user_of(preferred_username=name, roles=members))
    value = headers["X-Auth-Request-Preferred-Username"]
    if headers["X-Auth-Request-Incomplete"]:
        assert (value, headers["X-Auth-Request-Incomplete"]) == ("", "preferred_username")
    else:
        assert unquote(value) == name
    assert decoded(headers["X-Auth-Request-Roles"]) == members
    for written in headers.values():
        raw = written.encode("latin-1")
        assert raw == raw.strip()
        assert not [byte for byte in raw if byte < 0x20 or 0x7F <= byte < 0xA1]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Zoë", "Zoë"),
        ("李雷", "%E6%9D%8E%E9%9B%B7"),
        ("a\r\nX-Auth-Request-Roles: Admin", "a%0D%0AX-Auth-Request-Roles: Admin"),
        (" a b ", "%20a b%20"),
        ("100%", "100%25"),
        ("a,b", "a,b"),
        ("\x7f\x85\xa0", "%7F%C2%85%C2%A0"),
        ("x" * 1025, ""),
    ],
)
def test_names_are_written_as_documented(name: str, written: str) -> None:
    """Latin-1 stays, other characters are percent-encoded UTF-8."""
    headers = identity_headers(user_of(preferred_username=name))
    assert headers["X-Auth-Request-Preferred-Username"] == written


def test_commas_in_a_role_do_not_make_two_of_it() -> None:
    """Entra allows them in a role's value."""
    assert identity_headers(user_of(roles=["a,Admin", "b"]))["X-Auth-Request-Roles"] == "a%2CAdmin,b"


def test_groups_beyond_the_limit_are_said_to_be_missing() -> None:
    """As many as there is room for, whole; and the name of the list that does not hold everything."""
    groups = [f"9a0b0000-0000-4000-8000-{number:012}" for number in range(200)]
    headers = identity_headers(user_of(groups=groups))
    kept = headers["X-Auth-Request-Groups"].split(",")
    assert kept == groups[: len(kept)]
    assert MAX_LIST - 37 < len(headers["X-Auth-Request-Groups"]) <= MAX_LIST
    assert headers["X-Auth-Request-Incomplete"] == "groups"
    fits = identity_headers(user_of(groups=groups[:110]))
    assert len(fits["X-Auth-Request-Groups"].split(",")) == 110
    assert fits["X-Auth-Request-Incomplete"] == ""


def test_groups_that_entra_did_not_list_are_said_to_be_missing() -> None:
    """Above 200 it lists none, which is not the same as none."""
    headers = identity_headers(user_of(hasgroups=True))
    assert (headers["X-Auth-Request-Groups"], headers["X-Auth-Request-Incomplete"]) == ("", "groups")


async def test_incomplete_lists_are_logged(
    site: Site, emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Without saying whose."""
    caplog.set_level("INFO")
    token = emulator.token(roles=["r" * 3000, "s" * 3000])
    answer = await ask(site, token=token)
    assert auth_headers_of(answer)["roles"] == "r" * 3000
    assert auth_headers_of(answer)["incomplete"] == "roles"
    assert "do not hold everything: roles" in caplog.text


@pytest.mark.parametrize(
    ("tenant", "written"), [(None, ""), ("", ""), ("t\r\nX-Evil: 1", "t%0D%0AX-Evil: 1"), ("é,ł", "é,%C5%82")]
)
def test_a_tenant_of_any_form_is_a_header(tenant: str | None, written: str) -> None:
    """It is there, empty if need be, so that it replaces what a client sent (RFC 9110, 5.5, field values)."""
    headers = identity_headers(user_of(tid=tenant))
    assert headers["X-Auth-Request-Tenant"] == written
    headers = identity_headers(user_of(tid="t" * 2_000))
    assert (headers["X-Auth-Request-Tenant"], headers["X-Auth-Request-Incomplete"]) == ("", "tenant")


@Store
async def test_the_tenant_is_told_of_sessions_and_to_envoy(gated: Callable[..., Site], store: str) -> None:
    """Whichever way somebody is known, and whoever asks."""
    site = gated(session_store=store)
    browser = await site.browser().signed_in()
    for path in (VERIFY, "/auth/ext-authz/orders"):
        answer = await browser.http.get(path)
        assert answer.headers["x-auth-request-tenant"] == site.emulator.tenant.id


def test_websockets_are_given_tokens_as_well(emulator: EntraEmulator, clock: FakeClock) -> None:
    """The dependency is one for both."""
    entra = CamundaEntra(emulator.settings(), http_client=emulator.http_client(), clock=clock)
    app = FastAPI()

    @app.websocket("/ws")
    async def ws(socket: WebSocket, token: Annotated[str, Depends(entra.access_token)]) -> None:
        await socket.accept()
        await socket.send_text(token)

    token = emulator.token()
    with (
        TestClient(app) as http,
        http.websocket_connect("/ws", headers={"Authorization": f"Bearer {token}"}) as socket,
    ):
        assert socket.receive_text() == token


@pytest.mark.parametrize("piece", [" ", " x ", "%", ",", "\u00e9"])
def test_headers_of_long_claims_are_written_in_one_pass(piece: str) -> None:
    """Work grows as the claim does, whatever is repeated in it (CWE-1333)."""

    def write(size: int) -> None:
        text = f"x{piece * (size // len(piece))}x"
        identity_headers(user_of(preferred_username=text, roles=[text]))

    assert growth_of(write, 2000) < LIMIT
