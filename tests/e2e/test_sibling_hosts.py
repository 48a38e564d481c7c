"""One login host for sibling hosts in Chromium: nginx in front of them, by TLS, asks the one service."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from camunda_entra_fastapi.sign_in.return_to import safe_return_to
from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.directory import OPERATE
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e.conftest import certify, register
from tests.e2e.gateways import RECIPES, Addresses, load_service, nginx
from tests.ports import free_port
from tests.sign_in.test_return_to import ELSEWHERE, FOREIGN, HERE, HOSTS, WHOLE
from tests.waiting import PATIENCE

ADA: Final = "Ada Admin"
DOMAIN: Final = "apps.example.com"
POST: Final = """async (url) => {
  return (await fetch(url, {method: "POST", credentials: "include", mode: "no-cors"})).status;
}"""
SOCKET: Final = """(url) => new Promise((resolve) => {
  const socket = new WebSocket(url);
  socket.onmessage = (message) => resolve(message.data);
  socket.onerror = () => resolve("refused");
})"""
READ: Final = """(values) => values.map((value) => {
  try {
    const url = new URL(value, "https://login.apps.example.com/auth/login-callback");
    return [url.protocol, url.host, url.username + url.password, url.pathname];
  } catch {
    return ["no address", "", "", ""];
  }
})"""


@dataclass
class Siblings:
    """The hosts, by their port, and a browser that knows them."""

    port: int
    browser: Browser
    emulator: EntraEmulator

    def url(self, host: str, path: str = "/", scheme: str = "https") -> str:
        """The address of a page of a host."""
        return f"{scheme}://{host}.{DOMAIN}:{self.port}{path}"


def upstream() -> Starlette:
    """What stands behind the gateway: it says which host it was, and who it is."""

    async def page(request: Request) -> HTMLResponse:
        name = request.headers["x-auth-request-preferred-username"]
        return HTMLResponse(f"<h1>{name} at {request.headers['host'].partition('.')[0]}</h1>")

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(f"Hello {websocket.headers['x-auth-request-preferred-username']}")
        await websocket.close()

    return Starlette(
        routes=[
            WebSocketRoute("/socket", socket),
            Route("/{path:path}", page, methods=["GET", "POST"]),
        ]
    )


@pytest.fixture(scope="module")
def siblings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siblings]:
    """Everything, for all tests: the local Entra, the service, nginx and Chromium."""
    port, key, folder = free_port(), SigningKey.generate(), tmp_path_factory.mktemp("nginx")
    emulator = EntraEmulator(new_key=lambda: key)
    base_url = f"https://login.{DOMAIN}:{port}"
    register(emulator, OPERATE, redirect_uris={f"{base_url}/auth/login-callback": "web"})
    certified = certify(DOMAIN)
    (folder / f"{DOMAIN}.pem").write_text(certified.pem)
    (folder / f"{DOMAIN}.key").write_text(certified.key_pem)
    recipe = (RECIPES / "siblings.conf").read_text()
    assert "listen 443 ssl;" in recipe
    (folder / "siblings.conf").write_text(recipe.replace("listen 443 ssl;", f"listen {port} ssl;"))
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags.append(f"--host-resolver-rules=MAP *.{DOMAIN} 127.0.0.1")
    with ExitStack() as stack:
        stack.enter_context(emulator.serve())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        settings = {"CAMUNDA_ENTRA_BASE_URL": base_url, "CAMUNDA_ENTRA_COOKIE_DOMAIN": DOMAIN}
        for name, value in (emulator.environment() | settings).items():
            patch.setenv(name, value)
        service = stack.enter_context(serving(load_service().app))
        addresses = Addresses(port, service, stack.enter_context(serving(upstream())))
        stack.enter_context(nginx(addresses, folder, listen="include siblings.conf;"))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        yield Siblings(port, browser, emulator)
        browser.close()


@pytest.fixture
def context(siblings: Siblings) -> Iterator[BrowserContext]:
    """Somebody's cookies."""
    with siblings.browser.new_context(locale="en-GB", ignore_https_errors=True) as context:
        context.set_default_timeout(1000 * PATIENCE)
        yield context


