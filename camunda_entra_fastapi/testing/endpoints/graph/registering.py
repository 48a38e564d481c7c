"""Registering applications through Microsoft Graph: applications, service principals, secrets and consents.

Learn: Microsoft Graph v1.0, application, servicePrincipal and oAuth2PermissionGrant.
"""

import json
import secrets
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from camunda_entra_fastapi.testing.directory import Application, Tenant
from camunda_entra_fastapi.testing.directory.applications import Secret
from camunda_entra_fastapi.testing.directory.graph import GRAPH
from camunda_entra_fastapi.testing.endpoints.graph.callers import Caller
from camunda_entra_fastapi.testing.endpoints.graph.granting import (
    Granting,
    check_administrator,
    context_of,
    listed,
)
from camunda_entra_fastapi.testing.endpoints.graph.queries import filter_of, fits, members_of
from camunda_entra_fastapi.testing.endpoints.graph.registrations import (
    DEFAULTS,
    Members,
    application_of,
    check_removal,
    object_id_of,
    roles_of,
    scopes_of,
    wire_of,
)
from camunda_entra_fastapi.testing.endpoints.graph.responses import (
    bad_request,
    conflict,
    graph_response,
    not_found,
)
from camunda_entra_fastapi.testing.world.world import World

READ: Final = ("Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All")
WRITE: Final = ("Application.ReadWrite.All",)

_TWO_YEARS: Final = timedelta(days=730)


