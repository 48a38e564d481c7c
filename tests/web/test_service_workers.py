"""Pages whose service worker asks for a navigation anew, by its address or as a request made of it."""

from html import unescape
from typing import Final

import pytest
from fastapi import Depends

from tests.site import ADA, BEN, HOME, MakeSite, Site, code_of, kept_cookies, query_of
from tests.web.test_refusal_pages import links_of

CHROMIUM: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
WORKER: Final = {
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Site": "same-origin",
    "Accept": CHROMIUM,
}
"""What Chromium 156 sends for ``fetch(event.request.url, {headers: event.request.headers})``."""


@pytest.mark.parametrize(
    "headers",
    [
        WORKER,
        WORKER | {"Sec-Fetch-Mode": "same-origin"},
        WORKER | {"Sec-Fetch-Dest": "document"},
        {"Sec-Fetch-Mode": "cors", "Accept": CHROMIUM},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "Text/HTML"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/html;q=0.9, */*"},
    ],
)
async def test_a_person_behind_a_worker_reads_where_to_sign_in(site: Site, headers: dict[str, str]) -> None:
    """A page with the status and the challenge of 401, and a link that leads back: no redirect, no JSON."""
    page = await site.browser().http.get("/incidents/7?tab=a", headers=headers)
    assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert page.headers["www-authenticate"].startswith("Bearer realm=")
    assert page.headers["cache-control"] == "no-store"
    assert "Sign in first" in page.text
    ((link, label),) = links_of(page)
    assert (unescape(link), label) == (f"{HOME}/auth/login?return_to=/incidents/7%3Ftab%3Da", "Sign in")


@pytest.mark.parametrize(
    "headers",
    [
        WORKER | {"Accept": "*/*"},
        WORKER | {"Accept": "application/json, text/html"},
        WORKER | {"Accept": "text/htmlx, text/html"},
        WORKER | {"Sec-Fetch-Mode": "no-cors"},
        WORKER | {"Sec-Fetch-Dest": "script"},
        WORKER | {"X-Requested-With": "XMLHttpRequest"},
        WORKER | {"Authorization": "Basic eDp5"},
        {"Sec-Fetch-Mode": "cors", "Accept": "text/html"},
    ],
)
async def test_scripts_are_told_as_json(site: Site, headers: dict[str, str]) -> None:
    """They did not ask for a page first, or are no browser's."""
    answer = await site.browser().http.get("/incidents/7", headers=headers)
    assert (answer.status_code, code_of(answer)) == (401, "credentials_missing")


async def test_other_refusals_are_pages_too(site: Site) -> None:
    """What is missing, and who can give it, as without a worker."""

    @site.app.get("/admin", dependencies=[Depends(site.entra.require(roles=["Operate.Admin"]))])
    async def admin() -> None:
        pass

    ben = await site.browser().signed_in(person=BEN)
    page = await ben.http.get("/admin", headers=WORKER)
    assert (page.status_code, "lacks the role Operate.Admin" in page.text) == (403, True)


@pytest.mark.parametrize("mode", ["cors", "same-origin"])
async def test_the_whole_way_in_and_out(site: Site, mode: str) -> None:
    """Where the login pages would redirect, pages go on by themselves, and all cookies are set."""
    headers, browser = WORKER | {"Sec-Fetch-Mode": mode}, site.browser()
    begun = await browser.http.get("/auth/login?return_to=/incidents/7", headers=headers)
    assert (begun.status_code, begun.headers["cache-control"], len(kept_cookies(begun))) == (
        200,
        "no-store",
        1,
    )
    entra = begun.headers["refresh"].removeprefix("0;url=")
    ((link, label),) = links_of(begun)
    assert (unescape(link), label) == (entra, "Go on")
    back = await browser.http.get(await browser.at_entra(entra, ADA), headers=headers)
    assert (back.status_code, back.headers["refresh"]) == (200, "0;url=/incidents/7")
    assert (await browser.http.get("/incidents/7", headers=headers)).text == f"<h1>{ADA}</h1>"
    out = await browser.http.get("/auth/logout", headers=headers)
    assert (out.status_code, "logout" in out.headers["refresh"]) == (200, True)
    assert await browser.status() == 401


async def test_who_comes_back_with_an_old_answer_goes_on(site: Site) -> None:
    """Signed in to the page of that sign-in, else to a sign-in that begins anew; and never to JSON."""
    browser = site.browser()
    answer = await browser.come_back("/incidents/7")
    assert (await browser.http.get(answer, headers=WORKER)).status_code == 200
    again = await browser.http.get(answer, headers=WORKER)
    assert (again.status_code, again.headers["refresh"]) == (200, "0;url=/incidents/7")
    other = await site.browser().http.get(answer, headers=WORKER)
    assert (other.status_code, other.headers["content-type"]) == (400, "text/html; charset=utf-8")
    assert "url=/auth/login?return_to=/incidents/7&amp;again=1" in other.text


async def test_after_signing_out_there_is_a_page(site: Site) -> None:
    """As without a worker, and not a line of text."""
    out = await site.browser().http.get("/auth/login-callback", headers=WORKER)
    assert (out.status_code, "You are signed out" in out.text) == (200, True)


async def test_what_entra_refuses_is_a_page(site: Site) -> None:
    """With its status."""
    begun = await site.browser().open("/auth/login")
    refused = {"error": "access_denied", "state": query_of(begun.headers["location"])["state"]}
    page = await site.browser().http.get("/auth/login-callback", params=refused, headers=WORKER)
    assert (page.status_code, page.headers["content-type"]) == (400, "text/html; charset=utf-8")


async def test_another_sites_script_reads_no_state(site: Site) -> None:
    """A page that goes on has it in its text, which a service may let others read."""
    for where in ("cross-site", "same-site", "none"):
        answer = await site.browser().http.get("/auth/login", headers=WORKER | {"Sec-Fetch-Site": where})
        assert (answer.status_code, answer.text) == (302, "")
        assert "state" in query_of(answer.headers["location"])


async def test_gateways_pass_the_page_on(make_site: MakeSite) -> None:
    """With and without redirects, which would fail."""
    site = make_site(base_url=HOME)
    site.app.include_router(site.entra.forward_auth_router())
    for query in ("", "?redirect=true"):
        original = {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/incidents/7"}
        page = await site.browser().http.get(f"/auth/verify{query}", headers=WORKER | original)
        assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
        assert links_of(page) == [(f"{HOME}/auth/login?return_to=/incidents/7", "Sign in")]
