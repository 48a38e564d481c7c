"""Microsoft's JavaScript clients sign in at the local Entra: MSAL.js in Chromium, MSAL Node in Node."""

import base64
import hashlib
import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI, Security
from fastapi.middleware.cors import CORSMiddleware
from playwright.sync_api import BrowserContext, Page, Playwright, Request, sync_playwright
from starlette.applications import Starlette
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Route

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import Application, Directory, EntraEmulator
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE, Platform
from camunda_entra_fastapi.testing.serving.server import serving
from camunda_entra_fastapi.token_validator import Clock
from tests.conftest import FakeClock
from tests.e2e import npm
from tests.waiting import PATIENCE

BOARD = "b0a4d000-1111-4222-8333-444455556666"
SCOPE = f"{OPERATE}/access_as_user"
CALLBACK = "http://localhost:8000/auth/login-callback"
OPERATE_SECRET = "local-emulator-secret-of-operate"
BILLING_SECRET = "local-emulator-secret-of-billing"


def directory_with_board(platform: Platform) -> Directory:
    """The default directory and a single-page application in it, registered under that platform."""
    directory = Directory.default()
    tenant = directory.tenants[0]
    addresses: dict[str, Platform] = {f"http://localhost/{page}": platform for page in ("board", "bridge")}
    board = Application(BOARD, "Board", redirect_uris=addresses)
    changed = replace(tenant, applications=(*tenant.applications, board))
    return replace(directory, tenants=(changed, *directory.tenants[1:]))


def api_of(emulator: EntraEmulator, origin: str, clock: Clock = time) -> FastAPI:
    """An API that trusts the emulator, and lets pages of one origin call it."""
    entra = CamundaEntra(emulator.settings(ca_bundle=emulator.ca_file), clock=clock)
    app = FastAPI(lifespan=entra.lifespan)
    app.add_middleware(CORSMiddleware, allow_origins=[origin], allow_headers=["Authorization"])

    @app.get("/me")
    async def me(
        user: Annotated[EntraUser, Security(entra.current_user, scopes=["access_as_user"])],
    ) -> dict[str, object]:
        return {"name": user.name, "client": user.client_id, "roles": list(user.roles)}

    @app.get("/job")
    async def job(
        user: Annotated[EntraUser, Security(entra.require(roles=["Incidents.Read.All"]))],
    ) -> dict[str, object]:
        return {"is_app": user.is_app, "client": user.client_id}

    return app


def pages(packages: Path, configuration: dict[str, str]) -> Starlette:
    """A server of the single-page application's files, and of Microsoft's from npm."""
    msal = packages / "@azure/msal-browser/lib"
    files = {
        "/board": npm.FOLDER / "board.html",
        "/board.js": npm.FOLDER / "board.js",
        "/bridge": npm.FOLDER / "bridge.html",
        "/msal-browser.min.js": msal / "msal-browser.min.js",
        "/msal-redirect-bridge.min.js": msal / "redirect-bridge/msal-redirect-bridge.min.js",
    }

    def file_route(path: str, file: Path) -> Route:
        return Route(path, lambda _: FileResponse(file))

    return Starlette(
        routes=[
            *(file_route(path, file) for path, file in files.items()),
            Route("/configuration.json", lambda _: JSONResponse(configuration)),
        ]
    )


@dataclass(frozen=True)
class Board:
    """The single-page application in a browser, and what it talks to."""

    clock: FakeClock
    page: Page
    requests: list[Request]

    def press(self, button: str) -> None:
        """Press a button of the application."""
        self.page.get_by_role("button", name=button, exact=True).click()

    def outcome(self) -> Any:
        """What came of it, as soon as it is there."""
        shown = self.page.locator("#outcome:not(:empty)")
        return json.loads(shown.text_content() or "")

    def sign_in(self) -> Any:
        """Ada signs in by redirect."""
        self.press("Sign in")
        choose_ada(self.page)
        return self.outcome()

    def lose_access_token(self) -> None:
        """As if it had expired."""
        self.page.evaluate(
            """Object.keys(sessionStorage).filter((key) => key.includes("|accesstoken|"))
                .forEach((key) => sessionStorage.removeItem(key))"""
        )

    def forget(self) -> None:
        """Open the page anew, as one that was never here."""
        self.page.evaluate("sessionStorage.clear()")
        self.page.reload()
        assert self.outcome() == {"username": None}

    def redemptions(self) -> list[Request]:
        """What the browser sent to the token endpoint."""
        return [r for r in self.requests if urlsplit(r.url).path.endswith("/oauth2/v2.0/token")]


def choose_ada(page: Page) -> None:
    """Sign in at the emulator's page."""
    page.get_by_role("button", name="Ada Admin").click()


OpenBrowser = Callable[[], AbstractContextManager[BrowserContext]]
OpenBoard = Callable[[Platform], AbstractContextManager[Board]]


@pytest.fixture(scope="module")
def packages() -> Path:
    """The folder of the npm packages."""
    return npm.install()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """What drives Chromium."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture
def third_party_cookies() -> bool:
    """Whether a frame of another site has its cookies; Debian's Chromium says no unless it is told."""
    return True