def sign_in(context: BrowserContext, address: str) -> Page:
    """A tab with that address, after signing in."""
    page = context.new_page()
    page.goto(address)
    page.get_by_role("button", name=ADA).click()
    page.get_by_role("heading", name=" at ").wait_for()
    return page


def test_people_come_back_to_the_host_that_they_asked_for(
    siblings: Siblings, context: BrowserContext
) -> None:
    """By way of the login host, to the whole address; and the sibling knows them already."""
    address = siblings.url("orders", "/reports?month=5&x=%2F")
    page = sign_in(context, address)
    assert page.url == address
    page.get_by_role("heading", name="ada@contoso.example at orders").wait_for()
    page.goto(siblings.url("other", "/x"))
    page.get_by_role("heading", name="ada@contoso.example at other").wait_for()
    assert page.url == siblings.url("other", "/x")


def test_a_hosts_own_pages_act_on_it_and_those_of_a_sibling_do_not(
    siblings: Siblings, context: BrowserContext
) -> None:
    """Both have the cookie, and Chromium tells by Origin alone which page opens a WebSocket."""
    page = sign_in(context, siblings.url("orders"))
    socket, change = siblings.url("orders", "/socket", "wss"), siblings.url("orders", "/change")
    assert page.evaluate(SOCKET, socket) == "Hello ada@contoso.example"
    assert page.evaluate(POST, change) == 200
    for host in ("other", "login"):
        page.goto(siblings.url(host))
        assert page.evaluate(SOCKET, socket) == "refused"
        with page.expect_response(change) as answer:
            page.evaluate(POST, change)
        assert answer.value.status == 403
        own = siblings.url(host, "/socket", "wss")
        assert page.evaluate(SOCKET, own) == "Hello ada@contoso.example"


@pytest.mark.parametrize(
    "path",
    ["/reports?q=" + "x" * 1_950, "/%D0%BE%D1%82%D1%87%D1%91%D1%82%D1%8B?q=" + "%D0%B6" * 1_100],
    ids=["ASCII", "Cyrillic"],
)
def test_long_links_come_back(siblings: Siblings, context: BrowserContext, path: str) -> None:
    """Through nginx and Chromium, which keeps the attempt's cookie."""
    address = siblings.url("orders", path)
    assert sign_in(context, address).url == address


def test_a_link_elsewhere_ends_at_the_login_host(siblings: Siblings, context: BrowserContext) -> None:
    """Also if it looks like one of ours."""
    for address in (f"https://orders.{DOMAIN}@evil.example/", f"https:\\\\evil.example\\.{DOMAIN}/"):
        page = context.new_page()
        page.goto(siblings.url("login", f"/auth/login?prompt=login&return_to={quote(address, safe='')}"))
        page.get_by_role("button", name=ADA).click()
        page.get_by_role("heading", name="ada@contoso.example at login").wait_for()
        assert page.url == siblings.url("login")


def test_chromium_reads_an_allowed_host_in_whatever_is_returned_to(context: BrowserContext) -> None:
    """Its own parser of addresses (WHATWG URL), and not what Python makes of them, is what counts."""
    material = random.Random(21)
    known = [*(value for _, value in WHOLE), *FOREIGN, *ELSEWHERE, *HERE]
    short = [value for value in known if len(value) < 200]
    mutated = []
    for _ in range(20_000):
        value = material.choice(short)
        for _ in range(material.randint(1, 3)):
            at = material.randint(0, min(len(value), 40))
            odd = material.choice(
                "/\\.:@?#%2fF5eE0:443[]\t\r\n\x00 a-_X\u3002\uff0e\uff0f\u2170\u00df\u0436xn--"
            )
            value = value[:at] + odd + value[at + material.randint(0, 1) :]
        mutated.append(value)
    found = sorted({safe_return_to(value, "/auth", HOSTS) for value in known + mutated})
    assert len(found) > 1_000
    page = context.new_page()
    for value, (scheme, host, who, path) in zip(found, page.evaluate(READ, found), strict=True):
        assert (scheme, who) == ("https:", ""), value
        assert host == "shop.example.net" or f".{host}".endswith(f".{DOMAIN}"), value
        assert path != "/auth", value
        assert not path.startswith(("//", "/auth/")), value
