"""Authentication by bearer token or session, of browsers and programs, from this site and others."""

import random
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Security, WebSocket
from fastapi.testclient import TestClient
from starlette.responses import Response
from starlette.testclient import WebSocketDenialResponse

from camunda_entra_fastapi import CamundaEntra, EntraUser, SettingsError
from camunda_entra_fastapi.testing import EntraEmulator
from tests.conftest import FakeClock
from tests.site import (
    ADA,
    BEN,
    COOKIE,
    HOME,
    PERSON,
    MakeSite,
    Site,
    code_of,
    guarded,
    register,
    set_cookies,
    signing_key,
)

SAME = {"Sec-Fetch-Site": "same-origin"}


def more_routes(site: Site) -> None:
    """Routes that ask in other ways."""
    entra = site.entra

    @site.app.get("/optional")
    async def optional(user: Annotated[EntraUser | None, Depends(entra.optional_user)]) -> dict[str, Any]:
        return {"name": user and user.name}

    @site.app.get("/bearer")
    async def bearer(user: Annotated[EntraUser, Depends(entra.bearer)]) -> dict[str, Any]:
        return {"name": user.name}

    @site.app.get("/admin", dependencies=[Depends(entra.require(roles=["Operate.Admin"]))])
    async def admin() -> None:
        pass

    @site.app.get("/scoped", dependencies=[Security(entra.current_user, scopes=["Incidents.Read"])])
    async def scoped() -> None:
        pass

    @site.app.websocket("/ws")
    async def socket(websocket: WebSocket, user: Annotated[EntraUser, Depends(entra.current_user)]) -> None:
        await websocket.accept()
        await websocket.send_text(user.name or "")
        await websocket.close()


async def test_a_session_is_as_good_as_a_token(site: Site) -> None:
    """With its roles and scopes; only ``bearer`` wants a token."""
    more_routes(site)
    ada, ben = await site.browser().signed_in(person=ADA), await site.browser().signed_in(person=BEN)
    assert [await ada.status(path) for path in ("/api", "/admin", "/scoped", "/bearer")] == [
        200,
        200,
        200,
        401,
    ]
    assert [await ben.status(path) for path in ("/api", "/admin", "/scoped", "/bearer")] == [
        200,
        403,
        200,
        401,
    ]
    assert (await ada.http.get("/optional")).json() == {"name": ADA}


async def test_a_bad_token_is_never_passed_over_for_a_cookie(site: Site) -> None:
    """It is refused, also where credentials are optional, and never by a redirect."""
    more_routes(site)
    browser = await site.browser().signed_in()
    for token in ("rubbish", site.emulator.token(lifetime=-3600), ""):
        for path in ("/api", "/optional", "/page"):
            answer = await browser.http.get(path, headers=PERSON | {"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401
            assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_good_token_counts_more_than_the_cookie(site: Site) -> None:
    """And needs no page of ours behind it."""
    browser = await site.browser().signed_in(person=ADA)
    header = {"Authorization": f"Bearer {site.emulator.token(user=BEN)}", "Origin": "https://evil.example"}
    assert (await browser.http.post("/change", headers=header)).json() == {"by": BEN}


async def test_another_scheme_leaves_the_cookie_alone(site: Site) -> None:
    """A proxy's own Basic credentials may stand in the header."""
    browser = await site.browser().signed_in()
    assert (await browser.http.get("/api", auth=("somebody", "password"))).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        PERSON,
        {"Accept": "text/html,*/*;q=0.8"},
        {"Sec-Fetch-Mode": "navigate", "Accept": "application/json"},
        PERSON | {"Cookie": f"{COOKIE}=rubbish"},
    ],
)
async def test_people_are_sent_to_sign_in(site: Site, headers: dict[str, str]) -> None:
    """And come back to exactly where they were."""
    answer = await site.browser().http.get("/incidents/7?tab=a%20b&x=1", headers=headers)
    assert answer.status_code == 302
    location = httpx.URL(answer.headers["location"])
    assert (str(location.copy_with(query=None)), location.params["return_to"]) == (
        f"{HOME}/auth/login",
        "/incidents/7?tab=a%20b&x=1",
    )
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept": "application/json"},
        {"Sec-Fetch-Mode": "cors", "Accept": "text/html"},
        {"X-Requested-With": "XMLHttpRequest", "Accept": "text/html"},
        {"Cookie": f"{COOKIE}=rubbish"},
    ],
)
async def test_programs_are_told_so(site: Site, headers: dict[str, str]) -> None:
    """401 with a challenge, as JSON."""
    answer = await site.browser().http.get("/incidents/7", headers=headers)
    assert (answer.status_code, code_of(answer)) == (401, "credentials_missing")
    assert answer.headers["www-authenticate"].startswith("Bearer realm=")


