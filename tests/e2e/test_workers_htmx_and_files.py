"""Files behind ``guard``, htmx and service workers in a real browser, against a real server."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import pytest
from fastapi import Depends, FastAPI, WebSocket
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e import npm
from tests.waiting import PATIENCE

ADA: Final = "Ada Admin"
FETCHES: Final = {
    "event": "fetch(event.request)",
    "address": "fetch(event.request.url, {headers: event.request.headers})",
    "unfollowed": "fetch(event.request.url, {headers: event.request.headers, redirect: 'manual'})",
    "request": "fetch(new Request(event.request, {headers: event.request.headers, redirect: 'follow'}))",
}
"""How workers ask for a navigation anew, by the worker's name."""
WORKER: Final = """
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", event => event.waitUntil(clients.claim()));
self.addEventListener("fetch", event => {
  if (event.request.mode === "navigate") event.respondWith(FETCH);
});
"""


@dataclass
class Service:
    """A running service, and a browser for it."""

    url: str
    browser: Browser

    def person(self) -> BrowserContext:
        """Somebody who has never been here."""
        context = self.browser.new_context(locale="en-GB")
        context.set_default_timeout(1000 * PATIENCE)
        return context


def application(entra: CamundaEntra, files: Path) -> FastAPI:
    """Pages with workers and with htmx, files, and an application that is mounted."""
    app = FastAPI(lifespan=entra.lifespan)
    inner = FastAPI()
    current_user = Annotated[EntraUser, Depends(entra.current_user)]

    @inner.websocket("/ws")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(f"Hello {websocket.state.user.name}")
        await websocket.close()

    app.mount("/files", entra.guard(StaticFiles(directory=files, html=True), roles=["Operate.Admin"]))
    app.mount("/desk", entra.guard(inner))
    app.mount("/npm", StaticFiles(directory=npm.install()))
    entra.install(app)

    @app.get("/orders/{key}")
    async def order(key: int, user: current_user) -> HTMLResponse:
        return HTMLResponse(f"<h1>Hello {user.name}</h1><p>Order {key}</p>")

    @app.get("/start/{worker}")
    async def start(worker: str) -> HTMLResponse:
        script = f"navigator.serviceWorker.register('/worker/{worker}', {{scope: '/'}})"
        ready = "navigator.serviceWorker.ready.then(() => document.title = 'ready')"
        return HTMLResponse(f"<script>{script}; {ready}</script>")

    @app.get("/worker/{name}")
    async def worker(name: str) -> Response:
        script = WORKER.replace("FETCH", FETCHES[name])
        return Response(script, media_type="text/javascript", headers={"Service-Worker-Allowed": "/"})

    @app.get("/htmx/{version}")
    async def htmx(version: str) -> HTMLResponse:
        return HTMLResponse(
            f'<script src="/npm/htmx-{version}/dist/htmx.min.js"></script>'
            '<button hx-get="/part" hx-target="#part">Load</button>'
            '<button hx-post="/part" hx-target="#part">Save</button>'
            '<div hx-boost="true"><a href="/orders/7?tab=b">Order</a></div><p id="part"></p>'
        )

    @app.api_route("/part", methods=["GET", "POST"])
    async def part(user: current_user) -> HTMLResponse:
        return HTMLResponse(f"Hello {user.name}")

    return app


@pytest.fixture(scope="module")
def service(new_key: Callable[[], SigningKey], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service and one browser for all tests."""
    files = tmp_path_factory.mktemp("files")
    (files / "plan.html").write_text("<h1>The plan</h1>")
    emulator = EntraEmulator(new_key=new_key)
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with emulator.serve(), sync_playwright() as playwright:
        entra = CamundaEntra(emulator.settings())
        with serving(application(entra, files)) as address:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
            yield Service(address.replace("127.0.0.1", "localhost"), browser)
            browser.close()


@pytest.fixture
def page(service: Service) -> Iterator[Page]:
    """A tab of somebody who has never been here."""
    with service.person() as context:
        yield context.new_page()


def test_a_link_to_a_file_leads_to_sign_in_and_back(service: Service, page: Page) -> None:
    """And a WebSocket of the application that is mounted knows who it is."""
    page.goto(f"{service.url}/files/plan.html?version=7")
    page.get_by_role("button", name=ADA).click()
    expect(page.get_by_role("heading", name="The plan")).to_be_visible()
    assert page.url == f"{service.url}/files/plan.html?version=7"
    said = page.evaluate(
        "url => new Promise(done => { new WebSocket(url).onmessage = event => done(event.data) })",
        f"{service.url.replace('http', 'ws')}/desk/ws",
    )
    assert said == f"Hello {ADA}"


def test_who_lacks_the_role_signs_in_as_somebody_else(service: Service, page: Page) -> None:
    """From the page that says so, and sees the file."""
    page.goto(f"{service.url}/files/plan.html")
    page.get_by_role("button", name="Ben Reader").click()
    expect(page.get_by_text("lacks the role Operate.Admin")).to_be_visible()
    page.get_by_role("link", name="Use another account").click()
    page.get_by_role("button", name=ADA).click()
    expect(page.get_by_role("heading", name="The plan")).to_be_visible()


@pytest.mark.parametrize("worker", FETCHES)
def test_people_sign_in_though_a_worker_asks_in_their_place(
    service: Service, page: Page, worker: str
) -> None:
    """With what a browser itself is redirected to, or by a page with a link; and come back."""
    page.goto(f"{service.url}/start/{worker}")
    page.wait_for_function("document.title === 'ready'")
    answer = page.goto(f"{service.url}/orders/7?tab=a")
    assert answer is not None
    if worker != "event":
        assert (answer.status, answer.from_service_worker) == (401, True)
        assert page.url == f"{service.url}/orders/7?tab=a"
        page.get_by_role("link", name="Sign in").click()
    page.get_by_role("button", name=ADA).click()
    expect(page.get_by_role("heading", name=f"Hello {ADA}")).to_be_visible()
    assert page.url == f"{service.url}/orders/7?tab=a"


@pytest.mark.parametrize("version", ["1", "2", "4"])
def test_htmx_leads_to_sign_in_and_back_to_its_page(service: Service, page: Page, version: str) -> None:
    """By what it loads and by what it sends; a boosted link leads to its own page."""
    address = f"{service.url}/htmx/{version}?tab=a"
    page.goto(address)
    page.get_by_role("button", name="Load").click()
    page.get_by_role("button", name=ADA).click()
    page.wait_for_url(address)
    page.get_by_role("button", name="Load").click()
    expect(page.locator("#part")).to_have_text(f"Hello {ADA}")
    page.context.clear_cookies(domain="localhost")  # Entra, on 127.0.0.1, still knows her
    with page.expect_navigation(url=address):
        page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#part")).to_have_text(f"Hello {ADA}")
    page.context.clear_cookies(domain="localhost")
    page.get_by_role("link", name="Order").click()
    expect(page.get_by_text("Order 7")).to_be_visible()
    assert page.url == f"{service.url}/orders/7?tab=b"
