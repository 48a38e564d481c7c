"""The local Entra's pages in a real browser: at phone width, light and dark, by keyboard alone."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request, Route, ViewportSize, sync_playwright

from camunda_entra_fastapi.testing import EntraEmulator, SigningKey, User
from camunda_entra_fastapi.testing.directory import OPERATE, ConditionalAccess, Scope

with socket.create_server(("127.0.0.1", 0)) as free:
    PORT = free.getsockname()[1]
CALLBACK = f"http://localhost:{PORT}/auth/login-callback"
"""Where nobody listens: browsers ask there after a redirect before the tests can answer."""
FRONT_CHANNEL = "http://localhost:8000/auth/front-channel-logout"
LONG = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft"
PHONE = ViewportSize(width=360, height=740)
ADA, BEN = "Ada Admin", "Ben Reader"

# The ratio of a text to what is behind it, by the formula of WCAG 2.2; gives texts that are too faint.
FAINT = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const over = ([r, g, b, a = 1], ground) =>
    [r, g, b].map((part, index) => part * a + ground[index] * (1 - a));
  const light = (rgb) => rgb.map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => {
    if (!element) return [255, 255, 255];
    const found = parse(getComputedStyle(element).backgroundColor);
    return found[3] === 0 ? behind(element.parentElement) : over(found, behind(element.parentElement));
  };
  const opacity = (element) =>
    element ? Number(getComputedStyle(element).opacity) * opacity(element.parentElement) : 1;
  const faint = [];
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.tagName === "SCRIPT") continue;
    const [r, g, b] = parse(getComputedStyle(element).color);
    const ground = behind(element);
    const both = [light(over([r, g, b, opacity(element)], ground)), light(ground)];
    const [low, high] = both.sort((a, b) => a - b);
    if ((high + 0.05) / (low + 0.05) < 4.5) faint.push(element.textContent.trim());
  }
  return faint;
}"""

# What has the focus: its words, whether it and the line around it are in sight, and how thick the line is.
FOCUSED = """() => {
  const element = document.activeElement, style = getComputedStyle(element);
  const line = parseFloat(style.outlineWidth) + parseFloat(style.outlineOffset);
  const {top, left, bottom, right} = element.getBoundingClientRect();
  return {
    text: (element.innerText || element.labels?.[0]?.innerText || "").trim(),
    seen: top >= line && left >= line && bottom + line <= innerHeight && right + line <= innerWidth,
    outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
  };
}"""

# Fields without a label, and buttons without words.
NAMELESS = """() => [...document.querySelectorAll("input:not([type=hidden]), button, select, textarea")]
  .filter((element) => element.tagName === "BUTTON"
    ? !element.innerText.trim() && element.checkVisibility()
    : !element.labels.length)
  .map((element) => element.outerHTML)"""


