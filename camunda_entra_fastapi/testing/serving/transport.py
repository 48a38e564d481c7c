"""The client of an emulator in the same process, and its transport."""

from typing import Any

from starlette.types import ASGIApp

from camunda_entra_fastapi.http_library import httpx, library_of
from camunda_entra_fastapi.testing.protocol.request_log import RecordedRequest
from camunda_entra_fastapi.testing.world.world import World


class InProcessClient(httpx.AsyncClient):
    """A client that takes URLs and requests of both libraries, since tests pass on what they were asked."""

    def build_request(self, method: str, url: Any, **content: Any) -> httpx.Request:
        """The request, of this library."""
        return super().build_request(method, str(url), **content)

    async def send(self, request: Any, **options: Any) -> httpx.Response:
        """The response, of this library."""
        if not isinstance(request, httpx.Request):
            content = await request.aread()
            request = self.build_request(
                request.method, request.url, headers=request.headers, content=content
            )
        return await super().send(request, **options)


class InProcessTransport(httpx.AsyncBaseTransport):
    """Calls the emulator without a network, and fails to connect when the emulator is down.

    It serves clients of httpx and of httpx2.

    Args:
        app: The emulator.
        world: The emulator's state: whether it is down, and the record of requests that fail to connect.
    """

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._world = world
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Call the emulator, or fail to connect, as the library of the request does."""
        library = library_of(request)
        if self._world.faults.down:
            path, query = request.url.path, request.url.query.decode("ascii")
            self._world.requests.append(RecordedRequest(request.method, path, query))
            raise library.ConnectError("The emulator is down.", request=request)
        response: httpx.Response = await library.ASGITransport(self._app).handle_async_request(request)
        return response
