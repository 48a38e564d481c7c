"""``/auth/health``: whether this service can authenticate requests; a readiness probe."""

from collections.abc import Callable
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.sessions.store import SessionStore
from camunda_entra_fastapi.web.bearer import Authentication


class HealthRuntime(Protocol):
    """What the endpoint needs of the runtime."""

    @property
    def keys(self) -> KeySource:
        """Entra's signing keys."""

    @property
    def authentication(self) -> Authentication:
        """Turns errors into responses."""

    @property
    def store(self) -> SessionStore | None:
        """The session store; None without login pages."""


class Health:
    """The endpoint of one ``CamundaEntra``.

    Args:
        runtime: Returns the runtime in use.
    """

    def __init__(self, runtime: Callable[[], HealthRuntime]) -> None:
        self._runtime = runtime

    async def health(self, _: Request) -> Response:
        """200 once keys are there and while the session store answers; else 503.

        Keys that were never fetched are fetched now, as no traffic comes before this returns 200. When
        Entra is away later, the known keys stay in use, and this still returns 200.
        """
        runtime = self._runtime()
        try:
            await runtime.keys.check()
            if runtime.store is not None:
                await runtime.store.check()
        except EntraError as error:
            error_response = runtime.authentication.challenger.error_response(error)
            headers = error_response.headers | {"Cache-Control": "no-store"}
            return JSONResponse(
                {"status": "unavailable", "detail": error_response.detail}, error_response.status, headers
            )
        return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})
