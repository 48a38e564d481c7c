"""Errors as Entra reports them: an OAuth error, an AADSTS code, and words of our own."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from camunda_entra_fastapi.testing.protocol.request_log import record_of

_ERROR_PAGE: Final = "https://login.microsoftonline.com/error?code="


@dataclass(frozen=True, slots=True)
class Advice:
    """An error in parts, for a page.

    Attributes:
        what: What is wrong, in a sentence.
        remedy: What to do.
        heading: What the list is of.
        values: What could be used instead, the most similar first.
    """

    what: str
    remedy: str
    heading: str
    values: tuple[str, ...]


class AadstsError(Exception):
    """An error response of Entra.

    Args:
        code: The number behind ``AADSTS``.
        error: The OAuth error (RFC 6749, 4.1.2.1 and 5.2; OpenID Connect Core, 3.1.2.6).
        message: What is wrong, in a sentence.
        status: The status at the token endpoint; by default 401 for ``invalid_client``, else 400.
        suberror: What a client may do about it.
        claims: The claims challenge: what the next sign-in must satisfy, as JSON (Learn: claims challenges).
        advice: What the page shows in the message's place, if the message is too long to be read there.
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
        advice: "Advice | None" = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.error = error
        self.message = message
        default_status = HTTPStatus.UNAUTHORIZED if error == "invalid_client" else HTTPStatus.BAD_REQUEST
        self.status = status or default_status
        self.suberror = suberror
        self.claims = claims
        self.advice = advice


def error_description(problem: AadstsError, *, trace_id: str, correlation_id: str, now: float) -> str:
    """``error_description``: the code, the sentence, and the IDs that support needs."""
    lines = (
        f"AADSTS{problem.code}: {problem.message}",
        f"Trace ID: {trace_id}",
        f"Correlation ID: {correlation_id}",
        f"Timestamp: {timestamp(now)}",
    )
    return "\r\n".join(lines)


def error_members(problem: AadstsError, request: Request, now: float) -> dict[str, Any]:
    """The error as JSON members, in Entra's order."""
    trace_id, correlation_id = str(uuid.uuid4()), correlation_id_of(request)
    record_of(request).error = f"AADSTS{problem.code}: {problem.message}"
    members: dict[str, Any] = {
        "error": problem.error,
        "error_description": error_description(
            problem, trace_id=trace_id, correlation_id=correlation_id, now=now
        ),
        "error_codes": [problem.code],
        "timestamp": timestamp(now),
        "trace_id": trace_id,
        "correlation_id": correlation_id,
        "error_uri": f"{_ERROR_PAGE}{problem.code}",
        "suberror": problem.suberror,
        "claims": problem.claims,
    }
    return {name: value for name, value in members.items() if value is not None}


def error_response(problem: AadstsError, request: Request, now: float) -> Response:
    """The error response of the token endpoint and of the documents."""
    members = error_members(problem, request, now)
    return json_response(
        members, no_store_headers() | diagnostic_headers(problem.code, members["trace_id"]), problem.status
    )


def json_response(
    members: Mapping[str, Any], headers: Mapping[str, str], status: int = HTTPStatus.OK
) -> Response:
    """A JSON response with Entra's content type."""
    kind = {"Content-Type": "application/json; charset=utf-8", "X-Content-Type-Options": "nosniff"}
    return JSONResponse(dict(members), status, {**kind, **headers})


def diagnostic_headers(code: int = 0, request_id: str | None = None) -> dict[str, str]:
    """Headers that support and Microsoft's clients read; ``code`` is 0 when there is no error.

    Entra's ``Strict-Transport-Security`` is left out: it would turn every other service on localhost to
    https in the browser.
    """
    return {
        "x-ms-request-id": request_id or str(uuid.uuid4()),
        "x-ms-ests-server": "local emulator",
        "x-ms-clitelem": f"1,{code},0,,",
    }


def correlation_id_of(request: Request) -> str:
    """The caller's ``client-request-id``, or a new one."""
    sent = request.headers.get("client-request-id", "")
    try:
        return str(uuid.UUID(sent))
    except ValueError:
        return str(uuid.uuid4())


def no_store_headers() -> dict[str, str]:
    """Entra's headers that keep a response out of caches."""
    return {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache", "Expires": "-1"}


def timestamp(now: float) -> str:
    """A time in Entra's format."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
