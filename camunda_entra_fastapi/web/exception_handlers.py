"""Exception handlers for routes that get no token for another service: it is never the client's fault."""

from collections.abc import Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse

from camunda_entra_fastapi.errors import EntraError, EntraRefused, EntraUnavailable
from camunda_entra_fastapi.web.challenges import Challenger


def add_exception_handlers(app: FastAPI, challenger: Callable[[], Challenger]) -> None:
    """Respond with 503 while Entra cannot be asked, and with 502 where it refuses this service."""

    async def send_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, EntraError)  # noqa: S101 - for type checkers; Starlette knows
        error_response = challenger().error_response(error, request.scope.get("path", ""))
        return JSONResponse({"detail": error_response.detail}, error_response.status, error_response.headers)

    app.add_exception_handler(EntraUnavailable, send_error)
    app.add_exception_handler(EntraRefused, send_error)
