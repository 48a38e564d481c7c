"""Applying a plan through Microsoft Graph."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from camunda_entra_fastapi.cli.register.current import CurrentRegistration
from camunda_entra_fastapi.cli.register.desired import DesiredRegistration
from camunda_entra_fastapi.cli.register.graph import GraphClient, GraphError
from camunda_entra_fastapi.cli.register.plan import Plan, make_plan, tenant_wide_grant

REQUEST_DENIED: Final = "Authorization_RequestDenied"


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """The result of applying a plan.

    Attributes:
        client_id: The application's client ID.
        secret: The new client secret; empty where none was created.
        consent_error: Why consent was refused; empty where it was granted, or was not needed.
    """

    client_id: str
    secret: str = field(repr=False, default="")
    consent_error: str = ""


def apply_plan(
    graph: GraphClient,
    desired: DesiredRegistration,
    current: CurrentRegistration,
    plan: Plan,
    *,
    now: datetime,
    years: int,
    on_step: Callable[[str], object],
) -> ApplyResult:
    """Apply the plan, step by step. Completed steps are not undone when a later one fails.

    Args:
        graph: The Graph client.
        desired: The desired registration.
        current: The current one.
        plan: The plan.
        now: The time.
        years: How long a new secret is valid.
        on_step: Called with each step once it is done.

    Raises:
        GraphError: A step failed. A refused consent is no failure: the result has it.
    """
    if current.application:
        if plan.changes:
            graph.send("PATCH", f"/applications/{current.application['id']}", plan.changes)
            on_step("changed the application")
        object_id, client_id = str(current.application["id"]), str(current.application["appId"])
    else:
        created = graph.send("POST", "/applications", plan.creation_body)
        object_id, client_id = str(created["id"]), str(created["appId"])
        on_step(f"created the application {client_id}")
        # Its name and its own scope can be written once there is a client ID.
        remaining = make_plan(
            desired, CurrentRegistration(created, graph_principal=current.graph_principal), new_secret=False
        )
        graph.send("PATCH", f"/applications/{object_id}", remaining.changes, retry_not_found=True)
        on_step(f"named it api://{client_id}")
    principal = current.principal
    if plan.needs_principal:
        principal = graph.send("POST", "/servicePrincipals", {"appId": client_id}, retry_not_found=True)
        on_step("created its service principal")
    consent_error = _grant_consent(graph, current, str(principal["id"]), plan)
    if any(plan.consents) and not consent_error:
        on_step("consented for everybody")
    # The secret comes last: Graph shows it once, and a failure afterwards would lose it.
    secret = _add_secret(graph, object_id, now, years) if plan.needs_secret else ""
    if secret:
        on_step("created a client secret")
    return ApplyResult(client_id, secret, consent_error)


def _add_secret(graph: GraphClient, object_id: str, now: datetime, years: int) -> str:
    expiry = (now + timedelta(days=365 * years)).astimezone(UTC).replace(microsecond=0, tzinfo=None)
    credential = {"displayName": "camunda-entra register", "endDateTime": f"{expiry.isoformat()}Z"}
    path = f"/applications/{object_id}/addPassword"
    created = graph.send("POST", path, {"passwordCredential": credential}, retry_not_found=True)
    secret = created.get("secretText")
    if not isinstance(secret, str) or not secret or not secret.isprintable():
        raise GraphError(
            "Microsoft Graph made a client secret, but did not tell it. Run this with --new-secret."
        )
    return secret


def _grant_consent(graph: GraphClient, current: CurrentRegistration, principal_id: str, plan: Plan) -> str:
    """Grant admin consent; the reason, where that is refused."""
    for resource_id, scopes in zip(
        (str(current.graph_principal.get("id")), principal_id), plan.consents, strict=True
    ):
        if not scopes:
            continue
        grant = current.grants.get(resource_id)
        try:
            if grant is None:
                new_grant = tenant_wide_grant(principal_id, resource_id, " ".join(scopes))
                graph.send("POST", "/oauth2PermissionGrants", new_grant, retry_not_found=True)
            else:
                scope = " ".join([*str(grant.get("scope", "")).split(), *scopes])
                graph.send("PATCH", f"/oauth2PermissionGrants/{grant['id']}", {"scope": scope})
        except GraphError as error:
            if error.code != REQUEST_DENIED:
                raise
            return str(error)
    return ""
