"""Services on one host, cookies for a domain, and sign-ins in frames, as browsers' requests show them."""

import re
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from tests.site import (
    ADA,
    COOKIE,
    HOME,
    Browser,
    MakeSite,
    Site,
    Store,
    emulator,
    make_site,
    register,
    set_cookies,
    site,
    texts_in,
)

__all__ = ["emulator", "make_site", "site"]

URL: Final = "https://orders.example.com"
PORTAL: Final = "https://portal.example.com"
FRAME: Final = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"}
TAB: Final = FRAME | {"Sec-Fetch-Dest": "document"}
FLAGS: Final = "Path=/; Secure; HttpOnly; SameSite=None; Partitioned"


@pytest.fixture
def framed(make_site: MakeSite, emulator: EntraEmulator) -> Site:
    """A service that the portal may show in a frame."""
    register(emulator, f"{URL}/auth/login-callback")
    return make_site(url=URL, base_url=URL, cookie_same_site="none", frame_ancestors=PORTAL)


def link_of(page: httpx.Response) -> str:
    """Where the page's button leads."""
    (link,) = re.findall(r'<a class="action first" href="([^"]+)">', page.text)
    return str(link).replace("&amp;", "&")


def may_be_framed(page: httpx.Response, by: str = PORTAL) -> bool:
    """Whether browsers show the page in a frame of that site."""
    policy = page.headers["content-security-policy"]
    return policy.endswith(f"frame-ancestors {by}") and "x-frame-options" not in page.headers


async def sign_in(browser: Browser) -> httpx.Response:
    """The whole way in a frame and its window; gives the answer in the frame."""
    page = await browser.http.get("/auth/login?return_to=/page", headers=FRAME)
    callback = await browser.at_entra(link_of(page), ADA)
    return await browser.http.get(callback, headers=FRAME | {"Sec-Fetch-Site": "same-origin"})


async def test_a_frame_gets_a_link_in_place_of_the_redirect(framed: Site) -> None:
    """The page has the attempt's cookie, and may be shown; a tab is redirected as ever."""
    http = framed.browser().http
    page = await http.get("/auth/login?return_to=/page", headers=FRAME)
    assert (page.status_code, may_be_framed(page)) == (200, True)
    ((name, line),) = set_cookies(page).items()
    assert name.startswith("__Host-entra_session_")
    assert line.endswith(f"Max-Age=600; {FLAGS}")
    assert urlsplit(link_of(page)).path.endswith("/authorize")
    assert (await http.get("/auth/login", headers=TAB)).status_code == 302


async def test_a_window_hands_the_answer_over(framed: Site) -> None:
    """Nothing is redeemed in it: the frame does that, once; and where none waits, the window itself."""
    browser, window = framed.browser(), framed.browser()
    page = await browser.http.get("/auth/login?return_to=/page", headers=FRAME)
    callback = await browser.at_entra(link_of(page), ADA)
    answer = await window.http.get(callback, headers=TAB)
    assert (answer.status_code, answer.headers.get("set-cookie")) == (200, None)
    assert "window.opener.goOn" in answer.text
    assert link_of(answer) == callback.removeprefix(URL) + "&here=1"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert framed.wire.forms == []
    there = await window.http.get(link_of(answer), headers=TAB)
    assert there.status_code == 400
    here = await browser.http.get(callback, headers=FRAME)
    assert (here.status_code, here.headers["location"]) == (303, "/page")
    again = await browser.http.get(callback, headers=FRAME)
    assert (again.status_code, again.headers["location"]) == (303, "/page")


async def test_a_tab_signs_in_as_ever(framed: Site) -> None:
    """By way of the page that finds no frame; and programs, and odd callbacks, do not get it."""
    browser = framed.browser()
    callback = await browser.come_back()
    page = await browser.open(callback)
    assert (await browser.open(link_of(page))).status_code == 303
    assert (await browser.http.get("/api")).status_code == 200
    assert (await browser.http.get(f"{callback}&here=2")).status_code in (303, 400)
    odd = await browser.http.get("/auth/login-callback?state=%22", headers=TAB)
    assert odd.status_code == 200
    odd = await browser.http.get(b"/auth/login-callback?state=\xff".decode("latin-1"), headers=TAB)
    assert odd.status_code in (200, 400)
    assert (await browser.http.get("/auth/login-callback?state=x")).status_code == 400


