"""The leases of one session store: one for each event loop."""

import asyncio
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from time import monotonic
from typing import Final

from camunda_entra_fastapi.event_loops import forget_closed_loops
from camunda_entra_fastapi.sessions.asking_connection import AskingConnection
from camunda_entra_fastapi.sessions.lease import Lease
from camunda_entra_fastapi.sessions.leased_records import LeasedRecords
from camunda_entra_fastapi.sessions.store import Session
from camunda_entra_fastapi.telemetry import leased_hits, logger

_NOTHING: Final = nullcontext()


class Leases:
    """Copies of session records in every event loop that uses the store.

    Args:
        seconds: How long a copy counts after a question that the server answered; 0 for no copies.
        clock: Returns seconds since 1970.
        namespace: What all keys of this deployment begin with.
        change: Writes a key that is no session, by another connection than copies come from.
        connection_for: Finds the connection on which a key is asked in this event loop.
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float],
        namespace: str,
        change: Callable[[bytes], Awaitable[object]],
        connection_for: Callable[[bytes], AskingConnection | None],
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._namespace = namespace
        self._change = change
        self._connection_for = connection_for
        self._by_loop: dict[asyncio.AbstractEventLoop, Lease] = {}
        self._has_warned = False

    def leased(self, handle: str, now: float) -> Session | None:
        """The session of a handle as this process has it, if that counts; else None.

        Args:
            handle: The handle.
            now: Seconds since 1970.
        """
        lease = self._by_loop.get(get_running_loop())
        record = None if lease is None else lease.records.by_handle.get(handle)
        if record is None or lease is None:
            return None
        stream = record.stream
        if monotonic() >= stream.good_until or not stream.wall_from <= now < stream.wall_until:
            return None
        lease.is_used = True
        leased_hits.count += 1
        return record.session

    def begin(self) -> Lease | None:
        """The lease of this event loop, which is new; those of loops that are closed go. None without any."""
        if not self._seconds:
            return None
        forget_closed_loops(self._by_loop)
        lease = Lease(
            self._seconds,
            self._clock,
            prefix=f"{self._namespace}:session:".encode(),
            canary=f"{self._namespace}:lease:".encode(),
            change=self._change,
            connection_for=self._connection_for,
            warn=self._warn,
        )
        self._by_loop[get_running_loop()] = lease
        return lease

    def opened(self, key: str, sealed: bytes, handle: str, session: Session) -> None:
        """A record was read, and opened by a handle: from now on its copy is found by that."""
        with suppress(KeyError):  # the connections were closed before whoever waits went on
            self._by_loop[get_running_loop()].records.opened(key.encode(), sealed, handle, session)

    def writing(self, keys: Sequence[str]) -> AbstractContextManager[None]:
        """Around a write of these keys."""
        lease = self._by_loop.get(get_running_loop())
        return _NOTHING if lease is None else lease.writing([key.encode() for key in keys])

    def sweep(self) -> None:
        """Drop all copies, so that none lives for longer than a minute, whatever a server leaves untold."""
        for lease in list(self._by_loop.values()):
            lease.records = LeasedRecords()  # in one step, as its loop may run in another thread

    def end(self) -> None:
        """The connections of this event loop are closed."""
        self._by_loop.pop(get_running_loop(), None)

    def _warn(self, reason: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "CAMUNDA_ENTRA_SESSION_LEASE has no effect, and every request asks the Redis: %s", reason
            )