@pytest.mark.parametrize(
    ("referer", "return_to"),
    [
        (f"{HOME}/incidents/7?x=1", "/incidents/7"),
        ("https://evil.example/incidents/7", "/"),
        (None, "/"),
    ],
)
async def test_a_form_sent_after_the_session_ended_leads_to_its_page(
    site: Site, referer: str | None, return_to: str
) -> None:
    """An unsafe request cannot be repeated, so the browser returns to the page before."""
    headers = PERSON | ({"Referer": referer} if referer else {})
    answer = await site.browser().http.post("/change", headers=headers)
    assert answer.status_code == 303
    assert httpx.URL(answer.headers["location"]).params["return_to"] == return_to


@pytest.mark.parametrize("store", ["cookie", "memory"])
async def test_changes_and_websockets_need_a_page_of_ours(make_site: MakeSite, store: str) -> None:
    """403 otherwise, for programs and people, and nothing is changed."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    assert (await browser.http.post("/change", headers=SAME)).status_code == 200
    assert (await browser.http.post("/change", headers={"Origin": HOME})).status_code == 200
    for headers in ({}, PERSON, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}):
        answer = await browser.http.post("/change", headers=headers)
        assert answer.status_code == 403
        assert "cross_origin" in answer.text if headers is PERSON else code_of(answer) == "cross_origin"
        assert "www-authenticate" not in answer.headers
    assert (await browser.http.get("/api", headers={"Sec-Fetch-Site": "cross-site"})).status_code == 200


async def test_websockets_take_the_cookie_of_pages_of_ours(site: Site) -> None:
    """Those of other sites are refused before they are accepted."""
    more_routes(site)
    browser = await site.browser().signed_in()
    client, address = TestClient(site.app, cookies=browser.cookies), f"{HOME.replace('http', 'ws')}/ws"
    with client.websocket_connect(address, headers={"Origin": HOME}) as socket:
        assert socket.receive_text() == ADA
    for headers in ({}, {"Origin": "https://evil.example"}):
        with (
            pytest.raises(WebSocketDenialResponse) as caught,
            client.websocket_connect(address, headers=headers),
        ):
            pytest.fail("it was accepted")
        assert caught.value.status_code == 403


async def test_a_session_that_entra_ended_is_none(site: Site) -> None:
    """A program is told so, a person signs in again; neither is an error."""
    browser = await site.browser().signed_in()
    site.wire.answer("/token", 400, json={"error": "invalid_grant", "error_description": "AADSTS50173: x"})
    site.clock.advance(4000)
    assert await browser.status() == 401
    assert (await browser.open("/page")).status_code == 302


async def test_me_tells_who_is_signed_in(site: Site) -> None:
    """As JSON, for people too; 401 for nobody, never a redirect."""
    browser = site.browser()
    nobody = await browser.open("/auth/me")
    assert (nobody.status_code, code_of(nobody)) == (401, "credentials_missing")
    await browser.signed_in()
    answer = await browser.open("/auth/me")
    assert answer.headers["cache-control"] == "no-store"
    me = answer.json()
    assert (me["name"], me["roles"], me["is_app"]) == (ADA, ["Operate.Admin"], False)
    assert "token" not in answer.text
    header = {"Authorization": f"Bearer {site.emulator.token(user=BEN)}"}
    assert (await browser.http.get("/auth/me", headers=header)).json()["name"] == BEN


async def test_altered_cookies_are_no_session(site: Site) -> None:
    """Whatever is changed, cut or swapped: signed out, and never an error of ours."""
    browser = await site.browser().signed_in()
    handle, chance = browser.session, random.Random(7)
    spoilt = [handle[:cut] for cut in range(0, len(handle), 97)]
    for _ in range(300):
        place = chance.randrange(len(handle))
        other = chance.choice([char for char in 'AZaz09-_.:;~ "%' if char != handle[place]])
        spoilt.append(handle[:place] + other + handle[place + 1 :])
    spoilt += [handle + "A", handle[::-1], f"{handle}.{handle}", "1.." + handle]
    http = site.browser().http
    for each in spoilt:
        answer = await http.get("/api", headers={"Cookie": f"{COOKIE}={each}"})
        assert (answer.status_code, each) == (401, each)
    assert (await http.get("/api", headers={"Cookie": f"{COOKIE}={handle}"})).status_code == 200


async def test_another_deployments_cookie_is_none(make_site: MakeSite, emulator: EntraEmulator) -> None:
    """Not even with the same secret: issuer and client are part of the key."""
    secret = "a secret of thirty-two characters"
    browser = await make_site(session_secret=secret).browser().signed_in()
    own, other = emulator.settings(), emulator.directory.tenants[1].id
    others: dict[str, dict[str, str]] = {
        "itself": {},
        "another client": {"client_id": "11111111-2222-4333-8444-555555555555"},
        "another tenant": {
            "issuer": own.issuer.replace(emulator.tenant.id, other),
            "issuer_backend_url": own.issuer_backend_url.replace(emulator.tenant.id, other),
        },
    }
    verdicts = {
        name: await make_site(session_secret=secret, **changes).browser(like=browser).status()
        for name, changes in others.items()
    }
    assert verdicts == {"itself": 200, "another client": 401, "another tenant": 401}


async def test_secrets_rotate(make_site: MakeSite) -> None:
    """The new one seals, the old one still opens; without the old one people sign in again."""
    old, new = "o" * 32, "n" * 32
    browser = await make_site(session_secret=old).browser().signed_in()
    for secrets, status in ((f"{new},{old}", 200), (new, 401)):
        site = make_site(session_secret=secrets)
        assert await site.browser(like=browser).status() == status


async def test_a_router_alone_has_no_middleware_but_all_the_pages(
    emulator: EntraEmulator, clock: FakeClock
) -> None:
    """``login_router`` alone keeps users signed in; renewed cookies need ``install``."""
    entra = CamundaEntra(emulator.settings(), http_client=emulator.http_client(), clock=clock)
    app = guarded(entra, FastAPI())
    app.include_router(entra.login_router())
    wire: Any = None
    site = Site(app, entra, emulator, wire, clock)
    browser = await site.browser().signed_in()
    clock.advance(4000)
    answer = await browser.http.get("/api")
    assert answer.status_code == 200
    assert set_cookies(answer) == {}
    assert await browser.status() == 200
    assert sum(each.did == "refresh" for each in emulator.requests) == 1


def test_signing_in_needs_a_client_secret(emulator: EntraEmulator) -> None:
    """The error names it; an API alone needs none, and its Swagger UI asks Entra itself."""
    settings = emulator.settings().model_copy(update={"client_secret": None})
    entra = CamundaEntra(settings)
    with pytest.raises(SettingsError, match="CAMUNDA_IDENTITY_CLIENT_SECRET is not set"):
        entra.login_router()
    app = FastAPI()
    with pytest.raises(SettingsError, match="CAMUNDA_IDENTITY_CLIENT_SECRET"):
        entra.install(app, protect_docs=True)
    entra.install(app)
    (mount,) = (route for route in app.routes if getattr(route, "path", "").startswith("/auth"))
    paths = [route.path for route in getattr(mount, "routes", ())]
    assert [path for path in paths if path.startswith("/auth")] == ["/auth/health"]


async def test_a_test_may_swap_what_people_sign_in_to(site: Site) -> None:
    """``overridden`` holds for sessions, too; what was before counts again afterwards."""
    browser = await site.browser().signed_in()
    other = EntraEmulator(new_key=signing_key)
    with site.entra.overridden(other.settings(session_secret="x" * 32), http_client=other.http_client()):
        assert await browser.status() == 401
    assert await browser.status() == 200
    bare = other.settings().model_copy(update={"client_secret": None})
    with pytest.raises(SettingsError, match="CLIENT_SECRET"), site.entra.overridden(bare):
        pytest.fail("nobody could sign in")
    assert await browser.status() == 200
    assert (await site.browser().open("/auth/login")).status_code == 302
    assert site.entra.settings == site.emulator.settings()


async def test_two_services_in_one_application(make_site: MakeSite, emulator: EntraEmulator) -> None:
    """Each with a prefix and a cookie of its own."""
    site = make_site()
    settings = emulator.settings(cookie_name="second", login_prefix="/second")
    second = CamundaEntra(
        settings, http_client=emulator.http_client(), clock=site.clock, scheme_name="Second"
    )

    @site.app.get("/second-page")
    async def page(user: Annotated[EntraUser, Depends(second.current_user)]) -> dict[str, Any]:
        return {"name": user.name}

    second.install(site.app)
    browser = await site.browser().signed_in()
    assert await browser.status("/second-page") == 401
    answer = await browser.open("/second-page")
    assert answer.headers["location"].startswith(f"{HOME}/second/login?")
    site.clock.advance(4000)
    renewed = await browser.http.get("/api")
    assert list(set_cookies(renewed)) == [COOKIE]


async def test_two_sessions_can_be_renewed_in_one_request(
    make_site: MakeSite, emulator: EntraEmulator
) -> None:
    """The browser gets both; neither takes the other's place."""
    site = make_site()
    settings = emulator.settings(cookie_name="second", login_prefix="/second")
    http = emulator.http_client()
    second = CamundaEntra(settings, http_client=http, clock=site.clock, scheme_name="Second")
    register(emulator, f"{HOME}/second/login-callback")

    @site.app.get("/both")
    async def both(
        one: Annotated[EntraUser, Depends(site.entra.current_user)],
        other: Annotated[EntraUser, Depends(second.current_user)],
    ) -> list[str | None]:
        return [one.name, other.name]

    second.install(site.app)
    browser = await site.browser().signed_in(person=ADA)
    browser.entra.cookies.clear()
    begun = await browser.open("/second/login")
    await browser.open(await browser.at_entra(begun.headers["location"], BEN))
    site.clock.advance(4000)
    answer = await browser.http.get("/both")
    assert answer.json() == [ADA, BEN]
    assert set(set_cookies(answer)) == {COOKIE, "second"}


