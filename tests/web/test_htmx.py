"""htmx: a redirect it would follow by itself, so it gets 401 and where to lead the browser."""

from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, WebSocket
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse

from camunda_entra_fastapi import EntraUser
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE, OptionalClaims
from tests.site import ADA, BEN, HOME, PERSON, MakeSite, Site, code_of, query_of
from tests.testing.browsing import change_application

HTMX = {"HX-Request": "true", "HX-Current-URL": f"{HOME}/page?tab=a#top", "Sec-Fetch-Mode": "cors"}
WHOLE = "https://orders.example.com/outer"


def login_of(answer: httpx.Response) -> tuple[str, str]:
    """Where htmx leads the browser, and where that comes back to."""
    address = answer.headers["hx-redirect"]
    return address.partition("?")[0], query_of(address)["return_to"]


async def test_htmx_leads_to_sign_in_and_back_to_the_page(site: Site) -> None:
    """401 with the challenge, as for programs, and the login page's address besides."""
    browser = site.browser()
    answer = await browser.http.get("/api", headers=HTMX)
    assert (answer.status_code, code_of(answer)) == (401, "credentials_missing")
    assert answer.headers["www-authenticate"].startswith("Bearer realm=")
    assert (answer.headers["cache-control"], answer.headers["vary"]) == ("no-store", "HX-Request, Cookie")
    assert login_of(answer) == (f"{HOME}/auth/login", "/page?tab=a#top")
    left = await browser.open(answer.headers["hx-redirect"])
    back = await browser.open(await browser.at_entra(left.headers["location"], ADA))
    assert (back.status_code, back.headers["location"]) == (303, "/page?tab=a#top")
    assert "hx-redirect" not in (await browser.http.get("/api", headers=HTMX)).headers


