"""Signing in, out and consenting in a real browser, against a real server and the local Entra."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import pytest
from fastapi import Depends, FastAPI, Security, WebSocket
from playwright.sync_api import Browser, BrowserContext, Page, Route, ViewportSize, sync_playwright
from starlette.responses import HTMLResponse

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import Directory, EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.directory import OPERATE, UNRELATED, ConditionalAccess, OptionalClaims
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e import npm
from tests.e2e.test_emulator_pages import FAINT
from tests.waiting import PATIENCE

ADA, BEN = "Ada Admin", "Ben Reader"
CDN = re.compile(r"https://cdn\.jsdelivr\.net/npm/swagger-ui-dist@5/(.+)")


@dataclass
class Service:
    """A running service, the Entra it trusts, and a person's browser."""

    url: str
    emulator: EntraEmulator
    entra: CamundaEntra
    context: BrowserContext
    clock: "Clock"

    def open(self, path: str) -> Page:
        """A new tab with the page."""
        page = self.context.new_page()
        page.goto(self.url + path)
        return page

    def sign_in(self, path: str = "/incidents/7?tab=history", person: str = ADA) -> Page:
        """A new tab with the page, after signing in."""
        page = self.open(path)
        page.get_by_role("button", name=person).click()
        page.get_by_text(f"Hello {person}").wait_for()
        return page

    def cookies(self) -> dict[str, str]:
        """What the service has set, by name."""
        return {cookie["name"]: cookie["value"] for cookie in self.context.cookies(self.url)}

    def renewals(self) -> int:
        """How often a session was renewed."""
        return sum(each.did == "refresh" for each in self.emulator.requests)