async def test_a_redirect_of_this_service_stays_in_the_frame(framed: Site) -> None:
    """What does not lead to Entra needs no window: who signed in meanwhile, or Entra ends no sessions."""
    framed.wire.change("openid-configuration", lambda document: document.pop("end_session_endpoint") and None)
    browser = framed.browser()
    await sign_in(browser)
    again = await browser.http.get("/auth/login?return_to=/page&again=1", headers=FRAME)
    assert (again.status_code, again.headers["location"]) == (302, "/page")
    out = await browser.http.post("/auth/logout", headers=FRAME | {"Sec-Fetch-Site": "same-origin"})
    assert (out.status_code, out.headers["location"]) == (302, f"{framed.url}/auth/login-callback")


async def test_signing_out_in_a_frame_stays_in_it(framed: Site) -> None:
    """The session is over, also under the cookie of before; Entra's page is a window's."""
    browser = framed.browser()
    assert (await sign_in(browser)).status_code == 303
    answer = await browser.http.post("/auth/logout", headers=FRAME | {"Sec-Fetch-Site": "same-origin"})
    assert (answer.status_code, may_be_framed(answer)) == (200, True)
    assert urlsplit(link_of(answer)).path.endswith("/logout")
    lines = answer.headers.get_list("set-cookie")
    assert [line.partition("; ")[2] for line in lines] == [
        f"Max-Age=0; {FLAGS}",
        f"Max-Age=0; {FLAGS.removesuffix('; Partitioned')}",
    ]
    assert (await browser.http.get("/api")).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 401),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 401),
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
        (FRAME, 200),
    ],
)
async def test_what_another_sites_page_loads_is_nobodys(
    framed: Site, headers: dict[str, str], status: int
) -> None:
    """Cookies for frames come with it, which those for tabs would not; navigations of a frame count."""
    browser = framed.browser()
    assert (await sign_in(browser)).status_code == 303
    assert (await browser.http.get("/api", headers=headers)).status_code == status
    changed = await browser.http.post("/change", headers=headers)
    assert changed.status_code == (
        200 if headers["Sec-Fetch-Site"] == "same-origin" else status if status == 401 else 403
    )


@pytest.mark.parametrize("settings", [{}, {"cookie_same_site": "none"}])
async def test_no_page_is_framed_unless_the_setting_says_so(
    make_site: MakeSite, emulator: EntraEmulator, settings: dict[str, Any]
) -> None:
    """The login page redirects, and refusals say that nobody may show them."""
    register(emulator, f"{URL}/auth/login-callback")
    http = make_site(url=URL, base_url=URL, **settings).browser().http
    assert (await http.get("/auth/login", headers=FRAME)).status_code == 302
    page = await http.get("/auth/login-callback?state=x", headers=TAB)
    assert may_be_framed(page, "'none'") is False
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["content-security-policy"].endswith("frame-ancestors 'none'")


async def test_a_same_site_frame_needs_no_other_cookies(make_site: MakeSite, emulator: EntraEmulator) -> None:
    """Who may frame is set alone: cookies stay those of tabs."""
    register(emulator, f"{URL}/auth/login-callback")
    http = make_site(url=URL, base_url=URL, frame_ancestors=PORTAL).browser().http
    page = await http.get("/auth/login", headers=FRAME)
    assert may_be_framed(page)
    assert page.headers["set-cookie"].endswith("Path=/; Secure; HttpOnly; SameSite=Lax")


async def test_a_host_outside_of_the_cookie_domain_is_told(
    make_site: MakeSite, emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, when somebody begins to sign in there; in the domain and with odd hosts nothing is said."""
    domain = "apps.example.com"
    http = make_site(url=HOME, cookie_domain=domain).browser().http
    for host in ("orders.apps.example.com", "apps.example.com:8443"):
        await http.get("/auth/login", headers={"Host": host})
    assert not [text for text in texts_in(caplog) if "COOKIE_DOMAIN" in text]
    for host in ("orders.example.com", "apps.example.com.evil.example", "x"):
        await http.get("/auth/login", headers={"Host": host})
    (text,) = [text for text in texts_in(caplog) if "COOKIE_DOMAIN" in text]
    assert text.startswith("A browser asked for http://orders.example.com, which is not in")


@Store
async def test_a_cookie_of_our_name_that_does_not_open_is_told(
    make_site: MakeSite, store: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Once: a neighbour has the same name, or the secret is another one. Strangers' texts get no line."""
    site = make_site(session_store=store)
    neighbour = make_site(session_secret="n" * 40, session_store="cookie")
    browser = await neighbour.browser().signed_in()
    for cookie, count in (("x", 0), (browser.session, 1), (browser.session, 1)):
        answer = await site.browser().http.get("/api", headers={"Cookie": f"{COOKIE}={cookie}"})
        assert answer.status_code == 401
        found = [text for text in texts_in(caplog) if "cannot open" in text]
        assert len(found) == count
    assert browser.session not in caplog.text
