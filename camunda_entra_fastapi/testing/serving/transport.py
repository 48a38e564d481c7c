"""The transport to an emulator in the same process."""

from starlette.types import ASGIApp

from camunda_entra_fastapi.http_library import httpx
from camunda_entra_fastapi.testing.protocol.request_log import RecordedRequest
from camunda_entra_fastapi.testing.world.world import World


class InProcessTransport(httpx.AsyncBaseTransport):
    """Calls the emulator without a network, and fails to connect when the emulator is down.

    Args:
        app: The emulator.
        world: The emulator's state: whether it is down, and the record of requests that fail to connect.
    """

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._world = world
        self._transport = httpx.ASGITransport(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Call the emulator, or fail to connect."""
        if self._world.faults.down:
            path, query = request.url.path, request.url.query.decode("ascii")
            self._world.requests.append(RecordedRequest(request.method, path, query))
            raise httpx.ConnectError("The emulator is down.", request=request)
        return await self._transport.handle_async_request(request)
