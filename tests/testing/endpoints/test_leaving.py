"""Signing out, and an administrator's consent for everybody."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE, UNRELATED
from camunda_entra_fastapi.testing.tokens.optional_claims import login_hint_of
from tests.testing.browsing import Browser, change_application, change_user
from tests.testing.conftest import WEB, Client

ANSWER = f"{WEB}?"


async def sign_out(client: Client, method: str = "GET", **parameters: str) -> httpx2.Response:
    """An application sends a person to sign out."""
    address = f"/{client.tenant}/oauth2/v2.0/logout"
    if method == "POST":
        return await client.http.post(address, data=parameters)
    return await client.http.get(address, params=parameters)


def frames_in(page: str) -> list[str]:
    """The frames that a page loads."""
    return re.findall(r'<iframe src="([^"]+)"', page)


async def test_nobody_signs_out_of_nothing(client: Client) -> None:
    """The page says so, and an address that is registered is good all the same."""
    assert "Nobody was signed in" in (await sign_out(client)).text
    back = await sign_out(client, post_logout_redirect_uri=WEB, state="a b")
    assert (back.status_code, back.headers["location"]) == (302, f"{WEB}?state=a+b")
    elsewhere = await sign_out(client, post_logout_redirect_uri="https://evil.example/")
    assert (elsewhere.status_code, "evil" in elsewhere.text) == (200, False)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_session_is_over_and_the_application_told(
    emulator: EntraEmulator, client: Client, method: str
) -> None:
    """A frame carries the session's ID and nothing else; then the page redirects."""
    browser = Browser(client)
    session = (await browser.arrive("Ada Admin"))["session_state"]
    page = await sign_out(client, method, post_logout_redirect_uri=WEB)
    (frame,) = frames_in(page.text)
    assert frame == f"{emulator.application.logout_url}?sid={session}"
    assert "frame-src http://localhost:8000;" in page.headers["content-security-policy"]
    assert f'href="{WEB}"' in page.text
    assert "Ada Admin signed out" in page.text
    assert (await browser.arrive(prompt="none"))["error"] == "login_required"


async def test_a_page_without_a_way_back_stays(emulator: EntraEmulator, client: Client) -> None:
    """An address that the application did not register leads nowhere; a query in the logout URL is kept."""
    change_application(emulator, OPERATE, logout_url="https://operate.example/out?a=1")
    await Browser(client).arrive("Ada Admin")
    page = (await sign_out(client, post_logout_redirect_uri="https://evil.example/")).text
    assert "Close this page" in page
    assert "evil" not in page
    assert frames_in(page)[0].startswith("https://operate.example/out?a=1&amp;sid=")


async def test_who_leaves_of_several_is_asked(client: Client) -> None:
    """One of them, or everybody; who stays is still signed in."""
    browser = Browser(client)
    await browser.arrive("Ada Admin", prompt="select_account")
    await browser.arrive("Ben Reader", prompt="select_account")
    page = await sign_out(client, post_logout_redirect_uri=WEB)
    assert "Who signs out?" in page.text
    assert f'name="post_logout_redirect_uri" value="{WEB}"' in page.text
    ada, everybody = re.findall(r'name="user" value="([^"]+)"', page.text)[::2]
    assert everybody == "everybody"
    assert "Ada Admin signed out" in (await sign_out(client, "POST", user=ada)).text
    assert "code" in await browser.arrive(prompt="none")
    await browser.arrive("Ada Admin", prompt="select_account")
    assert len(frames_in((await sign_out(client, "POST", user="everybody")).text)) == 2


@pytest.mark.parametrize("by", ["the claim", "the user name"])
async def test_a_hint_says_who_leaves(emulator: EntraEmulator, client: Client, by: str) -> None:
    """A hint names the session, so that no page is shown."""
    browser = Browser(client)
    await browser.arrive("Ada Admin", prompt="select_account")
    await browser.arrive("Ben Reader", prompt="select_account")
    ben = emulator.tenant.user("Ben Reader")
    assert ben
    hint = login_hint_of(ben) if by == "the claim" else ben.username
    assert "Ben Reader signed out" in (await sign_out(client, logout_hint=hint)).text


async def test_a_sign_out_somewhere_else(client: Client) -> None:
    """A tenant that is not there has its page."""
    client.tenant = "nowhere.example"
    assert "AADSTS90002" in (await sign_out(client)).text


