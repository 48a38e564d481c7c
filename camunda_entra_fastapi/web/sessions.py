"""The user of a session cookie, and the cookies that a response has to set."""

from collections.abc import Awaitable
from dataclasses import dataclass
from itertools import chain
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from camunda_entra_fastapi.errors import CredentialsMissing
from camunda_entra_fastapi.sign_in.session_manager import SessionManager, UserSession
from camunda_entra_fastapi.web.caches import set_cookies, tell_caches
from camunda_entra_fastapi.web.cookies import Cookies
from camunda_entra_fastapi.web.public_url import INSTALLED_AT, PublicUrl
from camunda_entra_fastapi.web.same_origin import check_same_origin

PENDING_COOKIES: Final = "camunda_entra_fastapi.set_cookie"
"""Key of the scope: ``Set-Cookie`` values for the response, by the name of the session cookie.

Each session that was looked at is there, also without a cookie to set, and where there was none: it decided
about the response.
"""


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of requests, by their cookies.

    Attributes:
        manager: Finds, renews and ends sessions.
        cookies: Reads and writes their handles.
        public_url: Tells which pages belong to this service.
    """

    manager: SessionManager
    cookies: Cookies
    public_url: PublicUrl

    def cached(self, connection: HTTPConnection) -> UserSession | None:
        """The session in the cache, if it need not be renewed; else None.

        Raises:
            CrossOrigin: The cookie is valid, but another site's page sent it.
        """
        handle = self.handle(connection)
        cached = None if handle is None else self.manager.cached(handle)
        if cached is not None:
            check_same_origin(connection, self.public_url)
        return cached

    async def session(self, connection: HTTPConnection, handle: str) -> UserSession | None:
        """The session of a handle, renewed where it is due; None if it is not valid any more.

        Raises:
            CrossOrigin: The cookie is valid, but another site's page sent it.
            EntraUnavailable: The session must be renewed, and Entra cannot be asked.
            SessionsUnavailable: The store cannot be asked.
        """
        session = await self.manager.find(handle)
        if session is None:
            return None
        check_same_origin(connection, self.public_url)
        return await self.manager.renew_if_due(session)

    async def access_token(self, connection: HTTPConnection, session: UserSession) -> str:
        """The access token of a session, requested where the store did not keep it.

        Raises:
            AccessDenied: It was not kept, and there is no refresh token to request another one.
            CredentialsMissing: The session ended meanwhile.
            EntraUnavailable: Entra cannot be asked.
            SessionsUnavailable: The store cannot be asked.
        """
        renewed = await self.manager.with_access_token(session)
        if renewed is None:
            raise CredentialsMissing
        self.renew_cookies(connection, self.handle(connection), renewed)
        return renewed.user.access_token

    async def find(self, connection: HTTPConnection) -> UserSession | None:
        """The session as it is, even if it is due for renewal.

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        handle = self.handle(connection)
        return None if handle is None else await self.manager.find(handle)

    def end_later(self, connection: HTTPConnection) -> None:
        """End the session, which could not be looked up, as soon as the store can be asked."""
        self.manager.end_later(self.handle(connection) or "")

    def set_cookies(self, connection: HTTPConnection, session: UserSession) -> list[str]:
        """``Set-Cookie`` values that set the session cookie until the session expires."""
        return self.cookies.set_session(
            connection, session.handle, self.manager.seconds_left(session.session)
        )

    def renew_cookies(self, connection: HTTPConnection, handle: str | None, session: UserSession) -> None:
        """Let the response set the session's cookies, if its handle is another one by now."""
        if session.handle != handle and (pending := connection.scope.get(PENDING_COOKIES)) is not None:
            pending[self.cookies.name] = self.set_cookies(connection, session)

    def handle(self, connection: HTTPConnection) -> str | None:
        """The session's handle. The response is known from now on to depend on it."""
        pending = connection.scope.get(PENDING_COOKIES)
        if pending is not None and self.cookies.name not in pending:
            pending[self.cookies.name] = []
        return self.cookies.session(connection)


class SessionCookieMiddleware:
    """ASGI middleware that sets the cookies of renewed sessions, and tells caches whose a response is.

    FastAPI merges a dependency's response only into responses that it creates itself, such as JSON.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Add to the response what a session that was looked at demands.

        It returns the application's own awaitable: a coroutine around that, and one around
        each message, would make each request slower. So would a look at the messages of programs, which
        send no cookie but ``Authorization``: what answers them, no shared cache keeps (RFC 9111, 3.5).
        """
        scope[INSTALLED_AT] = scope.get("root_path", "")
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        is_program = False
        for name, _ in scope["headers"]:  # a function for it, or any(), would make each request slower
            if name == b"authorization":
                is_program = True
            elif name == b"cookie":
                is_program = False
                break
        if is_program or PENDING_COOKIES in scope:
            return self._app(scope, receive, send)
        pending: dict[str, list[str]] = {}
        scope[PENDING_COOKIES] = pending

        def send_with_cookies(message: Message) -> Awaitable[None]:
            if pending and message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if any(pending.values()):
                    set_cookies(headers, chain.from_iterable(pending.values()))
                tell_caches(headers, message["status"])
                # A message of its own: a bare ASGI application may send the same one to everybody.
                message = {**message, "headers": headers}
            return send(message)

        return self._app(scope, receive, send_with_cookies)
