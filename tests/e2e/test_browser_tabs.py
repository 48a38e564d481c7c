"""Back, reloading and many tabs, in a real browser against a real server and the local Entra."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e.test_browser_sign_in import ADA, BEN, application
from tests.waiting import PATIENCE

TABS = 20
SESSION = re.compile("entra_session_[0-9a-f]{8}")


@dataclass
class Restored:
    """A running service, the Entra it trusts, and a browser that may be new for each test."""

    url: str
    emulator: EntraEmulator
    browser: Browser

    def context(self) -> BrowserContext:
        """A person's browser."""
        context = self.browser.new_context(locale="en-GB")
        context.set_default_timeout(1000 * PATIENCE)
        return context

    def sign_in(self, context: BrowserContext, path: str) -> tuple[Page, list[str]]:
        """A tab with the page after signing in, and the callback's addresses that it went by."""
        page, callbacks = context.new_page(), list[str]()

        def note(request: Request) -> None:
            if "/auth/login-callback?" in request.url:
                callbacks.append(request.url)

        page.on("request", note)
        page.goto(self.url + path)
        page.get_by_role("button", name=ADA).click()
        page.get_by_text(f"Hello {ADA}").wait_for()
        return page, callbacks

    def redeemed(self) -> int:
        """How many codes were redeemed."""
        return sum(each.did == "token" or each.path.endswith("/token") for each in self.emulator.requests)

    def session(self, context: BrowserContext) -> str:
        """The value of the session's cookie."""
        return next(each["value"] for each in context.cookies(self.url) if SESSION.fullmatch(each["name"]))


@pytest.fixture(scope="module")
def service(new_key: Callable[[], SigningKey]) -> Iterator[Restored]:
    """One service and one browser for all tests here."""
    emulator = EntraEmulator(new_key=new_key)
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with emulator.serve(), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        entra = CamundaEntra(emulator.settings(session_store="memory"))
        with serving(application(entra)) as address:
            yield Restored(address.replace("127.0.0.1", "localhost"), emulator, browser)
        browser.close()


def addresses(service: Restored) -> list[str]:
    """Those of the tabs, no two of them alike."""
    return [f"{service.url}/incidents/{number}?tab=history&row={number}" for number in range(TABS)]


def restore(context: BrowserContext, addresses: list[str]) -> list[Page]:
    """Tabs that all begin to load at the same time, as after a restart of the browser."""
    pages = [context.new_page() for _ in addresses]
    for page, address in zip(pages, addresses, strict=True):
        page.evaluate("(address) => { setTimeout(() => { location.href = address }, 50) }", address)
    return pages


def forget_service(service: Restored, context: BrowserContext) -> None:
    """Drop the service's cookies; Entra's stay."""
    for cookie in context.cookies(service.url):
        if SESSION.match(cookie["name"]):
            context.clear_cookies(name=cookie["name"])


def test_back_right_after_signing_in_goes_on(service: Restored) -> None:
    """Entra's page sends the old answer once more; the person stays who they are, and nothing is redeemed."""
    context = service.context()
    page, callbacks = service.sign_in(context, "/incidents/7?tab=history")
    session, redeemed = service.session(context), service.redeemed()
    page.go_back()
    ben = page.get_by_role("button", name=BEN)
    page.get_by_text(f"Hello {ADA}").or_(ben).first.wait_for()
    if ben.count():
        ben.click()
    page.get_by_text(f"Hello {ADA}").wait_for()
    assert page.url == service.url + "/incidents/7?tab=history"
    assert len(callbacks) == 2
    assert (service.session(context), service.redeemed()) == (session, redeemed)
    context.close()


def test_the_callback_is_reloaded_opened_twice_and_restored(service: Restored) -> None:
    """Whoever is signed in comes to the page of that sign-in each time."""
    context = service.context()
    _, (callback,) = service.sign_in(context, "/incidents/8?tab=history")
    session, redeemed = service.session(context), service.redeemed()
    for page in restore(context, [callback] * 3):
        page.get_by_text("Incident 8").wait_for()
        assert page.url == service.url + "/incidents/8?tab=history"
    assert (service.session(context), service.redeemed()) == (session, redeemed)
    context.close()


def test_an_old_answer_without_a_session_begins_anew_by_itself(service: Restored) -> None:
    """Nobody clicks, and the page on the way is none that Back would lead to."""
    context = service.context()
    _, (callback,) = service.sign_in(context, "/incidents/9")
    forget_service(service, context)
    page = context.new_page()
    page.goto(service.url + "/health")
    before = page.evaluate("history.length")
    page.goto(callback)
    page.get_by_text("Incident 9").wait_for()
    assert page.url == service.url + "/incidents/9"
    assert page.evaluate("history.length") == before + 1
    page.go_back()
    assert page.url == service.url + "/health"
    context.close()


def test_twenty_tabs_come_back_to_their_own_addresses(service: Restored) -> None:
    """First Entra asks in each of them; then the service's session is over, Entra's not, and nobody clicks.

    The tab whose attempt was pushed out first is the first one in which somebody signs in.
    """
    context = service.context()
    pages = restore(context, addresses(service))
    for page in pages:
        page.get_by_role("button", name=ADA).wait_for()
    for page in pages:
        page.get_by_role("button", name=ADA).evaluate("button => button.click()")
    check_all_are_back(service, pages)
    forget_service(service, context)
    for page in pages:
        page.evaluate("document.body.textContent = 'Old'; setTimeout(() => location.reload(), 50)")
    check_all_are_back(service, pages)
    assert [each["name"] for each in context.cookies(service.url) if "attempt" in each["name"]] == []
    context.close()


def check_all_are_back(service: Restored, pages: list[Page]) -> None:
    """Each is at its own address, and somebody is signed in there."""
    for page, address in zip(pages, addresses(service), strict=True):
        page.get_by_text(f"Hello {ADA}").wait_for()
        assert page.url == address


def test_back_after_consent_tells_no_horrors(service: Restored) -> None:
    """An administrator who goes back and accepts once more reads that nothing is left to do."""
    context = service.context()
    page = context.new_page()
    page.goto(f"{service.url}/auth/admin-consent")
    page.get_by_role("button", name=ADA).click()
    accept = page.get_by_role("button", name="Accept")
    if accept.count():
        accept.click()
    page.get_by_role("heading", name="Consent was given").wait_for()
    page.goto(page.url)
    page.get_by_role("heading", name="Nothing is left to do here").wait_for()
    page.get_by_role("link", name="Ask for consent again").click()
    page.get_by_role("button", name=ADA).wait_for()
    context.close()
