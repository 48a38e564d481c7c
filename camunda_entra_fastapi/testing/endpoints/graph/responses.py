"""Responses of Microsoft Graph: JSON, request IDs, and errors in Graph's form."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from camunda_entra_fastapi.testing.directory.graph import GRAPH
from camunda_entra_fastapi.testing.protocol.aadsts import json_response
from camunda_entra_fastapi.testing.protocol.request_log import record_of
from camunda_entra_fastapi.testing.world.world import World

_ODATA: Final = (
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
)

_CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Location, Preference-Applied, Content-Range, request-id, "
    "client-request-id",
}


class GraphError(Exception):
    """An error response of Graph, with the emulator's message (Learn: Microsoft Graph error responses).

    Args:
        status: The HTTP status.
        code: Graph's code of the error.
        message: What is wrong and what to do, in a sentence or two.
    """

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def invalid_token(message: str) -> GraphError:
    """The caller is not authenticated."""
    return GraphError(HTTPStatus.UNAUTHORIZED, "InvalidAuthenticationToken", message)


def bad_request(message: str, code: str = "Request_BadRequest") -> GraphError:
    """The request is malformed or not supported."""
    return GraphError(HTTPStatus.BAD_REQUEST, code, message)


def method_not_allowed(message: str) -> GraphError:
    """The path takes another method."""
    return GraphError(HTTPStatus.METHOD_NOT_ALLOWED, "Request_BadRequest", message)


def conflict(message: str) -> GraphError:
    """The object exists already."""
    return GraphError(HTTPStatus.CONFLICT, "Request_MultipleObjectsWithSameKeyValue", message)


def denied(message: str) -> GraphError:
    """The caller lacks the permission."""
    return GraphError(HTTPStatus.FORBIDDEN, "Authorization_RequestDenied", message)


def not_found(message: str, code: str = "Request_ResourceNotFound") -> GraphError:
    """The object does not exist in the tenant."""
    return GraphError(HTTPStatus.NOT_FOUND, code, message)


def graph_response(
    request: Request, members: Mapping[str, Any] | None, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    """A successful response. Without ``@odata.context`` it is plain JSON, as of the UserInfo endpoint.

    Without members it is 204, as after an update.
    """
    if members is None:
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=_headers(_ids(request)))
    kind = _ODATA if "@odata.context" in members else "application/json"
    return json_response(members, {"Content-Type": kind, **_headers(_ids(request))}, status)


def list_response(world: World, request: Request, collection: str, found: list[dict[str, Any]]) -> Response:
    """The objects of a collection, with the members that ``$select`` names."""
    select = [name for name in request.query_params.get("$select", "").split(",") if name]
    selected = [{name: each[name] for name in select if name in each} if select else each for each in found]
    return graph_response(request, odata_context(world, collection) | {"value": selected})


def odata_context(
    world: World, resource: str, select: Iterable[str] = (), suffix: str = ""
) -> dict[str, Any]:
    """``@odata.context``: the type of the response."""
    names = ",".join(select)
    part = f"({names})" if names else ""
    return {"@odata.context": f"{world.base_url}/v1.0/$metadata#{resource}{part}{suffix}"}


def graph_error_response(problem: GraphError, request: Request, *, now: float, base_url: str) -> Response:
    """The error response; for 401 with the challenge that names the authorization endpoint."""
    record_of(request).error = f"{problem.code}: {problem.message}"
    ids = _ids(request)
    date = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    error = {"code": problem.code, "message": problem.message, "innerError": {"date": date, **ids}}
    headers = _headers(ids)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        authorization_uri = f"{base_url}/common/oauth2/v2.0/authorize"
        headers["WWW-Authenticate"] = (
            f'Bearer realm="", authorization_uri="{authorization_uri}", client_id="{GRAPH.client_id}"'
        )
    return json_response({"error": error}, {"Content-Type": "application/json", **headers}, problem.status)


def preflight(request: Request, methods: str) -> Response:
    """The response to a CORS preflight."""
    requested_headers = request.headers.get("access-control-request-headers", "")
    allowed = {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": requested_headers,
        "Access-Control-Max-Age": "86400",
    }
    return Response(status_code=HTTPStatus.OK, headers=_CORS | allowed)


def _ids(request: Request) -> dict[str, str]:
    """A new request ID, and the caller's; without one of the caller, the new ID for both."""
    request_id = str(uuid.uuid4())
    try:
        client_request_id = str(uuid.UUID(request.headers.get("client-request-id", "")))
    except ValueError:
        client_request_id = request_id
    return {"request-id": request_id, "client-request-id": client_request_id}


def _headers(ids: Mapping[str, str]) -> dict[str, str]:
    return {"Cache-Control": "no-cache", **_CORS, **ids}