@dataclass
class Phone:
    """A phone with a keyboard, on which nobody is signed in yet."""

    page: Page
    emulator: EntraEmulator
    asked: list[Request] = field(default_factory=list)
    """Requests that went to others than the emulator."""

    def arrive(self, **changes: str) -> None:
        """Come from the application to the sign-in page."""
        query = {
            "client_id": OPERATE,
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": f"openid profile offline_access {OPERATE}/.default",
            "state": "s",
        } | changes
        self.open(f"/{self.emulator.tenant.id}/oauth2/v2.0/authorize?{urlencode(query)}")

    def open(self, path: str) -> None:
        """Open a page of the emulator."""
        self.page.goto(f"{self.emulator.base_url}{path}")

    def look(self, title: str) -> None:
        """See that the page with that heading is one that everybody can read and use."""
        page = self.page
        page.get_by_role("heading", level=1, name=title).wait_for()
        assert page.locator("h1").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
        banner = page.get_by_role("note").filter(has_text="Local Entra, not Microsoft")
        assert banner.is_visible()
        assert (banner.bounding_box() or {"y": -1})["y"] == 0
        assert page.evaluate("document.documentElement.lang") == "en"
        assert page.title().endswith(" - local Entra")
        assert page.evaluate(NAMELESS) == []
        assert page.evaluate(FAINT) == []

    def tab_to(self, words: str) -> None:
        """Press Tab until what begins with those words has the focus, and see the focus all the way."""
        for _ in range(20):
            self.page.keyboard.press("Tab")
            found: dict[str, Any] = self.page.evaluate(FOCUSED)
            assert found["seen"], found
            assert found["outline"] >= 2, found
            if found["text"].startswith(words):
                return
        raise AssertionError(f"Tab does not lead to {words!r}.")

    def press(self, words: str, key: str = "Enter") -> None:
        """Go by Tab to what begins with those words, and press the key there."""
        self.tab_to(words)
        self.page.keyboard.press(key)

    @property
    def answer(self) -> dict[str, str]:
        """What the application was answered."""
        self.page.get_by_text("the application").wait_for()
        query = parse_qs(urlsplit(self.page.url).query)
        assert self.page.url.startswith(CALLBACK)
        return {name: values[0] for name, values in query.items()}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, which fetches nothing of its own."""
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def key() -> SigningKey:
    """One for all tests, for it takes long to make."""
    return SigningKey.generate()


@pytest.fixture
def emulator(key: SigningKey) -> Iterator[EntraEmulator]:
    """A served emulator with names that are hard to fit on a phone, in which nobody has consented."""
    emulator = EntraEmulator(new_key=lambda: key)
    change(
        emulator,
        {
            "admin_consent": False,
            "logout_url": None,
            "scopes": (Scope("Incidents.Read", "Read the incidents that you may see"), Scope(f"{LONG}.Read")),
        },
        name=LONG,
        users=(*emulator.tenant.users, User(f"{LONG}@contoso.example", LONG)),
    )
    with emulator.serve():
        yield emulator


@pytest.fixture(params=["light", "dark"])
def phone(request: pytest.FixtureRequest, browser: Browser, emulator: EntraEmulator) -> Iterator[Phone]:
    """A phone by day and by night; whatever is not the emulator's is answered here, and recorded."""
    with browser.new_page(viewport=PHONE, color_scheme=request.param, has_touch=True) as page:
        phone = Phone(page, emulator)

        def answer_call(route: Route) -> None:
            phone.asked.append(route.request)
            route.fulfill(body="<p>the application</p>", content_type="text/html")

        page.route(lambda url: not url.startswith(emulator.base_url), answer_call)
        yield phone
        strangers = {url for url in (each.url for each in phone.asked) if not url.startswith(CALLBACK)}
        assert strangers <= {f"{FRONT_CHANNEL}?{urlsplit(url).query}" for url in strangers}


def change(emulator: EntraEmulator, application: dict[str, Any], **changes: Any) -> None:
    """Change the default application, and its tenant."""
    first, *others = emulator.tenant.applications
    tenant = replace(emulator.tenant, applications=(replace(first, **application), *others), **changes)
    emulator.directory = emulator.directory.with_tenant(tenant)


def consented(emulator: EntraEmulator, **changes: Any) -> None:
    """Let an administrator have consented."""
    change(emulator, {"admin_consent": True}, **changes)


def test_the_account_picker(phone: Phone, emulator: EntraEmulator) -> None:
    """Everybody is reached by Tab; another account is typed after the fold-out is opened."""
    consented(emulator)
    phone.arrive()
    phone.look("Sign in to Operate")
    for name in (BEN, ADA, "Gabi Guest", LONG):
        phone.tab_to(name)
    phone.press("Another account")
    phone.look("Sign in to Operate")
    phone.tab_to("User name")
    phone.page.keyboard.type("ada@contoso.example")
    phone.page.keyboard.press("Enter")
    assert phone.answer.keys() == {"code", "state", "session_state"}
    phone.arrive(prompt="select_account")
    phone.look("Sign in to Operate")
    ada = phone.page.get_by_role("button").filter(has_text=ADA)
    for chip in ("Administrator", "Operate.Admin", "Signed in"):
        assert ada.get_by_text(chip, exact=True).is_visible()
    phone.press("Cancel")
    assert phone.answer == {"error": "access_denied", "error_subcode": "cancel", "state": "s"}


def test_the_consent_page(phone: Phone) -> None:
    """The box is ticked with the space bar; then nobody else is asked."""
    phone.arrive()
    phone.press(ADA)
    phone.look("Operate asks for your consent")
    assert phone.page.get_by_text("Read the incidents that you may see").is_visible()
    phone.press("Consent for everybody", "Space")
    assert phone.page.get_by_role("checkbox").is_checked()
    phone.press("Accept")
    assert "code" in phone.answer
    phone.arrive(prompt="select_account")
    phone.press(LONG)
    assert "code" in phone.answer


def test_the_consent_page_declined(phone: Phone) -> None:
    """Somebody with a long name declines, by the last button."""
    phone.arrive()
    phone.press(LONG)
    phone.look("Operate asks for your consent")
    phone.press("Decline")
    assert phone.answer["error"] == "access_denied"


