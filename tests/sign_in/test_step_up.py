"""A route that wants a stronger sign-in: programs are told the claims, people are sent to sign in so."""

import base64
import json
import re
from html import unescape
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import Depends

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.sign_in.step_up import decode_claims, encode_claims
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE, OptionalClaims
from tests.site import ADA, COOKIE, HOME, PERSON, MakeSite, Site, code_of
from tests.testing.browsing import change_application

WANTED: Final = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}
STEP: Final = f"{COOKIE}_step"


@pytest.fixture
def site(make_site: MakeSite, emulator: EntraEmulator) -> Site:
    """A site with a page that wants the authentication context c1."""
    change_application(emulator, OPERATE, optional_claims=OptionalClaims(access_token=("acrs",)))
    return with_vault(make_site())


def with_vault(site: Site) -> Site:
    """The site, with that page."""

    @site.app.api_route("/vault", methods=["GET", "POST"])
    async def vault(user: Annotated[EntraUser, Depends(site.entra.require(auth_context="c1"))]) -> str:
        return user.name or ""

    return site


def claims_in(answer: httpx.Response) -> Any:
    """The claims of a challenge."""
    text = answer.headers["WWW-Authenticate"].partition('claims="')[2].partition('"')[0]
    return json.loads(base64.b64decode(text))


async def ask(site: Site, token: str, **headers: str) -> httpx.Response:
    """A program's request for the vault."""
    return await site.browser().http.get("/vault", headers={"Authorization": f"Bearer {token}"} | headers)


async def test_programs_are_told_what_to_ask_for(site: Site, emulator: EntraEmulator) -> None:
    """401 with the claims; also those that look like browsers. With the context they get through."""
    for acrs in ({}, {"acrs": ["c2", "c11"]}, {"acrs": "c1"}):
        for headers in ({}, PERSON):
            answer = await ask(site, emulator.token(**acrs), **headers)
            assert (answer.status_code, code_of(answer)) == (401, "insufficient_claims")
            assert 'error="insufficient_claims"' in answer.headers["WWW-Authenticate"]
            assert claims_in(answer) == WANTED
    assert (await ask(site, emulator.token(acrs=["c2", "c1"]))).status_code == 200


async def test_people_sign_in_once_more_and_get_through(site: Site) -> None:
    """Entra is asked for the context, and that we understand such claims; then the page is there."""
    browser = await site.browser().signed_in()
    answer = await browser.open("/vault?x=1")
    assert answer.status_code == 302
    there = urlsplit(answer.headers["location"])
    query = parse_qs(there.query)
    assert (there.path, query["return_to"]) == ("/auth/login", ["/vault?x=1"])
    departure = await browser.open(answer.headers["location"])
    sent = parse_qs(urlsplit(departure.headers["location"]).query)
    assert json.loads(sent["claims"][0]) == {
        "access_token": {"xms_cc": {"values": ["cp1"]}, **WANTED["access_token"]}
    }
    back = await browser.open(await browser.at_entra(departure.headers["location"], ADA))
    assert (back.status_code, back.headers["location"]) == (303, "/vault?x=1")
    assert (await browser.open("/vault?x=1")).json() == ADA
    assert STEP in browser.cookies


async def test_who_comes_back_without_it_is_not_sent_round_and_round(site: Site) -> None:
    """Whatever the reason: the refusal is told instead, for a minute."""
    browser = await site.browser().signed_in()
    for _ in range(2):
        answer = await browser.open("/vault")
        assert answer.status_code == 302
        address = httpx.URL((await browser.open(answer.headers["location"])).headers["location"])
        await browser.open(await browser.at_entra(str(address.copy_remove_param("claims")), ADA))
        answer = await browser.open("/vault")
        assert (answer.status_code, claims_in(answer)) == (401, WANTED)
        assert "A stronger sign-in is needed" in answer.text
        (again,) = re.findall(r'href="([^"]*)">Sign in again', answer.text)
        asked = await browser.open(unescape(again))
        assert "acrs" in asked.headers["location"]
        browser.http.cookies.delete(STEP)


async def test_a_programs_request_by_cookie_is_told_as_well(site: Site) -> None:
    """A page's script can do what the challenge says: open the login page."""
    browser = await site.browser().signed_in()
    answer = await browser.http.get("/vault")
    assert (answer.status_code, claims_in(answer)) == (401, WANTED)
    answer = await browser.http.post(
        "/vault", headers=PERSON | {"Sec-Fetch-Site": "same-origin", "Referer": f"{HOME}/form"}
    )
    assert answer.status_code == 303
    assert parse_qs(urlsplit(answer.headers["location"]).query)["return_to"] == ["/form"]


@pytest.mark.parametrize("claims", ["", "!", "bm8ganNvbg", "W10", "A" * 2049, "8J8", "e30&claims=e30"])
async def test_claims_that_are_none_change_nothing(site: Site, claims: str) -> None:
    """A link to the login page can ask for nothing else by them."""
    answer = await site.browser().open(f"/auth/login?claims={claims}")
    assert answer.status_code == 302
    assert "claims" not in parse_qs(urlsplit(answer.headers["location"]).query)
    browser = await site.browser().signed_in()
    assert STEP not in browser.cookies


def test_claims_stay_what_they_are() -> None:
    """Through the address and back."""
    assert json.loads(decode_claims(encode_claims(WANTED)) or "") == WANTED


async def test_claims_too_long_for_an_address_are_told(make_site: MakeSite, emulator: EntraEmulator) -> None:
    """As to programs."""
    site = make_site()

    @site.app.get("/on")
    async def on(_: Annotated[Any, Depends(site.entra.on_behalf_of(f"{OPERATE}/.default"))]) -> None: ...

    browser = await site.browser().signed_in()
    for length, status in ((100, 302), (3000, 401)):
        claims = json.dumps({"access_token": {"polids": {"values": ["x" * length]}}})
        said = {"error": "interaction_required", "error_codes": [50079], "claims": claims}
        site.wire.answer("/token", 400, json=said)
        assert (await browser.open("/on")).status_code == status


@pytest.mark.parametrize("context", ["", "c", "c0", "c100", "C1", "mfa"])
def test_a_context_that_none_has_is_told_at_start(emulator: EntraEmulator, context: str) -> None:
    """With what there is."""
    with pytest.raises(ValueError, match="c1 to c99"):
        CamundaEntra(emulator.settings()).require(auth_context=context)
