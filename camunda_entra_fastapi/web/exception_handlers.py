"""Exception handlers for routes that get no token for another service: it is never the client's fault."""

from collections.abc import Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse

from camunda_entra_fastapi.errors import EntraError, EntraRefused, EntraUnavailable
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.web.challenges import Challenger


def add_exception_handlers(app: FastAPI, challenger: Callable[[], Challenger]) -> None:
    """Respond with 503 while Entra cannot be asked, and with 502 where it refuses this service."""

    async def send_error(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, EntraError)  # noqa: S101 - for type checkers; Starlette knows
        error_response = challenger().error_response(error)
        return JSONResponse({"detail": error_response.detail}, error_response.status, error_response.headers)

    async def send_refusal(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, EntraRefused)  # noqa: S101
        # The reason is for who runs this service, not for who calls it.
        logger.error(
            "Entra gives this service no token: %s (%s)", error.message, error.refusal.correlation_id
        )
        return await send_error(request, without_reason(error))

    app.add_exception_handler(EntraUnavailable, send_error)
    app.add_exception_handler(EntraRefused, send_refusal)


def without_reason(error: EntraRefused) -> EntraRefused:
    """The error for the caller. Entra's reason is for whoever runs this service, and goes to the log."""
    message = "This service got no token to call another one with. Its log says why."
    return EntraRefused(message, error.refusal)