def test_the_approval_page(phone: Phone, emulator: EntraEmulator) -> None:
    """Both ways out work: another account, and back to the application."""
    change(emulator, {}, user_consent=False)
    phone.arrive()
    phone.press(LONG)
    phone.look("An administrator must approve this")
    assert phone.page.get_by_text("AADSTS90094").is_visible()
    phone.press("Sign in with another account")
    phone.look("Sign in to Operate")
    phone.press(BEN)
    phone.look("An administrator must approve this")
    phone.press("Return to Operate")
    assert phone.answer == {"error": "access_denied", "error_subcode": "cancel", "state": "s"}


def test_the_error_page(phone: Phone, emulator: EntraEmulator) -> None:
    """Before the application is known it is a dead end, afterwards another account can be tried."""
    phone.arrive(redirect_uri=f"https://{LONG}.example/{LONG}")
    phone.look("The redirect URI is not registered")
    assert phone.page.get_by_text("AADSTS50011").is_visible()
    assert phone.page.get_by_role("button").count() == 0
    users = (replace(each, locked=each.name == LONG) for each in emulator.tenant.users)
    consented(emulator, users=tuple(users))
    phone.arrive()
    phone.press(LONG)
    phone.look("This account is locked")
    assert phone.page.get_by_text("AADSTS50053").is_visible()
    phone.press("Sign in with another account")
    phone.look("Sign in to Operate")
    phone.press(BEN)
    assert "code" in phone.answer


def test_the_second_factor_page(phone: Phone, emulator: EntraEmulator) -> None:
    """One press is one."""
    consented(emulator, policies=(ConditionalAccess("mfa"),))
    phone.arrive()
    phone.press(LONG)
    phone.look("Show that it is you")
    phone.press("It is me")
    assert "code" in phone.answer


def test_the_device_page(phone: Phone, emulator: EntraEmulator) -> None:
    """The cursor waits in the field; a wrong code is told, the right one leads to the sign-in."""
    change(emulator, {"admin_consent": True, "allow_public_client": True})
    started = httpx.post(
        f"{emulator.base_url}/{emulator.tenant.id}/oauth2/v2.0/devicecode",
        data={"client_id": OPERATE, "scope": f"{OPERATE}/.default"},
    )
    phone.open("/common/oauth2/deviceauth")
    for code, title in (("WRONG", "Enter the code"), (started.json()["user_code"], "Sign in to Operate")):
        phone.look("Enter the code")
        assert phone.page.evaluate("document.activeElement.name") == "user_code"
        phone.page.keyboard.type(code.lower())
        phone.press("Next")
        phone.look(title)
    phone.press(BEN)
    phone.look("Signed in")
    form = {"grant_type": "device_code", "client_id": OPERATE, "device_code": started.json()["device_code"]}
    redeemed = httpx.post(f"{emulator.base_url}/{emulator.tenant.id}/oauth2/v2.0/token", data=form)
    assert "access_token" in redeemed.json()


def signed_in(phone: Phone, *names: str) -> None:
    """Sign these people in, one after the other."""
    for name in names:
        phone.arrive(prompt="select_account")
        phone.press(name)
        assert "code" in phone.answer


def test_the_sign_out_page(phone: Phone, emulator: EntraEmulator) -> None:
    """Of several people one goes, then all; in the end nobody is signed in."""
    consented(emulator)
    signed_in(phone, ADA, BEN, LONG)
    leave = f"/{emulator.tenant.id}/oauth2/v2.0/logout"
    phone.open(leave)
    phone.look("Who signs out?")
    for name in (ADA, BEN, LONG):
        phone.tab_to(name)
    phone.press("Everybody")
    phone.look("You are signed out")
    assert phone.page.get_by_text(f"{ADA}, {BEN}, {LONG} signed out of {LONG}").is_visible()
    phone.arrive()
    phone.look("Sign in to Operate")
    assert phone.page.get_by_text("signed in").count() == 0


def test_signing_out_calls_the_applications(phone: Phone, emulator: EntraEmulator) -> None:
    """Each in a frame that nobody sees, with the session's ID alone; then the way leads back."""
    change(emulator, {"admin_consent": True, "logout_url": FRONT_CHANNEL})
    signed_in(phone, BEN)
    session = phone.answer["session_state"]
    query = urlencode({"post_logout_redirect_uri": CALLBACK, "state": "bye"})
    phone.open(f"/{emulator.tenant.id}/oauth2/v2.0/logout?{query}")
    assert phone.answer == {"state": "bye"}
    assert f"{FRONT_CHANNEL}?sid={session}" in [each.url for each in phone.asked]
