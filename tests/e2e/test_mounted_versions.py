"""Versions of an API that are mounted in one service, in a real browser: their docs pages and their pages."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request
from playwright.sync_api import Browser, Page, Route, sync_playwright
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.directory import OPERATE
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e import npm
from tests.e2e.conftest import register
from tests.waiting import PATIENCE

ADA = "Ada Admin"
CDN = re.compile(r"https://cdn\.jsdelivr\.net/npm/swagger-ui-dist@5/(.+)")


@dataclass
class Service:
    """A running service with two versions, the Entra it trusts, and a browser."""

    url: str
    emulator: EntraEmulator
    browser: Browser

    def open(self, path: str) -> Page:
        """The page, in a browser that nobody has used before."""
        context = self.browser.new_context(locale="en-GB")
        context.set_default_timeout(1000 * PATIENCE)
        page = context.new_page()
        page.route(CDN, _swagger_ui)
        page.goto(self.url + path)
        return page


def version(entra: CamundaEntra) -> FastAPI:
    """A version of the API, whose own exception handler forgets the headers."""
    app = FastAPI()
    current_user = Annotated[EntraUser, Depends(entra.current_user)]
    token = entra.client_credentials("api://other/.default")

    @app.exception_handler(HTTPException)
    async def own(_: Request, error: Any) -> PlainTextResponse:
        return PlainTextResponse(str(error.detail), error.status_code)

    @app.get("/me")
    async def me(user: current_user) -> dict[str, object]:
        return {"name": user.name}

    @app.get("/orders/{number}", include_in_schema=False)
    async def order(number: int, user: current_user) -> HTMLResponse:
        return HTMLResponse(f"<h1>Order {number} of {user.name}</h1>")

    @app.get("/invoices", include_in_schema=False)
    async def invoices(user: current_user) -> dict[str, str]:
        return {**await token.aget_headers(), "of": str(user.name)}

    return app


@pytest.fixture(scope="module")
def service(new_key: Callable[[], SigningKey]) -> Iterator[Service]:
    """One service and one browser for all tests: ``/v1`` shares the install, ``/v2`` has its own."""
    emulator = EntraEmulator(new_key=new_key)
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with emulator.serve(), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        entra = CamundaEntra(emulator.settings())
        app, v2 = FastAPI(title="Orders", lifespan=entra.lifespan), version(entra)
        entra.install(app)
        entra.install(v2)
        app.mount("/v1", version(entra))
        app.mount("/v2", v2)
        with serving(app) as address:
            yield Service(address.replace("127.0.0.1", "localhost"), emulator, browser)
        browser.close()


@pytest.mark.parametrize("path", ["/v1", "/v2"])
def test_the_docs_page_of_a_version_signs_in_and_tries_an_operation(service: Service, path: str) -> None:
    """With the redirect URI of the service where it shares the install, and with its own where it has one."""
    uris = service.emulator.application.redirect_uris
    redirect = f"{service.url}{'' if path == '/v1' else path}/docs/oauth2-redirect"
    register(service.emulator, OPERATE, redirect_uris={**uris, redirect: "web"})
    page = service.open(f"{path}/docs")
    page.get_by_role("button", name="Authorize").first.click()
    with page.expect_popup() as popup:
        page.get_by_role("button", name="Apply given OAuth2 credentials").click()
    popup.value.get_by_role("button", name=ADA).click()
    page.get_by_role("button", name="Remove authorization").wait_for()
    page.get_by_role("button", name="Close").last.click()
    page.locator("#operations-default-me_me_get").get_by_role("button").first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    page.locator(".live-responses-table .response-col_status").get_by_text("200").wait_for()
    assert page.locator(".live-responses-table").get_by_text(ADA).count()


@pytest.mark.parametrize("path", ["/v1", "/v2"])
def test_a_page_of_a_version_leads_to_sign_in_and_back(service: Service, path: str) -> None:
    """Past the version's own exception handler; while Entra is away, there is a page that says so."""
    callback = f"{service.url}{'' if path == '/v1' else path}/auth/login-callback"
    uris = service.emulator.application.redirect_uris
    register(service.emulator, OPERATE, redirect_uris={**uris, callback: "web"})
    page = service.open(f"{path}/orders/7?tab=lines")
    page.get_by_role("button", name=ADA).click()
    page.get_by_role("heading", name=f"Order 7 of {ADA}").wait_for()
    assert page.url == f"{service.url}{path}/orders/7?tab=lines"
    service.emulator.down()
    try:
        answer = page.goto(f"{service.url}{path}/invoices")
    finally:
        service.emulator.up()
    assert answer
    assert answer.status in {502, 503}
    page.get_by_role("heading", name="This does not work right now").wait_for()


def _swagger_ui(route: Route) -> None:
    """Swagger UI's files, where the page asks a CDN for them."""
    name = CDN.fullmatch(route.request.url)
    assert name is not None
    route.fulfill(path=npm.install() / "swagger-ui-dist" / name[1])
