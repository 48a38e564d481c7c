"""The application that every server serves; the environment sets it up.

``SEEN`` names a folder. Each file in it says that something happened, to the application or to its client.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Request, WebSocket
from fastapi.responses import Response, StreamingResponse

from camunda_entra_fastapi import CamundaEntra, EntraUser

SEEN = Path(os.environ["SEEN"])

entra = CamundaEntra()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Tell when it begins and when it ends."""
    async with entra.lifespan(app):
        (SEEN / "started").touch()
        yield
        (SEEN / "stopped").touch()


app = FastAPI(lifespan=lifespan)
entra.install(app)
CurrentUser = Annotated[EntraUser, Depends(entra.current_user)]


async def happened(name: str) -> None:
    """Wait until a file says so."""
    while not (SEEN / name).exists():  # noqa: ASYNC110 - another process says so
        await asyncio.sleep(0.01)


@app.get("/open")
async def open_to_all(request: Request) -> dict[str, int]:
    """How much of the headers came."""
    return {"bytes": sum(len(value) for _, value in request.headers.raw)}


@app.get("/challenges")
async def challenges() -> Response:
    """Two challenges, as an application may have them."""
    response = Response(status_code=401)
    response.headers.append("WWW-Authenticate", 'Bearer realm="one"')
    response.headers.append("WWW-Authenticate", 'Basic realm="two"')
    return response


@app.get("/me")
@app.get("/x/{path:path}")
async def me(user: CurrentUser) -> dict[str, str | None]:
    """Who is asking."""
    return {"name": user.name}


@app.get("/stream")
async def stream(user: CurrentUser) -> StreamingResponse:
    """A first part, and a second one as soon as the client has got that."""

    async def parts() -> AsyncIterator[str]:
        yield f"{user.name}\n"
        await happened("part-1-came")
        yield "end\n"

    return StreamingResponse(parts())


@app.get("/endless")
async def endless() -> StreamingResponse:
    """Events without an end."""

    async def events() -> AsyncIterator[str]:
        while True:
            yield "data: x\n\n"
            await asyncio.sleep(0.1)

    return StreamingResponse(events(), media_type="text/event-stream")


@app.get("/slow")
async def slow(user: CurrentUser) -> dict[str, str | None]:
    """Answers once somebody says so, which is after the server was asked to stop."""
    (SEEN / "slow-began").touch()
    await happened("slow-may-end")
    return {"name": user.name}


@app.websocket("/ws")
async def ws(socket: WebSocket, user: CurrentUser) -> None:
    """Who is asking."""
    await socket.accept()
    await socket.send_text(str(user.name))
    await socket.receive()


@app.websocket("/ws-open")
async def ws_open(socket: WebSocket) -> None:
    """Open to all."""
    await socket.accept()
    await socket.close()
