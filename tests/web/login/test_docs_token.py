"""The token URL of Swagger UI: for that page alone, and with the secret kept here."""

from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from camunda_entra_fastapi.testing.directory import OPERATE
from camunda_entra_fastapi.web.login.docs_token import MAX_FORM_BYTES
from tests.site import ADA, HOME, SECRET, Browser, MakeSite, Site

VERIFIER: Final = "v" * 43

REDIRECT: Final = f"{HOME}/docs/oauth2-redirect"
OURS: Final = {"Sec-Fetch-Site": "same-origin", "Origin": HOME}
FORM_TYPE: Final = "application/x-www-form-urlencoded"
FORM: Final = {
    "grant_type": "authorization_code",
    "code": "to be filled in",
    "client_id": OPERATE,
    "client_secret": "",
    "redirect_uri": REDIRECT,
    "code_verifier": VERIFIER,
}
"""As Swagger UI sends it."""


async def code_for_docs(site: Site, browser: Browser) -> str:
    """Entra's response at Swagger UI's redirect URI."""
    query = {
        "client_id": OPERATE,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": f"openid offline_access {OPERATE}/.default",
        "code_challenge": VERIFIER,
        "code_challenge_method": "plain",
    }
    address = f"{site.emulator.settings().authorization_url}?{httpx.QueryParams(query)}"
    return parse_qs(urlsplit(await browser.at_entra(address, ADA)).query)["code"][0]


async def ask(browser: Browser, headers: dict[str, str] | None = None, **form: Any) -> httpx.Response:
    """The response of the token endpoint."""
    return await browser.http.post(
        "/auth/token", data=FORM | form, headers=OURS if headers is None else headers
    )


async def test_swagger_ui_gets_tokens_again_and_again(site: Site) -> None:
    """Entra's own answer, handed through; the token opens the API. Another code brings another token."""
    browser = site.browser()
    answer = await ask(browser, code=await code_for_docs(site, browser))
    tokens = answer.json()
    assert (answer.status_code, tokens["token_type"]) == (200, "Bearer")
    assert answer.headers["cache-control"] == "no-store"
    assert site.wire.forms[-1]["client_secret"] == SECRET
    assert SECRET not in answer.text + str(answer.headers)
    header = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await browser.http.get("/api", headers=header)).json()["name"] == ADA
    assert tokens.keys() == site.wire.tokens[-1].keys() - {"refresh_token"}
    site.clock.advance(6000)
    renewed = await ask(browser, code=await code_for_docs(site, browser))
    assert renewed.status_code == 200
    assert renewed.json()["access_token"] != tokens["access_token"]


async def test_no_refresh_token_is_given_or_taken(site: Site) -> None:
    """Whose Origin is whatever they write, is a public client (RFC 9700, 4.14.2): Entra is not even asked."""
    browser = site.browser()
    site.wire.change("/token", lambda document: document | {"refresh_token_expires_in": 86_400})
    answer = await ask(browser, code=await code_for_docs(site, browser))
    of_docs = site.wire.tokens[-1]["refresh_token"]
    assert of_docs not in answer.text
    assert not [name for name in answer.json() if "refresh" in name]
    await browser.signed_in()
    of_a_session = site.wire.tokens[-1]["refresh_token"]
    asked = len(site.wire.forms)
    for token in (of_docs, of_a_session, "1.Anonsense", ""):
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": OPERATE}
        refused = await browser.http.post("/auth/token", data=form, headers=OURS)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
        assert "grant_type must be authorization_code" in refused.json()["error_description"]
        mixed = await ask(browser, code="", refresh_token=token)
        assert (mixed.status_code, mixed.json()["error_description"]) == (400, "code is missing.")
    assert len(site.wire.forms) == asked


