"""Services that share a host, and services in frames of other sites, in a real browser."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, sync_playwright
from starlette.responses import HTMLResponse

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.settings.cookies import PUBLIC_SUFFIXES
from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE
from camunda_entra_fastapi.testing.serving.certificates import make_tls
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e.conftest import register
from tests.waiting import PATIENCE

ADA, BEN = "Ada Admin", "Ben Reader"
PORTAL = Path(__file__).parents[2] / "samples" / "frames" / "portal.html"


def application(entra: CamundaEntra) -> FastAPI:
    """Pages that say who is there, and something that changes something."""
    app = FastAPI(lifespan=entra.lifespan)
    entra.install(app)
    app.state.served = []
    current_user = Annotated[EntraUser, Depends(entra.current_user)]

    @app.get("/orders/{number}")
    async def page(number: int, user: current_user) -> HTMLResponse:
        return HTMLResponse(
            f"<h1>{user.name} sees order {number}</h1>"
            '<form method="post" action="/auth/logout"><button>Leave</button></form>'
        )

    @app.get("/who")
    async def who(user: current_user) -> dict[str, object]:
        app.state.served.append(user.name)
        return {"name": user.name}

    @app.post("/change")
    async def change(user: current_user) -> dict[str, object]:
        app.state.served.append(user.name)
        return {"changed_by": user.name}

    return app


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, to which every host is this machine."""
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags.append("--host-resolver-rules=MAP * 127.0.0.1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def entra_of_all(browser: Browser, new_key: Callable[[], SigningKey]) -> Iterator[EntraEmulator]:
    """The local Entra that all services here trust."""
    assert browser
    emulator = EntraEmulator(new_key=new_key)
    with emulator.serve():
        yield emulator


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A person's browser, which trusts every certificate."""
    with browser.new_context(locale="en-GB", ignore_https_errors=True) as context:
        context.set_default_timeout(1000 * PATIENCE)
        yield context


def sign_in(page: Page, person: str) -> None:
    """Choose the account at Entra."""
    page.get_by_role("button", name=person).click()


def test_services_on_one_host_keep_each_other_s_sign_ins(
    context: BrowserContext, entra_of_all: EntraEmulator
) -> None:
    """Two services at two ports of localhost: who signs in to both stays signed in to both."""
    billing = {"client_id": BILLING, "audience": BILLING, "client_secret": "local-emulator-secret-of-billing"}
    with (
        serving(application(CamundaEntra(entra_of_all.settings()))) as first,
        serving(application(CamundaEntra(entra_of_all.settings(**billing)))) as second,
    ):
        addresses = [address.replace("127.0.0.1", "localhost") for address in (first, second)]
        register(entra_of_all, BILLING, redirect_uris={f"{addresses[1]}/auth/login-callback": "web"})
        for address, person in zip(addresses, (ADA, BEN), strict=True):
            page = context.new_page()
            page.goto(f"{address}/auth/login?return_to=/orders/1&prompt=select_account")
            sign_in(page, person)
            page.get_by_text(f"{person} sees order 1").wait_for()
        names = [context.request.get(f"{address}/who").json()["name"] for address in addresses]
        assert names == [ADA, BEN]


@dataclass
class Portal:
    """A page that shows the service in a frame, at another site, and both of their addresses."""

    page: Page
    url: str
    service: str
    served: list[str]
    """The people whom the service did something for."""

    @property
    def frame(self) -> FrameLocator:
        """The service, in the frame."""
        return self.page.frame_locator("iframe")

    def open(self, path: str = "/orders/7?tab=history") -> None:
        """Open the portal's page, with the service's page of that path in its frame."""
        self.page.goto(f"{self.url}/?of={self.service}{path}")

    def sign_in(self, person: str = ADA) -> None:
        """Sign in by the window that the frame opens."""
        with self.page.expect_popup() as opening:
            self.frame.get_by_role("link", name="Sign in").click()
        window = opening.value
        with window.expect_event("close"):
            sign_in(window, person)

    def run(self, script: str) -> Any:
        """What a script in the frame gives."""
        return self.page.frames[1].evaluate(script)


@pytest.fixture
def portal(context: BrowserContext, entra_of_all: EntraEmulator) -> Callable[..., Any]:
    """Starts a service with settings, and a portal at another site that shows it; a context manager."""
    outside = FastAPI()

    @outside.get("/")
    async def page(of: str) -> HTMLResponse:
        return HTMLResponse(PORTAL.read_text("utf-8").replace("https://orders.example.com/orders", of))

    @contextmanager
    def started(name: str = "orders.test", **settings: Any) -> Iterator[Portal]:
        with ExitStack() as stack:
            tls = make_tls("127.0.0.1")
            portal = stack.enter_context(serving(outside, tls=tls)).replace(
                "127.0.0.1", "portal.example.test"
            )
            settings = {"cookie_same_site": "none", "frame_ancestors": portal} | settings
            app = application(CamundaEntra(entra_of_all.settings(**settings)))
            service = stack.enter_context(serving(app, tls=tls)).replace("127.0.0.1", name)
            register(entra_of_all, OPERATE, redirect_uris={f"{service}/auth/login-callback": "web"})
            yield Portal(context.new_page(), portal, service, app.state.served)

    return started


def test_people_sign_in_from_a_frame(portal: Callable[..., Any], context: BrowserContext) -> None:
    """The frame offers a window for Entra, and goes on when that closes; its page may change things.

    The session is the frame's alone: a tab of the same service is another one, and signing in there does not
    end it.
    """
    with portal() as shown:
        shown.open()
        shown.sign_in()
        shown.frame.get_by_text("Ada Admin sees order 7").wait_for()
        assert shown.page.frames[1].url == f"{shown.service}/orders/7?tab=history"
        assert shown.run("fetch('/change', {method: 'POST'}).then((r) => r.json())") == {"changed_by": ADA}
        (cookie,) = (each for each in context.cookies() if each["domain"] == "orders.test")
        assert cookie["name"].startswith("__Host-entra_session_")
        assert cookie["partitionKey"] == "https://example.test"

        tab = context.new_page()
        tab.goto(f"{shown.service}/auth/login?return_to=/orders/8&prompt=select_account")
        sign_in(tab, BEN)
        tab.get_by_text("Ben Reader sees order 8").wait_for()
        assert shown.run("fetch('/who').then((r) => r.json())") == {"name": ADA}

        shown.frame.get_by_role("button", name="Leave").click()
        shown.frame.get_by_role("link", name="Sign out at Microsoft, too").wait_for()
        shown.open()
        shown.frame.get_by_role("link", name="Sign in").wait_for()
        tab.reload()
        tab.get_by_text("Ben Reader sees order 8").wait_for()


def test_the_page_around_a_frame_cannot_use_its_session(portal: Callable[..., Any]) -> None:
    """Browsers would send the frame's cookie with what the portal's page requests; it is nobody's there."""
    with portal() as shown:
        shown.open()
        shown.sign_in()
        shown.frame.get_by_text("Ada Admin sees order 7").wait_for()
        del shown.served[:]
        call = (
            "([url, method]) => fetch(url, {method, mode: 'no-cors', credentials: 'include'}).then(() => 1)"
        )
        for path, method in (("/who", "GET"), ("/change", "POST")):
            assert shown.page.evaluate(call, [shown.service + path, method]) == 1
        assert shown.served == []
        assert shown.run("fetch('/who').then((r) => r.json())") == {"name": ADA}
        assert shown.served == [ADA]


def test_a_frame_of_the_same_site_needs_no_other_cookies(portal: Callable[..., Any]) -> None:
    """Where both hosts are in one site, who may frame is all that has to be set."""
    with portal("orders.example.test", cookie_same_site="lax") as shown:
        shown.open()
        shown.sign_in(BEN)
        shown.frame.get_by_text("Ben Reader sees order 7").wait_for()
        tab = shown.page.context.new_page()
        tab.goto(f"{shown.service}/orders/8")
        tab.get_by_text("Ben Reader sees order 8").wait_for()


def test_other_sites_show_no_page_of_ours(portal: Callable[..., Any]) -> None:
    """A portal that is not on the list gets an empty frame."""
    with (
        portal(frame_ancestors="https://portal.example.com") as shown,
        shown.page.expect_console_message(
            lambda message: "frame-ancestors https://portal.example.com" in message.text
        ),
    ):
        shown.open()


def test_frames_are_tried_at_localhost_by_plain_http(
    context: BrowserContext, entra_of_all: EntraEmulator
) -> None:
    """Chromium takes localhost for trustworthy, and keeps such cookies there without TLS."""
    settings = entra_of_all.settings(cookie_same_site="none")
    with serving(application(CamundaEntra(settings))) as served:
        address = served.replace("127.0.0.1", "localhost")
        register(entra_of_all, OPERATE, redirect_uris={f"{address}/auth/login-callback": "web"})
        page = context.new_page()
        page.goto(f"{address}/orders/1")
        sign_in(page, ADA)
        page.get_by_text("Ada Admin sees order 1").wait_for()
        assert [(each["secure"], each["sameSite"]) for each in context.cookies(address)] == [(True, "None")]


def test_browsers_refuse_the_domains_that_the_settings_refuse(context: BrowserContext) -> None:
    """Public suffixes, domains that the host is not in, and addresses; others are kept, also with a dot."""
    refused = {f"orders.{suffix}": suffix for suffix in sorted(PUBLIC_SUFFIXES)}
    refused |= {"orders.example.com": "apps.example.com", "127.0.0.1": "0.0.1", "localhost": "localhost.test"}
    kept = {"orders.apps.example.com": "apps.example.com", "orders.apps.example.org": ".apps.example.org"}
    found: dict[str, str] = {}
    outside = FastAPI()

    @outside.get("/")
    async def page(domain: str) -> HTMLResponse:
        return HTMLResponse("", headers={"Set-Cookie": f"name=value; Domain={domain}; Path=/"})

    with serving(outside) as address:
        tab = context.new_page()
        for host, domain in (refused | kept).items():
            tab.goto(f"{address.replace('127.0.0.1', host)}/?domain={domain}")
            found.update({host: domain} if context.cookies() else {})
            context.clear_cookies()
    assert found == kept
