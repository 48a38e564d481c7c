"""The part of Microsoft Graph that a sign-in needs: who somebody is, and in which groups. Also its routes.

Permissions are those of Learn's reference, page by page, as far as this Graph has them.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from camunda_entra_fastapi.testing.directory import User
from camunda_entra_fastapi.testing.endpoints.graph.callers import Caller, find_caller
from camunda_entra_fastapi.testing.endpoints.graph.objects import (
    GROUP_PROPERTIES,
    USER_BY_DEFAULT,
    USER_PROPERTIES,
    chosen,
    group_members,
    names_of,
    user_members,
)
from camunda_entra_fastapi.testing.endpoints.graph.queries import (
    group_ids_of,
    page_of,
    read_query,
    security_only_of,
)
from camunda_entra_fastapi.testing.endpoints.graph.registering import Registering, registering_table
from camunda_entra_fastapi.testing.endpoints.graph.responses import (
    GraphError,
    bad_request,
    denied,
    graph_error_response,
    graph_response,
    method_not_allowed,
    not_found,
    preflight,
)
from camunda_entra_fastapi.testing.protocol.request_log import tell
from camunda_entra_fastapi.testing.tokens.minting import pairwise
from camunda_entra_fastapi.testing.world.world import World

MAX_IDS: Final = 11_000
"""More groups than that are not told at once (Learn: directoryObject getMemberGroups)."""

_STRINGS: Final = "#Collection(Edm.String)"


@dataclass(frozen=True, slots=True)
class Needs:
    """One of which permissions is needed; several with spaces between them are needed together.

    Attributes:
        own: To read of the person on whose behalf it is asked.
        others: To read of anybody else.
    """

    own: tuple[str, ...]
    others: tuple[str, ...]


_OBJECTS: Final = ("User.Read.All", "Directory.Read.All")
_GROUPS: Final = ("User.Read.All GroupMember.Read.All", "Directory.Read.All")
_LISTS: Final = ("User.Read.All", "GroupMember.Read.All", "Directory.Read.All")
PROFILE: Final = Needs(("User.Read", *_OBJECTS), _OBJECTS)
MEMBER_OBJECTS: Final = Needs(("User.Read", *_OBJECTS), _OBJECTS)
MEMBER_GROUPS: Final = Needs(("User.Read GroupMember.Read.All", *_GROUPS), _GROUPS)
MEMBERSHIPS: Final = Needs(("User.Read", *_LISTS), _LISTS)
SERVICE_PRINCIPALS: Final = ("Application.Read.All", "Directory.Read.All")

_EVERY_METHOD: Final = "GET, POST, PUT, PATCH, DELETE"

Answer = Callable[[Request, Caller], Awaitable[Mapping[str, Any] | Response]]


class Graph:
    """What each path answers. ``world`` has the directory, the keys and the clock."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def user_info(self, _request: Request, caller: Caller) -> Mapping[str, Any]:
        """OpenID Connect's claims about the person (Learn: UserInfo endpoint)."""
        if caller.is_app:
            raise denied("An application's own token has no user; this needs one of a person.")
        caller.need(["openid"])
        user = self._person(caller.user, "the token is of")
        given, family = names_of(user)
        claims: dict[str, Any] = {"sub": pairwise(user, caller.client)}
        if caller.has("profile"):
            picture = f"{self._world.base_url}/v1.0/me/photo/$value"
            claims |= {"name": user.name, "family_name": family, "given_name": given, "picture": picture}
        if caller.has("email"):
            claims["email"] = user.address
        return {name: value for name, value in claims.items() if value is not None}

    async def profile(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """A user."""
        query = read_query(request)
        user = self._subject(request, caller, PROFILE)
        names = chosen("user", query.select, USER_PROPERTIES, USER_BY_DEFAULT)
        return self._context("#users", query.select, "/$entity") | user_members(user, names)

    async def photo(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """Where ``picture`` of the UserInfo endpoint leads."""
        user = self._subject(request, caller, PROFILE)
        raise not_found(f"There is no photo of {user.name}.", "ImageNotFound")

    async def member_objects(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """The IDs of what a user is in. Of all kinds there are, this directory has groups."""
        return await self._member_ids(request, caller, MEMBER_OBJECTS)

    async def member_groups(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """The IDs of the groups that a user is in."""
        return await self._member_ids(request, caller, MEMBER_GROUPS)

    async def check_member_groups(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """Which of some groups a user is in."""
        user = self._subject(request, caller, MEMBER_GROUPS)
        asked = await group_ids_of(request)
        known = {group.id for group in caller.tenant.groups_of(user)}
        return self._context(_STRINGS) | {"value": [each for each in asked if each in known]}

    async def member_objects_of_application(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """What an application is in: nothing, for this directory puts none into groups."""
        caller.need(SERVICE_PRINCIPALS)
        name = str(request.path_params["id"]).lower()
        directory = self._world.directory
        known = (app for tenant in directory.tenants for app in tenant.applications if app.id == name)
        if not any(directory.application_in(caller.tenant, app.client_id) for app in known):
            raise not_found(f"There is no service principal '{name[:100]}' in '{caller.tenant.name}'.")
        await security_only_of(request)
        return self._context(_STRINGS) | {"value": []}

    async def memberships(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """The groups that a user is in, page by page."""
        return self._memberships(request, caller, cast=False)

    async def memberships_in_groups(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """The same, cast to groups, which only advanced queries can (Learn: advanced query capabilities)."""
        return self._memberships(request, caller, cast=True)

    async def not_emulated(self, request: Request, _caller: Caller) -> Mapping[str, Any]:
        """All the rest."""
        path = request.url.path[:200]
        raise bad_request(
            f"{request.method} {path} is no part of the emulator, whatever it is in Microsoft Graph.",
            "BadRequest",
        )

    async def _member_ids(self, request: Request, caller: Caller, needs: Needs) -> Mapping[str, Any]:
        user = self._subject(request, caller, needs)
        security_only = await security_only_of(request)
        groups = caller.tenant.groups_of(user)
        found = [group.id for group in groups if group.security or not security_only]
        if len(found) > MAX_IDS:
            raise bad_request(
                f"{user.name} is in more than {MAX_IDS} groups. List them by transitiveMemberOf.",
                "Directory_ResultSizeLimitExceeded",
            )
        return self._context(_STRINGS) | {"value": found}

    def _memberships(self, request: Request, caller: Caller, *, cast: bool) -> Mapping[str, Any]:
        query = read_query(request)
        user = self._subject(request, caller, MEMBERSHIPS)
        if cast and not query.advanced:
            raise bad_request(
                "A cast to microsoft.graph.group needs the header 'ConsistencyLevel: eventual' together with "
                "$count=true.",
                "Request_UnsupportedQuery",
            )
        groups = caller.tenant.groups_of(user)
        page, place = page_of(groups, query)
        names = chosen("group", query.select, GROUP_PROPERTIES, GROUP_PROPERTIES)
        readable = caller.has("GroupMember.Read.All", "Directory.Read.All")
        kind = {} if cast else {"@odata.type": "#microsoft.graph.group"}
        value = [kind | group_members(group, names, readable=readable) for group in page]
        members = self._context("#groups" if cast else "#directoryObjects", query.select)
        if query.advanced:
            members["@odata.count"] = len(groups)  # silently left out of simple queries
        if place is not None:
            where = f"{self._world.base_url}{request.url.path}"
            members["@odata.nextLink"] = f"{where}?{query.next_page(place)}"
        return members | {"value": value}

    def _subject(self, request: Request, caller: Caller, needs: Needs) -> User:
        """Whom the path is about; permissions are looked at before anybody learns who exists."""
        name = request.path_params.get("id")
        if name is None:
            if caller.is_app:
                raise bad_request(
                    "/me request is only valid with delegated authentication flow.", "BadRequest"
                )
            caller.need(needs.own)
            return self._person(caller.user, "the token is of")
        wanted = str(name).lower()
        known = (user for user in caller.tenant.users if wanted in (user.id, user.username.lower()))
        user = next(known, None)
        caller.need(needs.own if user and user == caller.user else needs.others)
        return self._person(user, f"'{str(name)[:100]}' names by ID or user principal name")

    def _person(self, user: User | None, whom: str) -> User:
        if user is None:
            raise not_found(f"The user that {whom} is not in the directory.")
        return user

    def _context(self, what: str, select: tuple[str, ...] = (), end: str = "") -> dict[str, Any]:
        part = f"({','.join(select)})" if select else ""
        return {"@odata.context": f"{self._world.base_url}/v1.0/$metadata{what}{part}{end}"}


def graph_routes(world: World) -> list[Route]:
    """The routes, at Graph's paths under the emulator's address; whatever else begins so is refused."""
    graph = Graph(world)
    table: list[tuple[str, str, Answer]] = [
        ("/oidc/userinfo", "GET, POST", graph.user_info),
        ("/{tenant}/openid/userinfo", "GET, POST", graph.user_info),
        ("/v1.0/servicePrincipals/{id}/getMemberObjects", "POST", graph.member_objects_of_application),
    ]
    for whose in ("/v1.0/me", "/v1.0/users/{id}"):
        table += [
            (whose, "GET", graph.profile),
            (f"{whose}/photo/$value", "GET", graph.photo),
            (f"{whose}/getMemberObjects", "POST", graph.member_objects),
            (f"{whose}/getMemberGroups", "POST", graph.member_groups),
            (f"{whose}/checkMemberGroups", "POST", graph.check_member_groups),
            (f"{whose}/transitiveMemberOf", "GET", graph.memberships),
            # Microsoft's SDKs leave out the first part of the name.
            (f"{whose}/transitiveMemberOf/microsoft.graph.group", "GET", graph.memberships_in_groups),
            (f"{whose}/transitiveMemberOf/graph.group", "GET", graph.memberships_in_groups),
        ]
    table += registering_table(Registering(world))
    table.append(("/v1.0/{rest:path}", _EVERY_METHOD, graph.not_emulated))
    return [_route(world, path, methods, answer) for path, methods, answer in table]


def _route(world: World, path: str, methods: str, answer: Answer) -> Route:
    async def endpoint(request: Request) -> Response:
        if request.method == "OPTIONS":
            return preflight(request, methods)
        tell(request, did="userinfo" if path.endswith("userinfo") else "Graph")
        try:
            if request.method not in methods.split(", "):
                raise method_not_allowed(f"{request.url.path[:200]} takes {methods}, not {request.method}.")
            caller = find_caller(world, request)
            tell(request, client=caller.client, user=caller.user)
            members = await answer(request, caller)
            if isinstance(members, Response):
                return members
        except GraphError as problem:
            return graph_error_response(problem, request, now=world.now(), base_url=world.base_url)
        return graph_response(request, members)

    return Route(path, endpoint, methods=[*_EVERY_METHOD.split(", "), "OPTIONS"])