@pytest.mark.parametrize(
    ("own", "sent"),
    [
        ({}, "no-store"),
        ({"Cache-Control": "max-age=60"}, "no-store"),
        ({"Cache-Control": "public, max-age=60"}, "no-store"),
        ({"Cache-Control": "private, max-age=60"}, "private, max-age=60"),
    ],
)
async def test_renewed_cookies_are_in_nobody_elses_cache(site: Site, own: dict[str, str], sent: str) -> None:
    """A route's own Cache-Control stays when the response sets no cookie."""

    @site.app.get("/cached", dependencies=[Depends(site.entra.current_user)])
    async def cached() -> Response:
        return Response(headers=own)

    browser = await site.browser().signed_in()
    site.clock.advance(4000)
    assert (await browser.http.get("/cached")).headers["cache-control"] == sent
    unchanged = await browser.http.get("/cached")
    assert unchanged.headers["cache-control"] == own.get("Cache-Control", "private")


async def test_docs_can_be_for_those_who_signed_in(make_site: MakeSite) -> None:
    """People are sent to sign in, programs get 401, and what receives codes stays open."""
    site = make_site(install={"protect_docs": True})
    browser = site.browser()
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert (await browser.open(path)).status_code == 302
        assert await browser.status(path) == 401
    assert await browser.status("/docs/oauth2-redirect") == 200
    await browser.signed_in()
    for path in ("/docs", "/redoc", "/openapi.json"):
        answer = await browser.open(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


@pytest.mark.parametrize(
    ("install", "settings", "root_path", "expected"),
    [
        ({}, {}, "", "/auth/token"),
        ({}, {}, "/operate", "/operate/auth/token"),
        ({}, {"base_url": "https://x.example/outer"}, "", "/outer/auth/token"),
        ({"prefix": "/sign"}, {}, "", "/sign/token"),
        ({"direct_docs": True}, {}, "/operate", None),
    ],
)
async def test_swagger_ui_redeems_codes_where_it_can(
    make_site: MakeSite,
    install: dict[str, Any],
    settings: dict[str, Any],
    root_path: str,
    expected: str | None,
) -> None:
    """At this service, behind whatever prefix it has, or at Entra where the registration lets it."""
    site = make_site(install=install, **settings)
    transport = httpx.ASGITransport(site.app, root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url=HOME) as http:
        document = (await http.get("/openapi.json")).json()
    flow = document["components"]["securitySchemes"]["Entra"]["flows"]["authorizationCode"]
    assert flow["tokenUrl"] == (expected or site.entra.settings.token_url)
    assert flow["authorizationUrl"] == site.entra.settings.authorization_url


async def test_a_service_that_protects_nothing_has_its_own_document(emulator: EntraEmulator) -> None:
    """There is no scheme in it to point anywhere."""
    app = FastAPI()
    CamundaEntra(emulator.settings()).install(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME) as http:
        assert (await http.get("/openapi.json")).json() == app.openapi()
