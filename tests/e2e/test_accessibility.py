"""axe-core over all that people see: this package's pages, the local Entra's, the sample's, Swagger UI.

Wide and light, on a phone and dark: no violation of any rule. At neither width, nor at 320 pixels, which is a
window of 1280 at 400 %, does anything scroll sideways (WCAG 2.2, 1.4.10). Of Swagger UI and ReDoc only the
page around them is ours.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.directory import OPERATE, ConditionalAccess
from camunda_entra_fastapi.testing.serving.server import serving
from camunda_entra_fastapi.web.pages import render
from camunda_entra_fastapi.web.pages.branding import Branding, read_branding
from tests.e2e import npm
from tests.web.login.test_pages import every_page
from tests.web.test_refusal_pages import every_refusal

ADA, BEN = "Ada Admin", "Ben Reader"
SAMPLES: Final = Path(__file__).parents[2] / "samples"
NARROWEST: Final = 320
THEIRS: Final = {"/docs": "#swagger-ui", "/redoc": "redoc"}
"""What third parties fill their pages with."""
OF_WHOLE_PAGES: Final = {"landmark-one-main", "page-has-heading-one", "region"}
"""Rules that are left out there: all of the content is a third party's, which has no landmarks."""

# What fades in has faint colours until it is there. What never ends is not waited for.
VIOLATIONS = """async (without) => {
  const isEnding = ({effect}) => Number.isFinite(effect.getComputedTiming().endTime);
  const ending = document.getAnimations().filter(isEnding);
  await Promise.allSettled(ending.map(({finished}) => finished));
  const found = await axe.run({exclude: without ? [without] : []}, {resultTypes: ["violations"]});
  return found.violations.map(({id, nodes}) => [id, nodes.map(({html}) => html)]);
}"""


@dataclass(frozen=True)
class Looker:
    """Somebody who looks at pages from all sides."""

    page: Page
    axe: str

    def look(self, *, without: str = "", left_out: frozenset[str] | set[str] = frozenset()) -> None:
        """See that nothing is wrong with the page, in each scheme and width."""
        self.page.evaluate(self.axe)
        self.page.emulate_media(color_scheme="light")
        self._look_at(1280, without, left_out)
        self.page.emulate_media(color_scheme="dark")
        self._look_at(360, without, left_out)
        self._fit(NARROWEST)

    def _look_at(self, width: int, without: str, left_out: frozenset[str] | set[str]) -> None:
        self._fit(width)
        found = self.page.evaluate(VIOLATIONS, without)
        assert [each for each in found if each[0] not in left_out] == [], (self.page.title(), width)

    def _fit(self, width: int) -> None:
        self.page.set_viewport_size(ViewportSize(width=width, height=800))
        fits = self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert fits, f"{self.page.title()} scrolls sideways at {width} pixels"

    def open(self, address: str) -> None:
        """Open a page and look at it."""
        self.page.goto(address)
        self.look()

    def press(self, name: str) -> None:
        """Press a button and look at what comes."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name).first.click()
        self.look()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, which fetches nothing of its own."""
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        yield browser
        browser.close()


@pytest.fixture
def looker(browser: Browser) -> Iterator[Looker]:
    """A page in which axe may run whatever the page's policy says."""
    axe = (npm.install() / "axe-core/axe.min.js").read_text("utf-8")
    with browser.new_context(bypass_csp=True) as context:
        yield Looker(context.new_page(), axe)


@pytest.fixture(scope="module")
def key() -> SigningKey:
    """One for all tests, for it takes long to make."""
    return SigningKey.generate()


def test_the_pages_of_this_package(looker: Looker, tmp_path: Path) -> None:
    """Each with the longest title and facts; one more with a logo and a colour that is just dark enough."""
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><rect width="40"/></svg>')
    branded = replace(read_branding(logo, "#757500"), title="Orders")
    pages = {page.title: page for page in (*every_page(), *every_refusal())}.values()
    for page in pages:
        looker.page.set_content(render(page, Branding(title="A Rather Long Name of an Application"))[0])
        looker.look()
    looker.page.set_content(render(next(iter(pages)), branded)[0])
    looker.look()


def test_the_local_entra(looker: Looker, key: SigningKey) -> None:
    """Signing in, consent of both kinds, a second factor, a device's code, errors, signing out."""
    emulator = EntraEmulator(new_key=lambda: key)

    def change(application: dict[str, Any], **changes: Any) -> None:
        first, *others = emulator.tenant.applications
        tenant = replace(emulator.tenant, applications=(replace(first, **application), *others), **changes)
        emulator.directory = emulator.directory.with_tenant(tenant)

    with emulator.serve():
        base = f"{emulator.base_url}/{emulator.tenant.id}"
        callback = f"{emulator.base_url}/nothing"
        change({"redirect_uris": {callback: "web"}, "admin_consent": False, "logout_url": None})

        def authorize(**query: str) -> str:
            asked = {"client_id": OPERATE, "response_type": "code", "scope": f"openid {OPERATE}/.default"}
            return f"{base}/oauth2/v2.0/authorize?{urlencode({'redirect_uri': callback, **asked, **query})}"

        looker.open(authorize())
        looker.page.get_by_text("Another account").click()
        looker.look()
        looker.press(BEN)  # consent
        change({}, user_consent=False)
        looker.open(authorize(prompt="select_account"))
        looker.press(BEN)  # approval
        looker.open(authorize(redirect_uri="http://127.0.0.1:8001/auth/login-callback"))
        looker.open(authorize(client_id="nobody"))
        looker.open(
            f"{base}/v2.0/adminconsent?{urlencode({'client_id': OPERATE, 'scope': OPERATE})}/.default"
        )
        looker.open(f"{emulator.base_url}/common/oauth2/deviceauth")
        change({"admin_consent": True}, policies=(ConditionalAccess("mfa"),))
        looker.open(authorize(prompt="login"))
        looker.press(BEN)  # second factor
        looker.page.get_by_role("button", name="It is me").click()
        looker.page.goto(authorize(prompt="select_account"))
        looker.page.get_by_role("button", name=ADA).click()
        looker.page.get_by_role("button", name="It is me").click()
        looker.open(f"{base}/oauth2/v2.0/logout")
        looker.press("Everybody")


def forget_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the samples be imported anew."""
    for name in [name for name in sys.modules if name.startswith(("operate_api", "operate_web"))]:
        monkeypatch.delitem(sys.modules, name)


def test_the_sample_and_swagger_ui(looker: Looker, key: SigningKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed in without a role: what one sees, what is refused, what is not there, and the API's page."""
    emulator = EntraEmulator(new_key=lambda: key)
    with emulator.serve():
        for name, value in emulator.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.syspath_prepend(str(SAMPLES))
        forget_samples(monkeypatch)
        with serving(import_module("operate_web.main").app) as address:
            site = address.replace("127.0.0.1", "localhost")
            looker.page.goto(site)
            looker.press(BEN)
            looker.page.get_by_role("link", name="Loan application").click()
            looker.look()
            looker.page.evaluate("document.querySelector('form').action = location.pathname + '/resolve'")
            looker.press("Sign out")  # the form of another button now
            assert "Operate.Admin" in looker.page.content()
            looker.open(f"{site}/nothere")
            for path, theirs in THEIRS.items():
                looker.page.goto(f"{site}{path}")
                looker.page.get_by_role("heading", name="Operate sample").first.wait_for()
                looker.look(without=theirs, left_out=OF_WHOLE_PAGES)
        forget_samples(monkeypatch)
