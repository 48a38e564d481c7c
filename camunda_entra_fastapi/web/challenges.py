"""From errors to responses: status, body and ``WWW-Authenticate``. This is the only place for it.

The statuses and the challenge are those of RFC 6750, 3 and RFC 9110, 11.6.1; ``authorization_uri``,
``client_id`` and ``insufficient_claims`` those of Entra (Learn: claims challenges).
"""

import base64
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Final, Protocol

from fastapi import HTTPException, WebSocketException
from starlette.requests import HTTPConnection

from camunda_entra_fastapi.errors import (
    AccessDenied,
    CredentialsMissing,
    CrossOrigin,
    EntraError,
    EntraRefused,
    EntraUnavailable,
    InsufficientClaims,
    InvalidRequest,
    InvalidToken,
    SessionsUnavailable,
    SignInFailed,
)
from camunda_entra_fastapi.faults import FAULTS, as_told, log_fault
from camunda_entra_fastapi.log_records import Trouble

_STATUS: Final[Mapping[type[EntraError], tuple[int, str]]] = {
    CredentialsMissing: (401, "unauthorized"),
    InvalidRequest: (400, "invalid_request"),
    InvalidToken: (401, "invalid_token"),
    AccessDenied: (403, "insufficient_scope"),
    InsufficientClaims: (401, "insufficient_claims"),
    CrossOrigin: (403, "forbidden"),
    SignInFailed: (400, "invalid_request"),
    EntraUnavailable: (503, "temporarily_unavailable"),
    EntraRefused: (502, "server_error"),
    SessionsUnavailable: (503, "temporarily_unavailable"),
}
FOR_CLIENTS: Final = tuple(_STATUS)
"""The errors that there is a response for; others are this service's own."""
_STATUS_OF_CODE: Final[Mapping[str, tuple[int, str]]] = {
    "login_refused": (400, "access_denied"),
    "consent_required": (403, "consent_required"),
    "identity_missing": (403, "access_denied"),
    "entra_failed": (502, "server_error"),
    "id_token_invalid": (502, "server_error"),
    "entra_timeout": (504, "temporarily_unavailable"),
}
"""Codes whose response differs from that of their class."""

CODES_PAGE: Final = "reference/codes/"
"""The documentation's page of codes, below its root."""

POLICY_VIOLATION: Final = 1008
"""The close code of RFC 6455, 7.4.1, also for servers that cannot send a denial response."""
INTERNAL_ERROR: Final = 1011
"""The same, for open WebSockets where Entra refuses this service."""
TRY_AGAIN_LATER: Final = 1013
"""IANA's registry; for open WebSockets, where Entra or the session store is away."""
_CLOSE_CODES_AT_END: Final = {401: 3000, 403: 3003} | dict.fromkeys((502, 503, 504), TRY_AGAIN_LATER)
"""By status. IANA's registry: unauthorized, forbidden, try again later."""


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """Status, body and headers for the client."""

    status: int
    detail: dict[str, Any]
    headers: dict[str, str] = field(repr=False)


class SignInLinks(Protocol):
    """Where a browser that is refused can go."""

    def login_url(self, request: HTTPConnection) -> str:
        """Where one signs in and comes back."""

    def return_to(self, request: HTTPConnection) -> str:
        """The page that was asked for, or the one before."""


class SignInRedirect(HTTPException):
    """The exception that sends a browser to sign in: its ``headers`` have the ``Location``."""


class RefusedRequest(HTTPException):
    """The exception for a refused request; ``status_code``, ``detail`` and ``headers`` are its response.

    A handler for it makes other responses of an application's refusals; they must keep the headers.
    """

    def __init__(self, challenger: "Challenger", error: EntraError) -> None:
        self.status_code = status_of(error)
        self.error = error
        """Why the request is refused; its ``code`` is one of the documented ones."""
        self.challenger = challenger
        self.links: SignInLinks | None = None  # where a browser can go; None without login pages

    def __reduce__(self) -> tuple[type[HTTPException], tuple[int, dict[str, Any], dict[str, str]]]:
        """What is pickled or copied is the refusal as it is read, without what makes it."""
        return HTTPException, (self.status_code, self.detail, self.headers)

    @cached_property
    def _response(self) -> ErrorResponse:
        return self.challenger.error_response(self.error)

    def answer_with(self, response: ErrorResponse) -> None:
        """Let this be the response, which was made already."""
        self.detail, self.headers = response.detail, response.headers

    @cached_property
    def detail(self) -> dict[str, Any]:  # type: ignore[override]  # made on first access
        """The body's ``detail``."""
        return self._response.detail

    @cached_property
    def headers(self) -> dict[str, str]:  # type: ignore[override]  # made on first access
        """The headers, among them the challenge."""
        return self._response.headers


