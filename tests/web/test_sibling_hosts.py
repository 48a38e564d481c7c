"""One login host for sibling hosts: their gateways ask it, and people come back to where they were."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from tests.site import ADA, PERSON, Browser, MakeSite, Site, code_of, query_of, register

LOGIN: Final = "https://login.apps.example.com"
ORDERS: Final = "https://orders.apps.example.com"
VERIFY: Final = "/auth/verify?redirect=true"
DOMAIN: Final = {"base_url": LOGIN, "cookie_domain": "apps.example.com", "cookie_name": "orders"}
TRAEFIK: Final = {
    "Host": "login.apps.example.com",
    "X-Forwarded-Host": "orders.apps.example.com",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Method": "GET",
    "X-Forwarded-Uri": "/reports?month=5",
}
NGINX: Final = {
    "Host": "orders.apps.example.com",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Method": "GET",
    "X-Forwarded-Uri": "/reports?month=5",
}
INGRESS: Final = {
    "Host": "login.apps.example.com",
    "X-Original-URL": f"{ORDERS}/reports?month=5",
    "X-Original-Method": "GET",
}
SOCKET: Final = {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Upgrade": "websocket"}

Login = Callable[..., Site]


@pytest.fixture
def login(make_site: MakeSite, emulator: EntraEmulator) -> Login:
    """Makes the service at the login host."""

    def make(verify: dict[str, Any] | None = None, **settings: Any) -> Site:
        configured = DOMAIN | settings
        base_url = configured["base_url"] or LOGIN
        register(emulator, f"{base_url}/auth/login-callback")
        site = make_site(url=base_url, **configured)
        site.app.include_router(site.entra.forward_auth_router(**(verify or {})))
        return site

    return make


async def asked(browser: Browser, headers: dict[str, str], query: str = "redirect=true") -> httpx.Response:
    """The answer to a gateway that asks about a request with those headers, beside the browser's cookies."""
    return await browser.http.get(f"/auth/verify?{query}", headers=headers)


def returns_to(answer: httpx.Response) -> str:
    """Where people who are sent to the login host will come back to."""
    there = urlsplit(answer.headers["location"])
    assert (answer.status_code, f"{there.scheme}://{there.netloc}{there.path}") == (
        302,
        f"{LOGIN}/auth/login",
    )
    return query_of(answer.headers["location"])["return_to"]


@pytest.mark.parametrize("gateway", [TRAEFIK, NGINX, INGRESS], ids=["Traefik", "nginx", "ingress-nginx"])
async def test_people_come_back_to_the_host_that_they_asked_for(
    login: Login, gateway: dict[str, str]
) -> None:
    """From the login host, with the whole address; and the session counts there."""
    site = login()
    browser = site.browser()
    answer = await asked(browser, PERSON | gateway)
    assert returns_to(answer) == f"{ORDERS}/reports?month=5"
    back = await browser.open(await browser.at_entra(await browser.depart(answer.headers["location"]), ADA))
    assert (back.status_code, back.headers["location"]) == (303, f"{ORDERS}/reports?month=5")
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    assert (await asked(site.browser(), gateway | {"Cookie": cookies})).status_code == 200


