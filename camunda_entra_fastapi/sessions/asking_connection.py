"""One connection to a Redis for questions: answers come in order, so all who ask share it.

What is asked in one turn of the event loop leaves in one write, and one timer watches over all of it.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final, Protocol, TypeAlias, cast

from camunda_entra_fastapi.sessions.resp import (
    OversizeReply,
    ProtocolError,
    Push,
    Reply,
    RespReader,
    ServerError,
)
from camunda_entra_fastapi.sessions.sealing import MAX_SEALED

MAX_WAITING: Final = 10_000
"""Questions without an answer on one connection."""

OVERSIZE: Final = "OversizeReply"
"""Why a connection is lost whose server sends a text that is longer than any of ours."""


class ConnectionLost(OSError):
    """The connection was closed before the answer.

    Attributes:
        reason: What closed it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooManyWaiting(ServerError):
    """The server was not asked, as more questions wait for its answers than are kept."""

    def __init__(self) -> None:
        super().__init__(type(self).__name__)


class Tracker(Protocol):
    """Who hears of all that a connection with client tracking says, in its order. No method may raise."""

    def on_open(self, connection: "AskingConnection") -> None:
        """The server tracks from now on what is read on this connection."""

    def on_untracked(self, reason: str) -> None:
        """The server refused to track. The connection asks, and no more."""

    def on_reply(self, connection: "AskingConnection", key: bytes, value: bytes | None) -> None:
        """What a key holds, before anything that the server said later is looked at."""

    def on_push(self, connection: "AskingConnection", kind: bytes, items: list[Reply]) -> None:
        """What the server said without being asked."""

    def on_lost(self, connection: "AskingConnection") -> None:
        """The server says nothing any more on this connection, which was open."""


Waiting: TypeAlias = "tuple[asyncio.Future[Reply], bytes | None, float]"
"""Who waits for an answer, the key if it is about one, and when it was asked."""


class AskingConnection(asyncio.Protocol):
    """A connection.

    Args:
        limit: Seconds for each answer. If one takes longer, the connection is lost.
        tracker: Who hears of changes, where the server is to track what is read.
    """

    def __init__(self, limit: float, tracker: Tracker | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._tracker = tracker
        self._reader = RespReader(MAX_SEALED)
        self._waiting: deque[Waiting] = deque()
        self._unsent: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_lost = False
        self.is_open = False
        """Whether it can be asked."""
        self.is_tracked = False
        """Whether the server tells of changes of what was read here."""

    def get(self, key: bytes) -> "asyncio.Future[bytes | None]":
        """The text of a key; None without one, and for one that is longer than any of ours.

        The future fails with ``ConnectionLost`` or ``ServerError``.
        """
        return self._ask(b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key), key)  # type: ignore[return-value]

    def send(self, *words: bytes) -> "asyncio.Future[Reply]":
        """The answer to any other command."""
        parts = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
        return self._ask(b"*%d\r\n%b" % (len(words), parts), None)

    async def set_up(self, username: str | None, password: str | None, database: int) -> None:
        """Sign in, choose the database, and ask the server to track what is read.

        Raises:
            ConnectionLost: The connection was closed, or took too long.
            ServerError: The server refused.
        """
        login = [] if password is None else [(username or "default").encode(), password.encode()]
        if self._tracker is not None:
            command = "HELLO"
            try:
                await self.send(b"HELLO", b"3", *([b"AUTH", *login] if login else []))
                login, command = [], "CLIENT TRACKING"
                # Without NOLOOP, by which Redis also keeps to itself what a full table pushes out.
                await self.send(b"CLIENT", b"TRACKING", b"ON")
                command = ""
            except ServerError as error:
                if error.code == "WRONGPASS":
                    raise
                self._tracker.on_untracked(f"{error.code} {command}")
        if login:
            await self.send(b"AUTH", *(login if username else login[1:]))
        if database:
            await self.send(b"SELECT", str(database).encode())
        self.is_open = True
        if self._tracker is not None and not command:
            self.is_tracked = True
            self._tracker.on_open(self)

    def close(self) -> None:
        """Drop it. Whoever waits on it is told that it is lost."""
        self._lose("closed")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        """Hand the answers out."""
        if self._is_lost:
            return
        try:
            for reply in self._reader.feed(data):
                if type(reply) is Push:
                    if self._tracker is not None and self.is_tracked and reply:
                        self._tracker.on_push(self, reply[0], reply[1:])
                else:
                    self._answer(reply)
                if self._is_lost:
                    return
        except OversizeReply:
            # It would have to be read to its end, which may be half a gigabyte away.
            oversize = self._waiting[0][1] if self._waiting else None
            for future, key, _ in self._waiting:
                if key is not None and key == oversize and not future.done():
                    future.set_result(None)
            self._lose(OVERSIZE)
        except (ProtocolError, IndexError):
            self._lose("ProtocolError")

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits is told so."""
        self._lose("ConnectionError" if exc is None else type(exc).__name__)

    def _answer(self, reply: Reply) -> None:
        """Tell whoever waits longest.

        Raises:
            IndexError: Nobody waits.
            ProtocolError: A key holds no such thing.
        """
        future, key, _ = self._waiting[0]
        if isinstance(reply, ServerError):
            if not future.done():
                future.set_exception(reply)
        else:
            if key is not None:
                if reply is not None and type(reply) is not bytes:
                    raise ProtocolError
                if self._tracker is not None and self.is_tracked:
                    self._tracker.on_reply(self, key, reply)
            if not future.done():
                future.set_result(reply)
        if self._waiting:  # the tracker may have closed the connection
            self._waiting.popleft()

    def _ask(self, command: bytes, key: bytes | None) -> "asyncio.Future[Reply]":
        loop = self._loop
        future: asyncio.Future[Reply] = loop.create_future()
        if self._is_lost:
            future.set_exception(ConnectionLost("closed"))
            return future
        if len(self._waiting) >= MAX_WAITING:
            future.set_exception(TooManyWaiting())
            return future
        now = loop.time()
        if not self._unsent:
            loop.call_soon(self._flush)
        self._unsent.append(command)
        self._waiting.append((future, key, now))
        if self._timer is None:
            self._timer = loop.call_at(now + self._limit, self._look_at_the_clock)
        return future

    def _flush(self) -> None:
        """Send what was asked in this turn of the loop."""
        transport = self._transport
        # uvloop raises RuntimeError when a closed transport is written to.
        if transport is not None and not transport.is_closing():
            transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def _look_at_the_clock(self) -> None:
        self._timer = None
        if self._waiting:
            until = self._waiting[0][2] + self._limit
            if self._loop.time() >= until:
                self._lose("TimeoutError")
            else:
                self._timer = self._loop.call_at(until, self._look_at_the_clock)

    def _lose(self, reason: str) -> None:
        if self._is_lost:
            return
        self._is_lost = True
        self.is_open = False
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            with suppress(RuntimeError):
                self._transport.abort()
        if self.is_tracked and self._tracker is not None:
            self._tracker.on_lost(self)
        waiting, self._waiting = self._waiting, deque()
        for future, _, _ in waiting:
            if not future.done():
                future.set_exception(ConnectionLost(reason))
