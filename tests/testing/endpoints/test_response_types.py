"""Codes and tokens from the authorization endpoint, and the ways they travel."""

import base64
import hashlib
from typing import Any

import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE
from tests.e2e.browser_less import Page
from tests.testing.browsing import Browser, change_application, claims_of, code_of
from tests.testing.conftest import SPA, WEB, Client

ADA = "Ada Admin"


@pytest.fixture
def browser(client: Client, emulator: EntraEmulator) -> Browser:
    """A browser, and an application for which all response types are enabled."""
    change_application(emulator, OPERATE, id_token_issuance=True, access_token_issuance=True)
    return Browser(client)


def half_hash(value: str) -> str:
    """The left half of SHA-256, as OpenID Connect Core, 3.3.2.11 has it."""
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode("ascii")).digest()[:16]).decode().rstrip("=")


ANSWERS = [
    ("code", ["code", "state", "session_state"]),
    ("id_token", ["id_token", "state", "session_state"]),
    ("code id_token", ["code", "id_token", "state", "session_state"]),
    ("id_token code", ["code", "id_token", "state", "session_state"]),
    (
        "id_token token",
        ["access_token", "token_type", "expires_in", "scope", "id_token", "state", "session_state"],
    ),
    ("token", ["access_token", "token_type", "expires_in", "scope", "state", "session_state"]),
]


@pytest.mark.parametrize(("response_type", "members"), ANSWERS)
async def test_each_response_type_has_its_members(
    browser: Browser, response_type: str, members: list[str]
) -> None:
    """Words of a response type come in any order; what was not asked for is not there."""
    assert list(await browser.arrive(ADA, response_type=response_type)) == members


@pytest.mark.parametrize(("response_type", "members"), ANSWERS[1:])
async def test_tokens_come_in_the_fragment(browser: Browser, response_type: str, members: list[str]) -> None:
    """No server's log has them, unless a form posts them."""
    await browser.arrive(ADA, response_type=response_type)
    assert browser.response.headers["location"].startswith(f"{WEB}#")
    posted = await browser.arrive(response_type=response_type, response_mode="form_post")
    assert list(posted) == members
    assert "location" not in browser.response.headers
    assert Page(browser.response.text).forms[0].action == WEB


@pytest.mark.parametrize("response_type", [kind for kind, _ in ANSWERS[1:]])
async def test_tokens_do_not_come_in_the_query(browser: Browser, response_type: str) -> None:
    """``response_mode=query`` is for codes alone."""
    answer = await browser.arrive(response_type=response_type, response_mode="query")
    assert (answer["error"], code_of(answer["error_description"])) == ("invalid_request", 70007)


async def test_errors_travel_as_the_tokens_would(browser: Browser) -> None:
    """An application that reads the fragment finds the error there, too."""
    await browser.arrive(response_type="id_token", prompt="none")
    assert browser.response.headers["location"].startswith(f"{WEB}#error=login_required&")
    posted = await browser.arrive(response_type="code", prompt="none", response_mode="form_post")
    assert list(posted) == ["error", "error_description", "error_uri", "state"]


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
async def test_who_turns_away_is_told_without_words(browser: Browser, mode: str) -> None:
    """``error_subcode=cancel``, and no description, however the answer travels."""
    answer = await browser.arrive("Cancel", response_mode=mode)
    assert answer == {"error": "access_denied", "error_subcode": "cancel", "state": "a state"}


@pytest.mark.parametrize("response_type", [kind for kind, _ in ANSWERS if "id_token" in kind])
async def test_id_tokens_need_a_nonce(browser: Browser, response_type: str) -> None:
    """Else anybody's ID token would do (OpenID Connect Core, 3.2.2.1)."""
    answer = await browser.arrive(response_type=response_type, nonce=None)
    assert (answer["error"], code_of(answer["error_description"])) == ("invalid_request", 900144)
    assert "'nonce'" in answer["error_description"]


async def test_the_id_token_beside_a_code_is_bound_to_it(browser: Browser) -> None:
    """``c_hash`` is the code's; nonce and session are those of the request and the answer."""
    answer = await browser.arrive(ADA, response_type="code id_token")
    claims = claims_of(answer["id_token"])
    assert claims["c_hash"] == half_hash(answer["code"])
    assert "at_hash" not in claims
    assert (claims["nonce"], claims["sid"]) == ("n0nce", answer["session_state"])
    redeemed = (await browser.client.redeem_code(code=answer["code"])).json()
    assert not {"c_hash", "at_hash"} & claims_of(redeemed["id_token"]).keys()


async def test_the_id_token_beside_an_access_token_is_bound_to_it(browser: Browser) -> None:
    """``at_hash`` is the access token's; the client proved nothing, and the token says so."""
    answer = await browser.arrive(ADA, response_type="id_token token")
    identity, access = claims_of(answer["id_token"]), claims_of(answer["access_token"])
    assert identity["at_hash"] == half_hash(answer["access_token"])
    assert "c_hash" not in identity
    assert (access["aud"], access["azpacr"], access["name"]) == (OPERATE, "0", ADA)
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", "3599")
    assert f"{OPERATE}/Incidents.Read" in answer["scope"].split()
    assert "Incidents.Read" in access["scp"].split()


async def test_an_id_token_alone_is_bound_to_nothing(browser: Browser) -> None:
    """There is neither a code nor an access token beside it."""
    claims = claims_of((await browser.arrive(ADA, response_type="id_token"))["id_token"])
    assert not {"c_hash", "at_hash"} & claims.keys()
    assert (claims["aud"], claims["name"]) == (OPERATE, ADA)


@pytest.mark.parametrize(
    ("enabled", "response_type", "word"),
    [
        ({"id_token_issuance": True}, "id_token token", "'token'"),
        ({"access_token_issuance": True}, "id_token token", "'id_token'"),
        ({}, "code id_token", "'id_token'"),
        ({}, "token", "'token'"),
    ],
)
async def test_what_is_not_enabled_is_refused(
    client: Client, emulator: EntraEmulator, enabled: dict[str, Any], response_type: str, word: str
) -> None:
    """The registration enables ID tokens and access tokens one by one; the message says which it is."""
    change_application(emulator, OPERATE, **enabled)
    answer = await Browser(client).arrive(response_type=response_type)
    assert (answer["error"], code_of(answer["error_description"])) == ("unsupported_response_type", 700054)
    assert word in answer["error_description"]


async def test_a_redirect_uri_without_a_path_gets_one(browser: Browser, emulator: EntraEmulator) -> None:
    """Entra adds the slash in query and fragment, and leaves a form's address as it is."""
    bare = "https://app.example"
    change_application(emulator, OPERATE, redirect_uris={bare: "web"})
    await browser.arrive(ADA, redirect_uri=bare)
    assert browser.response.headers["location"].startswith(f"{bare}/?code=")
    await browser.arrive(redirect_uri=bare, response_type="id_token")
    assert browser.response.headers["location"].startswith(f"{bare}/#id_token=")
    await browser.arrive(redirect_uri=bare, response_mode="form_post")
    assert Page(browser.response.text).forms[0].action == bare


async def test_a_single_page_application_gets_tokens_without_a_code(browser: Browser) -> None:
    """The code challenge is asked for all the same, as by Entra."""
    answer = await browser.arrive(redirect_uri=SPA, response_type="id_token token")
    assert code_of(answer["error_description"]) == 9002325