@pytest.fixture
def open_browser(playwright: Playwright, tmp_path: Path, third_party_cookies: bool) -> OpenBrowser:
    """Opens Chromium without a past, which takes the emulator's certificate."""
    blocked = not third_party_cookies
    cookies = {"block_third_party_cookies": blocked, "cookie_controls_mode": int(blocked)}
    preferences = tmp_path / "chromium/Default/Preferences"
    preferences.parent.mkdir(parents=True)
    preferences.write_text(json.dumps({"profile": cookies}))

    @contextmanager
    def open_profile() -> Iterator[BrowserContext]:
        with playwright.chromium.launch_persistent_context(
            tmp_path / "chromium",
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
            ignore_https_errors=True,
        ) as context:
            context.set_default_timeout(1000 * PATIENCE)
            yield context

    return open_profile


@pytest.fixture
def open_board(packages: Path, open_browser: OpenBrowser) -> OpenBoard:
    """Opens the application; three servers of three origins, as it is in real life."""

    @contextmanager
    def open_registered_as(platform: Platform) -> Iterator[Board]:
        clock = FakeClock()
        emulator = EntraEmulator(directory=directory_with_board(platform), clock=clock.time)
        configuration: dict[str, str] = {}
        with emulator.serve(tls=True) as entra, serving(pages(packages, configuration)) as address:
            origin = address.replace("127.0.0.1", "localhost")
            with serving(api_of(emulator, origin, clock)) as api, open_browser() as browser:
                configuration |= {
                    "clientId": BOARD,
                    "authority": f"{entra}/{emulator.tenant.id}",
                    "scope": SCOPE,
                    "api": f"{api}/me",
                }
                requests: list[Request] = []

                def note(request: Request) -> None:
                    requests.append(request)

                browser.on("request", note)
                page = browser.new_page()
                page.goto(f"{origin}/board")
                board = Board(clock, page, requests)
                assert board.outcome() == {"username": None}
                yield board

    return open_registered_as


@pytest.fixture
def board(open_board: OpenBoard) -> Iterator[Board]:
    """The application with a right registration, before anybody signed in."""
    with open_board("spa") as board:
        yield board


def test_a_single_page_application_signs_in_and_calls_an_api(board: Board) -> None:
    """MSAL.js takes the answer of the redirect, and the API takes the token; nobody else is asked."""
    signed_in = board.sign_in()
    assert signed_in["username"] == "ada@contoso.example"
    assert SCOPE in signed_in["scopes"]
    assert signed_in["idTokenClaims"]["aud"] == BOARD
    board.press("Call the API")
    body = {"name": "Ada Admin", "client": BOARD, "roles": ["Operate.Admin"]}
    assert board.outcome() == {"fromCache": True, "status": 200, "body": body}
    (redeemed,) = board.redemptions()
    form = parse_qs(redeemed.post_data or "")
    assert form["grant_type"] == ["authorization_code"]
    assert "code_verifier" in form
    assert {urlsplit(request.url).hostname for request in board.requests} == {"127.0.0.1", "localhost"}


def test_a_lost_access_token_is_renewed_across_origins(board: Board) -> None:
    """Without an access token, MSAL.js sends the refresh token, and the person notices nothing."""
    board.sign_in()
    board.lose_access_token()
    board.press("Call the API")
    assert board.outcome()["fromCache"] is False
    assert board.outcome()["status"] == 200
    grants = [parse_qs(request.post_data or "")["grant_type"] for request in board.redemptions()]
    assert grants == [["authorization_code"], ["refresh_token"]]
    assert board.redemptions()[1].all_headers()["origin"] == board.page.evaluate("location.origin")
    board.press("Call the API")
    assert board.outcome()["fromCache"] is True


def test_a_popup_signs_in(board: Board) -> None:
    """The popup hands the answer to the page that opened it, and closes."""
    with board.page.expect_popup() as opened:
        board.press("Sign in in a popup")
    with opened.value.expect_event("close"):
        choose_ada(opened.value)
    assert board.outcome()["username"] == "ada@contoso.example"


def test_who_is_signed_in_at_entra_signs_in_silently(board: Board) -> None:
    """A hidden frame with ``prompt=none`` uses the session at Entra once the page forgot everything."""
    board.sign_in()
    board.forget()
    board.press("Sign in silently")
    assert board.outcome()["username"] == "ada@contoso.example"
    assert "prompt=none" in [r.url for r in board.requests if "/oauth2/v2.0/authorize" in r.url][-1]


def test_a_refresh_token_of_a_day_ago_gives_way_to_the_session(board: Board) -> None:
    """After 24 hours it is refused (AADSTS700084), and MSAL.js asks in a hidden frame for another one."""
    board.sign_in()
    board.lose_access_token()
    board.clock.advance(24 * 3600 + 1)
    board.press("Call the API")
    assert board.outcome()["status"] == 200
    _, refused, redeemed = board.redemptions()
    answer = refused.response()
    assert answer
    assert answer.json()["error_codes"] == [700084]
    assert parse_qs(redeemed.post_data or "")["grant_type"] == ["authorization_code"]