def application(entra: CamundaEntra, **install: Any) -> FastAPI:
    """Pages and an API, for people and programs."""
    app = FastAPI(lifespan=entra.lifespan)
    entra.install(app, **install)
    current_user = Annotated[EntraUser, Depends(entra.current_user)]

    @app.get("/incidents/{key}")
    async def page(key: int, user: current_user) -> HTMLResponse:
        return HTMLResponse(
            f"<h1>Hello {user.name}</h1><p>Incident {key}</p>"
            '<form method="post" action="/auth/logout"><button>Sign out</button></form>'
            '<a href="/auth/logout">Leave</a>'
        )

    @app.get("/api/me", dependencies=[Security(entra.current_user, scopes=["Incidents.Read"])])
    async def me(user: current_user) -> dict[str, object]:
        return {"name": user.name, "roles": user.roles}

    @app.post("/api/change")
    async def change(user: current_user) -> dict[str, object]:
        return {"changed_by": user.name}

    @app.get("/vault")
    async def vault(user: Annotated[EntraUser, Depends(entra.require(auth_context="c1"))]) -> HTMLResponse:
        return HTMLResponse(f"<h1>Vault of {user.name}</h1>")

    @app.get("/archive")
    async def archive(
        auth: Annotated[Any, Depends(entra.on_behalf_of(f"{UNRELATED}/access_as_user"))],
    ) -> str:
        return "A token" if await auth.token() else ""

    @app.websocket("/ws")
    async def socket(websocket: WebSocket, user: current_user) -> None:
        await websocket.accept()
        await websocket.send_text(f"Hello {user.name}")
        await websocket.close()

    return app


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, which fetches nothing of its own."""
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        yield browser
        browser.close()


class Clock:
    """Real time, which can be put forward."""

    ahead = 0.0

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.ahead

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic() + self.ahead


Start = Callable[..., Any]


@pytest.fixture
def start(browser: Browser, new_key: Callable[[], SigningKey]) -> Start:
    """Starts a service; a context manager."""

    @contextmanager
    def started(
        install: dict[str, Any] | None = None, directory: Any = None, **settings: Any
    ) -> Iterator[Service]:
        clock = Clock()
        emulator = EntraEmulator(directory=directory, new_key=new_key, clock=clock.time)
        with emulator.serve(), browser.new_context(locale="en-GB") as context:
            context.set_default_timeout(1000 * PATIENCE)
            entra = CamundaEntra(emulator.settings(**{"session_store": "memory"} | settings), clock=clock)
            with serving(application(entra, **(install or {}))) as address:
                yield Service(address.replace("127.0.0.1", "localhost"), emulator, entra, context, clock)

    return started


def test_a_deep_link_leads_to_sign_in_and_back(start: Start) -> None:
    """Who opens a page is sent to Entra and comes back to the very same address."""
    with start() as service:
        page = service.sign_in("/incidents/7?tab=history")
        assert page.url == service.url + "/incidents/7?tab=history"
        assert list(service.cookies()) == [service.entra.settings.cookie_name]
        assert page.evaluate("document.cookie") == ""


def test_two_tabs_sign_in_at_once(start: Start) -> None:
    """Neither of two sign-ins under way disturbs the other."""
    with start() as service:
        first, second = service.open("/incidents/1"), service.open("/incidents/2")
        second.get_by_role("button", name=ADA).click()
        second.get_by_text("Incident 2").wait_for()
        first.get_by_role("button", name=ADA).click()
        first.get_by_text("Incident 1").wait_for()
        assert list(service.cookies()) == [service.entra.settings.cookie_name]


def test_a_session_outlives_its_access_token(start: Start) -> None:
    """After the token has expired, the page is there as before, and the token was renewed once."""
    with start() as service:
        page = service.sign_in()
        service.clock.ahead += 5000
        page.reload()
        page.get_by_text(f"Hello {ADA}").wait_for()
        page.reload()
        assert service.renewals() == 1


def directory(*policies: ConditionalAccess, **operate: Any) -> Directory:
    """The default directory with policies, and another registration of Operate."""
    directory = Directory.default()
    tenant = directory.tenants[0]
    applications = (replace(tenant.applications[0], **operate), *tenant.applications[1:])
    return directory.with_tenant(replace(tenant, applications=applications, policies=policies))


def test_a_page_that_wants_a_stronger_sign_in_gets_it(start: Start) -> None:
    """Entra asks for the second factor, and the person is back on the page."""
    policy = ConditionalAccess("mfa", applications=(OPERATE,), context="c1")
    with start(
        directory=directory(policy, optional_claims=OptionalClaims(access_token=("acrs",)))
    ) as service:
        page = service.sign_in()
        page.goto(service.url + "/vault?x=1")
        page.get_by_role("button", name="It is me").click()
        page.get_by_role("heading", name=f"Vault of {ADA}").wait_for()
        assert page.url == service.url + "/vault?x=1"
        page.reload()
        page.get_by_role("heading", name=f"Vault of {ADA}").wait_for()


def test_a_stronger_sign_in_for_another_service_is_had_on_the_way(start: Start) -> None:
    """Its tokens need a second factor; who opens the page that calls it shows one and comes back."""
    with start(directory=directory(ConditionalAccess("mfa", applications=(UNRELATED,)))) as service:
        page = service.sign_in()
        page.goto(service.url + "/archive")
        page.get_by_role("button", name="It is me").click()
        page.get_by_text("A token").wait_for()
        assert page.url == service.url + "/archive"


@pytest.mark.parametrize("how", ["button", "link"])
def test_signing_out_ends_every_copy_of_the_session(start: Start, how: str) -> None:
    """The service's page and a link of its own sign out, here and at Entra; a copied cookie is dead."""
    with start() as service:
        page = service.sign_in()
        copied = service.context.cookies()
        if how == "button":
            page.get_by_role("button", name="Sign out").click()
        else:
            page.get_by_role("link", name="Leave").click()
        page.wait_for_url(service.url + "/auth/login-callback")
        page.get_by_role("heading", name="You are signed out").wait_for()
        assert service.cookies() == {}
        service.context.add_cookies([each for each in copied if "entra_session" in each["name"]])
        page.goto(service.url + "/incidents/1")
        page.get_by_role("button", name=BEN).wait_for()  # Entra has forgotten, too: it asks who it is


