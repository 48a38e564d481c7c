"""How requests reach the emulator: in the same process, or not at all; and what is recorded of them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from camunda_entra_fastapi.testing.emulator import EntraEmulator


@dataclass(slots=True)
class RecordedRequest:
    """A request that reached the emulator."""

    method: str
    path: str
    query: str
    status: int = 0
    """0 while it is not answered."""


class InProcess(httpx.AsyncBaseTransport):
    """Reaches the emulator without a network, and fails as a network does when it is down."""

    def __init__(self, emulator: "EntraEmulator") -> None:
        self._emulator = emulator
        self._transport = httpx.ASGITransport(emulator)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Hand the request over, or fail to connect."""
        if self._emulator.is_down:
            path, query = request.url.path, request.url.query.decode("ascii")
            self._emulator.requests.append(RecordedRequest(request.method, path, query))
            raise httpx.ConnectError("The emulator is down.", request=request)
        return await self._transport.handle_async_request(request)


async def outage(scope: "Scope", receive: "Receive", send: "Send") -> None:
    """What a server in front of a dead one answers."""
    await PlainTextResponse("Service unavailable", 503)(scope, receive, send)
