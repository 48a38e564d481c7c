"""The routes of Microsoft Graph: the part of it that a sign-in and a registration need."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from camunda_entra_fastapi.testing.endpoints.graph.applications import ApplicationEndpoints
from camunda_entra_fastapi.testing.endpoints.graph.callers import Caller, authenticate_caller
from camunda_entra_fastapi.testing.endpoints.graph.permission_grants import PermissionGrantEndpoints
from camunda_entra_fastapi.testing.endpoints.graph.responses import (
    GraphError,
    bad_request,
    graph_error_response,
    graph_response,
    method_not_allowed,
    preflight,
)
from camunda_entra_fastapi.testing.endpoints.graph.users import UserEndpoints
from camunda_entra_fastapi.testing.protocol.request_log import annotate
from camunda_entra_fastapi.testing.world.world import World

_METHODS: Final = "GET, POST, PUT, PATCH, DELETE"

GraphHandler = Callable[[Request, Caller], Awaitable[Mapping[str, Any] | Response]]


def graph_routes(world: World) -> list[Route]:
    """The routes at Graph's paths under the emulator's address; all other paths of Graph are refused."""
    users = UserEndpoints(world)
    table: list[tuple[str, str, GraphHandler]] = [
        ("/oidc/userinfo", "GET, POST", users.user_info),
        ("/{tenant}/openid/userinfo", "GET, POST", users.user_info),
        ("/v1.0/servicePrincipals/{id}/getMemberObjects", "POST", users.member_objects_of_application),
    ]
    for user in ("/v1.0/me", "/v1.0/users/{id}"):
        table += [
            (user, "GET", users.profile),
            (f"{user}/photo/$value", "GET", users.photo),
            (f"{user}/getMemberObjects", "POST", users.member_objects),
            (f"{user}/getMemberGroups", "POST", users.member_groups),
            (f"{user}/checkMemberGroups", "POST", users.check_member_groups),
            (f"{user}/transitiveMemberOf", "GET", users.memberships),
            # Microsoft's SDKs leave out the first part of the name.
            (f"{user}/transitiveMemberOf/microsoft.graph.group", "GET", users.memberships_in_groups),
            (f"{user}/transitiveMemberOf/graph.group", "GET", users.memberships_in_groups),
        ]
    applications, grants = ApplicationEndpoints(world), PermissionGrantEndpoints(world)
    table += [
        ("/v1.0/applications", "GET, POST", applications.applications),
        ("/v1.0/servicePrincipals", "GET, POST", applications.service_principals),
        ("/v1.0/oauth2PermissionGrants", "GET, POST", grants.grants),
        ("/v1.0/oauth2PermissionGrants/{id}", "PATCH", grants.grant),
        ("/v1.0/organization", "GET", applications.organization),
    ]
    for path in ("/v1.0/applications/{id}", "/v1.0/applications({id})"):  # by object ID or by client ID
        table += [
            (path, "GET, PATCH", applications.application),
            (f"{path}/addPassword", "POST", applications.add_password),
        ]
    table.append(("/v1.0/{rest:path}", _METHODS, _not_emulated))
    return [_route(world, path, methods, handler) for path, methods, handler in table]


def _route(world: World, path: str, methods: str, handler: GraphHandler) -> Route:
    async def endpoint(request: Request) -> Response:
        if request.method == "OPTIONS":
            return preflight(request, methods)
        annotate(request, did="userinfo" if path.endswith("userinfo") else "Graph")
        try:
            if request.method not in methods.split(", "):
                raise method_not_allowed(
                    f"{request.scope['path'][:200]} takes {methods}, not {request.method}."
                )
            caller = authenticate_caller(world, request)
            annotate(request, client=caller.client, user=caller.user)
            members = await handler(request, caller)
            if isinstance(members, Response):
                return members
        except GraphError as problem:
            return graph_error_response(problem, request, now=world.now(), base_url=world.base_url)
        return graph_response(request, members)

    return Route(path, endpoint, methods=[*_METHODS.split(", "), "OPTIONS"])


async def _not_emulated(request: Request, _caller: Caller) -> Mapping[str, Any]:
    """Refuse the rest of Graph."""
    path = request.scope["path"][:200]
    raise bad_request(
        f"{request.method} {path} is no part of the emulator, whatever it is in Microsoft Graph.",
        "BadRequest",
    )
