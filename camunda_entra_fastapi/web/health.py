"""``/auth/health``: whether this service can judge requests, for load balancers and Kubernetes."""

from collections.abc import Callable
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.sessions.store import SessionStore
from camunda_entra_fastapi.web.bearer import Authentication


class Judging(Protocol):
    """What it takes to judge a request."""

    @property
    def keys(self) -> KeySource:
        """Entra's keys."""

    @property
    def authentication(self) -> Authentication:
        """Words answers."""

    @property
    def store(self) -> SessionStore | None:
        """Where sessions live; None where nobody can sign in."""


class Health:
    """The endpoint of one ``CamundaEntra``.

    Args:
        judging: Gives what must be there.
    """

    def __init__(self, judging: Callable[[], Judging]) -> None:
        self._judging = judging

    async def health(self, _: Request) -> Response:
        """200 once keys are there and while the session store answers; else 503.

        Keys that were never fetched are fetched now, as no traffic comes before this says yes. When Entra
        is away later, the known keys stay good, and so does the answer.
        """
        judging = self._judging()
        try:
            await judging.keys.check()
            if judging.store is not None:
                await judging.store.check()
        except EntraError as error:
            answer = judging.authentication.challenger.answer(error)
            headers = answer.headers | {"Cache-Control": "no-store"}
            return JSONResponse({"status": "unavailable", "detail": answer.detail}, answer.status, headers)
        return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})
