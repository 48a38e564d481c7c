"""The response for each error."""

import base64
import copy
import json
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import HTTPException, WebSocketException
from starlette.requests import HTTPConnection, Request
from starlette.websockets import WebSocket

from camunda_entra_fastapi import (
    AccessDenied,
    CredentialsMissing,
    CrossOrigin,
    EntraError,
    EntraUnavailable,
    InsufficientClaims,
    InvalidRequest,
    InvalidToken,
    SessionsUnavailable,
    SignInFailed,
)
from camunda_entra_fastapi.errors import Refusal
from camunda_entra_fastapi.web.challenges import Challenger

CHALLENGER = Challenger("tenant", lambda: "https://login.example/t/oauth2/v2.0/authorize", "client")
PREFIX = {"realm": "tenant", "authorization_uri": CHALLENGER.authorization_uri(), "client_id": "client"}

# RFC 9110, 11.6.1: one challenge is a scheme, one blank, and parameters that commas separate.
_PARAMETER = re.compile(r'([!#$%&\'*+.^_`|~0-9A-Za-z-]+)="((?:[\t \x21\x23-\x5b\x5d-\x7e])*)"')
_CHALLENGE = re.compile(rf"Bearer {_PARAMETER.pattern}(?:, {_PARAMETER.pattern})*")

CASES = [
    (CredentialsMissing(), 401, "unauthorized", {}),
    (
        InvalidRequest("authorization_repeated", "Two headers."),
        400,
        "invalid_request",
        {"error": "invalid_request", "error_description": "Two headers."},
    ),
    (
        InvalidToken("token_expired", "Too late."),
        401,
        "invalid_token",
        {"error": "invalid_token", "error_description": "Too late."},
    ),
    (
        AccessDenied("guest_not_allowed", "No guests."),
        403,
        "insufficient_scope",
        {"error": "insufficient_scope", "error_description": "No guests."},
    ),
    (
        AccessDenied("scope_missing", "Lacks.", ["a", "b"]),
        403,
        "insufficient_scope",
        {"error": "insufficient_scope", "error_description": "Lacks.", "scope": "a b"},
    ),
    (
        InsufficientClaims("Step up.", {"access_token": {"acrs": {"essential": True, "value": "c1"}}}),
        401,
        "insufficient_claims",
        {
            "error": "insufficient_claims",
            "error_description": "Step up.",
            "claims": "eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiYzEifX19",
        },
    ),
]


@pytest.mark.parametrize(("error", "status", "name", "parameters"), CASES)
def test_the_answer_of_each_error(
    error: EntraError, status: int, name: str, parameters: dict[str, str]
) -> None:
    """Status, body and challenge are those of RFC 6750 and Entra's documentation."""
    answer = _refuse(error)
    assert answer.status_code == status
    assert body_of(answer) == {"error": name, "code": error.code, "message": error.message}
    assert _parse(answer.headers["WWW-Authenticate"]) == PREFIX | parameters  # type: ignore[index]


def test_the_claims_of_a_challenge_are_base64_of_minified_json() -> None:
    """Entra's clients decode them with standard base64 and send the JSON on."""
    claims = {"access_token": {"nbf": {"essential": True, "value": "1604106651"}}}
    header = _refuse(InsufficientClaims("Fresh.", claims)).headers["WWW-Authenticate"]  # type: ignore[index]
    assert json.loads(base64.b64decode(_parse(header)["claims"], validate=True)) == claims


@pytest.mark.parametrize(("seconds", "header"), [(0, "1"), (0.2, "1"), (7.01, "8"), (30, "30")])
def test_unavailable_says_when_to_come_back(seconds: float, header: str) -> None:
    """503 names whole seconds, at least one, and challenges nobody."""
    answer = _refuse(EntraUnavailable("keys_unavailable", "Later.", seconds))
    assert (answer.status_code, answer.headers) == (503, {"Retry-After": header})
    detail: Any = body_of(answer)
    assert (detail["error"], detail["code"]) == ("temporarily_unavailable", "keys_unavailable")
    assert "Later." not in detail["message"]


