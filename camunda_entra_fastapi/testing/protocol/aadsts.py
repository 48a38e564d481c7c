"""Errors as Entra reports them: an OAuth error, an AADSTS code, and words of our own."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from camunda_entra_fastapi.testing.protocol.request_log import record_of

_WITH_PAGE: Final = "https://login.microsoftonline.com/error?code="


class Aadsts(Exception):
    """One refusal of Entra's.

    Args:
        code: The number behind ``AADSTS``.
        error: The OAuth error (RFC 6749, 4.1.2.1 and 5.2; OpenID Connect Core, 3.1.2.6).
        message: What is wrong, in a sentence.
        status: The status at the token endpoint; 401 for ``invalid_client`` and 400 else when left out.
        suberror: What a client may do about it.
        claims: What the next sign-in must bring, as JSON (Learn: claims challenges).
    """

    def __init__(
        self,
        code: int,
        error: str,
        message: str,
        status: HTTPStatus | None = None,
        *,
        suberror: str | None = None,
        claims: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.error = error
        self.message = message
        refused = HTTPStatus.UNAUTHORIZED if error == "invalid_client" else HTTPStatus.BAD_REQUEST
        self.status = status or refused
        self.suberror = suberror
        self.claims = claims


def describe(problem: Aadsts, *, trace_id: str, correlation_id: str, now: float) -> str:
    """``error_description``: the code, the sentence, and what support asks for."""
    lines = (
        f"AADSTS{problem.code}: {problem.message}",
        f"Trace ID: {trace_id}",
        f"Correlation ID: {correlation_id}",
        f"Timestamp: {timestamp(now)}",
    )
    return "\r\n".join(lines)


def error_members(problem: Aadsts, request: Request, now: float) -> dict[str, Any]:
    """The error as JSON members, in Entra's order."""
    trace_id, correlation_id = str(uuid.uuid4()), correlation_of(request)
    record_of(request).error = f"AADSTS{problem.code}: {problem.message}"
    members: dict[str, Any] = {
        "error": problem.error,
        "error_description": describe(problem, trace_id=trace_id, correlation_id=correlation_id, now=now),
        "error_codes": [problem.code],
        "timestamp": timestamp(now),
        "trace_id": trace_id,
        "correlation_id": correlation_id,
        "error_uri": f"{_WITH_PAGE}{problem.code}",
        "suberror": problem.suberror,
        "claims": problem.claims,
    }
    return {name: value for name, value in members.items() if value is not None}


def error_response(problem: Aadsts, request: Request, now: float) -> Response:
    """The error as the token endpoint and the documents answer it."""
    members = error_members(problem, request, now)
    return json_response(
        members, no_store() | request_headers(problem.code, members["trace_id"]), problem.status
    )


def json_response(
    members: Mapping[str, Any], headers: Mapping[str, str], status: int = HTTPStatus.OK
) -> Response:
    """JSON with the content type that Entra gives it."""
    kind = {"Content-Type": "application/json; charset=utf-8", "X-Content-Type-Options": "nosniff"}
    return JSONResponse(dict(members), status, {**kind, **headers})


def request_headers(code: int = 0, request_id: str | None = None) -> dict[str, str]:
    """What support and Microsoft's clients look for in an answer; ``code`` is 0 where nothing went wrong.

    Entra's ``Strict-Transport-Security`` is left out: it would turn every other service on localhost to
    https in the browser.
    """
    return {
        "x-ms-request-id": request_id or str(uuid.uuid4()),
        "x-ms-ests-server": "local emulator",
        "x-ms-clitelem": f"1,{code},0,,",
    }


def correlation_of(request: Request) -> str:
    """The caller's ``client-request-id``, or a new one."""
    given = request.headers.get("client-request-id", "")
    try:
        return str(uuid.UUID(given))
    except ValueError:
        return str(uuid.uuid4())


def no_store() -> dict[str, str]:
    """What keeps answers out of caches, as Entra sends it."""
    return {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache", "Expires": "-1"}


def timestamp(now: float) -> str:
    """Entra's spelling of a time."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
