"""Streams that outlive the look at who opened them: server-sent events, downloads, WebSockets."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from typing import Final, TypeVar

from fastapi import WebSocketException
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketState

from camunda_entra_fastapi.errors import CredentialsMissing, EntraError
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.web.challenges import POLICY_VIOLATION
from camunda_entra_fastapi.web.current_user import CurrentUser
from camunda_entra_fastapi.web.permission_guard import overriding_user

T = TypeVar("T")

_CLOSE_CODES: Final = {401: 3000, 403: 3003, 502: 1013, 503: 1013, 504: 1013}
"""By status. IANA's registry of close codes: unauthorized, forbidden, try again later."""


async def still_good(current_user: CurrentUser, connection: HTTPConnection) -> EntraUser:
    """The user that a request with these credentials would have now.

    Raises:
        HTTPException: It would be refused.
        WebSocketException: The same, for a WebSocket that was accepted.
    """
    overrides = getattr(connection.scope.get("app"), "dependency_overrides", None)
    if overrides and current_user in overrides:
        return await overriding_user(current_user, connection)
    try:
        user = await current_user.authenticate(connection)
        if user is None:
            raise CredentialsMissing("The sign-in has ended; sign in again.")
    except EntraError as error:
        raise _refusal(current_user, connection, error) from None
    return user


async def while_good(
    current_user: CurrentUser, connection: HTTPConnection, stream: AsyncIterable[T], every: float
) -> AsyncGenerator[T, None]:
    """The items of a stream, which ends with the sign-in, whether or not there are items meanwhile."""
    monotonic = asyncio.get_running_loop().time
    items = aiter(stream)
    following: asyncio.Task[T] | None = None
    due = monotonic() + every
    try:
        while True:
            following = asyncio.create_task(_next(items))
            while not following.done() or monotonic() >= due:
                await asyncio.wait({following}, timeout=due - monotonic())
                if monotonic() >= due:
                    await still_good(current_user, connection)
                    due = monotonic() + every
            try:
                item = following.result()
            except StopAsyncIteration:
                return
            yield item
    finally:
        if following is not None and not following.done():
            following.cancel()
            await asyncio.wait({following})
        if isinstance(items, AsyncGenerator):
            await items.aclose()


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items)


def _refusal(current_user: CurrentUser, connection: HTTPConnection, error: EntraError) -> Exception:
    if getattr(connection, "application_state", None) is not WebSocketState.CONNECTED:
        return current_user.refuse(error, connection)
    path = connection.scope.get("path", "")
    current_user.log(error, path)
    response = current_user.authentication.challenger.error_response(error, path)
    return WebSocketException(_CLOSE_CODES.get(response.status, POLICY_VIOLATION), error.code)
