"""Signing in as a browser: what is sent, and the errors for responses that are wrong."""

import re
from collections.abc import Callable

import httpx2
import pytest

from camunda_entra_fastapi.cli.browser import BrowserSignInFailed, PublicClient, sign_in

CLIENT = PublicClient(
    "client",
    "http://entra.localhost/authorize",
    "http://entra.localhost/token",
    "openid client/.default",
    "http://localhost:8000/docs/oauth2-redirect",
)
PAGE = """
<form action="/elsewhere">
<input type="hidden" name="other" value="1"><button name="user" value="0">Ada</button>
</form>
<form action="/press">
<input type="hidden" name="flow" value="f"><input type="text" name="note">
<button name="user" value="7"><b>Ben</b> Reader</button>
</form>
<button>Nameless</button><button name="none">Ben Writer</button>
"""


def client_with(
    redirect: Callable[[str], str] = lambda state: f"{CLIENT.redirect_uri}?code=c&state={state}",
    page: str = PAGE,
    redeemed: httpx2.Response | None = None,
) -> tuple[httpx2.Client, list[httpx2.Request]]:
    """A client with an Entra and a service of these responses, and the list of its requests."""
    requests: list[httpx2.Request] = []

    def respond(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        match request.url.path:
            case "/authorize":
                return httpx2.Response(200, text=page)
            case "/press":
                location = redirect(requests[0].url.params["state"])
                return httpx2.Response(302, headers={"Location": location} if location else {})
            case "/token":
                return redeemed or httpx2.Response(200, json={"access_token": "token"})
        return httpx2.Response(200)

    return httpx2.Client(transport=httpx2.MockTransport(respond)), requests


def test_presses_the_button_follows_and_redeems() -> None:
    """Four requests, each as a browser sends it: page, button with its form, redirect, code with verifier."""
    client, requests = client_with()
    assert sign_in(client, CLIENT, "Ben Reader") == "token"
    page, pressed, redirected, redeemed = requests
    assert page.url.params["code_challenge_method"] == "S256"
    assert (str(pressed.url), pressed.content) == ("http://entra.localhost/press", b"flow=f&user=7")
    assert redirected.url.path == "/docs/oauth2-redirect"
    assert redeemed.headers["Origin"] == "http://localhost:8000"
    assert re.search(rb"code=c&.*code_verifier=[\w-]{43,}$", redeemed.content)


def test_says_when_the_page_does_not_know_the_person() -> None:
    """An error page has no buttons, and is not pressed."""
    client, _ = client_with(page="<h1>AADSTS50011</h1>")
    with pytest.raises(
        BrowserSignInFailed, match=r"the sign-in page \(200\) has no button with the name Ben"
    ):
        sign_in(client, CLIENT, "Ben")


@pytest.mark.parametrize("location", ["", "http://localhost:8000/other?code=c"])
def test_goes_nowhere_but_to_the_redirect_uri(location: str) -> None:
    """A code that is sent elsewhere is nobody's."""
    client, requests = client_with(redirect=lambda _: location)
    with pytest.raises(BrowserSignInFailed, match=r"the sign-in page did not send us back \(302\)"):
        sign_in(client, CLIENT, "Ben Reader")
    assert len(requests) == 2


def test_an_error_in_the_answer_is_reported() -> None:
    """Entra's own words, up to the end of their first line."""
    error = "error=access_denied&error_description=AADSTS65004%3a+declined.%0d%0aTrace+ID%3a+1"
    client, _ = client_with(redirect=lambda state: f"{CLIENT.redirect_uri}?{error}&state={state}")
    with pytest.raises(BrowserSignInFailed, match=r"^AADSTS65004: declined\.$"):
        sign_in(client, CLIENT, "Ben Reader")


@pytest.mark.parametrize("state", ["", "&state=other"])
def test_an_answer_to_another_request_is_refused(state: str) -> None:
    """Without our state it is no response to our request."""
    client, _ = client_with(redirect=lambda _: f"{CLIENT.redirect_uri}?code=c{state}")
    with pytest.raises(BrowserSignInFailed, match="the answer has another state than the request"):
        sign_in(client, CLIENT, "Ben Reader")


def test_a_code_that_is_not_redeemed_is_reported() -> None:
    """Status and error of the token endpoint."""
    client, _ = client_with(redeemed=httpx2.Response(400, text='{"error":"invalid_grant"}'))
    with pytest.raises(
        BrowserSignInFailed, match=r'the code was not redeemed: 400 \{"error":"invalid_grant"\}'
    ):
        sign_in(client, CLIENT, "Ben Reader")
