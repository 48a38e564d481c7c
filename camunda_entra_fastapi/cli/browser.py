"""Signing in as a browser does: at a service's page, or as Swagger UI by authorization code with PKCE."""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final, Self
from urllib.parse import parse_qs, urljoin, urlsplit

from camunda_entra_fastapi.http_library import httpx

NAVIGATION: Final = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Accept": "text/html"}
"""The headers of a navigation by address bar (Fetch Metadata Request Headers)."""


class BrowserSignInFailed(Exception):
    """A step of the sign-in failed; the message says which one, and what came instead."""


@dataclass(frozen=True, slots=True)
class PublicClient:
    """A public client (RFC 6749, 2.1), as Swagger UI is one.

    Attributes:
        client_id: The client ID.
        authorization_url: The authorization endpoint.
        token_url: The token endpoint.
        scope: The requested scopes.
        redirect_uri: The redirect URI.
    """

    client_id: str
    authorization_url: str
    token_url: str
    scope: str
    redirect_uri: str

    @classmethod
    def from_openapi(cls, client: httpx.Client, url: str, client_id: str) -> Self:
        """Make the client that Swagger UI makes of the OpenAPI document of the service at ``url``."""
        document = client.get(f"{url}/openapi.json").raise_for_status().json()
        (scheme,) = document["components"]["securitySchemes"].values()
        flow = scheme["flows"]["authorizationCode"]
        return cls(
            client_id,
            flow["authorizationUrl"],
            urljoin(f"{url}/", flow["tokenUrl"]),
            " ".join(flow["scopes"]),
            f"{url}/docs/oauth2-redirect",
        )


def sign_in(client: httpx.Client, oauth_client: PublicClient, user: str) -> str:
    """Sign in by pressing the button with the user's name on the emulator's page; the access token.

    Raises:
        BrowserSignInFailed: Entra refused, or its response is not one to this request.
        httpx.HTTPError: There was no response.
    """
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    page = client.get(
        oauth_client.authorization_url,
        params={
            "client_id": oauth_client.client_id,
            "response_type": "code",
            "redirect_uri": oauth_client.redirect_uri,
            "scope": oauth_client.scope,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "prompt": "select_account",  # others may be signed in already
        },
    )
    location = _redirect_location(press_button(client, page, user), oauth_client.redirect_uri)
    client.get(location).raise_for_status()
    code = _code_from(location, state)
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(oauth_client.redirect_uri))
    response = client.post(
        oauth_client.token_url,
        data={
            "client_id": oauth_client.client_id,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": oauth_client.redirect_uri,
            "code_verifier": verifier,
        },
        headers={"Origin": origin},
    )
    if response.status_code != httpx.codes.OK:
        raise BrowserSignInFailed(f"the code was not redeemed: {response.status_code} {response.text[:200]}")
    return str(response.json()["access_token"])


def open_page(client: httpx.Client, url: str, user: str) -> httpx.Response:
    """Open a service's page, signing in by pressing the button with the user's name on the emulator's page.

    Raises:
        BrowserSignInFailed: The page has no such button, or does not redirect back.
        httpx.HTTPError: There was no response.
    """
    page = client.get(url, headers=NAVIGATION, follow_redirects=True)
    response = press_button(client, page, user)
    if not response.is_redirect:
        raise BrowserSignInFailed(f"the sign-in page did not send us back ({response.status_code})")
    return client.get(str(response.headers["Location"]), headers=NAVIGATION, follow_redirects=True)


def press_button(client: httpx.Client, page: httpx.Response, text: str) -> httpx.Response:
    """Submit the page's form by its button with the text.

    Raises:
        BrowserSignInFailed: The page has no such button.
        httpx.HTTPError: There was no response.
    """
    parser = _ButtonParser()
    parser.feed(page.text)
    button = next((button for button in parser.buttons if text in button.text), None)
    if button is None:
        raise BrowserSignInFailed(f"the sign-in page ({page.status_code}) has no button with the name {text}")
    return client.post(urljoin(str(page.url), button.action), data=button.fields)


def _redirect_location(response: httpx.Response, redirect_uri: str) -> str:
    location = str(response.headers.get("Location", ""))
    if not response.is_redirect or location.partition("?")[0] != redirect_uri:
        raise BrowserSignInFailed(f"the sign-in page did not send us back ({response.status_code})")
    return location


def _code_from(location: str, state: str) -> str:
    parameters = parse_qs(urlsplit(location).query)
    if "error_description" in parameters:
        raise BrowserSignInFailed(parameters["error_description"][0].splitlines()[0])
    if parameters.get("state") != [state]:
        raise BrowserSignInFailed("the answer has another state than the request")
    return parameters["code"][0]


@dataclass(slots=True)
class _Button:
    action: str
    fields: dict[str, str] = field(repr=False)
    text: str = ""


class _ButtonParser(HTMLParser):
    """Collects a page's submit buttons, each with the form fields that it submits."""

    def __init__(self) -> None:
        super().__init__()
        self.buttons: list[_Button] = []
        self._action = ""
        self._hidden: dict[str, str] = {}
        self._current: _Button | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._action, self._hidden = attributes.get("action", ""), {}
        elif tag == "input" and attributes.get("type") == "hidden":
            self._hidden[attributes["name"]] = attributes["value"]
        elif tag == "button":
            button = {attributes["name"]: attributes.get("value", "")} if "name" in attributes else {}
            self._current = _Button(self._action, self._hidden | button)
            self.buttons.append(self._current)

    def handle_endtag(self, tag: str) -> None:
        if tag == "button":
            self._current = None

    def handle_data(self, data: str) -> None:
        if self._current is not None:
            self._current.text += data
