"""Consent for everybody in a tenant (Learn: oAuth2PermissionGrant), and what such endpoints share."""

from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from camunda_entra_fastapi.testing.directory import Consent, Tenant
from camunda_entra_fastapi.testing.directory.graph import GRAPH
from camunda_entra_fastapi.testing.directory.shapes import derived_guid
from camunda_entra_fastapi.testing.endpoints.graph.callers import Caller
from camunda_entra_fastapi.testing.endpoints.graph.queries import filter_of, fits, members_of
from camunda_entra_fastapi.testing.endpoints.graph.responses import (
    bad_request,
    conflict,
    denied,
    graph_response,
    not_found,
)
from camunda_entra_fastapi.testing.world.world import World

GRANT: Final = ("DelegatedPermissionGrant.ReadWrite.All",)
READ_GRANTS: Final = (*GRANT, "Directory.Read.All")

Members = dict[str, Any]


def check_administrator(caller: Caller) -> None:
    """In the name of a person, permissions reach no further than the person's own.

    Raises:
        GraphError: The person is no administrator.
    """
    if not caller.is_app and not (caller.user and caller.user.administrator):
        raise denied("Insufficient privileges to complete the operation: the person is no administrator.")


def context_of(world: World, what: str) -> Members:
    """What an answer is about."""
    return {"@odata.context": f"{world.base_url}/v1.0/$metadata#{what}"}


def listed(world: World, request: Request, what: str, found: list[Members]) -> Response:
    """The objects, with the members that are selected."""
    select = [name for name in request.query_params.get("$select", "").split(",") if name]
    chosen = [{name: each[name] for name in select if name in each} if select else each for each in found]
    return graph_response(request, context_of(world, what) | {"value": chosen})


class Granting:
    """Reads and writes the consents of the directory."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def grants(self, request: Request, caller: Caller) -> Response:
        """Consents for everybody, or a new one."""
        if request.method == "POST":
            return await self._consent(request, caller)
        caller.need(READ_GRANTS)
        wanted = filter_of(request, ("clientId", "resourceId", "consentType"))
        found = [each for each in self._grants(caller.tenant) if fits(each, wanted)]
        return listed(self._world, request, "oauth2PermissionGrants", found)

    async def grant(self, request: Request, caller: Caller) -> Response:
        """The new scopes of a consent."""
        caller.need(GRANT)
        check_administrator(caller)
        wanted = str(request.path_params["id"])
        grant = next((each for each in self._grants(caller.tenant) if each["id"] == wanted), None)
        if grant is None:
            raise not_found("There is no such oauth2PermissionGrant.")
        scope = (await members_of(request, ("scope",))).get("scope")
        self._set_consent(caller.tenant, grant["clientId"], grant["resourceId"], scope)
        return graph_response(request, None)

    async def _consent(self, request: Request, caller: Caller) -> Response:
        caller.need(GRANT)
        check_administrator(caller)
        given = await members_of(request, ("clientId", "consentType", "principalId", "resourceId", "scope"))
        if given.get("consentType") != "AllPrincipals":
            raise bad_request("The emulator knows the consentType AllPrincipals alone.")
        pair = str(given.get("clientId")), str(given.get("resourceId"))
        if any((each["clientId"], each["resourceId"]) == pair for each in self._grants(caller.tenant)):
            raise conflict("Permission entry already exists.")
        self._set_consent(caller.tenant, *pair, given.get("scope"))
        grants = self._grants(self._world.directory.tenant(caller.tenant.id) or caller.tenant)
        (grant,) = [each for each in grants if (each["clientId"], each["resourceId"]) == pair]
        members = context_of(self._world, "oauth2PermissionGrants/$entity") | grant
        return graph_response(request, members, HTTPStatus.CREATED)

    def _set_consent(self, tenant: Tenant, client: str, resource: str, scope: object) -> None:
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
