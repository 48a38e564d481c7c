"""Looking for what there is, and doing what is planned, through Microsoft Graph."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from camunda_entra_fastapi.cli.register.desired import Wanted
from camunda_entra_fastapi.cli.register.graph import Graph, GraphRefused
from camunda_entra_fastapi.cli.register.plan import GRAPH_ID, Found, Plan, plan_of

DENIED: Final = "Authorization_RequestDenied"


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it.

    Attributes:
        client_id: The application's ID.
        secret: The new client secret; empty where none was made.
        unconsented: Why nobody consented; empty where somebody did.
    """

    client_id: str
    secret: str = field(repr=False, default="")
    unconsented: str = ""


def find(graph: Graph, name: str, client_id: str) -> Found:
    """What there is already.

    Args:
        graph: Asked.
        name: The display name.
        client_id: The client ID, which goes before the name; empty for none.

    Raises:
        GraphRefused: There are several of the name, none of the client ID, or Graph does not tell.
    """
    (microsoft, *_) = graph.first("/servicePrincipals", **_filter("appId", GRAPH_ID)) or [{}]
    if not microsoft.get("id"):
        raise GraphRefused(
            "The tenant has no service principal of Microsoft Graph, so that nothing can be consented to. "
            f"Create it (az ad sp create --id {GRAPH_ID}), then run this again."
        )
    by = ("appId", client_id) if client_id else ("displayName", name)
    applications = graph.first("/applications", **_filter(*by))
    if len(applications) > 1:
        ids = ", ".join(str(each.get("appId")) for each in applications)
        raise GraphRefused(
            f"There are several applications of the name {name}: {ids}. Choose with --client-id."
        )
    if not applications:
        if client_id:
            raise GraphRefused(
                f"The tenant has no application {client_id}. Leave out --client-id to create one."
            )
        return Found(graph=microsoft)
    (application,) = applications
    return _with_principal(graph, application, microsoft)


def _with_principal(graph: Graph, application: Mapping[str, Any], microsoft: Mapping[str, Any]) -> Found:
    principals = graph.first("/servicePrincipals", **_filter("appId", str(application["appId"])))
    principal = principals[0] if principals else {}
    grants: dict[str, Mapping[str, Any]] = {}
    if principal:
        given = graph.first("/oauth2PermissionGrants", **_filter("clientId", str(principal["id"])))
        everybody = (each for each in given if each.get("consentType") == "AllPrincipals")
        grants = {str(each["resourceId"]): each for each in everybody}
    return Found(application, principal, grants, microsoft)


def carry_out(
    graph: Graph,
    wanted: Wanted,
    found: Found,
    plan: Plan,
    *,
    now: datetime,
    years: int,
    tell: Callable[[str], object],
) -> Done:
    """Do it, step by step; what is done stays done when a later step fails.

    Args:
        graph: Asked.
        wanted: What shall be.
        found: What is.
        plan: What is to be done.
        now: The time.
        years: How long a new secret is good for.
        tell: Told of each step that is done.

    Raises:
        GraphRefused: A step failed; consent alone may, which is told in the outcome.
    """
    if found.application:
        if plan.changes:
            graph.send("PATCH", f"/applications/{found.application['id']}", plan.changes)
            tell("changed the application")
        object_id, client_id = str(found.application["id"]), str(found.application["appId"])
    else:
        made = graph.send("POST", "/applications", _creatable(plan.changes))
        object_id, client_id = str(made["id"]), str(made["appId"])
        tell(f"created the application {client_id}")
        # Its name and its own scope can be written once there is a client ID.
        rest = plan_of(wanted, Found(made, graph=found.graph), new_secret=False)
        graph.send("PATCH", f"/applications/{object_id}", rest.changes, patient=True)
        tell(f"named it api://{client_id}")
    principal = found.principal
    if plan.needs_principal:
        principal = graph.send("POST", "/servicePrincipals", {"appId": client_id}, patient=True)
        tell("created its service principal")
    unconsented = _consent(graph, found, str(principal["id"]), plan)
    if any(plan.consents) and not unconsented:
        tell("consented for everybody")
    # Last, as it is told once: whatever fails before, no secret is made that nobody knows.
    secret = _add_secret(graph, object_id, now, years) if plan.needs_secret else ""
    if secret:
        tell("created a client secret")
    return Done(client_id, secret, unconsented)


def _creatable(changes: Mapping[str, Any]) -> dict[str, Any]:
    """What can be written before there is a client ID."""
    return {name: value for name, value in changes.items() if name != "requiredResourceAccess"}


def _add_secret(graph: Graph, object_id: str, now: datetime, years: int) -> str:
    ends = (now + timedelta(days=365 * years)).astimezone(UTC).replace(microsecond=0, tzinfo=None)
    credential = {"displayName": "camunda-entra register", "endDateTime": f"{ends.isoformat()}Z"}
    path = f"/applications/{object_id}/addPassword"
    made = graph.send("POST", path, {"passwordCredential": credential}, patient=True)
    secret = made.get("secretText")
    if not isinstance(secret, str) or not secret or not secret.isprintable():
        raise GraphRefused(
            "Microsoft Graph made a client secret, but did not tell it. Run this with --new-secret."
        )
    return secret


def _consent(graph: Graph, found: Found, principal_id: str, plan: Plan) -> str:
    """Consent for everybody; why not, where that is refused."""
    for resource_id, scopes in zip((str(found.graph.get("id")), principal_id), plan.consents, strict=True):
        if not scopes:
            continue
        there = found.grants.get(resource_id)
        try:
            if there is None:
                members = {
                    "clientId": principal_id,
                    "consentType": "AllPrincipals",
                    "resourceId": resource_id,
                    "scope": " ".join(scopes),
                }
                graph.send("POST", "/oauth2PermissionGrants", members, patient=True)
            else:
                scope = " ".join([*str(there.get("scope", "")).split(), *scopes])
                graph.send("PATCH", f"/oauth2PermissionGrants/{there['id']}", {"scope": scope})
        except GraphRefused as refused:
            if refused.code != DENIED:
                raise
            return str(refused)
    return ""


def _filter(name: str, value: str) -> dict[str, str]:
    escaped = value.replace("'", "''")
    return {"$filter": f"{name} eq '{escaped}'"}