class Registering:
    """What was registered through Graph, beside what the directory has of it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._written: dict[str, Members] = {}
        """Registrations as they were written, by client ID, with the members that the directory knows not."""
        self._waiting: dict[str, tuple[str, Application]] = {}
        """Registrations without a service principal, which nobody can use yet, with their tenants."""

    async def applications(self, request: Request, caller: Caller) -> Response:
        """Those of the tenant, or the new one."""
        if request.method == "POST":
            return await self._create(request, caller)
        caller.need(READ)
        wanted = filter_of(request, ("appId", "displayName", "uniqueName"))
        found = [self._wire(app) for app in self._all(caller.tenant)]
        return listed(self.world, request, "applications", [each for each in found if fits(each, wanted)])

    async def application(self, request: Request, caller: Caller) -> Response:
        """One registration, or its new state."""
        caller.need(READ if request.method == "GET" else WRITE)
        app = self._named(request, caller.tenant)
        if request.method == "GET":
            return graph_response(request, context_of(self.world, "applications/$entity") | self._wire(app))
        check_administrator(caller)
        before = self._wire(app)
        changes = await members_of(request, (*DEFAULTS, "displayName"))
        after = {**before, **{name: _merged(before.get(name), value) for name, value in changes.items()}}
        check_removal(before, after)
        self._write(caller.tenant, after, app)
        return graph_response(request, None)

    async def add_password(self, request: Request, caller: Caller) -> Response:
        """A new client secret, which is told this once."""
        caller.need(WRITE)
        check_administrator(caller)
        app = self._named(request, caller.tenant)
        wanted = (await members_of(request, ("passwordCredential",))).get("passwordCredential") or {}
        begin = datetime.fromtimestamp(int(self.world.now()), UTC)
        end = _end_of(wanted.get("endDateTime"), begin)
        value = f"{secrets.token_urlsafe(2)}8Q~{secrets.token_urlsafe(24)}"[:40]
        credential = {
            "keyId": str(uuid.uuid4()),
            "displayName": wanted.get("displayName"),
            "hint": value[:3],
            "startDateTime": begin.isoformat().replace("+00:00", "Z"),
            "endDateTime": end.isoformat().replace("+00:00", "Z"),
        }
        wire = self._wire(app)
        wire["passwordCredentials"] = [*wire["passwordCredentials"], credential]
        self._keep(caller.tenant, wire, replace(app, secrets=(*app.secrets, Secret(value, end))))
        context = context_of(self.world, "microsoft.graph.passwordCredential")
        return graph_response(request, context | credential | {"secretText": value})

    async def service_principals(self, request: Request, caller: Caller) -> Response:
        """Those of the tenant, or the new one."""
        if request.method == "POST":
            return await self._instantiate(request, caller)
        caller.need(READ)
        wanted = filter_of(request, ("appId", "displayName"))
        found = [self._principal(app) for app in (*caller.tenant.applications, GRAPH)]
        return listed(
            self.world, request, "servicePrincipals", [each for each in found if fits(each, wanted)]
        )

    async def organization(self, request: Request, caller: Caller) -> Response:
        """The tenant."""
        caller.need(("User.Read", *READ))
        tenant = caller.tenant
        domains = [{"name": tenant.domain, "isDefault": True, "isInitial": True}]
        members = {"id": tenant.id, "displayName": tenant.name, "verifiedDomains": domains}
        return listed(self.world, request, "organization", [members])

    async def _create(self, request: Request, caller: Caller) -> Response:
        caller.need(WRITE)
        check_administrator(caller)
        given = await members_of(request, (*DEFAULTS, "displayName"))
        client_id = str(uuid.uuid4())
        wire = {
            **json.loads(json.dumps(DEFAULTS)),
            **given,
            "id": object_id_of(client_id),
            "appId": client_id,
            "passwordCredentials": [],
        }
        self._write(caller.tenant, wire, None)
        members = context_of(self.world, "applications/$entity") | wire
        return graph_response(request, members, HTTPStatus.CREATED)

    async def _instantiate(self, request: Request, caller: Caller) -> Response:
        caller.need(WRITE)
        check_administrator(caller)
        client_id = str((await members_of(request, ("appId",))).get("appId"))
        tenant = caller.tenant
        if any(client_id == app.client_id for app in tenant.applications):
            raise conflict(f"The service principal of {client_id[:80]} exists already.")
        home, app = self._waiting.get(client_id, ("", None))
        if app is None or home != tenant.id:
            raise bad_request(f"The appId '{client_id[:80]}' is of no application of this tenant.")
        del self._waiting[client_id]
        self.world.directory = self.world.directory.with_tenant(
            replace(tenant, applications=(*tenant.applications, app))
        )
        members = context_of(self.world, "servicePrincipals/$entity") | self._principal(app)
        return graph_response(request, members, HTTPStatus.CREATED)

    def _all(self, tenant: Tenant) -> list[Application]:
        return [*tenant.applications, *(app for home, app in self._waiting.values() if home == tenant.id)]

    def _named(self, request: Request, tenant: Tenant) -> Application:
        name = str(request.path_params["id"]).lower()
        for app in self._all(tenant):
            if name in (object_id_of(app.client_id), f"appid='{app.client_id}'"):
                return app
        raise not_found(f"There is no application '{name[:100]}' in the directory.")

    def _wire(self, app: Application) -> Members:
        written = self._written.get(app.client_id)
        return dict(written) if written is not None else wire_of(app) | {"passwordCredentials": []}

    def _principal(self, app: Application) -> Members:
        wire = self._written.get(app.client_id)
        scopes = scopes_of(app) if wire is None else (wire["api"] or {}).get("oauth2PermissionScopes") or []
        return {
            "id": app.id,
            "appId": app.client_id,
            "displayName": app.name,
            "appRoleAssignmentRequired": app.assignment_required,
            "appRoles": roles_of(app) if wire is None else wire["appRoles"],
            "oauth2PermissionScopes": scopes,
        }

    def _write(self, tenant: Tenant, wire: Members, before: Application | None) -> None:
        try:
            app = application_of(wire, before, self._all(tenant), tenant.domain)
        except (AttributeError, KeyError, TypeError) as error:
            raise bad_request(f"A property of the application has a wrong form ({error}).") from None
        self._keep(tenant, wire, app)

    def _keep(self, tenant: Tenant, wire: Members, app: Application) -> None:
        if any(each.client_id == app.client_id for each in tenant.applications):
            changed = tuple(app if each.client_id == app.client_id else each for each in tenant.applications)
            directory = self.world.directory
            self.world.directory = directory.with_tenant(replace(tenant, applications=changed))
        else:
            self._waiting[app.client_id] = (tenant.id, app)
        self._written[app.client_id] = wire


def registering_table(
    graph: Registering,
) -> list[tuple[str, str, Callable[[Request, Caller], Awaitable[Response]]]]:
    """The paths, their methods, and who answers. An application is named by object ID or by client ID."""
    granting = Granting(graph.world)
    table: list[tuple[str, str, Callable[[Request, Caller], Awaitable[Response]]]] = [
        ("/v1.0/applications", "GET, POST", graph.applications),
        ("/v1.0/servicePrincipals", "GET, POST", graph.service_principals),
        ("/v1.0/oauth2PermissionGrants", "GET, POST", granting.grants),
        ("/v1.0/oauth2PermissionGrants/{id}", "PATCH", granting.grant),
        ("/v1.0/organization", "GET", graph.organization),
    ]
    for path in ("/v1.0/applications/{id}", "/v1.0/applications({id})"):
        table += [
            (path, "GET, PATCH", graph.application),
            (f"{path}/addPassword", "POST", graph.add_password),
        ]
    return table


def _merged(before: Any, value: Any) -> Any:
    """Objects within are changed member by member, as PATCH does at Graph."""
    return {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value


def _end_of(written: object, begin: datetime) -> datetime:
    if written is None:
        return begin + _TWO_YEARS
    try:
        end = datetime.fromisoformat(str(written).replace("Z", "+00:00"))
        return end if end.tzinfo else end.replace(tzinfo=UTC)
    except ValueError:
        raise bad_request("endDateTime must be a time such as 2027-01-01T00:00:00Z.") from None
