"""The service *orders*, as it runs in a container: its own routes, sign-in, and answers for a gateway.

It reads the six CAMUNDA_IDENTITY_* variables. Run it in this folder with ``uvicorn main:app --port 8000``.
"""

from typing import Annotated

from fastapi import Depends, FastAPI

from camunda_entra_fastapi import CamundaEntra, EntraUser

entra = CamundaEntra()
app = FastAPI(title="Orders", lifespan=entra.lifespan)
entra.install(app)

# What a gateway asks about programs that are not written in Python. The prefix is no path that the gateway
# sends to this service from outside, so nobody but the gateway can ask.
app.include_router(entra.forward_auth_router(prefix="/gateway", redirect=True, authorization=True))

CurrentUser = Annotated[EntraUser, Depends(entra.current_user)]


@app.get("/alive", include_in_schema=False)
async def alive() -> dict[str, bool]:
    """For the liveness probe: it asks neither Entra nor the session store."""
    return {"alive": True}


@app.get("/orders")
async def orders(user: CurrentUser) -> dict[str, str]:
    return {"of": user.name or user.subject}


@app.delete("/orders/{number}", dependencies=[Depends(entra.require(roles=["Orders.Admin"]))])
async def cancel(number: int) -> dict[str, int]:
    return {"cancelled": number}
