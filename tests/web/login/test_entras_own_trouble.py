"""Trouble of Entra's own is nobody's 4xx, whatever OAuth error comes with it; B2C's codes on pages."""

from typing import Annotated, Final

import httpx
import pytest
from fastapi import Depends

from camunda_entra_fastapi.errors import Refusal
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import UNRELATED
from camunda_entra_fastapi.web.pages import Action, Page, texts
from tests.site import HOME, MakeSite, Site, code_of, query_of

RETRY: Final = "/auth/login"
TROUBLE: Final = pytest.mark.parametrize(
    ("number", "status", "code"),
    [(90033, 502, "entra_failed"), (50000, 502, "entra_failed"), (90055, 503, "entra_throttled")],
)


def saying(number: int) -> dict[str, object]:
    """A refusal with an error that is otherwise the person's business."""
    return {"error": "invalid_grant", "error_codes": [number], "error_description": f"AADSTS{number}: x"}


@TROUBLE
async def test_at_the_callback(site: Site, number: int, status: int, code: str) -> None:
    """Entra brings the browser back with it."""
    browser = site.browser()
    state = query_of(await browser.depart())["state"]
    query = {"error": "access_denied", "error_description": f"AADSTS{number}: x", "state": state}
    answer = await browser.http.get("/auth/login-callback", params=query)
    assert (answer.status_code, code_of(answer)) == (status, code)
    assert "retry-after" in answer.headers


@TROUBLE
async def test_when_a_code_is_redeemed(site: Site, number: int, status: int, code: str) -> None:
    """The person is not told to sign in again as if something were wrong with the sign-in."""
    browser = site.browser()
    back = await browser.come_back()
    site.wire.answer("/token", 400, json=saying(number))
    answer = await browser.http.get(back)
    assert (answer.status_code, code_of(answer)) == (status, code)


@TROUBLE
async def test_when_an_administrator_consents(site: Site, number: int, status: int, code: str) -> None:
    """Nobody has declined."""
    browser = site.browser()
    state = query_of((await browser.open("/auth/admin-consent")).headers["location"])["state"]
    query = {"error": "access_denied", "error_description": f"AADSTS{number}: x", "state": state}
    answer = await browser.http.get("/auth/admin-consent-callback", params=query)
    assert (answer.status_code, code_of(answer)) == (status, code)


@TROUBLE
async def test_when_swagger_ui_redeems(site: Site, number: int, status: int, code: str) -> None:
    """Other refusals are handed through with Entra's own status."""
    site.wire.answer("/token", 400, json=saying(number))
    form = {
        "grant_type": "authorization_code",
        "code": "c",
        "code_verifier": "v" * 43,
        "redirect_uri": f"{HOME}/docs/oauth2-redirect",
    }
    headers = {"Sec-Fetch-Site": "same-origin"}
    answer = await site.browser().http.post("/auth/token", data=form, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "retry-after" in answer.headers


@TROUBLE
async def test_when_a_session_is_renewed(site: Site, number: int, status: int, code: str) -> None:
    """The session is there when Entra is back."""
    browser = await site.browser().signed_in()
    site.wire.answer("/token", 400, json=saying(number))
    site.clock.advance(7200)
    answer = await browser.http.get("/api")
    assert (answer.status_code, code_of(answer)) == (status, code)
    site.wire.heal()
    assert await browser.status() == 200


@TROUBLE
async def test_when_a_token_is_exchanged(
    make_site: MakeSite, emulator: EntraEmulator, number: int, status: int, code: str
) -> None:
    """The caller's token is not called expired, nor the session over."""
    site = make_site()
    auth = site.entra.on_behalf_of(f"{UNRELATED}/access_as_user")

    @site.app.get("/calls-on")
    async def calls_on(_: Annotated[httpx.Auth, Depends(auth)]) -> None:
        """Never reached."""

    headers = {"Authorization": f"Bearer {emulator.token(scopes=['access_as_user'])}"}
    site.wire.answer("/token", 400, json=saying(number))
    answer = await site.browser().http.get("/calls-on", headers=headers)
    assert (answer.status_code, code_of(answer)) == (status, code)


def b2c_page(number: int) -> Page:
    """The page for a code of B2C's (Learn: it comes with access_denied)."""
    refusal = Refusal("access_denied", aadb2c=number)
    return texts.sign_in_failed(refusal, "", retry_url=RETRY, admin_consent_url=None, client_id="c")


@pytest.mark.parametrize(
    ("number", "title"),
    [
        (90091, "Sign-in was cancelled"),
        (90118, "The password has to be reset"),
        (90111, "Sign-in did not work"),
    ],
)
def test_b2c_codes_have_pages_without_an_administrators_consent(number: int, title: str) -> None:
    """Cancelled is cancelled, and who forgot a password is told how to get another one."""
    page = b2c_page(number)
    assert (page.title, page.who, page.actions) == (title, None, (Action("Try again", RETRY),))
    assert ("Error", f"AADB2C{number}, access_denied") in page.facts


async def test_a_cancelled_b2c_sign_in_asks_nobody_for_consent(site: Site) -> None:
    """Programs are told the code under B2C's name."""
    browser = site.browser()
    state = query_of(await browser.depart())["state"]
    query = {"error": "access_denied", "error_description": "AADB2C90091: x", "state": state}
    answer = await browser.http.get("/auth/login-callback", params=query)
    assert (answer.status_code, code_of(answer)) == (400, "login_refused")
    assert answer.json()["detail"]["aadb2c"] == 90091
