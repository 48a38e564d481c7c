"""Streams that outlive the look at who opened them: server-sent events, downloads, WebSockets."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import suppress
from typing import Generic, TypeVar

from fastapi import WebSocketException
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketState

from camunda_entra_fastapi.errors import CredentialsMissing, EntraError
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.web.challenges import close_code_at_end
from camunda_entra_fastapi.web.current_user import CurrentUser
from camunda_entra_fastapi.web.permission_guard import overriding_user

T = TypeVar("T")


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
    reader = _Reader(stream)
    reading = asyncio.create_task(reader.read())
    due = monotonic() + every
    try:
        while True:
            while not reader.has_news.is_set() or monotonic() >= due:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(due):
                        await reader.has_news.wait()
                if monotonic() >= due:
                    await still_good(current_user, connection)
                    due = monotonic() + every
            if not reader.items:
                await reading  # raises what ended the stream, if anything did
                return
            reader.has_news.clear()
            yield reader.items.pop()
            reader.is_wanted.set()
    finally:
        reader.is_over = True
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


class _Reader(Generic[T]):
    """Reads a stream in one task from its beginning to its end, each item when it is wanted.

    A stream that holds a time limit, a task group or a span open may not go from one task to another.
    """

    def __init__(self, stream: AsyncIterable[T]) -> None:
        self._stream = aiter(stream)
        self.items: list[T] = []
        self.has_news = asyncio.Event()
        """Set where there is an item, or no more of them."""
        self.is_wanted = asyncio.Event()
        """Set where another item is."""
        self.is_over = False
        """Whether nobody wants any more."""

    async def read(self) -> None:
        """Read until the end, and close the stream."""
        try:
            with suppress(StopAsyncIteration):
                while True:
                    await self._hand_over(await anext(self._stream))
        finally:
            self.has_news.set()
            if isinstance(self._stream, AsyncGenerator):
                await self._stream.aclose()

    async def _hand_over(self, item: T) -> None:
        """Let the item be taken; return when another one is wanted."""
        if self.is_over:  # the stream has answered to being cancelled
            raise StopAsyncIteration
        self.items.append(item)
        self.has_news.set()
        await self.is_wanted.wait()
        self.is_wanted.clear()


def _refusal(current_user: CurrentUser, connection: HTTPConnection, error: EntraError) -> Exception:
    if getattr(connection, "application_state", None) is not WebSocketState.CONNECTED:
        return current_user.refuse(error, connection)
    path = connection.scope.get("path", "")
    current_user.log(error, path)
    response = current_user.authentication.challenger.error_response(error, path)
    return WebSocketException(close_code_at_end(response.status), error.code)
