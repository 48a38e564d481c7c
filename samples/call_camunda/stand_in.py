"""Stands for a Camunda cluster: its REST API, as far as the sample calls it, guarded as Camunda guards it.

It reads the six CAMUNDA_IDENTITY_* variables. Run it in the folder above with
``uvicorn call_camunda.stand_in:app --port 8080``.
"""

from typing import Any

from fastapi import Depends, FastAPI

from camunda_entra_fastapi import CamundaEntra

entra = CamundaEntra()
app = FastAPI(title="Camunda stand-in", lifespan=entra.lifespan)

INSTANCE = {
    "processDefinitionId": "order-fulfilment",
    "processDefinitionName": "Order fulfilment",
    "processDefinitionVersion": 3,
    "processDefinitionVersionTag": None,
    "startDate": "2026-11-20T08:14:00.000Z",
    "endDate": None,
    "state": "ACTIVE",
    "suspendedDate": None,
    "hasIncident": True,
    "tenantId": "<default>",
    "processInstanceKey": "2251799813685301",
    "processDefinitionKey": "2251799813685249",
    "parentProcessInstanceKey": None,
    "parentElementInstanceKey": None,
    "rootProcessInstanceKey": None,
    "tags": [],
    "businessId": "order-4711",
}


@app.post("/v2/process-instances/search", dependencies=[Depends(entra.require(roles=["Incidents.Read.All"]))])
async def search() -> dict[str, Any]:
    """One instance, whatever is looked for."""
    page = {"totalItems": 1, "hasMoreTotalItems": False, "startCursor": None, "endCursor": None}
    return {"items": [INSTANCE], "page": page}