@pytest.mark.parametrize(
    ("headers", "return_to"),
    [
        ({"X-Forwarded-Uri": "/a%20b?x=%2F"}, f"{ORDERS}/a%20b?x=%2F"),
        ({"X-Forwarded-Host": "ORDERS.apps.example.com"}, f"{ORDERS}/reports?month=5"),
        ({"X-Forwarded-Host": "orders.apps.example.com:443"}, f"{ORDERS}/reports?month=5"),
        ({"X-Forwarded-Host": "apps.example.com"}, "https://apps.example.com/reports?month=5"),
        ({"X-Forwarded-Proto": "http", "X-Forwarded-Port": "80"}, f"{ORDERS}/reports?month=5"),
        ({"X-Forwarded-Proto": "wss"}, f"{ORDERS}/reports?month=5"),
        ({"X-Forwarded-Port": "8443"}, f"{ORDERS}/reports?month=5"),
        # what might lead elsewhere leads to the host's root
        ({"X-Forwarded-Uri": "//evil.example/x"}, f"{ORDERS}/"),
        ({"X-Forwarded-Uri": "/\\evil.example"}, f"{ORDERS}/"),
        ({"X-Forwarded-Uri": "@evil.example/"}, f"{ORDERS}/"),
        ({"X-Forwarded-Uri": "/auth/login"}, f"{ORDERS}/"),
        ({"X-Forwarded-Uri": f"{LOGIN}/help"}, "/help"),
        ({"X-Forwarded-Method": "POST"}, f"{ORDERS}/"),
        ({"X-Forwarded-Method": "POST", "Referer": f"{ORDERS}/form?x=1"}, f"{ORDERS}/form?x=1"),
        ({"X-Forwarded-Method": "POST", "Referer": "http://orders.apps.example.com/form"}, f"{ORDERS}/form"),
        ({"X-Forwarded-Method": "POST", "Referer": "https://other.apps.example.com/x"}, f"{ORDERS}/"),
        # no host of the domain: as if nothing had been said of it
        ({"X-Forwarded-Host": "login.apps.example.com"}, "/reports?month=5"),
        ({"X-Forwarded-Host": "evil.example"}, "/reports?month=5"),
        ({"X-Forwarded-Host": "evilapps.example.com"}, "/reports?month=5"),
        ({"X-Forwarded-Host": "orders.apps.example.com.evil.example"}, "/reports?month=5"),
        ({"X-Forwarded-Host": "orders.apps.example.com, evil.example"}, "/reports?month=5"),
        ({"X-Forwarded-Host": "ada@orders.apps.example.com"}, "/reports?month=5"),
        ({"X-Forwarded-Host": "orders.apps.example.com:8443"}, "/reports?month=5"),
        ({"X-Forwarded-Host": "orders.apps.example.com."}, "/reports?month=5"),
        ({"X-Forwarded-Host": "[::1]"}, "/reports?month=5"),
        ({"X-Forwarded-Host": ""}, "/reports?month=5"),
        # two hosts that differ
        ({"X-Forwarded-Uri": "https://evil.example/"}, "/"),
        ({"X-Forwarded-Uri": "https://[evil"}, "/"),
        ({"X-Original-URL": "https://other.apps.example.com/x"}, "/reports?month=5"),
    ],
)
async def test_only_the_domain_is_returned_to(login: Login, headers: dict[str, str], return_to: str) -> None:
    """Whatever gateways and clients say."""
    answer = await asked(login().browser(), PERSON | TRAEFIK | headers)
    assert returns_to(answer) == return_to


async def test_without_a_cookie_domain_there_are_paths_alone(login: Login) -> None:
    """As ever: nobody is signed in at another host."""
    answer = await asked(login(cookie_domain=None).browser(), PERSON | TRAEFIK)
    assert returns_to(answer) == "/reports?month=5"


@pytest.mark.parametrize(("host", "return_to"), [("", f"{ORDERS}:8443/x"), (":8443", f"{ORDERS}:8443/x")])
async def test_the_base_urls_own_port_is_good(make_site: MakeSite, host: str, return_to: str) -> None:
    """In the host, or in the header that says the port."""
    site = make_site(**DOMAIN | {"base_url": f"{LOGIN}:8443"}, url=f"{LOGIN}:8443")
    site.app.include_router(site.entra.forward_auth_router())
    headers = {"X-Forwarded-Host": f"orders.apps.example.com{host}", "X-Forwarded-Port": "8443"}
    answer = await asked(site.browser(), PERSON | TRAEFIK | headers | {"X-Forwarded-Uri": "/x"})
    assert query_of(answer.headers["location"])["return_to"] == return_to


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, 200),
        ({"Origin": LOGIN}, 403),
        ({"X-Forwarded-Proto": "http"}, 403),
        ({"X-Forwarded-Proto": ""}, 200),
    ],
)
async def test_without_a_base_url_the_gateway_says_whether_it_is_https(
    login: Login, more: dict[str, str], status: int
) -> None:
    """The way to sign in is a path then, at the host that was asked for, and so is the way back."""
    site = login(base_url=None)
    browser = await site.browser().signed_in()
    inner = TRAEFIK | {"Host": "entra:8000"}
    answer = await asked(site.browser(), PERSON | inner)
    assert answer.headers["location"] == "/auth/login?return_to=/reports%3Fmonth%3D5"
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    headers = inner | SOCKET | {"Origin": ORDERS, "Cookie": cookies} | more
    site.url = "https://entra:8000"
    assert (await asked(site.browser(), headers)).status_code == status


