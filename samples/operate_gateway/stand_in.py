"""Stands for Operate: it accepts tokens as Operate does, and shows what reached it.

It reads the six CAMUNDA_IDENTITY_* variables. Run it in the folder above with
``uvicorn operate_gateway.stand_in:app --port 8081``.
"""

import asyncio
import html
from collections.abc import AsyncIterator
from pathlib import Path
from string import Template
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response, WebSocket
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse

from camunda_entra_fastapi import CamundaEntra, EntraUser

entra = CamundaEntra()
app = FastAPI(lifespan=entra.lifespan, docs_url=None, redoc_url=None, openapi_url=None)

CurrentUser = Annotated[EntraUser, Depends(entra.current_user)]
guarded = [Depends(entra.current_user)]

PAGE = Template((Path(__file__).parent / "stand_in.html").read_text())


def reached(request: Request) -> dict[str, Any]:
    """What this request looks like from here; of the token, that there is one."""
    headers = [
        (name, "Bearer ***" if name == "authorization" else value) for name, value in request.headers.items()
    ]
    path = request.scope["raw_path"].decode("latin-1")
    return {"method": request.method, "path": path, "query": request.url.query, "headers": headers}


@app.get("/")
async def page(request: Request, user: CurrentUser) -> Response:
    """Who is through, and with what."""
    seen = reached(request)
    rows = "".join(
        f"<tr><th scope=row>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in [("request", f"{seen['method']} {seen['path']}"), *seen["headers"]]
    )
    return HTMLResponse(PAGE.substitute(name=html.escape(user.name or "Application"), rows=rows))


@app.api_route("/api/echo/{rest:path}", methods=["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"])
@app.api_route("/api/echo", methods=["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"])
async def echo(request: Request, response: Response, user: CurrentUser) -> dict[str, Any]:
    """All of that as JSON."""
    response.headers.append("Set-Cookie", "operate=1; Path=/")
    response.headers.append("Set-Cookie", f"{entra.settings.cookie_name}=stolen; Path=/")
    return {"user": user.oid, **reached(request)}


@app.get("/api/events", dependencies=guarded)
async def events() -> Response:
    """A stream that says something ten times a second, until nobody listens."""

    async def numbers() -> AsyncIterator[str]:
        number = 0
        while True:
            yield f"data: {number}\n\n"
            number += 1
            await asyncio.sleep(0.1)

    return StreamingResponse(numbers(), media_type="text/event-stream")


@app.post("/api/upload", dependencies=guarded)
async def upload(request: Request) -> dict[str, int]:
    """How many bytes came, however many there are."""
    return {"bytes": sum([len(chunk) async for chunk in request.stream()])}


@app.get("/api/moved", dependencies=guarded)
async def moved(request: Request) -> Response:
    """Redirects to where it believes to be itself."""
    return RedirectResponse(f"http://{request.headers['host']}/api/echo?moved=1")


@app.get("/api/refused")
async def refused() -> Response:
    """Accepts no token, as Operate does that was set up for another application."""
    return Response(status_code=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})


@app.websocket("/api/socket")
async def socket(socket: WebSocket, user: CurrentUser) -> None:
    """Its caller's name, then whatever it hears; until it hears good-bye."""
    await socket.accept("echo" if "echo" in socket.scope["subprotocols"] else None)
    await socket.send_text(user.name or "Application")
    while (message := await socket.receive())["type"] == "websocket.receive":
        if message.get("text") == "good-bye":
            await socket.close(4000, "As you wish")
            break
        await socket.send(
            {"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")}
        )