@pytest.mark.parametrize(
    ("address", "return_to"),
    [
        (f"{HOME}/a%20b?x=%26", "/a%20b?x=%26"),
        (f"{HOME}/", "/"),
        ("https://evil.example/page", "/"),
        ("http://localhost:8000.evil.example/", "/"),
        ("http://localhost:8000@evil.example/", "/"),
        ("https://localhost:8000/page", "/"),
        ("//evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        (None, "/"),
    ],
)
async def test_it_comes_back_to_pages_of_ours_alone(site: Site, address: str | None, return_to: str) -> None:
    """All others are the first page."""
    headers = {"HX-Request": "true"} | ({} if address is None else {"HX-Current-URL": address})
    answer = await site.browser().http.post("/change", headers=headers)
    assert login_of(answer) == (f"{HOME}/auth/login", return_to)


@pytest.mark.parametrize("path", ["//evil.example/x", "/\\evil.example", "/auth/login", "/x\r\nevil"])
async def test_what_looks_like_ours_is_looked_at_by_the_login_page(site: Site, path: str) -> None:
    """As every address that one comes back to."""
    headers = HTMX | {"HX-Current-URL": (HOME + path).replace("\r\n", "%0d%0a")}
    browser = site.browser()
    answer = await browser.http.get("/api", headers=headers)
    left = await browser.open(answer.headers["hx-redirect"])
    back = await browser.open(await browser.at_entra(left.headers["location"], ADA))
    assert back.headers["location"] == "/"


async def test_a_boosted_link_leads_to_its_own_page(site: Site) -> None:
    """Forms, which cannot be repeated, to the one that they are on."""
    headers = HTMX | {"HX-Boosted": "true"}
    link = await site.browser().http.get("/incidents/7?tab=b", headers=headers)
    form = await site.browser().http.post("/change", headers=headers)
    assert [login_of(answer)[1] for answer in (link, form)] == ["/incidents/7?tab=b", "/page?tab=a#top"]


async def test_htmx_is_no_navigation_whatever_it_accepts(site: Site) -> None:
    """The newest one accepts text/html, and without https browsers do not say more."""
    for more in ({}, {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}):
        headers = {"HX-Request": "true", "HX-Current-URL": f"{HOME}/page", "Accept": "text/html"} | more
        answer = await site.browser().http.get("/page", headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/json")
        assert login_of(answer)[1] == "/page"


async def test_behind_a_prefix_the_whole_address_is_public(make_site: MakeSite) -> None:
    """Its own pages are those of the public URL."""
    site = make_site(base_url=WHOLE)
    for page, return_to in ((f"{WHOLE}/page?x=1", "/outer/page?x=1"), (f"{HOME}/page", "/outer/")):
        answer = await site.browser().http.get("/api", headers=HTMX | {"HX-Current-URL": page})
        assert login_of(answer) == (f"{WHOLE}/auth/login", return_to)


async def test_tokens_and_missing_roles_are_what_they_were(site: Site) -> None:
    """Signing in helps neither a program with a bad token nor a person without a role."""

    @site.app.get("/admin", dependencies=[Depends(site.entra.require(roles=["Operate.Admin"]))])
    async def admin() -> None:
        pass

    token = {"Authorization": f"Bearer {site.emulator.token(lifetime=-3600)}"}
    old = await site.browser().http.get("/api", headers=HTMX | token)
    ben = await site.browser().signed_in(person=BEN)
    missing = await ben.http.get("/admin", headers=HTMX | {"Accept": "text/html"})
    assert [code_of(answer) for answer in (old, missing)] == ["token_expired", "role_missing"]
    assert not any("hx-redirect" in answer.headers for answer in (old, missing))


async def test_a_stronger_sign_in_is_asked_for_once(site: Site, emulator: EntraEmulator) -> None:
    """Who comes back without it is told, and not led round in a circle."""

    @site.app.get("/vault")
    async def vault(
        user: Annotated[EntraUser, Depends(site.entra.require(auth_context="c1"))],
    ) -> dict[str, Any]:
        return {"name": user.name}

    change_application(emulator, OPERATE, optional_claims=OptionalClaims(access_token=("acrs",)))
    browser = await site.browser().signed_in()
    answer = await browser.http.get("/vault", headers=HTMX)
    assert (answer.status_code, code_of(answer)) == (401, "insufficient_claims")
    departure = await browser.open(answer.headers["hx-redirect"])
    address = httpx.URL(departure.headers["location"])
    assert "acrs" in address.params["claims"]
    back = await browser.open(await browser.at_entra(str(address.copy_remove_param("claims")), ADA))
    assert back.headers["location"] == "/page?tab=a#top"
    again = await browser.http.get("/vault", headers=HTMX)
    assert (code_of(again), "hx-redirect" in again.headers) == ("insufficient_claims", False)


async def test_websockets_of_its_extension_are_refused_as_ever(site: Site) -> None:
    """No header of the answer reaches a script there."""

    @site.app.websocket("/ws")
    async def socket(_: WebSocket, user: Annotated[EntraUser, Depends(site.entra.current_user)]) -> None:
        raise AssertionError(user)

    with (
        pytest.raises(WebSocketDenialResponse) as caught,
        TestClient(site.app).websocket_connect("/ws", headers=HTMX),
    ):
        pytest.fail("it was accepted")
    assert "hx-redirect" not in caught.value.headers


@pytest.mark.parametrize(
    ("query", "more", "return_to"),
    [
        ("?redirect=true", {}, "/page?tab=a"),
        ("?redirect=true", {"HX-Boosted": "true"}, "/incidents/7"),
        ("?redirect=true", {"X-Forwarded-Method": "POST", "HX-Boosted": "true"}, "/page?tab=a"),
        ("?redirect=true", {"HX-Current-URL": "https://evil.example/"}, "/"),
        ("", {}, None),
    ],
)
async def test_gateways_hand_it_on(
    site: Site, query: str, more: dict[str, str], return_to: str | None
) -> None:
    """Where they ask for redirects; otherwise they do what they want with 401."""
    site.app.include_router(site.entra.forward_auth_router())
    original = {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/incidents/7"}
    answer = await site.browser().http.get(f"/auth/verify{query}", headers=HTMX | original | more)
    assert (answer.status_code, code_of(answer)) == (401, "credentials_missing")
    redirect = answer.headers.get("hx-redirect")
    assert (redirect and query_of(redirect)["return_to"]) == return_to


async def test_people_are_redirected_as_before(site: Site) -> None:
    """A header that htmx has no part in changes nothing."""
    for headers in (PERSON, PERSON | {"HX-Current-URL": f"{HOME}/page"}, PERSON | {"HX-Request": "false"}):
        answer = await site.browser().http.get("/incidents/7", headers=headers)
        assert (answer.status_code, query_of(answer.headers["location"])["return_to"]) == (
            302,
            "/incidents/7",
        )