WHO_ASKS: Final = [
    # the host's own pages, and those of its siblings
    ({"Origin": ORDERS}, 200),
    ({"Origin": "https://other.apps.example.com"}, 403),
    ({"Origin": LOGIN}, 403),
    ({"Origin": "https://apps.example.com"}, 403),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://orders.apps.example.com"}, 403),
    ({"Origin": f"{ORDERS}:8443"}, 403),
    ({"Origin": f"{ORDERS}."}, 403),
    ({}, 403),
    # what the browser says counts more
    ({"Origin": ORDERS, "Sec-Fetch-Site": "same-origin"}, 200),
    ({"Origin": "https://other.apps.example.com", "Sec-Fetch-Site": "same-site"}, 403),
    ({"Origin": ORDERS, "Sec-Fetch-Site": "same-site"}, 403),
    ({"Origin": ORDERS, "Sec-Fetch-Site": "cross-site"}, 403),
]


@pytest.mark.parametrize("kind", [SOCKET, {"X-Forwarded-Method": "POST"}], ids=["socket", "change"])
@pytest.mark.parametrize("gateway", [TRAEFIK, NGINX], ids=["Traefik", "nginx"])
@pytest.mark.parametrize(("page", "status"), WHO_ASKS)
async def test_only_a_hosts_own_pages_act_on_it(
    login: Login, gateway: dict[str, str], kind: dict[str, str], page: dict[str, str], status: int
) -> None:
    """A sibling's page has the cookie, and the browser calls it same-site; it is another origin."""
    browser = await login().browser().signed_in()
    answer = await asked(browser, gateway | kind | page, "")
    assert answer.status_code == status
    if status == 403:
        assert code_of(answer) == "cross_origin"
        assert f"must come from a page of {ORDERS}, " in answer.json()["detail"]["message"]


@pytest.mark.parametrize(
    "forged",
    [
        {"X-Forwarded-Host": "other.apps.example.com"},
        {"X-Forwarded-Host": "evil.example"},
        {"X-Original-URL": "https://other.apps.example.com/"},
        {"X-Original-URI": "https://other.apps.example.com/"},
    ],
)
async def test_a_forged_host_beside_the_gateways_helps_nobody(login: Login, forged: dict[str, str]) -> None:
    """No page can send it; and where a gateway adds its own to it, neither is believed."""
    browser = await login().browser().signed_in()
    headers = [*TRAEFIK.items(), *SOCKET.items(), *forged.items()]
    origin = ("Origin", "https://other.apps.example.com")
    answer = await browser.http.get("/auth/verify", headers=[*headers, origin])
    assert (answer.status_code, code_of(answer)) == (403, "cross_origin")


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", SOCKET | {"Origin": ORDERS}, 200),
        ("POST", {"Origin": ORDERS}, 200),
        ("POST", {"Origin": LOGIN}, 403),
        ("POST", {"Origin": "https://other.apps.example.com"}, 403),
        (
            "POST",
            {"Origin": "https://other.apps.example.com", "X-Forwarded-Host": "other.apps.example.com"},
            403,
        ),
    ],
)
async def test_envoy_repeats_the_host(
    login: Login, method: str, headers: dict[str, str], status: int
) -> None:
    """So that alone says which it is: what clients send as X-Forwarded-Host reaches the service, too."""
    browser = await login().browser().signed_in()
    answer = await browser.http.request(
        method, "/auth/ext-authz/change", headers={"Host": "orders.apps.example.com"} | headers
    )
    assert answer.status_code == status


