"""Consents for everybody in a tenant (Learn: oAuth2PermissionGrant)."""

from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from camunda_entra_fastapi.testing.directory import Consent, Tenant
from camunda_entra_fastapi.testing.directory.graph import GRAPH
from camunda_entra_fastapi.testing.directory.shapes import derived_guid
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

GRANT: Final = ("DelegatedPermissionGrant.ReadWrite.All",)
READ_GRANTS: Final = (*GRANT, "Directory.Read.All")

Members = dict[str, Any]


class PermissionGrantEndpoints:
    """Read and write the consents of the directory."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def grants(self, request: Request, caller: Caller) -> Response:
        """List the consents for everybody, or create one."""
        if request.method == "POST":
            return await self._create_grant(request, caller)
        caller.require(READ_GRANTS)
        conditions = parse_filter(request, ("clientId", "resourceId", "consentType"))
        found = [each for each in self._grants(caller.tenant) if matches(each, conditions)]
        return list_response(self._world, request, "oauth2PermissionGrants", found)

    async def grant(self, request: Request, caller: Caller) -> Response:
        """Update the scopes of a consent."""
        caller.require(GRANT)
        caller.require_administrator()
        grant_id = str(request.path_params["id"])
        grant = next((each for each in self._grants(caller.tenant) if each["id"] == grant_id), None)
        if grant is None:
            raise not_found("There is no such oauth2PermissionGrant.")
        scope = (await body_members(request, ("scope",))).get("scope")
        self._store_grant(caller.tenant, grant["clientId"], grant["resourceId"], scope)
        return graph_response(request, None)

    async def _create_grant(self, request: Request, caller: Caller) -> Response:
        caller.require(GRANT)
        caller.require_administrator()
        members = await body_members(
            request, ("clientId", "consentType", "principalId", "resourceId", "scope")
        )
        if members.get("consentType") != "AllPrincipals":
            raise bad_request("The emulator knows the consentType AllPrincipals alone.")
        pair = str(members.get("clientId")), str(members.get("resourceId"))
        if any((each["clientId"], each["resourceId"]) == pair for each in self._grants(caller.tenant)):
            raise conflict("Permission entry already exists.")
        self._store_grant(caller.tenant, *pair, members.get("scope"))
        grants = self._grants(self._world.directory.tenant(caller.tenant.id) or caller.tenant)
        (grant,) = [each for each in grants if (each["clientId"], each["resourceId"]) == pair]
        answer = odata_context(self._world, "oauth2PermissionGrants/$entity") | grant
        return graph_response(request, answer, HTTPStatus.CREATED)

    def _store_grant(self, tenant: Tenant, client: str, resource: str, scope: object) -> None:
        principals = {app.id: app for app in (*tenant.applications, GRAPH)}
        if client not in principals or resource not in principals or not isinstance(scope, str):
            raise bad_request("clientId and resourceId must be service principals, and scope a text.")
        pair = principals[client].client_id, principals[resource].client_id
        unknown = [name for name in scope.split() if name not in principals[resource].exposed]
        if unknown:
            raise bad_request(f"The resource does not expose the scope '{unknown[0][:80]}'.")
        others = [each for each in tenant.consents if (each.client, each.resource) != pair or each.user]
        consent = Consent(*pair, tuple(scope.split()))
        changed = replace(tenant, consents=(*others, consent))
        self._world.directory = self._world.directory.with_tenant(changed)

    def _grants(self, tenant: Tenant) -> list[Members]:
        ids = {app.client_id: app.id for app in (*tenant.applications, GRAPH)}
        return [
            {
                "id": derived_guid("grant", f"{each.client} {each.resource}"),
                "clientId": ids[each.client],
                "consentType": "AllPrincipals",
                "principalId": None,
                "resourceId": ids[each.resource],
                "scope": " ".join(each.scopes),
            }
            for each in tenant.consents
            if each.user is None and each.client in ids and each.resource in ids
        ]
