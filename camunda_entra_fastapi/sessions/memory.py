"""The store in memory: sessions end with the process, and other processes do not see them."""

import logging
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from hashlib import sha256
from heapq import heapify, heappop, heappush
from itertools import count
from secrets import token_bytes, token_urlsafe
from threading import Lock
from typing import Any, Final

from camunda_entra_fastapi.log_records import Trouble
from camunda_entra_fastapi.sessions.local import LocalStore
from camunda_entra_fastapi.sessions.process_mark import MARK_CHARACTERS, Origin, ProcessMark
from camunda_entra_fastapi.sessions.shares import Person, Shares
from camunda_entra_fastapi.sessions.store import Session
from camunda_entra_fastapi.sessions.unreadable import UnreadableHandles
from camunda_entra_fastapi.telemetry import logger

LIMIT: Final = 10_000
"""Sessions that one process keeps, of about 10 KB each."""
MAX_BYTES: Final = 256 * 1024 * 1024
"""Bytes of all sessions together; reached before the number only by sessions of more than 26 KB."""
_SPARE: Final = 100
MAX_ENDS: Final = 2 * LIMIT + _SPARE
"""Entries of the heap of ends in a full store: it has those of as many sessions that are gone, too."""
SWEEP_EVERY: Final = 60.0
"""Seconds after which a new session makes the store remove expired ones."""

_HANDLE: Final = re.compile(rf"([A-Za-z0-9_-]{{43}})\.([A-Za-z0-9_-]{{{MARK_CHARACTERS}}})")
"""256 random bits in base64url, and the mark of the process that made it."""
_HANDLE_CHARACTERS: Final = 43 + 1 + MARK_CHARACTERS

_STRANGERS: Final = {
    Origin.BESIDE: (
        logging.WARNING,
        "A browser sent a session that another process of this service made while this one ran, or another "
        "CamundaEntra in this process. With CAMUNDA_ENTRA_SESSION_STORE=memory each has sessions of its own, "
        "so whoever signed in at one must sign in at the others. Set it to cookie or to a redis:// URL, or "
        "start one worker.",
    ),
    Origin.BEFORE: (
        logging.INFO,
        "A browser sent a session that was made before this process began. With "
        "CAMUNDA_ENTRA_SESSION_STORE=memory sessions end with their process, so that person must sign in.",
    ),
}
"""What is told of handles that other processes made."""


@dataclass(frozen=True, slots=True)
class _Record:
    """A session, and what was counted for it: its claims are anybody's to change."""

    session: Session
    person: Person
    size: int


