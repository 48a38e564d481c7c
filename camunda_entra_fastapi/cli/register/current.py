"""The current registration: Graph's objects, and reading them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from camunda_entra_fastapi.cli.register.graph import GraphClient, GraphError

GRAPH_ID: Final = "00000003-0000-0000-c000-000000000000"
"""Microsoft Graph's client ID in every tenant."""


@dataclass(frozen=True, slots=True)
class CurrentRegistration:
    """The registration as it is, as Graph's objects.

    Attributes:
        application: The application; empty where there is none.
        principal: Its service principal; empty where there is none.
        grants: Its tenant-wide permission grants, by the resource's service principal.
        graph_principal: Microsoft Graph's own service principal.
    """

    application: Mapping[str, Any] = field(default_factory=dict)
    principal: Mapping[str, Any] = field(default_factory=dict)
    grants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    graph_principal: Mapping[str, Any] = field(default_factory=dict)


def read_current(graph: GraphClient, name: str, client_id: str) -> CurrentRegistration:
    """Read the current registration; an empty one, where there is none.

    Args:
        graph: The Graph client.
        name: The display name to look for.
        client_id: The client ID to look for instead of the name; empty for none.

    Raises:
        GraphError: Several applications have the name, none has the client ID, or Graph refused.
    """
    (graph_principal, *_) = graph.first_page("/servicePrincipals", **_odata_filter("appId", GRAPH_ID)) or [{}]
    if not graph_principal.get("id"):
        raise GraphError(
            "The tenant has no service principal of Microsoft Graph, so that nothing can be consented to. "
            f"Create it (az ad sp create --id {GRAPH_ID}), then run this again."
        )
    filter_by = ("appId", client_id) if client_id else ("displayName", name)
    applications = graph.first_page("/applications", **_odata_filter(*filter_by))
    if len(applications) > 1:
        ids = ", ".join(str(application.get("appId")) for application in applications)
        raise GraphError(
            f"There are several applications of the name {name}: {ids}. Choose with --client-id."
        )
    if not applications:
        if client_id:
            raise GraphError(
                f"The tenant has no application {client_id}. Leave out --client-id to create one."
            )
        return CurrentRegistration(graph_principal=graph_principal)
    (application,) = applications
    return _read_service_principal(graph, application, graph_principal)


def _read_service_principal(
    graph: GraphClient, application: Mapping[str, Any], graph_principal: Mapping[str, Any]
) -> CurrentRegistration:
    principals = graph.first_page("/servicePrincipals", **_odata_filter("appId", str(application["appId"])))
    principal = principals[0] if principals else {}
    grants_by_resource: dict[str, Mapping[str, Any]] = {}
    if principal:
        grants = graph.first_page(
            "/oauth2PermissionGrants", **_odata_filter("clientId", str(principal["id"]))
        )
        tenant_wide = (grant for grant in grants if grant.get("consentType") == "AllPrincipals")
        grants_by_resource = {str(grant["resourceId"]): grant for grant in tenant_wide}
    return CurrentRegistration(application, principal, grants_by_resource, graph_principal)


def has_valid_secret(application: Mapping[str, Any], now: datetime) -> bool:
    """Whether the application has a client secret that has not expired."""
    return any(
        _expiry_of(entry.get("endDateTime"), now) > now
        for entry in application.get("passwordCredentials") or ()
    )


def _expiry_of(end: object, now: datetime) -> datetime:
    """When a secret expires: in the far future, where that cannot be parsed."""
    try:
        expiry = datetime.fromisoformat(str(end))
    except ValueError:
        return now.replace(year=9999, month=1, day=1)
    return expiry if expiry.tzinfo else expiry.replace(tzinfo=UTC)


def _odata_filter(name: str, value: str) -> dict[str, str]:
    escaped = value.replace("'", "''")
    return {"$filter": f"{name} eq '{escaped}'"}