async def test_a_refusal_leads_back_to_the_host_that_was_asked_for(login: Login) -> None:
    """Who lacks a role signs in with another account, and comes back there."""
    browser = await login().browser().signed_in()
    answer = await asked(browser, PERSON | TRAEFIK, "role=Nobody.Has.It")
    assert answer.status_code == 403
    assert f'href="{LOGIN}/auth/login?return_to=https%3A//orders.apps.example.com/reports' in answer.text
    other = {"X-Forwarded-Method": "POST", "Sec-Fetch-Site": "same-site", "Referer": f"{ORDERS}/form"}
    answer = await asked(browser, PERSON | TRAEFIK | other, "")
    assert f'href="{ORDERS}/form"' in answer.text


async def test_a_link_to_the_login_page_may_have_a_whole_address(login: Login) -> None:
    """Of the domain, or of a listed host; who is refused at Entra keeps it for the next try."""
    site = login(return_to_hosts="shop.example.net")
    for address in (f"{ORDERS}/x?y=1", "https://shop.example.net/basket"):
        back = await site.browser().sign_in(f"/auth/login?return_to={address}")
        assert (back.status_code, back.headers["location"]) == (303, address)
    browser = site.browser()
    state = query_of(await browser.depart(f"/auth/login?return_to={ORDERS}/x"))["state"]
    page = await browser.open(f"/auth/login-callback?state={state}&error=access_denied")
    assert 'href="/auth/login?return_to=https%3A//orders.apps.example.com/x' in page.text


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "https://shop.example.net.evil.example/",
        "https://orders.apps.example.com@evil.example/",
        "https:%5C%5Corders.apps.example.com/",
        f"{LOGIN}/auth/logout",
        f"{ORDERS}/auth/logout",
        "http://orders.apps.example.com/",
    ],
)
async def test_no_other_address_is_returned_to(login: Login, address: str) -> None:
    """People come to the root of the login host."""
    back = (
        await login(return_to_hosts="shop.example.net").browser().sign_in(f"/auth/login?return_to={address}")
    )
    assert (back.status_code, back.headers["location"]) == (303, "/")


LONG: Final = "/reports?q=" + "x" * 2_000
CYRILLIC: Final = "/%D0%BE%D1%82%D1%87%D1%91%D1%82%D1%8B?q=" + "%D0%B6" * 1_000


@pytest.mark.parametrize("path", [LONG, CYRILLIC], ids=["long", "Cyrillic"])
async def test_long_links_come_back(login: Login, path: str) -> None:
    """To a page of this service, and of a sibling."""
    site = login()
    answer = await asked(site.browser(), PERSON | TRAEFIK | {"X-Forwarded-Uri": path})
    own = path.replace("/", "/page?", 1)
    for way, wanted in ((answer.headers["location"], f"{ORDERS}{path}"), (own, own)):
        back = await site.browser().sign_in(way)
        assert (back.status_code, back.headers["location"]) == (303, wanted)


async def test_links_that_are_too_long_lead_to_the_root_and_a_line_in_the_log(
    login: Login, caplog: pytest.LogCaptureFixture
) -> None:
    """One line for each sign-in, with nothing of the query; of refused programs there is none."""
    caplog.set_level("INFO", "camunda_entra_fastapi")
    site = login()
    path = "/reports/2026?q=" + "secret" * 500
    program = await asked(site.browser(), TRAEFIK | {"X-Forwarded-Uri": path})
    assert program.status_code == 401
    answer = await asked(site.browser(), PERSON | TRAEFIK | {"X-Forwarded-Uri": path})
    assert returns_to(answer) == f"{ORDERS}/"
    back = await site.browser().sign_in(f"/auth/login?return_to={path.replace('?', '%3F')}")
    assert back.headers["location"] == "/"
    lines = [line for line in caplog.messages if "address to return to" in line]
    assert len(lines) == 2
    assert "'https://orders.apps.example.com/reports/2026'" in lines[0]
    assert "'/reports/2026'" in lines[1]
    assert "secret" not in "".join(caplog.messages)
