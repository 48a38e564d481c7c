"""Registering applications through Microsoft Graph: applications, service principals and secrets.

Learn: Microsoft Graph v1.0, application, servicePrincipal and oAuth2PermissionGrant.
"""

import json
import secrets
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from camunda_entra_fastapi.testing.directory import Application, Tenant
from camunda_entra_fastapi.testing.directory.applications import Secret
from camunda_entra_fastapi.testing.directory.graph import GRAPH
from camunda_entra_fastapi.testing.endpoints.graph.application_resource import (
    DEFAULTS,
    Members,
    application_of,
    check_removal,
    object_id_of,
    resource_of,
    roles_of,
    scopes_of,
)
from camunda_entra_fastapi.testing.endpoints.graph.callers import Caller
from camunda_entra_fastapi.testing.endpoints.graph.queries import body_members, matches, parse_filter
from camunda_entra_fastapi.testing.endpoints.graph.responses import (
    bad_request,
    conflict,
    graph_response,
    list_response,
    not_found,
    odata_context,
)
from camunda_entra_fastapi.testing.world.world import World

READ: Final = ("Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All")
WRITE: Final = ("Application.ReadWrite.All",)

_TWO_YEARS: Final = timedelta(days=730)


class ApplicationEndpoints:
    """Read and write app registrations.

    The directory has what the emulator uses; the resources here have all members as Graph shows them.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._resources: dict[str, Members] = {}
        """Registrations with all members as they were written, by client ID."""
        self._without_principal: dict[str, tuple[str, Application]] = {}
        """Registrations without a service principal, which cannot be used yet, with their tenants."""

    async def applications(self, request: Request, caller: Caller) -> Response:
        """List the registrations of the tenant, or create one."""
        if request.method == "POST":
            return await self._create(request, caller)
        caller.require(READ)
        conditions = parse_filter(request, ("appId", "displayName", "uniqueName"))
        found = [self._resource(app) for app in self._all(caller.tenant)]
        return list_response(
            self.world, request, "applications", [each for each in found if matches(each, conditions)]
        )

    async def application(self, request: Request, caller: Caller) -> Response:
        """Get or update a registration."""
        caller.require(READ if request.method == "GET" else WRITE)
        app = self._find_application(request, caller.tenant)
        if request.method == "GET":
            return graph_response(
                request, odata_context(self.world, "applications/$entity") | self._resource(app)
            )
        caller.require_administrator()
        before = self._resource(app)
        changes = await body_members(request, (*DEFAULTS, "displayName"))
        after = {**before, **{name: _merged(before.get(name), value) for name, value in changes.items()}}
        check_removal(before, after)
        self._save(caller.tenant, after, app)
        return graph_response(request, None)

    async def add_password(self, request: Request, caller: Caller) -> Response:
        """Add a client secret; only this response has its value."""
        caller.require(WRITE)
        caller.require_administrator()
        app = self._find_application(request, caller.tenant)
        requested = (await body_members(request, ("passwordCredential",))).get("passwordCredential") or {}
        begin = datetime.fromtimestamp(int(self.world.now()), UTC)
        end = _parse_end(requested.get("endDateTime"), begin)
        value = f"{secrets.token_urlsafe(2)}8Q~{secrets.token_urlsafe(24)}"[:40]
        credential = {
            "keyId": str(uuid.uuid4()),
            "displayName": requested.get("displayName"),
            "hint": value[:3],
            "startDateTime": begin.isoformat().replace("+00:00", "Z"),
            "endDateTime": end.isoformat().replace("+00:00", "Z"),
        }
        resource = self._resource(app)
        resource["passwordCredentials"] = [*resource["passwordCredentials"], credential]
        self._store(caller.tenant, resource, replace(app, secrets=(*app.secrets, Secret(value, end))))
        context = odata_context(self.world, "microsoft.graph.passwordCredential")
        return graph_response(request, context | credential | {"secretText": value})

    async def service_principals(self, request: Request, caller: Caller) -> Response:
        """List the service principals of the tenant, or create one."""
        if request.method == "POST":
            return await self._create_service_principal(request, caller)
        caller.require(READ)
        conditions = parse_filter(request, ("appId", "displayName"))
        found = [self._service_principal(app) for app in (*caller.tenant.applications, GRAPH)]
        return list_response(
            self.world, request, "servicePrincipals", [each for each in found if matches(each, conditions)]
        )

    async def organization(self, request: Request, caller: Caller) -> Response:
        """The tenant."""
        caller.require(("User.Read", *READ))
        tenant = caller.tenant
        domains = [{"name": tenant.domain, "isDefault": True, "isInitial": True}]
        members = {"id": tenant.id, "displayName": tenant.name, "verifiedDomains": domains}
        return list_response(self.world, request, "organization", [members])

    async def _create(self, request: Request, caller: Caller) -> Response:
        caller.require(WRITE)
        caller.require_administrator()
        members = await body_members(request, (*DEFAULTS, "displayName"))
        client_id = str(uuid.uuid4())
        resource = {
            **json.loads(json.dumps(DEFAULTS)),
            **members,
            "id": object_id_of(client_id),
            "appId": client_id,
            "passwordCredentials": [],
        }
        self._save(caller.tenant, resource, None)
        answer = odata_context(self.world, "applications/$entity") | resource
        return graph_response(request, answer, HTTPStatus.CREATED)

    async def _create_service_principal(self, request: Request, caller: Caller) -> Response:
        caller.require(WRITE)
        caller.require_administrator()
        client_id = str((await body_members(request, ("appId",))).get("appId"))
        tenant = caller.tenant
        if any(client_id == app.client_id for app in tenant.applications):
            raise conflict(f"The service principal of {client_id[:80]} exists already.")
        home, app = self._without_principal.get(client_id, ("", None))
        if app is None or home != tenant.id:
            raise bad_request(f"The appId '{client_id[:80]}' is of no application of this tenant.")
        del self._without_principal[client_id]
        self.world.directory = self.world.directory.with_tenant(
            replace(tenant, applications=(*tenant.applications, app))
        )
        members = odata_context(self.world, "servicePrincipals/$entity") | self._service_principal(app)
        return graph_response(request, members, HTTPStatus.CREATED)

    def _all(self, tenant: Tenant) -> list[Application]:
        return [
            *tenant.applications,
            *(app for home, app in self._without_principal.values() if home == tenant.id),
        ]

    def _find_application(self, request: Request, tenant: Tenant) -> Application:
        name = str(request.path_params["id"]).lower()
        for app in self._all(tenant):
            if name in (object_id_of(app.client_id), f"appid='{app.client_id}'"):
                return app
        raise not_found(f"There is no application '{name[:100]}' in the directory.")

    def _resource(self, app: Application) -> Members:
        resource = self._resources.get(app.client_id)
        return dict(resource) if resource is not None else resource_of(app) | {"passwordCredentials": []}

    def _service_principal(self, app: Application) -> Members:
        resource = self._resources.get(app.client_id)
        scopes = (
            scopes_of(app)
            if resource is None
            else (resource["api"] or {}).get("oauth2PermissionScopes") or []
        )
        return {
            "id": app.id,
            "appId": app.client_id,
            "displayName": app.name,
            "appRoleAssignmentRequired": app.assignment_required,
            "appRoles": roles_of(app) if resource is None else resource["appRoles"],
            "oauth2PermissionScopes": scopes,
        }

    def _save(self, tenant: Tenant, resource: Members, before: Application | None) -> None:
        try:
            app = application_of(resource, before, self._all(tenant), tenant.domain)
        except (AttributeError, KeyError, TypeError) as error:
            raise bad_request(f"A property of the application has a wrong form ({error}).") from None
        self._store(tenant, resource, app)

    def _store(self, tenant: Tenant, resource: Members, app: Application) -> None:
        if any(each.client_id == app.client_id for each in tenant.applications):
            changed = tuple(app if each.client_id == app.client_id else each for each in tenant.applications)
            directory = self.world.directory
            self.world.directory = directory.with_tenant(replace(tenant, applications=changed))
        else:
            self._without_principal[app.client_id] = (tenant.id, app)
        self._resources[app.client_id] = resource


def _merged(before: Any, value: Any) -> Any:
    """The value after a PATCH: nested objects are merged member by member, as at Graph."""
    return {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value


def _parse_end(resource: object, begin: datetime) -> datetime:
    if resource is None:
        return begin + _TWO_YEARS
    try:
        end = datetime.fromisoformat(str(resource).replace("Z", "+00:00"))
        return end if end.tzinfo else end.replace(tzinfo=UTC)
    except ValueError:
        raise bad_request("endDateTime must be a time such as 2027-01-01T00:00:00Z.") from None
