"""``guard``: an ASGI application, such as files or an admin page, behind the decision that routes have."""

from contextlib import AsyncExitStack
from typing import Any, Final
from urllib.parse import unquote

from fastapi import HTTPException, WebSocketException
from fastapi.security import SecurityScopes
from starlette.requests import HTTPConnection, Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from camunda_entra_fastapi.errors import CredentialsMissing
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.web.current_user import CurrentUser
from camunda_entra_fastapi.web.exception_handlers import send_refusal
from camunda_entra_fastapi.web.look import STACKS
from camunda_entra_fastapi.web.permission_guard import PermissionGuard
from camunda_entra_fastapi.web.permissions import Permissions
from camunda_entra_fastapi.web.public_url import INSTALLED_AT
from camunda_entra_fastapi.web.sessions import SessionCookieMiddleware

_REQUESTS: Final = ("http", "websocket")


class Guard:
    """An ASGI application that lets requests of users with all of the permissions through to another one.

    It answers all others itself, so that it needs nothing of the application around it. The user is in
    ``request.state.user``, where dependencies put it, too.

    Args:
        app: The application behind it.
        current_user: Authenticates the request.
        permissions: What users need.
    """

    def __init__(self, app: ASGIApp, current_user: CurrentUser, permissions: Permissions) -> None:
        self._app = app
        self._current_user = current_user
        self._admit = PermissionGuard(current_user, permissions.check)
        self._with_cookies = SessionCookieMiddleware(self._not_installed)

    @property
    def routes(self) -> list[BaseRoute]:
        """Those of the application behind it: ``url_for`` begins at the outermost router."""
        return getattr(self._app, "routes", [])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer it. What is no request, such as a lifespan, passes."""
        if scope["type"] not in _REQUESTS:
            await self._app(scope, receive, send)
        elif INSTALLED_AT in scope:  # the middleware of ``install`` is around us
            await self._decide(scope, receive, send)
        else:
            await self._with_cookies(scope, receive, send)

    async def _not_installed(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope[INSTALLED_AT]  # it names this mount, which has no login pages
        await self._decide(scope, receive, send)

    async def _decide(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_http = scope["type"] == "http"
        # FastAPI, too, calls handlers of exceptions with a WebSocket where there is one.
        request: Any = Request(scope, receive) if is_http else WebSocket(scope, receive, send)
        async with AsyncExitStack() as stack:
            for key in STACKS:
                scope.setdefault(key, stack)
            try:
                await self._admit(request, SecurityScopes())
            except WebSocketException as refused:
                await request.close(refused.code, refused.reason)
            except HTTPException as refused:
                response = await send_refusal(request, self._without_loop(refused, request))
                assert response is not None  # noqa: S101 - WebSockets that take none raise the other exception
                await response(scope, receive, send)
            else:
                await self._app(scope, receive, send)

    def _without_loop(self, refused: HTTPException, request: HTTPConnection) -> Exception:
        """The refusal; no redirect where the login page itself is behind this guard."""
        login = self._current_user.browser_login
        if login is None or not (refused.headers or {}).get("Location"):
            return refused
        path = login.login_path
        public_url = login.sessions.public_url
        asked = public_url.requested_path(request).partition("?")[0]
        if unquote(asked) != unquote(public_url.path(request, path)):
            return refused
        logger.error(
            "The login page %s is behind entra.guard, so nobody can sign in. Guard what is mounted instead "
            "of the application with the login pages, and call entra.install(app) before app.mount('/', …).",
            path,
        )
        return self._current_user.authentication.challenger.exception(CredentialsMissing(), request)
