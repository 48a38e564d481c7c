"""A small Operate: incidents of running processes, guarded by Microsoft Entra ID.

It reads the six CAMUNDA_IDENTITY_* variables. Run it with ``uvicorn main:app``.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, HTTPException, Security
from pydantic import BaseModel

from camunda_entra_fastapi import CamundaEntra, EntraUser

entra = CamundaEntra()
app = FastAPI(title="Operate sample", lifespan=entra.lifespan)
entra.install(app)

CurrentUser = Annotated[EntraUser, Depends(entra.current_user)]
Admin = Annotated[EntraUser, Depends(entra.require(roles=["Operate.Admin"]))]
reads_incidents = Security(entra.current_user, scopes=["Incidents.Read"])
not_found: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such incident"}}
exports = Depends(entra.require_any(scopes=["Incidents.Read"], roles=["Incidents.Read.All"]))


class Incident(BaseModel):
    """A process instance that cannot go on by itself."""

    key: int
    process: str
    element: str
    error: Literal["CONDITION_ERROR", "IO_MAPPING_ERROR", "JOB_NO_RETRIES"]
    message: str
    created: datetime
    resolved_by: str | None = None


class Me(BaseModel):
    """Who is asking, as the token says."""

    name: str | None
    is_app: bool
    roles: list[str]
    scopes: list[str]


incidents = {
    incident.key: incident
    for incident in (
        Incident(
            key=2251799813685301,
            process="Order fulfilment",
            element="Charge credit card",
            error="JOB_NO_RETRIES",
            message="Payment provider answered 502 three times",
            created=datetime(2026, 11, 20, 8, 14, tzinfo=UTC),
        ),
        Incident(
            key=2251799813685348,
            process="Loan application",
            element="Income sufficient?",
            error="CONDITION_ERROR",
            message="Expected 'monthlyIncome > 2 * rate' to be a boolean, but monthlyIncome is null",
            created=datetime(2026, 11, 21, 16, 2, tzinfo=UTC),
        ),
        Incident(
            key=2251799813685392,
            process="Employee onboarding",
            element="Create mailbox",
            error="IO_MAPPING_ERROR",
            message="No variable found with name 'costCenter'",
            created=datetime(2026, 11, 22, 11, 37, tzinfo=UTC),
        ),
    )
}


def find(key: int) -> Incident:
    """The incident with the key, or 404."""
    if key not in incidents:
        raise HTTPException(404, f"There is no incident {key}.")
    return incidents[key]


@app.get("/health")
async def health() -> dict[str, str]:
    """Open to everybody."""
    return {"status": "UP"}


@app.get("/me")
async def me(user: CurrentUser) -> Me:
    """Who am I?"""
    return Me(name=user.name, is_app=user.is_app, roles=user.roles, scopes=user.scopes)


@app.get("/incidents", dependencies=[reads_incidents])
async def list_incidents() -> list[Incident]:
    """What is waiting for somebody."""
    return [incident for incident in incidents.values() if incident.resolved_by is None]


@app.get("/incidents/{key}", dependencies=[reads_incidents], responses=not_found)
async def read_incident(key: int) -> Incident:
    """One incident, resolved or not."""
    return find(key)


@app.delete("/incidents/{key}", responses=not_found)
async def resolve_incident(key: int, user: Admin) -> Incident:
    """Let the process go on; for administrators. Who resolved it first is remembered."""
    incident = find(key)
    incident.resolved_by = incident.resolved_by or user.name or user.subject
    return incident


@app.get("/export", dependencies=[exports])
async def export() -> list[Incident]:
    """Everything, for people with the scope and applications with the role."""
    return list(incidents.values())