@pytest.mark.parametrize("third_party_cookies", [False])
def test_blocked_cookies_hide_the_session(board: Board) -> None:
    """A browser that gives frames of other sites no cookies signs in by redirect, but not silently."""
    board.sign_in()
    board.forget()
    board.press("Sign in silently")
    assert board.outcome()["error"] == "login_required"


def test_silent_sign_in_needs_a_session(board: Board) -> None:
    """The hidden frame of a browser in which nobody signed in gets ``login_required``, not a page."""
    board.press("Sign in silently")
    assert board.outcome()["error"] == "login_required"
    assert "AADSTS50058" in board.outcome()["message"]


def test_signing_out_ends_the_session_at_entra_too(board: Board) -> None:
    """After the way over Entra's sign-out, neither the page nor Entra knows who was there."""
    board.sign_in()
    board.press("Sign out")
    board.page.wait_for_url("**/board?state=*")
    assert board.outcome() == {"username": None}
    board.press("Sign in silently")
    assert board.outcome()["error"] == "login_required"


def test_a_registration_as_web_fails_in_the_browser(open_board: OpenBoard) -> None:
    """A page whose redirect URI stands under the platform Web reads Entra's own words on that."""
    with open_board("web") as board:
        outcome = board.sign_in()
        assert outcome["error"] == "invalid_request"
        assert "AADSTS9002326" in outcome["message"]


@pytest.fixture
def emulator() -> Iterator[EntraEmulator]:
    """The default directory behind TLS."""
    emulator = EntraEmulator()
    with emulator.serve(tls=True):
        yield emulator


def confidential_client(emulator: EntraEmulator, method: str, auth: dict[str, str], request: Any) -> Any:
    """What a method of MSAL Node's client gives; each call is a process of its own, without a memory."""
    authority = f"{emulator.base_url}/{emulator.tenant.id}"
    known = {"authority": authority, "knownAuthorities": [urlsplit(authority).netloc]}
    done = subprocess.run(
        ["node", "confidential_client.mjs"],
        input=json.dumps({"auth": auth | known, "method": method, "request": request}),
        env=os.environ | {"NODE_EXTRA_CA_CERTS": str(emulator.ca_file)},
        cwd=npm.FOLDER,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=2 * PATIENCE,
    )
    return json.loads(done.stdout)


def call(emulator: EntraEmulator, path: str, token: str) -> httpx.Response:
    """The answer of an API that trusts the emulator."""
    with serving(api_of(emulator, "http://localhost")) as api:
        return httpx.get(f"{api}{path}", headers={"Authorization": f"Bearer {token}"})


def test_msal_node_gets_a_token_for_a_job(packages: Path, emulator: EntraEmulator) -> None:
    """With a client secret and ``.default``; the API finds the role that was granted."""
    billing = {"clientId": BILLING, "clientSecret": BILLING_SECRET}
    request = {"scopes": [f"api://{OPERATE}/.default"]}
    outcome = confidential_client(emulator, "acquireTokenByClientCredential", billing, request)
    answer = call(emulator, "/job", outcome["result"]["accessToken"])
    assert answer.json() == {"is_app": True, "client": BILLING}


def test_msal_node_is_told_that_the_secret_is_wrong(packages: Path, emulator: EntraEmulator) -> None:
    """With the code that people search for, and never with the secret."""
    billing = {"clientId": BILLING, "clientSecret": "of-last-year"}
    request = {"scopes": [f"api://{OPERATE}/.default"]}
    outcome = confidential_client(emulator, "acquireTokenByClientCredential", billing, request)
    assert outcome["error"] == "invalid_client"
    assert "AADSTS7000215" in outcome["message"]
    assert "of-last-year" not in outcome["message"]


def test_msal_node_signs_a_person_in(
    packages: Path, emulator: EntraEmulator, open_browser: OpenBrowser
) -> None:
    """Its authorization URL, a browser, and its redemption with PKCE and the secret of a web application."""
    operate = {"clientId": OPERATE, "clientSecret": OPERATE_SECRET}
    verifier = secrets.token_urlsafe(32)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    request = {"scopes": [SCOPE], "redirectUri": CALLBACK}
    proof = {"codeChallenge": challenge, "codeChallengeMethod": "S256"}
    address = confidential_client(emulator, "getAuthCodeUrl", operate, request | proof)["result"]
    with open_browser() as browser:
        page = browser.new_page()
        page.route(f"{CALLBACK}*", lambda route: route.fulfill(body="signed in"))
        page.goto(address)
        choose_ada(page)
        page.get_by_text("signed in").wait_for()
        (code,) = parse_qs(urlsplit(page.url).query)["code"]
    answer = {"code": code, "codeVerifier": verifier}
    result = confidential_client(emulator, "acquireTokenByCode", operate, request | answer)["result"]
    assert result["account"]["username"] == "ada@contoso.example"
    assert call(emulator, "/me", result["accessToken"]).json()["name"] == "Ada Admin"
    outcome = confidential_client(
        emulator, "acquireTokenByCode", operate, request | {"code": code, "codeVerifier": "x" * 43}
    )
    assert outcome["error"] == "invalid_grant"
