"""A lease on session records: copies in one event loop, which the server tells us to drop when they change.

The server tracks what is read on a connection, and says there what changed (RESP3, ``CLIENT TRACKING``). A
copy is kept while the reply is parsed, so it cannot overtake what was said later. An answer comes behind all
that the server said before. So copies count for a time after a question that was answered, and for no longer,
however a connection hangs. With the connection its copies go.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from secrets import token_hex
from time import monotonic
from typing import Final

from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.sessions.asking_connection import AskingConnection
from camunda_entra_fastapi.sessions.leased_records import LeasedRecords, Stream
from camunda_entra_fastapi.sessions.resp import Reply, ServerError

CONFIRMATIONS: Final = 4
"""How often the server is asked within the time of a lease, while copies are in use."""
CANARY_TRIES: Final = 1_000
"""Names that are tried for one whose node in a cluster is that of a connection."""

_HELLO: Final = (b"HELLO", b"3")
"""The question: unlike to ``PING``, the answer says whether the server is a replica. Everybody may ask it."""
_REPLICAS: Final = (b"replica", b"slave")


class _TrackedStream(Stream):
    """A connection on which the server tracks.

    Attributes:
        connection: The connection.
        canary: A key that is changed to see whether the server tells of it.
        is_proven: Whether it did.
        is_deaf: Whether it did not.
        proof: The task that finds out.
    """

    __slots__ = ("canary", "connection", "is_deaf", "is_proven", "proof")

    def __init__(self, connection: AskingConnection) -> None:
        super().__init__()
        self.connection = connection
        self.canary = b""
        self.is_proven = self.is_deaf = False
        self.proof: asyncio.Task[None]


class Lease:
    """The copies of one event loop, and the connections that keep them right. It is a ``Tracker``.

    Args:
        seconds: How long a copy counts after a question that the server answered.
        clock: Returns seconds since 1970.
        prefix: Keys that begin so are session records; no other is copied.
        canary: Keys that begin so may be changed to see whether the server tells of it.
        change: Writes a key by another connection.
        connection_for: Finds the connection on which a key is asked.
        warn: Tells once why there are no copies.
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float],
        *,
        prefix: bytes,
        canary: bytes,
        change: Callable[[bytes], Awaitable[object]],
        connection_for: Callable[[bytes], AskingConnection | None],
        warn: Callable[[str], None],
    ) -> None:
        self.records = LeasedRecords()
        self.is_used = False
        """Whether anybody asked since the last confirmation."""
        self._seconds = seconds
        self._clock = clock
        self._prefix = prefix
        self._canary = canary
        self._change = change
        self._connection_for = connection_for
        self._warn = warn
        self._streams: dict[AskingConnection, _TrackedStream] = {}
        self._written: dict[bytes, int] = {}
        """Keys that this process writes, and how many such writes the server has not confirmed behind."""
        self._timer: asyncio.TimerHandle | None = None

    def on_open(self, connection: AskingConnection) -> None:
        """Find out whether the server tells of changes; copies count from then on."""
        self._streams[connection] = stream = _TrackedStream(connection)
        stream.proof = asyncio.get_running_loop().create_task(self._prove(stream))

    def on_untracked(self, reason: str) -> None:
        """Tell why nothing is copied; every request asks the server, as without a lease."""
        code, _, command = reason.partition(" ")
        remedy = (
            "Allow this user to, in Redis' ACL: +client|tracking"
            if code == "NOPERM"
            else "Redis 6 and Valkey have it, and newer ones; some proxies do not"
        )
        self._warn(f"the server refused {command} ({code}). {remedy}.")

    def on_reply(self, connection: AskingConnection, key: bytes, value: bytes | None) -> None:
        """Keep a copy, unless a write of our own is on its way, which this reply may be older than."""
        stream = self._streams[connection]
        if stream.is_deaf or not key.startswith(self._prefix):
            return
        if value is None or key in self._written:
            self.records.drop(key)
        else:
            self.records.put(key, value, stream)
        self.is_used = True
        if self._timer is None:
            self._confirm_all()

    def on_push(self, connection: AskingConnection, kind: bytes, items: list[Reply]) -> None:
        """Forget what changed."""
        stream = self._streams[connection]
        keys = items[0] if kind == b"invalidate" and items else []
        if not isinstance(keys, list):  # all of them: FLUSHALL, or FLUSHDB
            self.records.drop_all_of(stream)
            return
        for key in keys:
            self.records.drop(key)
            if key == stream.canary:
                stream.is_proven = True

    def on_lost(self, connection: AskingConnection) -> None:
        """Forget all copies that this connection brought."""
        stream = self._streams.pop(connection)
        stream.lapse()
        self.records.drop_all_of(stream)
        stream.proof.cancel()
        if not self._streams and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @contextmanager
    def writing(self, keys: list[bytes]) -> Iterator[None]:
        """Keep no copy of these keys while they are written, and until all from before the end was heard.

        What the server tells of the write comes on another connection than its answer, maybe later. And a
        reply on its way may be older than the write.
        """
        for key in keys:
            self._written[key] = self._written.get(key, 0) + 1
            self.records.drop(key)
        try:
            yield
        finally:
            self._forget_written_later(keys)

    def _forget_written_later(self, keys: list[bytes]) -> None:
        waiting = len(self._streams)

        def heard(done: "asyncio.Future[Reply] | None" = None) -> None:
            nonlocal waiting
            if done is not None:
                done.exception()  # a connection that is lost says nothing of before, either
                waiting -= 1
            if waiting:
                return
            for key in keys:
                self._written[key] -= 1
                if not self._written[key]:
                    del self._written[key]

        for stream in list(self._streams.values()):
            stream.connection.send(*_HELLO).add_done_callback(heard)
        if not waiting:
            heard()

    def _confirm_all(self) -> None:
        """Ask all connections, and again in a while if copies are in use then."""
        self._timer = None
        if not self.is_used:
            return  # who comes next begins anew
        self.is_used = False
        for stream in list(self._streams.values()):
            if stream.is_proven:
                self._ask_for_confirmation(stream)
            elif stream.proof.done() and not stream.is_deaf:
                stream.proof = asyncio.get_running_loop().create_task(self._prove(stream))
        self._timer = asyncio.get_running_loop().call_later(self._seconds / CONFIRMATIONS, self._confirm_all)

    def _ask_for_confirmation(self, stream: _TrackedStream) -> "asyncio.Future[Reply]":
        # The times of asking, not of the answer: what changed later may still be on its way.
        asked, wall = monotonic(), self._clock()
        answer = stream.connection.send(*_HELLO)
        answer.add_done_callback(partial(self._confirmed, stream, asked, wall))
        return answer

    def _confirmed(
        self, stream: _TrackedStream, asked: float, wall: float, done: "asyncio.Future[Reply]"
    ) -> None:
        if done.cancelled() or done.exception() is not None:
            return
        about = done.result()
        if isinstance(about, dict) and about.get(b"role") in _REPLICAS:
            # It was the primary, and kept its clients. What it says may come late or not at all.
            stream.connection.close()
        elif stream.is_proven:
            stream.confirm(asked, wall, self._seconds)

    async def _prove(self, stream: _TrackedStream) -> None:
        """See whether the server tells of a change that another connection makes.

        Proxies that share their connections to the server may accept all commands, and tell nothing.
        """
        connection = stream.connection
        tries = (self._canary + token_hex(8).encode() for _ in range(CANARY_TRIES))
        stream.canary = next((key for key in tries if self._connection_for(key) is connection), b"")
        if not stream.canary:
            return
        with suppress(OSError, ServerError, SessionsUnavailable):
            await connection.send(b"GET", stream.canary)
            await self._change(stream.canary)
            await self._ask_for_confirmation(stream)
            if connection.is_open and not stream.is_proven:
                stream.is_deaf = True
                self.records.drop_all_of(stream)
                self._warn(
                    "the server accepted CLIENT TRACKING, and told nothing when another connection changed "
                    "a key, as proxies do that share connections. Name the server itself."
                )