class MemoryStore(LocalStore):
    """Sessions in this process, under handles of 256 random bits and a mark of this process.

    It keeps only hashes of the handles. So neither the time of a look-up nor a dump of
    the memory reveals a handle.

    A full store drops the oldest session of whoever has most of them, and where everybody has one, the
    session that ends next. It takes time that grows with the logarithm of their number.

    Args:
        clock: Returns seconds since 1970.
        key: The same in all processes of this service, which know each other's handles by it.
        limit: How many sessions are kept at most.
        max_bytes: How much memory they take at most, all together.
    """

    kind = "memory"
    server_side = True

    def __init__(
        self,
        clock: Callable[[], float],
        key: bytes = b"",
        *,
        limit: int = LIMIT,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        super().__init__(clock)
        self._mark = ProcessMark(key or token_bytes(32), clock)
        self._strangers = {origin: Trouble() for origin in _STRANGERS}
        self._limit = limit
        self._max_bytes = max_bytes
        self._sessions: dict[bytes, _Record] = {}
        self._size = 0
        self._by_sid: dict[str, set[bytes]] = {}
        self._shares = Shares()
        self._expiring: list[tuple[float, int, bytes]] = []
        """A heap. It also has what was ended or replaced meanwhile; of equals the oldest is first."""
        self._numbers = count()
        self._sweep_at = clock() + SWEEP_EVERY
        self._has_warned = False
        self._unreadable = UnreadableHandles()
        self._lock = Lock()  # several event loops of several threads may share a store

    async def create(self, session: Session) -> str:
        """Store the session. In a full store another one goes, never this one."""
        name = token_urlsafe(32)
        handle = f"{name}.{self._mark.made_for(name)}"
        key, record = _key(handle), _Record(session, session.person, _size_of(session))
        with self._lock:
            if self._clock() >= self._sweep_at or not self._has_room_for(record):
                self._sweep()
            self._shares.add(record.person, key)
            self._put(key, record)
        return handle

    async def read(self, handle: str) -> Session | None:
        """The session as it was stored last."""
        record = self._find(handle)
        if record is None:
            self._note(handle)
            return None
        return record.session

    async def replace(self, handle: str, session: Session) -> str | None:
        """Store the new state under the same handle; None without a session to replace."""
        key, size = _key(handle), _size_of(session)
        with self._lock:
            former = self._find(handle)
            if former is None:
                return None
            self._remove(key)
            self._put(key, _Record(session, former.person, size))
        return handle

    async def end(self, handle: str) -> None:
        """Delete the session."""
        with self._lock:
            self._delete(_key(handle))

    async def end_by_sid(self, sid: str) -> int:
        """Delete all sessions of that ``sid``; how many had not expired."""
        now = self._clock()
        with self._lock:
            ended = [self._delete(key) for key in list(self._by_sid.get(sid, ()))]
        return sum(session is not None and now < session.expires_at for session in ended)

    def sweep(self) -> None:
        """Also remove the sessions that expired."""
        super().sweep()
        with self._lock:
            self._sweep()

    def _find(self, handle: str) -> _Record | None:
        if len(handle) != _HANDLE_CHARACTERS:
            return None
        record = self._sessions.get(_key(handle))
        return record if record is not None and self._clock() < record.session.expires_at else None

    def _note(self, handle: str) -> None:
        """Log once where a handle comes from that is no session here, if that is worth to be known."""
        match = _HANDLE.fullmatch(handle)
        origin = Origin.UNKNOWN if match is None else self._mark.origin_of(*match.groups())
        if origin is Origin.UNKNOWN:
            self._unreadable.note(handle)
        elif origin in _STRANGERS and self._strangers[origin].is_news("handle"):
            logger.log(*_STRANGERS[origin])

    def _has_room_for(self, record: _Record) -> bool:
        return len(self._sessions) < self._limit and self._size + record.size <= self._max_bytes

    def _put(self, key: bytes, record: _Record) -> None:
        """Store what ``_shares`` has already, so that it counts when others have to go for it."""
        while self._sessions and not self._has_room_for(record):
            self._evict(record.person, key)
        self._sessions[key] = record
        self._size += record.size
        if record.session.sid is not None:
            self._by_sid.setdefault(record.session.sid, set()).add(key)
        heappush(self._expiring, (record.session.expires_at, next(self._numbers), key))
        if len(self._expiring) > 2 * len(self._sessions) + _SPARE:  # more than half was ended or replaced
            self._expiring = [
                (each.session.expires_at, next(self._numbers), key) for key, each in self._sessions.items()
            ]
            heapify(self._expiring)

    def _remove(self, key: bytes) -> _Record | None:
        record = self._sessions.pop(key, None)
        if record is not None:
            self._size -= record.size
            if (sid := record.session.sid) is not None:
                self._by_sid[sid].discard(key)
                if not self._by_sid[sid]:
                    del self._by_sid[sid]
        return record

    def _delete(self, key: bytes) -> Session | None:
        record = self._remove(key)
        if record is None:
            return None
        self._shares.remove(record.person, key)
        return record.session

    def _ends_next(self) -> tuple[float, bytes] | None:
        """When the session that ends next does, and its key; what is gone is taken from the heap."""
        while self._expiring:
            expires_at, _, key = self._expiring[0]
            record = self._sessions.get(key)
            if record is not None and record.session.expires_at == expires_at:
                return expires_at, key
            heappop(self._expiring)
        return None

    def _sweep(self) -> None:
        now = self._clock()
        self._sweep_at = now + SWEEP_EVERY
        while (first := self._ends_next()) is not None and first[0] <= now:
            self._delete(first[1])

    def _evict(self, newcomer: Person, newest: bytes) -> None:
        """Delete a session for the newest, which is the newcomer's."""
        first = self._ends_next() if self._shares.most == 1 else None
        self._delete(self._shares.oldest_of_most(newcomer, newest) if first is None else first[1])
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "The session store in memory is full: it keeps %d sessions, and %d MB of them. Every new one "
                "now costs the oldest of whoever has most, and where everybody has one, the one that ends "
                "next. To keep more, set CAMUNDA_ENTRA_SESSION_STORE to a redis:// URL.",
                self._limit,
                self._max_bytes // 1024**2,
            )


def _key(handle: str) -> bytes:
    return sha256(handle.encode(errors="replace")).digest()


def _size_of(session: Session) -> int:
    """The bytes of all objects of the session, as Python counts them."""
    size, waiting = 0, [getattr(session, field.name) for field in fields(session)]
    while waiting:
        value: Any = waiting.pop()
        size += sys.getsizeof(value)
        if isinstance(value, Mapping):
            waiting += value.keys()
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
    return size
