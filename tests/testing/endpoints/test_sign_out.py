"""Sign-out with several sessions and applications, and after registrations changed."""

import re

import httpx2
import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE, UNRELATED
from tests.testing.browsing import Browser, change_application
from tests.testing.conftest import WEB, Client

OTHER = "https://other.example/callback"


async def sign_out(client: Client, form: dict[str, str] | None = None, **query: str) -> httpx2.Response:
    """An application sends a person to sign out, or the person presses a button on the page."""
    address = f"/{client.tenant}/oauth2/v2.0/logout"
    if form is None:
        return await client.http.get(address, params=query)
    return await client.http.post(address, params=query, data=form)


async def visit_other(client: Client) -> None:
    """The signed-in user uses the other application, too."""
    scope = f"{UNRELATED}/access_as_user"
    await Browser(client).arrive(client_id=UNRELATED, redirect_uri=OTHER, scope=scope)


async def sign_in_two(client: Client) -> Browser:
    """Ada and Ben share a browser."""
    browser = Browser(client)
    await browser.arrive("Ada Admin", prompt="select_account")
    await browser.arrive("Ben Reader", prompt="select_account")
    return browser


def buttons_of(page: str) -> list[str]:
    """The values of the page's buttons."""
    return re.findall(r'name="user" value="([^"]+)"', page)


def calls_of(page: str) -> list[str]:
    """Which addresses frames call, without their queries."""
    return re.findall(r'<iframe src="([^"?]+)\?sid=[^"&]+"', page)


@pytest.fixture
def other(emulator: EntraEmulator) -> str:
    """Another application with a sign-in and a sign-out of its own; gives the address of the latter."""
    address = "https://other.example:8443/out"
    change_application(emulator, UNRELATED, redirect_uris={OTHER: "web"}, logout_url=address)
    return address


async def test_every_application_of_the_session_is_called(
    emulator: EntraEmulator, client: Client, other: str
) -> None:
    """Each with the same session ID; the page may frame their origins and no others."""
    await Browser(client).arrive("Ada Admin")
    await visit_other(client)
    page = await sign_out(client, post_logout_redirect_uri=OTHER)
    assert calls_of(page.text) == [emulator.application.logout_url, other]
    assert len(set(re.findall(r"sid=([^\"&]+)\"", page.text))) == 1
    policy = page.headers["content-security-policy"]
    assert "frame-src http://localhost:8000 https://other.example:8443;" in policy
    assert f'href="{OTHER}"' in page.text


@pytest.mark.usefixtures("other")
async def test_applications_that_were_not_used_are_not_called(
    emulator: EntraEmulator, client: Client
) -> None:
    """Nor are their addresses a way back for who did not come from them."""
    await Browser(client).arrive("Ada Admin")
    page = (await sign_out(client, post_logout_redirect_uri=OTHER)).text
    assert calls_of(page) == [emulator.application.logout_url]
    assert "other.example" not in page
    assert "Close this page" in page


async def test_without_anything_to_call_the_way_back_is_direct(
    emulator: EntraEmulator, client: Client
) -> None:
    """No page in between; the session is over all the same, and a hint of libraries is ignored."""
    change_application(emulator, OPERATE, logout_url=None)
    browser = Browser(client)
    await browser.arrive("Ada Admin")
    back = await sign_out(client, post_logout_redirect_uri=WEB, state="x&y", id_token_hint="whatever")
    assert (back.status_code, back.headers["location"]) == (302, f"{WEB}?state=x%26y")
    assert (await browser.arrive(prompt="none"))["error"] == "login_required"


async def test_registrations_count_as_they_are_at_sign_out(emulator: EntraEmulator, client: Client) -> None:
    """Addresses that were put right since the sign-in are good at once, and old ones are forgotten."""
    await Browser(client).arrive("Ada Admin")
    change_application(
        emulator, OPERATE, logout_url="https://new.example/out", redirect_uris={"https://new.example/": "web"}
    )
    page = (await sign_out(client, post_logout_redirect_uri="https://new.example/")).text
    assert calls_of(page) == ["https://new.example/out"]
    assert 'href="https://new.example/"' in page
    await Browser(client).arrive("Ada Admin", redirect_uri="https://new.example/")
    assert WEB not in (await sign_out(client, post_logout_redirect_uri=WEB)).text


async def test_a_button_of_an_ended_session_ends_no_other(client: Client) -> None:
    """Pressed twice, or in a second tab, it does not end the other session."""
    browser = await sign_in_two(client)
    ada, ben, _ = buttons_of((await sign_out(client)).text)
    assert "Ada Admin signed out" in (await sign_out(client, {"user": ada})).text
    again = (await sign_out(client, {"user": ada})).text
    assert "Who signs out?" in again
    assert buttons_of(again) == [ben, "everybody"]
    assert "code" in await browser.arrive(prompt="none")
    assert "Ben Reader signed out" in (await sign_out(client, {"user": ben})).text
    assert "Nobody was signed in" in (await sign_out(client, {"user": ben})).text


async def test_the_sign_out_page_redirects_to_the_application(client: Client) -> None:
    """The parameters of the request are kept by the page between."""
    await sign_in_two(client)
    page = await sign_out(client, post_logout_redirect_uri=WEB, state="s")
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', page.text))
    assert hidden == {"post_logout_redirect_uri": WEB, "state": "s"}
    gone = await sign_out(client, hidden | {"user": buttons_of(page.text)[1]})
    assert f'href="{WEB}?state=s"' in gone.text
    assert "Ben Reader signed out" in gone.text


async def test_a_hint_leaves_the_others_signed_in(client: Client) -> None:
    """A hint that matches no session does not choose among several."""
    browser = await sign_in_two(client)
    assert "Who signs out?" in (await sign_out(client, logout_hint="eve@contoso.example")).text
    assert "Ben Reader signed out" in (await sign_out(client, logout_hint="BEN@contoso.example")).text
    assert "code" in await browser.arrive(prompt="none", login_hint="ada@contoso.example")
    assert (await browser.arrive(prompt="none", login_hint="ben@contoso.example"))[
        "error"
    ] == "login_required"


async def test_parameters_twice_are_refused_on_the_page(client: Client) -> None:
    """An ambiguous request signs no user out."""
    browser = Browser(client)
    await browser.arrive("Ada Admin")
    page = await client.http.get(f"/{client.tenant}/oauth2/v2.0/logout?state=a&state=b")
    assert "AADSTS9000411" in page.text
    assert "code" in await browser.arrive(prompt="none")