def test_another_site_signs_nobody_out_and_changes_nothing(start: Start) -> None:
    """A link elsewhere is answered with a question; a form and a WebSocket elsewhere with 403."""
    with start() as service, serving(_elsewhere(service_url := service.url)) as elsewhere:
        service.sign_in()
        page = service.context.new_page()
        page.goto(elsewhere)
        page.get_by_role("link", name="Prize").click()
        page.get_by_role("heading", name="Do you want to sign out?").wait_for()
        assert service.cookies()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("heading", name="You are signed out").wait_for()
        assert service.cookies() == {}
        assert service_url == service.url


def test_only_pages_of_the_same_origin_may_use_the_cookie(start: Start) -> None:
    """A page of the service changes things and opens WebSockets; one of another port of this host may not."""
    post = """async (url) => {
      return (await fetch(url, {method: "POST", credentials: "include", mode: "no-cors"})).status;
    }"""
    socket = """(url) => new Promise((resolve) => {
      const socket = new WebSocket(url.replace("http", "ws"));
      socket.onmessage = (message) => resolve(message.data);
      socket.onerror = () => resolve("refused");
    })"""
    with start() as service, serving(_elsewhere(service.url)) as elsewhere:
        page = service.sign_in()
        assert page.evaluate(post, f"{service.url}/api/change") == 200
        assert page.evaluate(socket, f"{service.url}/ws") == f"Hello {ADA}"
        # The same site by the rules of cookies, so the browser does send it; but another origin.
        page.goto(elsewhere.replace("127.0.0.1", "localhost"))
        with page.expect_response(f"{service.url}/api/change") as answer:
            page.evaluate(post, f"{service.url}/api/change")
        assert answer.value.status == 403
        assert page.evaluate(socket, f"{service.url}/ws") == "refused"


def test_a_missing_consent_is_explained_and_then_given(start: Start) -> None:
    """Ben may not consent; the page says who may, Ada does by its link, and Ben signs in."""
    with start(directory=_nobody_consented()) as service:
        page = service.open("/incidents/3")
        page.get_by_role("button", name=BEN).click()
        page.get_by_text("AADSTS90094").wait_for()
        page.get_by_text("Return to Operate without signing in").click()
        page.wait_for_url(f"{service.url}/auth/login-callback?*")
        page.get_by_role("heading", name="Sign-in was cancelled").wait_for()
        page.get_by_role("link", name="Consent as an administrator").click()
        page.get_by_role("button", name=ADA).click()
        page.get_by_role("heading", name="Consent was given").wait_for()
        page.goto(f"{service.url}/incidents/3")
        page.get_by_role("button", name=BEN).click()
        page.get_by_text(f"Hello {BEN}").wait_for()


def test_the_docs_page_signs_in_and_tries_an_operation(start: Start) -> None:
    """Authorize and Try it out work by the one web registration: the code is redeemed at our own address."""
    with start() as service:
        page = service.context.new_page()
        page.route(CDN, _swagger_ui)
        page.goto(f"{service.url}/docs")
        page.get_by_role("button", name="Authorize").first.click()
        with page.expect_popup() as popup:
            page.get_by_role("button", name="Apply given OAuth2 credentials").click()
        popup.value.get_by_role("button", name=ADA).click()
        page.get_by_role("button", name="Remove authorization").wait_for()
        page.get_by_role("button", name="Close").last.click()
        page.locator("#operations-default-me_api_me_get").get_by_role("button").first.click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        page.locator(".live-responses-table .response-col_status").get_by_text("200").wait_for()
        assert page.locator(".live-responses-table").get_by_text(ADA).count()


def test_the_docs_page_of_a_web_registration_cannot_ask_entra_itself(start: Start) -> None:
    """Without our help Entra refuses the page's code with AADSTS9002326, which is why there is help."""
    with start(install={"direct_docs": True}) as service:
        page = service.context.new_page()
        page.route(CDN, _swagger_ui)
        page.goto(f"{service.url}/docs")
        page.get_by_role("button", name="Authorize").first.click()
        with page.expect_popup() as popup, page.expect_response("**/oauth2/v2.0/token") as answer:
            page.get_by_role("button", name="Apply given OAuth2 credentials").click()
            popup.value.get_by_role("button", name=ADA).click()
        assert answer.value.status == 400
        assert any(each.error.startswith("AADSTS9002326") for each in service.emulator.requests)


