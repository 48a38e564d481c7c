"""The user of a session cookie, and the cookies that an answer has to bring."""

from collections.abc import Awaitable
from dataclasses import dataclass
from itertools import chain
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from camunda_entra_fastapi.sign_in.session_manager import SessionManager, UserSession
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.web.cookies import Cookies
from camunda_entra_fastapi.web.public_url import INSTALLED_AT, PublicUrl
from camunda_entra_fastapi.web.same_origin import check_same_origin

PENDING: Final = "camunda_entra_fastapi.set_cookie"
"""Member of the scope: ``Set-Cookie`` values that the answer will bring, by the session cookie's name."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """From a request's cookie to its user.

    Attributes:
        keeper: Has the sessions.
        cookies: Has their handles.
        site: Tells which pages are ours.
    """

    manager: SessionManager
    cookies: Cookies
    public_url: PublicUrl

    def cached(self, connection: HTTPConnection) -> EntraUser | None:
        """The user of a cookie that was found before, if nobody must be asked and nothing renewed; else None.

        Raises:
            CrossOrigin: The cookie is good, but another site's page sent it.
        """
        handle = self.cookies.session(connection)
        known = None if handle is None else self.manager.cached(handle)
        if known is None:
            return None
        check_same_origin(connection, self.public_url)
        return known.user

    async def user(self, connection: HTTPConnection, *, with_access_token: bool = False) -> EntraUser | None:
        """The user who is signed in; None without a cookie, or with one that is good no longer.

        Args:
            connection: Has the cookie.
            with_access_token: Whether to get the access token anew where the store did not keep it.

        Raises:
            AccessDenied: It was not kept, and there is no refresh token to get another one.
            CrossOrigin: The cookie is good, but another site's page sent it.
            EntraUnavailable: The session must be renewed, and Entra cannot be asked.
            SessionsUnavailable: The store cannot be asked.
        """
        handle = self.cookies.session(connection)
        if handle is None:
            return None
        found = await self.manager.find(handle)
        if found is None:
            return None
        check_same_origin(connection, self.public_url)
        renewed = await self.manager.renew_if_due(found)
        if renewed is not None and with_access_token:
            renewed = await self.manager.with_access_token(renewed)
        if renewed is None:
            return None
        if renewed.handle != handle and (pending := connection.scope.get(PENDING)) is not None:
            pending[self.cookies.name] = self.keep(connection, renewed)
        return renewed.user

    async def found(self, connection: HTTPConnection) -> UserSession | None:
        """The session as it is, whether or not its claims still count.

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        handle = self.cookies.session(connection)
        return None if handle is None else await self.manager.find(handle)

    def keep(self, connection: HTTPConnection, signed_in: UserSession) -> list[str]:
        """``Set-Cookie`` values that keep the session as long as it lasts."""
        return self.cookies.set_session(
            connection, signed_in.handle, self.manager.seconds_left(signed_in.session)
        )


class SessionCookieMiddleware:
    """ASGI middleware: brings renewed sessions to the browser, whatever kind of answer a route gives.

    A dependency's own response is merged into JSON answers alone, and people see pages.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Add cookies to the answer where there are some.

        Gives what the application gives to wait for: a coroutine of our own around that, and one around
        each message, would take each request longer.
        """
        scope[INSTALLED_AT] = scope.get("root_path", "")
        if scope["type"] != "http" or PENDING in scope:
            return self._app(scope, receive, send)
        for name, _ in scope["headers"]:  # a function for it, or any(), would take each request longer
            if name == b"cookie":
                break
        else:
            return self._app(scope, receive, send)
        pending: dict[str, list[str]] = {}
        scope[PENDING] = pending

        def send_with_cookies(message: Message) -> Awaitable[None]:
            if pending and message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for value in chain.from_iterable(pending.values()):
                    headers.append("Set-Cookie", value)
                if "private" not in headers.get("Cache-Control", ""):
                    headers["Cache-Control"] = "no-store"  # no cache may give them to others
            return send(message)

        return self._app(scope, receive, send_with_cookies)
