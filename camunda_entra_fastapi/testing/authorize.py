"""The authorization endpoint: who signs in, and the code for the application that sent them."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_plus, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from camunda_entra_fastapi.testing.aadsts import Aadsts, error_members, request_headers
from camunda_entra_fastapi.testing.directory import Application, Tenant, User
from camunda_entra_fastapi.testing.minting import client_info
from camunda_entra_fastapi.testing.pages import render
from camunda_entra_fastapi.testing.parameters import need
from camunda_entra_fastapi.testing.scopes import Asked, read_scope
from camunda_entra_fastapi.testing.state import CODE_LIFETIME, SignIn, State

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_LOCALHOST: Final = re.compile(r"^(https?://localhost):[0-9]{1,5}(?=[/?]|$)")
_RESPONSE_MODES: Final = ("query", "fragment", "form_post")


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """An authorization request that is in order (RFC 6749, 4.1.1; RFC 7636, 4.3)."""

    tenant: Tenant
    client: Application
    redirect_uri: str
    asked: Asked
    parameters: Mapping[str, str]

    @property
    def response_mode(self) -> str:
        """How the answer travels."""
        return self.parameters.get("response_mode", "query")


def find_client(tenant: Tenant, parameters: Mapping[str, str]) -> tuple[Application, str]:
    """Who asks, and where it may be answered. Until both are known, errors stay on Entra's page.

    Raises:
        Aadsts: 900144, 700016, 900971 or 50011.
    """
    client_id = need(dict(parameters), "client_id")
    client = tenant.application(client_id)
    if client is None or client.client_id != client_id:
        raise Aadsts(
            700016, "unauthorized_client", f"There is no application '{client_id}' in '{tenant.name}'."
        )
    if not client.redirect_uris:
        raise Aadsts(900971, "invalid_request", f"No redirect URI is registered for '{client.name}'.")
    redirect_uri = parameters.get("redirect_uri", next(iter(client.redirect_uris)))
    if platform_of(client, redirect_uri) is None:
        raise Aadsts(
            50011,
            "invalid_request",
            f"The redirect URI '{redirect_uri}' is not registered for the application '{client.name}' "
            f"({client.client_id}). Registered are: {', '.join(client.redirect_uris)}.",
        )
    return client, redirect_uri


def platform_of(client: Application, redirect_uri: str) -> str | None:
    """The platform under which the URI is registered; for localhost, any port will do (Learn: reply URLs)."""
    for registered, platform in client.redirect_uris.items():
        if redirect_uri == registered:
            return platform
        if _without_port(registered) == _without_port(redirect_uri):
            return platform
    return None


def _without_port(uri: str) -> str:
    """The same for two URIs that differ in localhost's port alone."""
    return _LOCALHOST.sub(r"\1", uri)


def read_request(
    tenant: Tenant, client: Application, redirect_uri: str, parameters: Mapping[str, str]
) -> SignInRequest:
    """The request, when it is in order. Its errors are answered to the redirect URI.

    Raises:
        Aadsts: 900144, 700054, 901002, 70007, 9002325, 50147, 501491, 50058, or those of ``read_scope``.
    """
    response_type = need(dict(parameters), "response_type")
    if response_type != "code":
        raise Aadsts(
            700054,
            "unsupported_response_type",
            f"The response type '{response_type}' is not enabled for the application; use 'code'.",
        )
    if "resource" in parameters:
        raise Aadsts(901002, "invalid_request", "The parameter 'resource' is of version 1.0; use 'scope'.")
    mode = parameters.get("response_mode", "query")
    if mode not in _RESPONSE_MODES:
        raise Aadsts(70007, "invalid_request", f"The response mode '{mode}' is not known.")
    challenge, method = parameters.get("code_challenge"), parameters.get("code_challenge_method", "plain")
    if challenge is None and platform_of(client, redirect_uri) == "spa":
        raise Aadsts(9002325, "invalid_request", "A single-page application must send a code challenge.")
    if challenge is not None and not _CHALLENGE.fullmatch(challenge):
        raise Aadsts(50147, "invalid_request", "The code challenge must be 43 to 128 unreserved characters.")
    if method not in ("S256", "plain"):
        raise Aadsts(501491, "invalid_request", f"The code challenge method '{method}' is not known.")
    if parameters.get("prompt") == "none":
        raise Aadsts(50058, "login_required", "Nobody is signed in, and the request forbids to ask.")
    asked = read_scope(need(dict(parameters), "scope"), tenant, client, several=True)
    return SignInRequest(tenant, client, redirect_uri, asked, parameters)


def sign_in_page(wanted: SignInRequest) -> Response:
    """The people of the tenant, one button for each."""
    hint = wanted.parameters.get("login_hint", "").lower()
    users = sorted(wanted.tenant.users, key=lambda user: user.username.lower() != hint)
    return render("sign_in.html", title=f"Sign in to {wanted.client.name}", wanted=wanted, users=users)


def issue_code(wanted: SignInRequest, user: User, state: State, now: float) -> Response:
    """The answer to the application once somebody signed in."""
    parameters = wanted.parameters
    sign_in = SignIn(
        wanted.tenant,
        wanted.client,
        user,
        wanted.asked,
        wanted.redirect_uri,
        expires=now + CODE_LIFETIME,
        nonce=parameters.get("nonce"),
        code_challenge=parameters.get("code_challenge"),
        code_challenge_method=parameters.get("code_challenge_method", "plain"),
    )
    answer = {"code": state.add_code(sign_in)}
    if parameters.get("client_info") == "1":
        answer["client_info"] = client_info(tenant=wanted.tenant, user=user)
    if "state" in parameters:
        answer["state"] = parameters["state"]
    answer["session_state"] = str(uuid.uuid4())
    return answer_to(wanted.redirect_uri, wanted.response_mode, urlencode(answer), answer)


def answer_error(
    problem: Aadsts, request: Request, redirect_uri: str, parameters: Mapping[str, str], now: float
) -> Response:
    """The error, sent to the application in Entra's spelling: lower-case escapes, ``state`` last."""
    members = error_members(problem, request, now)
    answer = {name: members[name] for name in ("error", "error_description", "error_uri")}
    if "state" in parameters:
        answer["state"] = parameters["state"]
    encoded = "&".join(f"{name}={_entra_quote(value)}" for name, value in answer.items())
    mode = parameters.get("response_mode", "query")
    return answer_to(redirect_uri, mode if mode in _RESPONSE_MODES else "query", encoded, answer)


def answer_to(redirect_uri: str, mode: str, encoded: str, answer: Mapping[str, str]) -> Response:
    """A redirect with the answer behind ``?`` or ``#``, or a page that posts it."""
    if mode == "form_post":
        return render("form_post.html", title="Signing in", action=redirect_uri, answer=answer)
    if not urlsplit(redirect_uri).path:
        redirect_uri += "/"  # Entra adds it (Learn: reply URLs)
    mark = "#" if mode == "fragment" else "&" if "?" in redirect_uri else "?"
    return RedirectResponse(f"{redirect_uri}{mark}{encoded}", 302)


def error_page(problem: Aadsts, request: Request, now: float) -> HTMLResponse:
    """What people see when the application cannot be told; like Entra's, with status 200."""
    members = error_members(problem, request, now)
    page = render("error.html", title="Sorry, this does not work", problem=problem, members=members)
    page.headers.update(request_headers(problem.code, members["trace_id"]))
    return page


def _entra_quote(value: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), quote_plus(value))
