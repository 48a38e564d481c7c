"""The authorization request: parsed and checked before the user sees a page (RFC 6749, 4.1.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Final

from camunda_entra_fastapi.testing.directory import Application, Platform
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError, Advice
from camunda_entra_fastapi.testing.protocol.conditional_access import ClaimsRequest, parse_claims
from camunda_entra_fastapi.testing.protocol.parameters import required
from camunda_entra_fastapi.testing.protocol.realm import Realm, find_application
from camunda_entra_fastapi.testing.protocol.scopes import RequestedScope, parse_scope

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_LOCALHOST: Final = re.compile(r"^(https?://localhost):[0-9]{1,5}(?=[/?]|$)")
_LOOPBACK: Final = re.compile(r"^(https?://)(?:127\.0\.0\.1|\[::1\]|0\.0\.0\.0)(?=[:/]|$)")
_MAX_COMPARED: Final = 512
"""Characters of a redirect URI that are compared with the registered ones."""
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
PROMPTS: Final = ("consent", "create", "login", "none", "select_account")
RESPONSE_MODES: Final = ("query", "fragment", "form_post")
RESPONSE_TYPES: Final = (
    frozenset({"code"}),
    frozenset({"id_token"}),
    frozenset({"code", "id_token"}),
    frozenset({"id_token", "token"}),
    frozenset({"token"}),
)


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A valid authorization request (RFC 6749, 4.1.1; RFC 7636, 4.3)."""

    realm: Realm
    client: Application
    redirect_uri: str
    requested_scope: RequestedScope
    claims: ClaimsRequest
    response_types: frozenset[str]
    parameters: Mapping[str, str] = field(repr=False)

    @property
    def response_mode(self) -> str:
        """How the authorization response is sent."""
        return response_mode_of(self.parameters)

    @property
    def max_age(self) -> int | None:
        """The greatest age of the sign-in, in seconds (OpenID Connect Core, 3.1.2.1)."""
        seconds = self.parameters.get("max_age")
        return int(seconds) if seconds else None


def response_mode_of(parameters: Mapping[str, str]) -> str:
    """The response mode of the request, or the default of its response type."""
    default = "query" if parameters.get("response_type", "code") == "code" else "fragment"
    mode = parameters.get("response_mode", default)
    return mode if mode in RESPONSE_MODES else default


def find_client(realm: Realm, parameters: Mapping[str, str]) -> tuple[Application, str]:
    """The client and its redirect URI. Until both are known, errors stay on Entra's page.

    Raises:
        AadstsError: 900144, 900971, 50011, or those of ``find_application``.
    """
    client = find_application(realm, required(parameters, "client_id"))
    if not client.redirect_uris:
        raise AadstsError(900971, "invalid_request", f"No redirect URI is registered for '{client.name}'.")
    redirect_uri = parameters.get("redirect_uri", next(iter(client.redirect_uris)))
    if platform_of(client, redirect_uri) is None:
        raise _unregistered(client, redirect_uri)
    return client, redirect_uri


def _unregistered(client: Application, redirect_uri: str) -> AadstsError:
    """The error for a redirect URI that is not registered; often it is the wrong name of this machine."""
    what = (
        f"The redirect URI '{redirect_uri}' is not registered for the application '{client.name}' "
        f"({client.client_id})."
    )
    remedy = "Add this URI to the application in the directory, or let the application ask with one of these."
    at_localhost = _LOOPBACK.sub(r"\1localhost", redirect_uri)
    if at_localhost != redirect_uri and platform_of(client, at_localhost) is not None:
        address = "/".join(at_localhost.split("/")[:3])
        remedy = (
            f"Open {address} instead: under the name localhost any port will do, as at Entra. "
            "Or add this URI to the application in the directory."
        )
    return AadstsError(
        50011,
        "invalid_request",
        f"{what} Registered are: {', '.join(client.redirect_uris)}.",
        advice=Advice(what, remedy, "Registered are", _nearest(client, redirect_uri)),
    )


