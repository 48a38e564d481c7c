"""The sample of a single-page application in Chromium: the page, its API and Entra have an origin each."""

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
from fastapi import Depends, FastAPI
from playwright.sync_api import Page, sync_playwright
from starlette.applications import Starlette
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.testing import Application, Directory, EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE, ConditionalAccess, OptionalClaims
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e import npm
from tests.waiting import PATIENCE

SAMPLE: Final = Path(__file__).parents[2] / "samples" / "single_page_application"
BOARD: Final = "b0a4d000-1111-4222-8333-444455556666"


def directory() -> Directory:
    """The default one, with the page's registration, and a second factor for the context c1."""
    whole = Directory.default()
    tenant, *others = whole.tenants
    operate, *rest = tenant.applications
    operate = replace(operate, optional_claims=OptionalClaims(access_token=("acrs",)))
    page = Application(BOARD, "Orders page", redirect_uris={"http://localhost/": "spa"})
    policy = ConditionalAccess("mfa", context="c1")
    return replace(
        whole,
        tenants=(replace(tenant, applications=(operate, *rest, page), policies=(policy,)), *others),
    )


def load_api(origin: str) -> Any:
    """``main.py`` with the page's origin, set up by the environment of this moment."""
    source = (SAMPLE / "main.py").read_text()
    assert '"https://app.example.com"' in source
    spec = importlib.util.spec_from_loader("single_page_api", loader=None)
    assert spec
    module = importlib.util.module_from_spec(spec)
    exec(source.replace("https://app.example.com", origin), module.__dict__)
    return module.app


@dataclass
class Served:
    """The page's files: its script with the addresses of this test."""

    places: dict[str, str]

    def app(self) -> Starlette:
        """A server of them, and of Microsoft's from npm."""
        msal = npm.install() / "@azure/msal-browser/lib/msal-browser.min.js"
        return Starlette(
            routes=[
                Route("/", lambda _: FileResponse(SAMPLE / "index.html")),
                Route("/msal-browser.min.js", lambda _: FileResponse(msal)),
                Route("/app.js", lambda _: Response(self.script(), media_type="text/javascript")),
            ]
        )

    def script(self) -> str:
        """``app.js`` with them."""
        text = (SAMPLE / "app.js").read_text()
        for place, here in self.places.items():
            assert place in text, f"The script does not say {place!r}."
            text = text.replace(place, here)
        return text


@pytest.fixture
def page() -> Iterator[Page]:
    """The page, before anybody signed in."""
    emulator, served = EntraEmulator(directory=directory()), Served({})
    with (
        emulator.serve(tls=True) as entra,
        pytest.MonkeyPatch.context() as patch,
        serving(served.app()) as address,
    ):
        origin = address.replace("127.0.0.1", "localhost")
        for name, value in (
            emulator.environment() | {"CAMUNDA_ENTRA_CA_BUNDLE": str(emulator.ca_file)}
        ).items():
            patch.setenv(name, value)
        with serving(load_api(origin)) as api, sync_playwright() as playwright:
            served.places |= {
                "<client ID of the single-page application>": BOARD,
                "https://login.microsoftonline.com/<tenant ID>": f"{entra}/{emulator.tenant.id}",
                "<client ID of the API>": OPERATE,
                "https://orders.example.com": api,
            }
            chromium = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
            )
            tab = chromium.new_page(ignore_https_errors=True)
            tab.set_default_timeout(1000 * PATIENCE)
            tab.goto(origin)
            yield tab
            chromium.close()


def press(page: Page, button: str) -> None:
    """Press a button of whatever page there is."""
    page.get_by_role("button", name=button).click()


def shown(page: Page, text: str) -> Any:
    """What the page shows, as soon as that is in it."""
    return json.loads(page.locator("#shown", has_text=text).text_content() or "")


def test_a_page_of_another_origin_signs_in_calls_and_steps_up(page: Page) -> None:
    """It reads the answer; a route that wants a stronger sign-in gets one, and then does what it shall."""
    assert shown(page, "account") == {"account": None}
    press(page, "Sign in")
    press(page, "Ada Admin")
    assert shown(page, "ada@") == {"account": "ada@contoso.example"}
    press(page, "Who am I?")
    assert shown(page, "status") == {"status": 200, "body": {"name": "Ada Admin"}}
    press(page, "Cancel an order")
    page.wait_for_url("**/oauth2/v2.0/authorize**")
    page.get_by_role("button").first.click()
    assert shown(page, "account") == {"account": "ada@contoso.example"}
    press(page, "Cancel an order")
    assert shown(page, "status") == {"status": 200, "body": {"cancelled": 1, "by": "Ada Admin"}}
    press(page, "Sign out")
    assert shown(page, "null") == {"account": None}


def test_a_page_of_the_service_needs_no_token() -> None:
    """A 401 sends it to sign in; it comes back, reads, and changes something, with the cookie alone."""
    emulator = EntraEmulator()
    with emulator.serve(), pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        for name, value in emulator.environment().items():
            patch.setenv(name, value)
        entra = CamundaEntra()
        app = FastAPI(lifespan=entra.lifespan)
        entra.install(app)
        current_user = Depends(entra.current_user)
        app.add_api_route("/me", lambda user=current_user: {"name": user.name})
        app.add_api_route("/orders/{key}", lambda key: key, methods=["DELETE"], dependencies=[current_user])
        app.add_route("/same_origin.js", lambda _: FileResponse(SAMPLE / "same_origin.js"))
        app.add_route(
            "/",
            lambda _: HTMLResponse(
                '<!doctype html><button id="cancel">Cancel</button><output id="shown"></output>'
                '<script type="module" src="same_origin.js"></script>'
            ),
        )
        with serving(app) as address:
            chromium = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
            )
            tab = chromium.new_page()
            tab.set_default_timeout(1000 * PATIENCE)
            tab.goto(f"{address.replace('127.0.0.1', 'localhost')}/?page=2")
            press(tab, "Ada Admin")
            tab.locator("#shown", has_text="Ada Admin").wait_for()
            assert tab.url.endswith("/?page=2")
            press(tab, "Cancel")
            tab.locator("#shown", has_text="200").wait_for()
            chromium.close()
