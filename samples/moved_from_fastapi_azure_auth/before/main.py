"""The orders of a shop, with fastapi-azure-auth.

It reads ORDERS_* variables, see ``settings.py``. Run it in the folder above the sample with
``uvicorn moved_from_fastapi_azure_auth.before.main:app``.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Security, WebSocket
from fastapi_azure_auth.user import User

from moved_from_fastapi_azure_auth.before.security import employees, must_be_admin, partner_or_machine
from moved_from_fastapi_azure_auth.before.settings import settings

http_client = httpx.AsyncClient
TOKEN_URL = f"https://login.microsoftonline.com/{settings.tenant_id}/oauth2/v2.0/token"


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Load Entra's documents."""
    await employees.openid_config.load_config()
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
async def parcel(key: int, request: Request) -> Any:
    """Where the parcel is: the warehouse knows, and is asked in the caller's name."""
    async with http_client() as http:
        answer = await http.post(
            TOKEN_URL,
            data={
                "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "requested_token_use": "on_behalf_of",
                "client_id": settings.client_id,
                "client_secret": settings.client_secret,
                "assertion": request.state.user.access_token,
                "scope": settings.warehouse_scope,
            },
        )
        if not answer.is_success:
            raise HTTPException(502, "Entra gave no token for the warehouse.")
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return (await http.get(f"{settings.warehouse_url}/parcels/{key}", headers=headers)).json()


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
