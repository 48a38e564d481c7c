"""Users of Microsoft Graph: profile, UserInfo endpoint, and memberships in groups.

The required permissions are those of Learn's reference, as far as this Graph has them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request

from camunda_entra_fastapi.testing.directory import User
from camunda_entra_fastapi.testing.endpoints.graph.callers import Caller
from camunda_entra_fastapi.testing.endpoints.graph.objects import (
    GROUP_PROPERTIES,
    USER_BY_DEFAULT,
    USER_PROPERTIES,
    group_properties,
    selected_properties,
    user_properties,
)
from camunda_entra_fastapi.testing.endpoints.graph.queries import (
    group_ids_of,
    page_of,
    parse_query,
    security_only_of,
)
from camunda_entra_fastapi.testing.endpoints.graph.responses import (
    bad_request,
    denied,
    not_found,
    odata_context,
)
from camunda_entra_fastapi.testing.tokens.minting import pairwise_subject
from camunda_entra_fastapi.testing.tokens.optional_claims import given_and_family_name
from camunda_entra_fastapi.testing.world.world import World

MAX_IDS: Final = 11_000
"""The most groups in a response (Learn: directoryObject getMemberGroups)."""

_STRING_COLLECTION: Final = "Collection(Edm.String)"


@dataclass(frozen=True, slots=True)
class RequiredPermissions:
    """Alternatives of which the caller needs one; permissions with spaces between them are needed together.

    Attributes:
        own: To read about the user on whose behalf the client acts.
        others: To read about other users.
    """

    own: tuple[str, ...]
    others: tuple[str, ...]


_OBJECTS: Final = ("User.Read.All", "Directory.Read.All")
_GROUPS: Final = ("User.Read.All GroupMember.Read.All", "Directory.Read.All")
_LISTS: Final = ("User.Read.All", "GroupMember.Read.All", "Directory.Read.All")
PROFILE: Final = RequiredPermissions(("User.Read", *_OBJECTS), _OBJECTS)
MEMBER_OBJECTS: Final = RequiredPermissions(("User.Read", *_OBJECTS), _OBJECTS)
MEMBER_GROUPS: Final = RequiredPermissions(("User.Read GroupMember.Read.All", *_GROUPS), _GROUPS)
MEMBERSHIPS: Final = RequiredPermissions(("User.Read", *_LISTS), _LISTS)
SERVICE_PRINCIPALS: Final = ("Application.Read.All", "Directory.Read.All")


class UserEndpoints:
    """The endpoints about users. Each gives the members of its response."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def user_info(self, _request: Request, caller: Caller) -> Mapping[str, Any]:
        """OpenID Connect's claims about the user (Learn: UserInfo endpoint)."""
        if caller.is_app_only:
            raise denied("An application's own token has no user; this needs one of a person.")
        caller.require(["openid"])
        user = self._existing(caller.user, "the token is of")
        given_name, family_name = given_and_family_name(user)
        claims: dict[str, Any] = {"sub": pairwise_subject(user, caller.client)}
        if caller.has("profile"):
            picture = f"{self._world.base_url}/v1.0/me/photo/$value"
            claims |= {
                "name": user.name,
                "family_name": family_name,
                "given_name": given_name,
                "picture": picture,
            }
        if caller.has("email"):
            claims["email"] = user.address
        return {name: value for name, value in claims.items() if value is not None}

    async def profile(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """The profile of a user (Learn: get a user)."""
        query = parse_query(request)
        user = self._subject(request, caller, PROFILE)
        names = selected_properties("user", query.select, USER_PROPERTIES, USER_BY_DEFAULT)
        return odata_context(self._world, "users", query.select, "/$entity") | user_properties(user, names)

    async def photo(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """The photo, which ``picture`` of the UserInfo endpoint names; no user has one."""
        user = self._subject(request, caller, PROFILE)
        raise not_found(f"There is no photo of {user.name}.", "ImageNotFound")

    async def member_objects(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """The IDs of the objects that a user is a member of. In this directory these are groups."""
        return await self._member_ids(request, caller, MEMBER_OBJECTS)

    async def member_groups(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """The IDs of the groups that a user is a member of."""
        return await self._member_ids(request, caller, MEMBER_GROUPS)

    async def check_member_groups(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """The groups, out of those in the request, that a user is a member of."""
        user = self._subject(request, caller, MEMBER_GROUPS)
        group_ids = await group_ids_of(request)
        known = {group.id for group in caller.tenant.groups_of(user)}
        return odata_context(self._world, _STRING_COLLECTION) | {
            "value": [each for each in group_ids if each in known]
        }

    async def member_objects_of_application(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """The memberships of an application: none, because this directory has no applications in groups."""
        caller.require(SERVICE_PRINCIPALS)
        name = str(request.path_params["id"]).lower()
        directory = self._world.directory
        known = (app for tenant in directory.tenants for app in tenant.applications if app.id == name)
        if not any(directory.application_in(caller.tenant, app.client_id) for app in known):
            raise not_found(f"There is no service principal '{name[:100]}' in '{caller.tenant.name}'.")
        await security_only_of(request)
        return odata_context(self._world, _STRING_COLLECTION) | {"value": []}

    async def memberships(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """The groups that a user is a member of, page by page."""
        return self._memberships(request, caller, cast=False)

    async def memberships_in_groups(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """The same, cast to groups; this needs an advanced query (Learn: advanced query capabilities)."""
        return self._memberships(request, caller, cast=True)

    async def _member_ids(
        self, request: Request, caller: Caller, permissions: RequiredPermissions
    ) -> Mapping[str, Any]:
        user = self._subject(request, caller, permissions)
        security_only = await security_only_of(request)
        groups = caller.tenant.groups_of(user)
        found = [group.id for group in groups if group.security or not security_only]
        if len(found) > MAX_IDS:
            raise bad_request(
                f"{user.name} is in more than {MAX_IDS} groups. List them by transitiveMemberOf.",
                "Directory_ResultSizeLimitExceeded",
            )
        return odata_context(self._world, _STRING_COLLECTION) | {"value": found}

    def _memberships(self, request: Request, caller: Caller, *, cast: bool) -> Mapping[str, Any]:
        query = parse_query(request)
        user = self._subject(request, caller, MEMBERSHIPS)
        if cast and not query.advanced:
            raise bad_request(
                "A cast to microsoft.graph.group needs the header 'ConsistencyLevel: eventual' together with "
                "$count=true.",
                "Request_UnsupportedQuery",
            )
        groups = caller.tenant.groups_of(user)
        page, skip_token = page_of(groups, query)
        names = selected_properties("group", query.select, GROUP_PROPERTIES, GROUP_PROPERTIES)
        readable = caller.has("GroupMember.Read.All", "Directory.Read.All")
        kind = {} if cast else {"@odata.type": "#microsoft.graph.group"}
        value = [kind | group_properties(group, names, readable=readable) for group in page]
        members = odata_context(self._world, "groups" if cast else "directoryObjects", query.select)
        if query.advanced:
            members["@odata.count"] = len(groups)  # silently left out of simple queries
        if skip_token is not None:
            where = f"{self._world.base_url}{request.scope['path']}"
            members["@odata.nextLink"] = f"{where}?{query.next_page(skip_token)}"
        return members | {"value": value}

    def _subject(self, request: Request, caller: Caller, permissions: RequiredPermissions) -> User:
        """The user that the path names. Permissions are checked first, so that nobody learns who exists."""
        name = request.path_params.get("id")
        if name is None:
            if caller.is_app_only:
                raise bad_request(
                    "/me request is only valid with delegated authentication flow.", "BadRequest"
                )
            caller.require(permissions.own)
            return self._existing(caller.user, "the token is of")
        name_or_id = str(name).lower()
        known = (user for user in caller.tenant.users if name_or_id in (user.id, user.username.lower()))
        user = next(known, None)
        caller.require(permissions.own if user and user == caller.user else permissions.others)
        return self._existing(user, f"'{str(name)[:100]}' names by ID or user principal name")

    def _existing(self, user: User | None, reference: str) -> User:
        if user is None:
            raise not_found(f"The user that {reference} is not in the directory.")
        return user
