"""An authorization request: understood, and checked before anybody is asked (RFC 6749, 4.1.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from camunda_entra_fastapi.testing.directory import Application, Platform
from camunda_entra_fastapi.testing.protocol.aadsts import Aadsts
from camunda_entra_fastapi.testing.protocol.conditional_access import ClaimsRequest, read_claims
from camunda_entra_fastapi.testing.protocol.parameters import need
from camunda_entra_fastapi.testing.protocol.realm import Realm, find_application
from camunda_entra_fastapi.testing.protocol.scopes import Asked, read_scope

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_LOCALHOST: Final = re.compile(r"^(https?://localhost):[0-9]{1,5}(?=[/?]|$)")
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_PROMPTS: Final = ("consent", "create", "login", "none", "select_account")
RESPONSE_MODES: Final = ("query", "fragment", "form_post")
RESPONSE_TYPES: Final = (
    frozenset({"code"}),
    frozenset({"id_token"}),
    frozenset({"code", "id_token"}),
    frozenset({"id_token", "token"}),
    frozenset({"token"}),
)


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """An authorization request that is in order (RFC 6749, 4.1.1; RFC 7636, 4.3)."""

    realm: Realm
    client: Application
    redirect_uri: str
    asked: Asked
    claims: ClaimsRequest
    response_types: frozenset[str]
    parameters: Mapping[str, str]

    @property
    def response_mode(self) -> str:
        """How the answer travels."""
        return response_mode_of(self.parameters)

    @property
    def max_age(self) -> int | None:
        """How long ago the sign-in may be, in seconds."""
        given = self.parameters.get("max_age")
        return int(given) if given else None


def response_mode_of(parameters: Mapping[str, str]) -> str:
    """As the request has it, or as its response type has it by default."""
    default = "query" if parameters.get("response_type", "code") == "code" else "fragment"
    mode = parameters.get("response_mode", default)
    return mode if mode in RESPONSE_MODES else default


def find_client(realm: Realm, parameters: Mapping[str, str]) -> tuple[Application, str]:
    """Who asks, and where it may be answered. Until both are known, errors stay on Entra's page.

    Raises:
        Aadsts: 900144, 900971, 50011, or those of ``find_application``.
    """
    client = find_application(realm, need(parameters, "client_id"))
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


def platform_of(client: Application, redirect_uri: str) -> Platform | None:
    """The platform under which the URI is registered; for localhost, any port will do (Learn: reply URLs)."""
    if redirect_uri in client.redirect_uris:
        return client.redirect_uris[redirect_uri]
    for registered, platform in client.redirect_uris.items():
        if _without_port(registered) == _without_port(redirect_uri):
            return platform
    return None


def _without_port(uri: str) -> str:
    """The same for two URIs that differ in localhost's port alone."""
    return _LOCALHOST.sub(r"\1", uri)


def read_request(
    realm: Realm, client: Application, redirect_uri: str, parameters: Mapping[str, str]
) -> SignInRequest:
    """The request, when it is in order. Its errors are answered to the redirect URI.

    Raises:
        Aadsts: 900144, 700051, 700054, 901002, 70007, 90023, or those of ``read_scope``, ``read_claims``
            and the checks of PKCE.
    """
    response_types = _read_response_type(client, need(parameters, "response_type"))
    if "resource" in parameters:
        raise Aadsts(901002, "invalid_request", "The parameter 'resource' is of version 1.0; use 'scope'.")
    mode = parameters.get("response_mode", "form_post")
    if mode not in RESPONSE_MODES:
        raise Aadsts(70007, "invalid_request", f"The response mode '{mode}' is not known.")
    if mode == "query" and response_types != {"code"}:
        raise Aadsts(70007, "invalid_request", "The response mode 'query' must not carry tokens.")
    _check_pkce(client, redirect_uri, parameters)
    prompt = parameters.get("prompt", "login")
    if prompt not in _PROMPTS:
        raise Aadsts(90023, "invalid_request", f"The prompt '{prompt}' is none of {', '.join(_PROMPTS)}.")
    if not _SECONDS.fullmatch(parameters.get("max_age", "0")):
        raise Aadsts(90023, "invalid_request", "The parameter 'max_age' must be whole seconds.")
    if "id_token" in response_types:
        need(parameters, "nonce")
    home = realm.home_for(client)
    asked = read_scope(need(parameters, "scope"), realm.directory, home, client, several=True)
    claims = read_claims(parameters.get("claims"))
    return SignInRequest(realm, client, redirect_uri, asked, claims, response_types, parameters)


def _read_response_type(client: Application, response_type: str) -> frozenset[str]:
    wanted = frozenset(response_type.split())
    if wanted not in RESPONSE_TYPES:
        raise Aadsts(
            700051,
            "unsupported_response_type",
            f"The response type '{response_type}' is not known; use 'code'.",
        )
    allowed = {
        "code": True,
        "id_token": client.id_token_issuance,
        "token": client.access_token_issuance,
    }
    if refused := sorted(name for name in wanted if not allowed[name]):
        raise Aadsts(
            700054,
            "unsupported_response_type",
            f"The response type '{refused[0]}' is not enabled for the application '{client.name}'. Use "
            "'code', or enable it under Implicit grant and hybrid flows of its registration.",
        )
    return wanted


def _check_pkce(client: Application, redirect_uri: str, parameters: Mapping[str, str]) -> None:
    challenge, method = parameters.get("code_challenge"), parameters.get("code_challenge_method", "plain")
    if challenge is None and platform_of(client, redirect_uri) == "spa":
        raise Aadsts(9002325, "invalid_request", "A single-page application must send a code challenge.")
    if challenge is not None and not _CHALLENGE.fullmatch(challenge):
        raise Aadsts(50147, "invalid_request", "The code challenge must be 43 to 128 unreserved characters.")
    if method not in ("S256", "plain"):
        raise Aadsts(501491, "invalid_request", f"The code challenge method '{method}' is not known.")
