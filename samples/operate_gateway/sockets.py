"""WebSockets on their way to Operate and back."""

import asyncio
from contextlib import suppress

import httpx2
from fastapi import Response, WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from operate_gateway.forwarding import Upstream, refusal

# A message must fit in memory: bytes.
MAX_MESSAGE = 1024 * 1024
# Seconds until the upstream must have answered the handshake.
PATIENCE = 10

NO_CODE, ABNORMAL, INTERNAL_ERROR = 1005, 1006, 1011


class StraightConnect(connect):
    """Follows no redirect: what a client sends is meant for Operate and for nobody else."""

    def process_redirect(self, exc: Exception) -> Exception:
        """It is a refusal like any other."""
        return exc


async def forward_socket(socket: WebSocket, upstream: Upstream, token: str) -> None:
    """Open the same socket at Operate, then pass on what either side says, until one of them closes."""
    try:
        there = await open_socket(socket, upstream, token)
    except InvalidStatus as error:
        answer = Response(bytes(error.response.body or b""), error.response.status_code)
        if answer.status_code == httpx2.codes.UNAUTHORIZED:
            answer = upstream.refused(error.response.headers.get("WWW-Authenticate", "no challenge"))
        await socket.send_denial_response(answer)
    except (ValueError, OSError, WebSocketException):  # TimeoutError is an OSError
        answer = refusal(502, "upstream_unreachable", "Operate does not open the WebSocket.")
        await socket.send_denial_response(answer)
    else:
        async with there:
            await socket.accept(there.subprotocol)
            await pass_on(socket, there)


async def open_socket(socket: WebSocket, upstream: Upstream, token: str) -> ClientConnection:
    """The same socket at Operate."""
    target = upstream.target(socket)
    if target is None:
        raise ValueError("The path has a segment . or .. in it.")
    # The handshake is a new one; the rest of the client's headers goes on.
    headers = [
        (name, value)
        for name, value in upstream.headers(socket, token)
        if not name.lower().startswith("sec-websocket-")
    ]
    return await StraightConnect(
        upstream.origin.replace("http", "ws", 1) + target.decode("latin-1"),
        additional_headers=headers,
        subprotocols=socket.scope["subprotocols"] or None,
        user_agent_header=None,
        max_size=MAX_MESSAGE,
        open_timeout=PATIENCE,
        proxy=None,
    )


async def pass_on(here: WebSocket, there: ClientConnection) -> None:
    """Both ways at once; when one side closes, the other one is closed for the same reason."""
    ways = [asyncio.create_task(to_upstream(here, there)), asyncio.create_task(to_client(here, there))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def to_upstream(here: WebSocket, there: ClientConnection) -> None:
    """What the client says."""
    while (message := await here.receive())["type"] == "websocket.receive":
        text = message.get("text")
        await there.send(message["bytes"] if text is None else text)
    await there.close(sendable(message["code"]), message.get("reason") or "")


async def to_client(here: WebSocket, there: ClientConnection) -> None:
    """What Operate says."""
    with suppress(ConnectionClosed):
        while True:
            message = await there.recv()
            await (here.send_text(message) if isinstance(message, str) else here.send_bytes(message))
    await here.close(sendable(there.close_code), there.close_reason or "")


def sendable(code: int | None) -> int:
    """A code that may be sent; some only say what happened (RFC 6455, 7.4.1)."""
    if code in {None, NO_CODE}:
        return 1000
    return INTERNAL_ERROR if code == ABNORMAL else code
