"""The orders of a shop, with camunda_entra_fastapi.

It reads the six CAMUNDA_IDENTITY_* variables and what ``settings.py`` names; guests stay out with
CAMUNDA_ENTRA_ALLOW_GUESTS=false. Run it in the folder above the sample with
``uvicorn moved_from_fastapi_azure_auth.after.main:app``.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx2
from fastapi import APIRouter, Depends, FastAPI, Request, Security, WebSocket
from fastapi_azure_auth.user import User

from moved_from_fastapi_azure_auth.after.security import (
    employees,
    entra,
    must_be_admin,
    partner_entra,
    partner_or_machine,
)
from moved_from_fastapi_azure_auth.after.settings import settings

http_client = httpx2.AsyncClient
InTheirName = Annotated[httpx2.Auth, Depends(entra.on_behalf_of(settings.warehouse_scope))]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep Entra's keys fresh, for both."""
    async with entra.lifespan(app), partner_entra.lifespan(app):
        yield


app = FastAPI(
    title="Orders",
    lifespan=lifespan,
    swagger_ui_oauth2_redirect_url="/oauth2-redirect",
    swagger_ui_init_oauth={
        "usePkceWithAuthorizationCodeGrant": True,
        "clientId": settings.docs_client_id,
    },
)
entra.install(app, direct_docs=True)
router = APIRouter(dependencies=[Security(employees, scopes=["Orders.Read"])])


@router.get("/orders")
async def orders(request: Request) -> dict[str, Any]:
    """All orders, and for whom."""
    return {"orders": [4711], "for": request.state.user.name}


@router.delete("/orders/{key}")
async def cancel(key: int, admin: Annotated[User, Depends(must_be_admin)]) -> dict[str, Any]:
    """Cancel an order."""
    return {"cancelled": key, "by": admin.name}


@router.get("/orders/{key}/parcel")
async def parcel(key: int, auth: InTheirName) -> Any:
    """Where the parcel is: the warehouse knows, and is asked in the caller's name."""
    async with http_client(auth=auth) as http:
        return (await http.get(f"{settings.warehouse_url}/parcels/{key}")).json()


@app.get("/me")
async def me(user: Annotated[User, Depends(employees)]) -> User:
    """Everything that is known of the caller."""
    return user


@app.get("/partners/orders")
async def partner_orders(who: Annotated[str, Depends(partner_or_machine)]) -> dict[str, Any]:
    """The orders of a customer."""
    return {"orders": [815], "for": who}


@app.websocket("/live")
async def live(socket: WebSocket, user: Annotated[User, Depends(employees)]) -> None:
    """What happens to orders, as it happens."""
    await socket.accept()
    await socket.send_text(f"hello {user.name}")
    await socket.close()


app.include_router(router)
