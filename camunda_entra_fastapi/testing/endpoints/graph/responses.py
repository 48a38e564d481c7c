"""Answers as Microsoft Graph gives them: JSON, IDs of the request, and errors in its own form."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from camunda_entra_fastapi.testing.directory.graph import GRAPH
from camunda_entra_fastapi.testing.protocol.aadsts import json_response
from camunda_entra_fastapi.testing.protocol.request_log import record_of

_ODATA: Final = (
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
)

_CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Location, Preference-Applied, Content-Range, request-id, "
    "client-request-id",
}


class GraphError(Exception):
    """One refusal of Graph's, with words of our own (Learn: Microsoft Graph error responses).

    Args:
        status: The HTTP status.
        code: What went wrong, as Graph names it.
        message: What is wrong and what to do, in a sentence or two.
    """

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def invalid_token(message: str) -> GraphError:
    """Nobody knows who asks."""
    return GraphError(HTTPStatus.UNAUTHORIZED, "InvalidAuthenticationToken", message)


def bad_request(message: str, code: str = "Request_BadRequest") -> GraphError:
    """What is asked for cannot be understood, or not be had in this way."""
    return GraphError(HTTPStatus.BAD_REQUEST, code, message)


def method_not_allowed(message: str) -> GraphError:
    """The path takes another method."""
    return GraphError(HTTPStatus.METHOD_NOT_ALLOWED, "Request_BadRequest", message)


def conflict(message: str) -> GraphError:
    """There is such a thing already."""
    return GraphError(HTTPStatus.CONFLICT, "Request_MultipleObjectsWithSameKeyValue", message)


def denied(message: str) -> GraphError:
    """Who asks has not the permission."""
    return GraphError(HTTPStatus.FORBIDDEN, "Authorization_RequestDenied", message)


def not_found(message: str, code: str = "Request_ResourceNotFound") -> GraphError:
    """There is no such thing in the tenant."""
    return GraphError(HTTPStatus.NOT_FOUND, code, message)


def graph_response(
    request: Request, members: Mapping[str, Any] | None, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    """An answer that is no error; one for OpenID Connect has no context and is plain JSON.

    Without members it is 204, which says that something was changed.
    """
    if members is None:
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=_headers(_ids(request)))
    kind = _ODATA if "@odata.context" in members else "application/json"
    return json_response(members, {"Content-Type": kind, **_headers(_ids(request))}, status)


def graph_error_response(problem: GraphError, request: Request, *, now: float, base_url: str) -> Response:
    """The error; who is unknown is told where to sign in."""
    record_of(request).error = f"{problem.code}: {problem.message}"
    ids = _ids(request)
    date = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    error = {"code": problem.code, "message": problem.message, "innerError": {"date": date, **ids}}
    headers = _headers(ids)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        where = f"{base_url}/common/oauth2/v2.0/authorize"
        headers["WWW-Authenticate"] = (
            f'Bearer realm="", authorization_uri="{where}", client_id="{GRAPH.client_id}"'
        )
    return json_response({"error": error}, {"Content-Type": "application/json", **headers}, problem.status)


def preflight(request: Request, methods: str) -> Response:
    """What browsers want to know before single-page applications may ask."""
    asked = request.headers.get("access-control-request-headers", "")
    allowed = {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": asked,
        "Access-Control-Max-Age": "86400",
    }
    return Response(status_code=HTTPStatus.OK, headers=_CORS | allowed)


def _ids(request: Request) -> dict[str, str]:
    """An ID of ours, and the caller's own; ours for both where the caller sent none."""
    request_id = str(uuid.uuid4())
    try:
        given = str(uuid.UUID(request.headers.get("client-request-id", "")))
    except ValueError:
        given = request_id
    return {"request-id": request_id, "client-request-id": given}


def _headers(ids: Mapping[str, str]) -> dict[str, str]:
    return {"Cache-Control": "no-cache", **_CORS, **ids}
