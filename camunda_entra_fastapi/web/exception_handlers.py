"""What clients are told when a route got no token for another service: nothing that is their fault."""

from collections.abc import Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse

from camunda_entra_fastapi.errors import EntraError, EntraRefused, EntraUnavailable
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.web.challenges import Challenger


def add_exception_handlers(app: FastAPI, challenger: Callable[[], Challenger]) -> None:
    """Answer 503 where Entra was away, and 502 where it refused this service, if a route does not itself."""

    async def unavailable(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, EntraError)  # noqa: S101 - for type checkers; Starlette knows
        answer = challenger().answer(error)
        return JSONResponse({"detail": answer.detail}, answer.status, answer.headers)

    async def refused(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, EntraRefused)  # noqa: S101
        # The reason is for who runs this service, not for who calls it.
        logger.error(
            "Entra gives this service no token: %s (%s)", error.message, error.refusal.correlation_id
        )
        told = "This service got no token to call another one with. Its log says why."
        return await unavailable(request, EntraRefused(told, error.refusal))

    app.add_exception_handler(EntraUnavailable, unavailable)
    app.add_exception_handler(EntraRefused, refused)