@dataclass(frozen=True, slots=True)
class Challenger:
    """Turns errors into responses. Its fields tell clients where tokens for this API come from.

    Empty ones are left out of the challenge.
    """

    realm: str
    authorization_uri: Callable[[], str]
    client_id: str
    scheme: str = "Bearer"
    documentation_url: str | None = None
    """Where the documentation is published, if anywhere."""
    trouble: Trouble = field(default_factory=Trouble, repr=False)
    """What keeps people from signing in, so that it is not an error in the log for each of them."""

    def error_uri(self, code: str) -> str:
        """The page of the documentation about the code (RFC 6750, 3); empty where none is published."""
        return f"{self.documentation_url}/{CODES_PAGE}#{code}" if self.documentation_url else ""

    def log_ending(self, code: str) -> str:
        """What a line of the log about the code ends with: that page, or nothing."""
        return f" More: {uri}" if (uri := self.error_uri(code)) else ""

    def exception(
        self, error: EntraError, connection: HTTPConnection, fault: ErrorResponse | None = None
    ) -> HTTPException | WebSocketException:
        """The exception that makes FastAPI send the response, for HTTP and WebSocket alike.

        A WebSocket is refused before it is accepted: with the same response where the server can send
        one (ASGI's ``websocket.http.response``), else by closing it.

        Args:
            error: The error.
            connection: The request.
            fault: The response, where the error is a fault that was logged already.
        """
        if fault is None and isinstance(error, FAULTS):
            # A fault is logged at once, whoever reads the response, which has nothing else of it.
            fault = self.error_response(error, connection.scope.get("path", ""))
        if connection.scope["type"] == "websocket":
            denial = "websocket.http.response" in (connection.scope.get("extensions") or {})
            if not denial:
                return WebSocketException(POLICY_VIOLATION, error.code)
        if isinstance(error, FAULTS) and fault is not None:
            refused = RefusedRequest(self, as_told(error, fault.detail["message"]))
            refused.answer_with(fault)
            return refused
        return RefusedRequest(self, error)

    def error_response(self, error: EntraError, path: str | None = None) -> ErrorResponse:
        """The response for the error. A fault is logged, with the reference that the response has.

        Args:
            error: The error.
            path: The path of the request, for the log.
        """
        status, name = _response_of(error)
        message = error.message
        if isinstance(error, FAULTS):
            message = log_fault(error, status, path, self.log_ending(error.code))
        detail: dict[str, Any] = {"error": name, "code": error.code, "message": message}
        if isinstance(error, SignInFailed | EntraUnavailable) and error.refusal is not None:
            said = {name: value for name, value in asdict(error.refusal).items() if value is not None}
            detail |= said if isinstance(error, SignInFailed) else said | {"error": name}
        return ErrorResponse(status, detail, self._headers(error, name))

    def _headers(self, error: EntraError, name: str) -> dict[str, str]:
        if isinstance(error, EntraUnavailable | SessionsUnavailable):
            return {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
        if isinstance(error, CrossOrigin | SignInFailed | EntraRefused):
            return {}  # no token would help
        return {"WWW-Authenticate": self._challenge(error, name)}

    def _challenge(self, error: EntraError, name: str) -> str:
        parameters = {
            "realm": self.realm,
            "authorization_uri": self.authorization_uri(),
            "client_id": self.client_id,
        }
        if not isinstance(error, CredentialsMissing):  # RFC 6750, 3.1: no error where nothing was sent
            parameters |= {"error": name, "error_description": error.message}
            parameters["error_uri"] = self.error_uri(error.code)
        if isinstance(error, AccessDenied) and error.scopes is not None:
            # Roles and groups come with any token for this API, hence the scope for all of it.
            parameters["scope"] = " ".join(error.scopes) or f"{self.client_id}/.default"
        if isinstance(error, InsufficientClaims):
            parameters["claims"] = _encode_claims(error.claims)
        quoted = (f'{key}="{_printable(value)}"' for key, value in parameters.items() if value)
        return f"{self.scheme} {', '.join(quoted)}"


def status_of(error: EntraError) -> int:
    """The status of the response for the error."""
    return _response_of(error)[0]


def close_code_of(error: EntraError) -> int:
    """The code with which an open WebSocket is closed for the error."""
    if isinstance(error, EntraRefused):
        return INTERNAL_ERROR
    return TRY_AGAIN_LATER if isinstance(error, FAULTS) else POLICY_VIOLATION


def close_code_at_end(status: int) -> int:
    """The code with which a stream's WebSocket is closed when the sign-in ends, by the response's status."""
    return _CLOSE_CODES_AT_END.get(status, POLICY_VIOLATION)


def _response_of(error: EntraError) -> tuple[int, str]:
    """The status, and the error's name in the protocol."""
    return _STATUS_OF_CODE.get(error.code) or _STATUS[type(error)]


def _printable(value: str) -> str:
    """The value for a quoted parameter without escapes (RFC 6750, 3: %x20-21, %x23-5B, %x5D-7E)."""
    if value.isascii() and value.isprintable() and '"' not in value and "\\" not in value:
        return value  # nearly always
    return "".join(char if " " <= char <= "~" and char not in '"\\' else "?" for char in value)


def _encode_claims(claims: Mapping[str, Any]) -> str:
    """Padded Base64 of minified JSON, as in Entra's own challenges."""
    return base64.b64encode(json.dumps(claims, separators=(",", ":")).encode()).decode()
