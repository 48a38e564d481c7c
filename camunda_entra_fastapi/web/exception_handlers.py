"""Exception handlers that ``install`` adds: they answer what is ours, and nothing of the application's.

Starlette takes the handler of the most specific class. So one of the application's own for ``HTTPException``
leaves redirects to sign in and challenges alone, and one for ``RefusedRequest`` makes its own refusals.
"""

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any, Final, cast

from fastapi import WebSocketException
from fastapi.exception_handlers import http_exception_handler
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketState

from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.web.challenges import (
    FOR_CLIENTS,
    POLICY_VIOLATION,
    ErrorResponse,
    RefusedRequest,
    SignInRedirect,
    close_code_of,
)
from camunda_entra_fastapi.web.public_url import PublicUrl
from camunda_entra_fastapi.web.refusal_pages import is_for_people, refusal_page

_WITHOUT_LOGIN_PAGES: Final = PublicUrl(None)

Refuse = Callable[[EntraError, HTTPConnection], Exception]


def add_exception_handlers(app: Starlette, refuse: Refuse) -> None:
    """Answer refused people with pages, programs with JSON, open WebSockets with a close code.

    Handlers of the application's own for these classes, for their subclasses or for a status go first,
    whenever they are added.

    Args:
        app: The application, or one that is mounted in it.
        refuse: What a dependency makes of an error: the exception to raise.
    """
    handlers = app.exception_handlers

    async def send_error(connection: Any, error: Exception) -> Response | None:
        assert isinstance(error, EntraError)  # noqa: S101 - for type checkers; Starlette knows
        raised = error.error if isinstance(error, RefusedRequest) else error
        if type(raised) not in FOR_CLIENTS:
            raise error  # a setting that is wrong is nobody's refusal
        refused = refuse(raised, connection)
        if isinstance(refused, WebSocketException):
            await _close(connection, raised)
            return None
        handler = handlers.get(cast("HTTPException", refused).status_code) or handlers[type(refused)]
        call: Any = handler if iscoroutinefunction(handler) else run_in_threadpool
        arguments = (connection, refused) if call is handler else (handler, connection, refused)
        return cast("Response | None", await call(*arguments))

    handlers.setdefault(SignInRedirect, send_refusal)
    handlers.setdefault(RefusedRequest, send_refusal)
    handlers.setdefault(EntraError, send_error)


async def send_refusal(connection: Any, error: Exception) -> Response | None:
    """A page where we refuse a person; else JSON, or for a WebSocket that takes none, a close code."""
    assert isinstance(error, HTTPException)  # noqa: S101 - for type checkers; Starlette knows
    if not isinstance(error, RefusedRequest):  # a redirect to sign in
        return await http_exception_handler(connection, error)
    if isinstance(connection, WebSocket):
        is_open = connection.application_state is not WebSocketState.CONNECTING
        if is_open or "websocket.http.response" not in (connection.scope.get("extensions") or {}):
            await _close(connection, error.error)
            return None
    if not is_for_people(connection):
        return JSONResponse({"detail": error.detail}, error.status_code, error.headers)
    links = error.links
    return refusal_page(
        connection,
        error.error,
        ErrorResponse(error.status_code, error.detail, error.headers),
        login_url=None if links is None else links.login_url(connection),
        here=(links or _WITHOUT_LOGIN_PAGES).return_to(connection),
        client_id=error.challenger.client_id,
    )


async def _close(socket: WebSocket, error: EntraError) -> None:
    is_open = socket.application_state is WebSocketState.CONNECTED
    if WebSocketState.DISCONNECTED not in (socket.application_state, socket.client_state):
        await socket.close(close_code_of(error) if is_open else POLICY_VIOLATION, error.code)
