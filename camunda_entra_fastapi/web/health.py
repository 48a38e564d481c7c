"""``/auth/health``: whether this service can authenticate requests; a readiness probe."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.sessions.store import SessionStore
from camunda_entra_fastapi.token_validator import Clock
from camunda_entra_fastapi.web.bearer import Authentication


class HealthRuntime(Protocol):
    """What the endpoint needs of the runtime."""

    @property
    def keys(self) -> KeySource:
        """Entra's signing keys."""

    @property
    def clock(self) -> Clock:
        """The time."""

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

    async def health(self, request: Request) -> Response:
        """200 once keys are there and while the session store answers and takes writes; else 503.

        Keys that were never fetched are fetched now, as no traffic comes before this returns 200. When
        Entra is away later, the known keys stay in use, and this still returns 200.

        For the store, each process writes one key of its own, which expires by itself. In a cluster that
        tells about the node with that key.

        With ``?keys=true`` the response has the IDs of the keys, which are public.
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
        content: dict[str, Any] = {"status": "ok"}
        if request.query_params.get("keys") == "true":
            content["keys"] = _describe_keys(runtime)
        return JSONResponse(content, headers={"Cache-Control": "no-store"})


def _describe_keys(runtime: HealthRuntime) -> dict[str, Any]:
    """The IDs of Entra's newest keys, and of those that are kept though its newest document lacks them."""
    ages, now = runtime.keys.ages(), runtime.clock.time()
    return {
        "published": list(ages.published),
        "published_at": _timestamp(now - ages.published_age),
        "kept": [
            {
                "kid": key_id,
                "last_seen": _timestamp(now - age),
                "kept_until": _timestamp(now - age + ages.retention),
            }
            for key_id, age in ages.kept_ages.items()
        ],
    }


def _timestamp(seconds: float) -> str:
    """RFC 3339, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
