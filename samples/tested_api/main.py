"""A small Tasklist, guarded by Microsoft Entra ID; it is here for its tests, in ``test_main.py``.

It reads the six CAMUNDA_IDENTITY_* variables. Run it with ``uvicorn tested_api.main:app``.
"""

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Security

from camunda_entra_fastapi import CamundaEntra, EntraUser

entra = CamundaEntra()
app = FastAPI(title="Tested sample", lifespan=entra.lifespan)
entra.install(app)

CurrentUser = Annotated[EntraUser, Depends(entra.current_user)]
Reader = Annotated[EntraUser, Security(entra.current_user, scopes=["Tasks.Read"])]
Admin = Annotated[EntraUser, Depends(entra.require(roles=["Tasks.Admin"]))]

tasks = {1: "Approve the invoice", 2: "Call the customer back"}


@app.get("/me")
async def me(user: CurrentUser) -> dict[str, str | bool | None]:
    """Who am I?"""
    return {"name": user.name, "is_app": user.is_app}


@app.get("/tasks")
async def list_tasks(_: Reader) -> dict[int, str]:
    """What is to be done."""
    return tasks


@app.put("/tasks/{key}/assignee/{name}", responses={404: {"description": "There is no such task"}})
async def assign(key: int, name: str, user: Admin) -> dict[str, str | None]:
    """Give the task to somebody."""
    if key not in tasks:
        raise HTTPException(404, f"There is no task {key}.")
    return {"task": tasks[key], "assignee": name, "assigned_by": user.name}