async def consent(client: Client, form: dict[str, str] | None = None, **changes: Any) -> httpx2.Response:
    """An application asks an administrator; None leaves a parameter out."""
    v1 = changes.pop("v1", False)
    query = {"client_id": OPERATE, "redirect_uri": WEB, "state": "s"}
    query |= {} if v1 else {"scope": f"openid {OPERATE}/.default"}
    parameters = {name: value for name, value in (query | changes).items() if value is not None}
    address = f"/{client.tenant}/{'' if v1 else 'v2.0/'}adminconsent"
    if form is None:
        return await client.http.get(address, params=parameters)
    return await client.http.post(address, params=parameters, data=form)


def answer_of(response: httpx2.Response) -> dict[str, str]:
    """The response to the redirect URI."""
    assert response.headers["location"].startswith(ANSWER)
    query = urlsplit(response.headers["location"]).query
    return {name: values[0] for name, values in parse_qs(query).items()}


@pytest.fixture
def asking(emulator: EntraEmulator) -> None:
    """A client without any consent, which lists a permission of another application."""
    change_application(
        emulator, OPERATE, admin_consent=False, permissions={UNRELATED: ("access_as_user",), OPERATE: ()}
    )


@pytest.mark.usefixtures("asking")
async def test_an_administrator_consents_for_everybody(emulator: EntraEmulator, client: Client) -> None:
    """No user sees a consent page afterwards."""
    scope = f"openid profile email offline_access {UNRELATED}/access_as_user"
    browser = Browser(client)
    await browser.open(scope=scope)
    assert "asks for your consent" in await browser.press("Ben Reader")
    page = (await consent(client, scope=scope)).text
    assert "Ada Admin" in page
    assert "Ben Reader" not in page
    granted = await consent(client, {"user": "Ada Admin", "consent": "granted"}, scope=scope)
    assert answer_of(granted) == {
        "admin_consent": "True",
        "tenant": emulator.tenant.id,
        "scope": scope,
        "state": "s",
    }
    client.http.cookies.clear()
    assert "code" in await browser.arrive("Ben Reader", scope=scope)


@pytest.mark.usefixtures("asking")
async def test_version_1_asks_for_all_that_is_listed(emulator: EntraEmulator, client: Client) -> None:
    """The response has no scope, and no state if none was sent."""
    assert "access_as_user" in (await consent(client, v1=True)).text
    granted = await consent(client, {"user": "Ada Admin", "consent": "granted"}, v1=True, state=None)
    assert answer_of(granted) == {"admin_consent": "True", "tenant": emulator.tenant.id}
    scope = f"{UNRELATED}/access_as_user"
    assert "code" in await Browser(client).arrive("Ben Reader", scope=scope)


async def test_application_permissions_are_named(emulator: EntraEmulator, client: Client) -> None:
    """They need an administrator more than all others."""
    change_application(emulator, BILLING, redirect_uris={WEB: "web"})
    page = (await consent(client, client_id=BILLING)).text
    assert "without a person" in page
    assert "Incidents.Read.All" in page
    assert "By itself, in Operate" in page


async def test_an_administrator_declines(client: Client) -> None:
    """``admin_consent=True`` is there all the same, as at Entra."""
    declined = answer_of(await consent(client, {"user": "Ada Admin", "consent": "refused"}))
    assert (declined["admin_consent"], declined["error"], declined["state"]) == (
        "True",
        "consent_required",
        "s",
    )
    assert declined["error_description"].startswith("AADSTS65004: ")
    v1 = answer_of(await consent(client, {"user": "Ada Admin", "consent": "refused"}, v1=True))
    assert v1["error"] == "permission_denied"


async def test_others_than_administrators_cannot(emulator: EntraEmulator, client: Client) -> None:
    """A posted form does not make an administrator; a directory without one says what is missing."""
    refused = await consent(client, {"user": "Ben Reader", "consent": "granted"})
    assert "AADSTS90094" in refused.text
    change_user(emulator, "Ada Admin", administrator=False)
    assert "administrator: true" in (await consent(client)).text


async def test_errors_of_the_request_stay_on_the_page(client: Client) -> None:
    """The redirect URI gets no response."""
    assert "AADSTS50011" in (await consent(client, redirect_uri="https://evil.example/")).text
    assert "AADSTS900144" in (await consent(client, scope=None)).text