def test_swagger_ui_has_no_use_for_refresh_tokens() -> None:
    """Its program never names one, which is why our token URL knows codes alone."""
    program = (npm.install() / "swagger-ui-dist" / "swagger-ui-bundle.js").read_text("utf-8")
    assert 'grant_type:"authorization_code"' in program
    assert "refresh_token" not in program


def test_protected_docs_are_for_those_who_signed_in(start: Start) -> None:
    """Docs page and document are behind sign-in; who has signed in sees the operations."""
    with start(install={"protect_docs": True}) as service:
        page = service.context.new_page()
        page.route(CDN, _swagger_ui)
        page.goto(f"{service.url}/docs")
        page.get_by_role("button", name=ADA).click()
        page.locator("#operations-default-me_api_me_get").wait_for()
        assert service.context.request.get(f"{service.url}/openapi.json").status == 200


def test_entra_signs_out_by_the_front_channel(start: Start) -> None:
    """Who signs out on a page of Entra's is signed out here, where cookies do not reach."""
    with start() as service:
        _register(
            service.emulator,
            logout_url=f"{service.url}/auth/front-channel-logout",
            optional_claims=OptionalClaims(),  # no sid in the ID token
        )
        page = service.sign_in()
        other = service.context.new_page()
        with other.expect_response(f"{service.url}/auth/front-channel-logout*"):
            other.goto(f"{service.emulator.base_url}/{service.emulator.tenant.id}/oauth2/v2.0/logout")
        page.reload()
        page.get_by_role("button", name=ADA).wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_our_pages_are_readable_on_a_phone(start: Start, scheme: Literal["light", "dark"]) -> None:
    """At 360 pixels nothing is cut off or too faint, and the page's own policy blocks nothing of it."""
    with start() as service:
        page = service.context.new_page()
        page.set_viewport_size(ViewportSize(width=360, height=740))
        page.emulate_media(color_scheme=scheme)
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        for path, title in (
            ("/auth/login-callback", "You are signed out"),
            ("/auth/login-callback?state=x&code=y", "Please sign in again"),
        ):
            page.goto(service.url + path)
            _check_readable(page, title)
        page.goto(f"{service.url}/auth/login")
        page.get_by_text("Cancel").click()
        _check_readable(page, "Sign-in was cancelled")
        assert [each for each in complaints if "status of" not in each] == []


def _check_readable(page: Page, title: str) -> None:
    page.get_by_role("heading", name=title).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate(FAINT) == []


def _elsewhere(url: str) -> FastAPI:
    """Another site, which means no good."""
    app = FastAPI()

    @app.get("/")
    def prize() -> HTMLResponse:
        return HTMLResponse(f'<a href="{url}/auth/logout">Prize</a>')

    return app


def _swagger_ui(route: Route) -> None:
    """Swagger UI's files, which the page asks a CDN for."""
    name = CDN.fullmatch(route.request.url)
    assert name is not None
    route.fulfill(path=npm.install() / "swagger-ui-dist" / name[1])


def _nobody_consented() -> Directory:
    """An Operate that asks for consent, in a tenant whose people may not give it."""
    directory = Directory.default()
    tenant = directory.tenants[0]
    applications = tuple(
        replace(each, admin_consent=False) if each.client_id == OPERATE else each
        for each in tenant.applications
    )
    return directory.with_tenant(replace(tenant, applications=applications, user_consent=False))


def _register(emulator: EntraEmulator, **changes: Any) -> None:
    """Change Operate's registration."""
    tenant = emulator.tenant
    applications = tuple(
        replace(each, **changes) if each.client_id == OPERATE else each for each in tenant.applications
    )
    emulator.directory = emulator.directory.with_tenant(replace(tenant, applications=applications))
