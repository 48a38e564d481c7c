"""Exception handlers that ``install`` adds: pages for people who are refused, and Entra's faults."""

from collections.abc import Callable
from typing import Final

from fastapi import FastAPI
from fastapi.exception_handlers import http_exception_handler
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from camunda_entra_fastapi.errors import EntraError, EntraRefused, EntraUnavailable
from camunda_entra_fastapi.web.challenges import Challenger, ErrorResponse, RefusedRequest, SignInLinks
from camunda_entra_fastapi.web.public_url import PublicUrl
from camunda_entra_fastapi.web.refusal_pages import is_for_people, refusal_page

_WITHOUT_LOGIN_PAGES: Final = PublicUrl(None)


def add_exception_handlers(
    app: FastAPI, challenger: Callable[[], Challenger], links: Callable[[], SignInLinks | None]
) -> None:
    """Answer refused people with pages; with 503 or 502 where Entra cannot be asked, or refuses this service.

    Handlers of the application's own go first, whenever they are added: ours stand in the place of FastAPI's
    default alone.
    """

    async def send_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, EntraError)  # noqa: S101 - for type checkers; Starlette knows
        current = challenger()
        return _respond(
            request,
            error,
            current.error_response(error, request.scope.get("path", "")),
            current.client_id,
            links(),
        )

    handlers = app.exception_handlers
    handlers.setdefault(EntraUnavailable, send_error)
    handlers.setdefault(EntraRefused, send_error)
    if handlers.get(HTTPException) is http_exception_handler:
        handlers[HTTPException] = send_refusal


async def send_refusal(request: Request, error: Exception) -> Response:
    """FastAPI's own response, but a page where we refuse a person."""
    assert isinstance(error, HTTPException)  # noqa: S101 - for type checkers; Starlette knows
    if not isinstance(error, RefusedRequest) or not is_for_people(request):
        return await http_exception_handler(request, error)
    error_response = ErrorResponse(error.status_code, error.detail, error.headers)
    return _respond(request, error.error, error_response, error.challenger.client_id, error.links)


def _respond(
    request: Request,
    error: EntraError,
    error_response: ErrorResponse,
    client_id: str,
    links: SignInLinks | None,
) -> Response:
    if not is_for_people(request):
        detail = {"detail": error_response.detail}
        return JSONResponse(detail, error_response.status, error_response.headers)
    return refusal_page(
        request,
        error,
        error_response,
        login_url=None if links is None else links.login_url(request),
        here=(links or _WITHOUT_LOGIN_PAGES).return_to(request),
        client_id=client_id,
    )
