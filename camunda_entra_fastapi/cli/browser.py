"""Signing in as a browser does for a single-page application: authorization code flow with PKCE."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final, Self
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

NAVIGATION: Final = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Accept": "text/html"}
"""What a browser sends of itself when somebody types an address."""


class SignInFailed(Exception):
    """A step of the sign-in did not go as it should; the message says which, and what came instead."""


@dataclass(frozen=True, slots=True)
class Application:
    """What the docs page knows of signing in.

    Attributes:
        client_id: The application's ID in Entra.
        authorization_url: Where people sign in.
        token_url: Where codes are redeemed.
        scope: What is asked for.
        redirect_uri: Where the code is sent.
    """

    client_id: str
    authorization_url: str
    token_url: str
    scope: str
    redirect_uri: str

    @classmethod
    def of_docs_page(cls, client: httpx.Client, url: str, client_id: str) -> Self:
        """From the OpenAPI document of the service at ``url``, which Swagger UI reads as well."""
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


def sign_in(client: httpx.Client, application: Application, person: str) -> str:
    """The access token of somebody who signs in on Entra's page by pressing the button with their name.

    Raises:
        SignInFailed: Entra refused, or the answer is not the one that was asked for.
        httpx.HTTPError: Somebody did not answer.
    """
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    page = client.get(
        application.authorization_url,
        params={
            "client_id": application.client_id,
            "response_type": "code",
            "redirect_uri": application.redirect_uri,
            "scope": application.scope,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "prompt": "select_account",  # others may be signed in already
        },
    )
    location = _location(_press(client, page, person), application.redirect_uri)
    client.get(location).raise_for_status()
    code = _code_in(location, state)
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(application.redirect_uri))
    answer = client.post(
        application.token_url,
        data={
            "client_id": application.client_id,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": application.redirect_uri,
            "code_verifier": verifier,
        },
        headers={"Origin": origin},
    )
    if answer.status_code != httpx.codes.OK:
        raise SignInFailed(f"the code was not redeemed: {answer.status_code} {answer.text[:200]}")
    return str(answer.json()["access_token"])


def open_page(client: httpx.Client, url: str, person: str) -> httpx.Response:
    """The page of a service, after signing in at Entra's page by pressing the button with the name.

    Raises:
        SignInFailed: Entra's page has no such button, or does not send us back.
        httpx.HTTPError: Somebody did not answer.
    """
    page = client.get(url, headers=NAVIGATION, follow_redirects=True)
    answer = _press(client, page, person)
    if not answer.is_redirect:
        raise SignInFailed(f"the sign-in page did not send us back ({answer.status_code})")
    return client.get(str(answer.headers["Location"]), headers=NAVIGATION, follow_redirects=True)


def _press(client: httpx.Client, page: httpx.Response, person: str) -> httpx.Response:
    buttons = _Buttons()
    buttons.feed(page.text)
    pressed = next((button for button in buttons.found if person in button.text), None)
    if pressed is None:
        raise SignInFailed(f"the sign-in page ({page.status_code}) has no button with the name {person}")
    return client.post(urljoin(str(page.url), pressed.action), data=pressed.fields)


def _location(answer: httpx.Response, redirect_uri: str) -> str:
    location = str(answer.headers.get("Location", ""))
    if not answer.is_redirect or location.partition("?")[0] != redirect_uri:
        raise SignInFailed(f"the sign-in page did not send us back ({answer.status_code})")
    return location


def _code_in(location: str, state: str) -> str:
    parameters = parse_qs(urlsplit(location).query)
    if "error_description" in parameters:
        raise SignInFailed(parameters["error_description"][0].splitlines()[0])
    if parameters.get("state") != [state]:
        raise SignInFailed("the answer has another state than the request")
    return parameters["code"][0]


@dataclass(slots=True)
class _Button:
    action: str
    fields: dict[str, str]
    text: str = ""


class _Buttons(HTMLParser):
    """Collects a page's submit buttons, with what pressing each would send."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[_Button] = []
        self._action = ""
        self._hidden: dict[str, str] = {}
        self._inside: _Button | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._action, self._hidden = given.get("action", ""), {}
        elif tag == "input" and given.get("type") == "hidden":
            self._hidden[given["name"]] = given["value"]
        elif tag == "button":
            pressed = {given["name"]: given.get("value", "")} if "name" in given else {}
            self._inside = _Button(self._action, self._hidden | pressed)
            self.found.append(self._inside)

    def handle_endtag(self, tag: str) -> None:
        if tag == "button":
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside is not None:
            self._inside.text += data
