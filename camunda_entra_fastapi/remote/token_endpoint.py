"""Requests to Entra's token endpoint, and its responses (RFC 6749, 4.1.3, 4.4, 5 and 6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from camunda_entra_fastapi.errors import EntraError, EntraRefused, FetchFailed
from camunda_entra_fastapi.remote.aadsts import explain, read_refusal, trouble_of
from camunda_entra_fastapi.remote.credentials import Client
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.telemetry import token_fetches

MAX_TOKEN_CHARACTERS: Final = 16 * 1024
"""As for bearer tokens. Entra's refresh tokens have 1 to 2 KiB."""
_OK: Final = 200
_ON_BEHALF_OF: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_GRANTS: Final = {_ON_BEHALF_OF: "on_behalf_of"}
"""Grant types with a shorter name in metrics."""
_LONGEST_LIFE: Final = 10 * 365 * 86_400


@dataclass(frozen=True, slots=True)
class Tokens:
    """A successful token response; none of its tokens is verified yet (RFC 6749, 5.1)."""

    access_token: str = field(repr=False)
    expires_in: float
    """Seconds for which the access token is valid."""
    refresh_token: str | None = field(repr=False)
    id_token: str | None = field(repr=False)
    refresh_in: float | None = None
    """Seconds after which Entra recommends a new one; None without a recommendation."""


async def redeem_code(
    http: EntraHttp, endpoint: str, client: Client, *, code: str, redirect_uri: str, verifier: str
) -> Tokens:
    """The tokens for an authorization code.

    It names no scope, so that it is that of the authorization request; the token endpoint
    accepts the scopes of one resource alone.

    Raises:
        EntraRefused: Entra refuses.
        FetchFailed: Entra does not respond, or its response is not usable.
    """
    grant = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    return await _request_tokens(http, endpoint, client, grant)


async def redeem_refresh_token(
    http: EntraHttp,
    endpoint: str,
    client: Client,
    refresh_token: str,
    **extra: str,
) -> Tokens:
    """New tokens for a refresh token.

    Args:
        http: For calls to Entra.
        endpoint: The token endpoint.
        client: This application, as the token endpoint knows it.
        refresh_token: The refresh token.
        extra: ``scope``, if it is another one than the token was issued for, and ``claims``.

    Raises:
        EntraRefused: Entra refuses.
        FetchFailed: Entra does not respond, or its response is not usable.
    """
    grant = {"grant_type": "refresh_token", "refresh_token": refresh_token, **extra}
    return await _request_tokens(http, endpoint, client, grant)


async def request_on_behalf_of(
    http: EntraHttp, endpoint: str, client: Client, assertion: str, *, scope: str, claims: str
) -> Tokens:
    """A token on behalf of the user whose token is the assertion (RFC 7523, 2.1; Learn: on-behalf-of flow).

    Raises:
        EntraRefused: Entra refuses.
        FetchFailed: Entra does not respond, or its response is not usable.
    """
    grant = {
        "grant_type": _ON_BEHALF_OF,
        "requested_token_use": "on_behalf_of",
        "assertion": assertion,
        "scope": scope,
        "claims": claims,
    }
    return await _request_tokens(http, endpoint, client, grant)


async def request_app_token(
    http: EntraHttp, endpoint: str, client: Client, *, scope: str, claims: str
) -> Tokens:
    """The client's own token (RFC 6749, 4.4; Learn: client credentials flow).

    Raises:
        EntraRefused: Entra refuses.
        FetchFailed: Entra does not respond, or its response is not usable.
    """
    grant = {"grant_type": "client_credentials", "scope": scope, "claims": claims}
    return await _request_tokens(http, endpoint, client, grant)


async def _request_tokens(http: EntraHttp, endpoint: str, client: Client, grant: Mapping[str, str]) -> Tokens:
    """The tokens in the response. Each request is counted, by its grant type and what came of it."""
    attributes = {"grant": _GRANTS.get(grant["grant_type"], grant["grant_type"])}
    try:
        status, document = await http.post_form(endpoint, {**await client.form(), **grant})
        if status != _OK:
            raise read_error(document, endpoint)
        tokens = read_tokens(document, endpoint)
    except EntraError as error:
        code = error.unavailable_code if isinstance(error, FetchFailed) else error.code
        token_fetches.add(1, attributes | {"outcome": code})
        raise
    token_fetches.add(1, attributes | {"outcome": "succeeded"})
    return tokens


def read_tokens(document: Mapping[str, Any], endpoint: str) -> Tokens:
    """The tokens in a successful response (RFC 6749, 5.1; OpenID Connect Core 1.0, 3.1.3.3).

    Raises:
        FetchFailed: It has no bearer token, or its members are not usable.
    """
    expires_in = _seconds(document.get("expires_in"))
    if expires_in is None:
        raise _unusable(endpoint, "expires_in")
    if str(document.get("token_type")).lower() != "bearer":
        raise _unusable(endpoint, "token_type")
    access_token = _token(document, "access_token", endpoint)
    if access_token is None:
        raise _unusable(endpoint, "access_token")
    return Tokens(
        access_token=access_token,
        expires_in=expires_in,
        refresh_token=_token(document, "refresh_token", endpoint),
        id_token=_token(document, "id_token", endpoint),
        refresh_in=_seconds(document.get("refresh_in")),
    )


def _seconds(value: object) -> float | None:
    """A plausible number of seconds, or None."""
    if isinstance(value, str) and value.isdecimal():  # as B2C has it
        value = int(value[:12])
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _LONGEST_LIFE:
        return None
    return float(value)


def _token(document: Mapping[str, Any], name: str, endpoint: str) -> str | None:
    value = document.get(name)
    if value is None or value == "":
        return None
    if (
        not isinstance(value, str)
        or len(value) > MAX_TOKEN_CHARACTERS
        or not value.isascii()
        or not value.isprintable()
    ):
        raise _unusable(endpoint, name)
    return value


def read_error(document: Mapping[str, Any], endpoint: str) -> EntraError:
    """The exception for an error response (RFC 6749, 5.2): Entra's refusal, or trouble of its own."""
    if not isinstance(document.get("error"), str):
        return _unusable(endpoint, "error")
    refusal = read_refusal(document)
    if (trouble := trouble_of(refusal)) is not None:
        return trouble
    explanation = explain(refusal)
    return EntraRefused(f"{explanation.cause} {explanation.remedy}", refusal)


def _unusable(endpoint: str, name: str) -> FetchFailed:
    return FetchFailed(f"{endpoint} answered without a usable {name}.")
