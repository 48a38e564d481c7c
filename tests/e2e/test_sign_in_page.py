"""The local Entra's sign-in page in a real browser."""

import socket
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Request, Route, sync_playwright

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE

with socket.create_server(("127.0.0.1", 0)) as free:
    PORT = free.getsockname()[1]
CALLBACK = f"http://localhost:{PORT}/auth/login-callback"
"""Where nobody listens: browsers ask there after a redirect before the tests can answer."""
QUERY = (
    f"client_id={OPERATE}&response_type=code&redirect_uri={CALLBACK}&scope=openid+{OPERATE}/.default&state=s"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, which fetches nothing of its own."""
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        yield browser
        browser.close()


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
def test_a_person_signs_in_with_the_keyboard_on_a_phone(browser: Browser, mode: str) -> None:
    """Tab, Enter, and the application has its answer, however it asked for it."""
    emulator = EntraEmulator()
    arrived: list[Request] = []
    with emulator.serve() as address, browser.new_page(viewport={"width": 360, "height": 740}) as page:

        def answer_call(route: Route) -> None:
            arrived.append(route.request)
            route.fulfill(body="signed in")

        page.route(f"{CALLBACK}*", answer_call)
        page.goto(f"{address}/{emulator.tenant.id}/oauth2/v2.0/authorize?{QUERY}&response_mode={mode}")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_text("signed in").wait_for()
        (request,) = arrived
        answer = request.post_data if mode == "form_post" else page.url
    assert answer is not None
    assert "code=1.A" in answer
    assert "state=s" in answer


def test_an_error_page_shows_the_code(browser: Browser) -> None:
    """A redirect URI that is not registered is explained on the page."""
    emulator = EntraEmulator()
    with emulator.serve() as address, browser.new_page() as page:
        page.goto(
            f"{address}/{emulator.tenant.id}/oauth2/v2.0/authorize?{QUERY}&x=1".replace("callback", "cb")
        )
        assert page.get_by_text("AADSTS50011").is_visible()
        assert page.get_by_text("Local Entra, not Microsoft").is_visible()
