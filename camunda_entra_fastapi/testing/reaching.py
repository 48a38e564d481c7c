"""How requests reach the emulator in the same process, and what is recorded of them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from camunda_entra_fastapi.testing.emulator import EntraEmulator


@dataclass(slots=True)
class RecordedRequest:
    """A request that reached the emulator.

    Attributes:
        method: The HTTP method.
        path: The path.
        query: The query, without the question mark.
        status: The status of the answer; 0 while there is none.
        did: What was asked for: the grant type, or what a page is for. Empty for documents.
        client: The application's name, once it is known.
        user: The person's name, once it is known.
        error: The AADSTS code with its sentence; empty when all went well.
    """

    method: str
    path: str
    query: str
    status: int = 0
    did: str = ""
    client: str = ""
    user: str = ""
    error: str = ""


class InProcess(httpx.AsyncBaseTransport):
    """Reaches the emulator without a network, and fails as a network does when it is down."""

    def __init__(self, emulator: "EntraEmulator") -> None:
        self._emulator = emulator
        self._transport = httpx.ASGITransport(emulator)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Hand the request over, or fail to connect."""
        if self._emulator.faults.down:
            path, query = request.url.path, request.url.query.decode("ascii")
            self._emulator.requests.append(RecordedRequest(request.method, path, query))
            raise httpx.ConnectError("The emulator is down.", request=request)
        return await self._transport.handle_async_request(request)