def _nearest(client: Application, redirect_uri: str) -> tuple[str, ...]:
    """All that is registered, the most similar first."""

    def similarity(uri: str) -> float:
        return SequenceMatcher(None, uri, redirect_uri[:_MAX_COMPARED], autojunk=False).ratio()

    return tuple(sorted(client.redirect_uris, key=similarity, reverse=True))


def platform_of(client: Application, redirect_uri: str) -> Platform | None:
    """The platform under which the URI is registered; localhost matches with any port (Learn: reply URLs)."""
    if redirect_uri in client.redirect_uris:
        return client.redirect_uris[redirect_uri]
    for registered, platform in client.redirect_uris.items():
        if _without_port(registered) == _without_port(redirect_uri):
            return platform
    return None


def _without_port(uri: str) -> str:
    """The URI without the port of localhost."""
    return _LOCALHOST.sub(r"\1", uri)


def parse_authorization_request(
    realm: Realm, client: Application, redirect_uri: str, parameters: Mapping[str, str]
) -> AuthorizationRequest:
    """The request, when it is valid. Its errors are sent to the redirect URI.

    Raises:
        AadstsError: 900144, 700051, 700054, 901002, 70007, 90023, or those of ``parse_scope``,
            ``parse_claims`` and the checks of PKCE.
    """
    response_types = _parse_response_type(client, required(parameters, "response_type"))
    if "resource" in parameters:
        raise AadstsError(
            901002, "invalid_request", "The parameter 'resource' is of version 1.0; use 'scope'."
        )
    mode = parameters.get("response_mode", "form_post")
    if mode not in RESPONSE_MODES:
        raise AadstsError(70007, "invalid_request", f"The response mode '{mode}' is not known.")
    if mode == "query" and response_types != {"code"}:
        raise AadstsError(70007, "invalid_request", "The response mode 'query' must not carry tokens.")
    _check_pkce(client, redirect_uri, parameters)
    prompt = parameters.get("prompt", "login")
    if prompt not in PROMPTS:
        raise AadstsError(90023, "invalid_request", f"The prompt '{prompt}' is none of {', '.join(PROMPTS)}.")
    if not _SECONDS.fullmatch(parameters.get("max_age", "0")):
        raise AadstsError(90023, "invalid_request", "The parameter 'max_age' must be whole seconds.")
    if "id_token" in response_types:
        required(parameters, "nonce")
    home = realm.home_for(client)
    requested_scope = parse_scope(
        required(parameters, "scope"), realm.directory, home, client, multiple_resources=True
    )
    claims = parse_claims(parameters.get("claims"))
    return AuthorizationRequest(
        realm, client, redirect_uri, requested_scope, claims, response_types, parameters
    )


def _parse_response_type(client: Application, response_type: str) -> frozenset[str]:
    requested = frozenset(response_type.split())
    if requested not in RESPONSE_TYPES:
        raise AadstsError(
            700051,
            "unsupported_response_type",
            f"The response type '{response_type}' is not known; use 'code'.",
        )
    allowed = {
        "code": True,
        "id_token": client.id_token_issuance,
        "token": client.access_token_issuance,
    }
    if refused := sorted(name for name in requested if not allowed[name]):
        raise AadstsError(
            700054,
            "unsupported_response_type",
            f"The response type '{refused[0]}' is not enabled for the application '{client.name}'. Use "
            "'code', or enable it under Implicit grant and hybrid flows of its registration.",
        )
    return requested


def _check_pkce(client: Application, redirect_uri: str, parameters: Mapping[str, str]) -> None:
    challenge, method = parameters.get("code_challenge"), parameters.get("code_challenge_method", "plain")
    if challenge is None and platform_of(client, redirect_uri) == "spa":
        raise AadstsError(9002325, "invalid_request", "A single-page application must send a code challenge.")
    if challenge is not None and not _CHALLENGE.fullmatch(challenge):
        raise AadstsError(
            50147, "invalid_request", "The code challenge must be 43 to 128 unreserved characters."
        )
    if method not in ("S256", "plain"):
        raise AadstsError(501491, "invalid_request", f"The code challenge method '{method}' is not known.")