async def test_a_refresh_token_beside_a_code_is_not_passed_on(site: Site) -> None:
    """Of the form, Entra gets what belongs to the grant."""
    browser = site.browser()
    await ask(browser, code=await code_for_docs(site, browser), refresh_token="r", scope="x")
    names = {"grant_type", "code", "redirect_uri", "code_verifier"}
    assert site.wire.forms[-1].keys() == names | {"client_id", "client_secret"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": HOME},
        {"Sec-Fetch-Site": "same-site"},
        {"Referer": f"{HOME}/docs"},
    ],
)
async def test_nobody_elses_page_gets_any(site: Site, headers: dict[str, str]) -> None:
    """Entra is not even asked."""
    answer = await ask(site.browser(), headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_origin")
    assert site.wire.forms == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"redirect_uri": f"{HOME}/auth/login-callback"}, "redirect_uri must be /docs/oauth2-redirect here."),
        ({"redirect_uri": "https://evil.example/docs/oauth2-redirect"}, "redirect_uri must be"),
        ({"redirect_uri": ""}, "redirect_uri must be"),
        ({"code_verifier": ""}, "code_verifier"),
        ({"code_verifier": "v" * 42}, "code_verifier"),
        ({"code_verifier": "v" * 129}, "code_verifier"),
        ({"code_verifier": "v" * 42 + "!"}, "code_verifier"),
        ({"code": ""}, "code is missing."),
        ({"client_id": "another"}, "client_id must be this service's."),
        ({"grant_type": "client_credentials"}, "grant_type must be"),
        ({"grant_type": "password"}, "grant_type must be"),
        ({"grant_type": ""}, "grant_type must be"),
        ({"grant_type": "refresh_token"}, "grant_type must be"),
        ({"code": ["a", "b"]}, "once"),
        ({"code": "x" * 8193}, "once"),
    ],
)
async def test_a_form_that_swagger_ui_would_not_send_is_refused(
    site: Site, changes: dict[str, Any], words: str
) -> None:
    """In the shape of OAuth errors, and without asking Entra."""
    answer = await ask(site.browser(), **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert words in answer.json()["error_description"]
    assert site.wire.forms == []


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"a" * (MAX_FORM_BYTES + 1), FORM_TYPE, "larger than 16384 bytes"),
        (b"grant_type=\xff", f"{FORM_TYPE}; charset=utf-8", "not UTF-8"),
        (b"&".join(b"a%d=1" % number for number in range(101)), FORM_TYPE, "too many fields"),
        (b"{}", "application/json", "must be a form"),
        (b"grant_type=refresh_token", "", "must be a form"),
    ],
)
async def test_a_body_that_is_no_small_form_is_refused(
    site: Site, body: bytes, kind: str, words: str
) -> None:
    """Whatever it is, it is bounded and never an error of ours."""
    headers = OURS | {"Content-Type": kind}
    answer = await site.browser().http.post("/auth/token", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "login_request_invalid")
    assert words in answer.json()["error_description"]
    assert site.wire.forms == []


async def test_entras_refusal_is_handed_through(site: Site) -> None:
    """With status, error and description, which Swagger UI shows."""
    answer = await ask(site.browser(), code="1.Anonsense")
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_grant"
    assert "AADSTS" in answer.json()["error_description"]


@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [
        ("fail", 503, "entra_unreachable"),
        ("garbage", 502, "entra_failed"),
        ("discovery", 503, "entra_unreachable"),
    ],
)
async def test_entras_faults_are_told_as_such(site: Site, trouble: str, status: int, code: str) -> None:
    """With Retry-After, and without an address of the back channel."""
    if trouble == "garbage":
        site.wire.answer("/token", 200, content=b"<html>")
    else:
        site.wire.fail("/token" if trouble == "fail" else "/openid-configuration")
    answer = await ask(site.browser(), code="c")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["retry-after"] == "5"
    assert "login.entra" not in answer.text


@pytest.mark.parametrize(
    "content", [b'{"access_token": NaN}', b'{"expires_in": 1e999}', b'{"scope": "\\ud800"}', b"[]"]
)
async def test_what_cannot_be_handed_through_is_entras_fault(site: Site, content: bytes) -> None:
    """Python reads more than JSON has; it does not become an error of ours."""
    site.wire.answer("/token", 200, content=content)
    answer = await ask(site.browser(), code="c")
    assert (answer.status_code, answer.json()["code"]) == (502, "entra_failed")


async def test_an_entra_that_hangs_is_given_up(make_site: MakeSite) -> None:
    """After the time that the settings give it."""
    site = make_site(http_timeout=0.5)
    released = site.wire.hang("/token")
    answer = await ask(site.browser(), code="c")
    released.set()
    assert (answer.status_code, answer.json()["error"]) == (504, "temporarily_unavailable")


async def test_being_throttled_is_passed_on(site: Site) -> None:
    """With the time that Entra asks for."""
    site.wire.answer("/token", 429, headers={"Retry-After": "37"})
    answer = await ask(site.browser(), code="c")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "37")


@pytest.mark.parametrize("direct_docs", [False, True])
async def test_the_token_url_is_no_part_of_the_api(make_site: MakeSite, *, direct_docs: bool) -> None:
    """OpenAPI does not list it, and it takes nothing but POST."""
    site = make_site(install={"direct_docs": direct_docs})
    assert not [path for path in site.app.openapi()["paths"] if path.startswith("/auth")]
    assert (await site.browser().http.get("/auth/token", headers=OURS)).status_code == 405


async def test_the_redirect_uri_is_that_of_swagger_ui(make_site: MakeSite) -> None:
    """Behind a base URL with a path, that is where Swagger UI is."""
    site = make_site(base_url="https://apps.example/operate", url="https://apps.example")
    headers = {"Sec-Fetch-Site": "same-origin"}
    answer = await ask(site.browser(), headers, redirect_uri="https://apps.example/docs/oauth2-redirect")
    expected = "redirect_uri must be https://apps.example/operate/docs/oauth2-redirect."
    assert answer.json()["error_description"] == expected