def test_a_store_that_is_away_says_when_to_come_back() -> None:
    """It is our own fault, so nobody is challenged."""
    answer = _refuse(SessionsUnavailable("Later.", 2.5))
    assert (answer.status_code, answer.headers) == (503, {"Retry-After": "3"})


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (CrossOrigin("Another page."), 403, "forbidden"),
        (SignInFailed("login_expired", "Too slow."), 400, "invalid_request"),
        (SignInFailed("login_refused", "No."), 400, "access_denied"),
        (SignInFailed("consent_required", "Not yet."), 403, "consent_required"),
    ],
)
def test_what_no_token_would_help_has_no_challenge(error: EntraError, status: int, name: str) -> None:
    """Clients would throw good tokens away, or ask for others in vain."""
    answer = _refuse(error)
    assert (answer.status_code, answer.headers) == (status, {})
    assert body_of(answer) == {"error": name, "code": error.code, "message": error.message}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("entra_unreachable", 503),
        ("entra_failed", 502),
        ("id_token_invalid", 502),
        ("entra_timeout", 504),
    ],
)
def test_entras_faults_have_the_status_of_a_gateways(code: str, status: int) -> None:
    """RFC 9110, 15.6.3 to 15.6.5: it answered wrongly, is away, or did not answer in time."""
    answer = _refuse(EntraUnavailable(code, "Later.", 5))
    assert (answer.status_code, answer.headers) == (status, {"Retry-After": "5"})


def test_what_entra_said_stands_beside_what_it_means() -> None:
    """Support asks for its identifiers; what it did not say is left out."""
    refusal = Refusal("invalid_grant", aadsts=70008, trace_id="t-1", correlation_id="c-1")
    answer = _refuse(SignInFailed("login_refused", "Sign in again.", refusal))
    assert body_of(answer) == {
        "error": "invalid_grant",
        "code": "login_refused",
        "message": "Sign in again.",
        "aadsts": 70008,
        "trace_id": "t-1",
        "correlation_id": "c-1",
    }


@pytest.mark.parametrize("text", ['"', "\\", "\r\nSet-Cookie: a=b", "ä", "\x7f", "\N{SNOWMAN}", "\ud800"])
def test_nothing_breaks_out_of_a_challenge(text: str) -> None:
    """Whatever stands in a message, the header stays one challenge that can be parsed strictly."""
    header = _refuse(InvalidToken("token_malformed", f"It is {text}.")).headers["WWW-Authenticate"]  # type: ignore[index]
    assert _parse(header)["error_description"] == "It is " + re.sub(r'[^ -~]|["\\]', "?", text) + "."


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))]
)
def test_a_refusal_is_copied_and_pickled_as_fastapis_own_exception(
    copied: Callable[[HTTPException], HTTPException],
) -> None:
    """What reports errors from another process takes the answer along, and not what makes it."""
    error = _refuse(InvalidToken("token_expired", "Too late."))
    other = copied(error)
    assert type(other) is HTTPException
    assert (other.status_code, other.detail, other.headers) == (401, error.detail, error.headers)


def test_a_websocket_gets_the_same_answer_where_the_server_can_send_it() -> None:
    """ASGI's denial response carries status and challenge."""
    socket = _websocket({"websocket.http.response": {}})
    answer = CHALLENGER.exception(InvalidToken("token_expired", "Too late."), socket)
    assert isinstance(answer, HTTPException)
    assert (answer.status_code, "WWW-Authenticate" in (answer.headers or {})) == (401, True)


@pytest.mark.parametrize("extensions", [None, {}, {"tls": {}}])
def test_a_websocket_is_closed_where_the_server_cannot(extensions: dict[str, object] | None) -> None:
    """RFC 6455, 7.4.1: 1008 says that a policy was violated; the reason is the code."""
    answer = CHALLENGER.exception(InvalidToken("token_expired", "Too late."), _websocket(extensions))
    assert isinstance(answer, WebSocketException)
    assert (answer.code, answer.reason) == (1008, "token_expired")


def body_of(answer: HTTPException) -> object:
    """The ``detail`` of the JSON; FastAPI's own type is narrower in some versions."""
    return answer.detail


def _refuse(error: EntraError) -> HTTPException:
    answer = CHALLENGER.exception(error, Request({"type": "http", "headers": []}))
    assert isinstance(answer, HTTPException)
    return answer


def _websocket(extensions: dict[str, object] | None) -> HTTPConnection:
    async def unused() -> None: ...

    scope = {"type": "websocket", "headers": []} | ({} if extensions is None else {"extensions": extensions})
    return WebSocket(scope, unused, unused)  # type: ignore[arg-type]


def _parse(header: str) -> dict[str, str]:
    assert _CHALLENGE.fullmatch(header), header
    pairs = _PARAMETER.findall(header)
    assert len(dict(pairs)) == len(pairs), "a parameter stands there twice"
    return dict(pairs)
