"""A gateway in Python: people sign in with Entra ID, and whoever did gets through to Operate.

It reads the six CAMUNDA_IDENTITY_* variables and OPERATE_URL, where Operate is. Run it in the folder above
with ``uvicorn operate_gateway.main:app``.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response, WebSocket

from camunda_entra_fastapi import CamundaEntra
from operate_gateway.forwarding import Upstream
from operate_gateway.headers import Scrubber
from operate_gateway.sockets import forward_socket

entra = CamundaEntra()
upstream = Upstream(os.environ.get("OPERATE_URL", ""), Scrubber(entra.settings.cookie_name))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep keys current, and connections to Operate open."""
    async with entra.lifespan(app), upstream.connected():
        yield


# Operate has pages and documents of its own under these names.
app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
entra.install(app)

# Whoever has a token to call Operate with is signed in; it is renewed in time. Everybody else is answered
# by this dependency: a browser is sent to sign in and comes back, a program gets 401.
Token = Annotated[str, Depends(entra.access_token)]


@app.api_route("/{path:path}", methods=["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"])
async def everything_else(request: Request, token: Token) -> Response:
    """What is not about signing in is Operate's."""
    return await upstream.forward(request, token)


@app.websocket("/{path:path}")
async def sockets(socket: WebSocket, token: Token) -> None:
    """WebSockets are, too. The dependency refuses those that another site's page opens with our cookie."""
    await forward_socket(socket, upstream, token)
