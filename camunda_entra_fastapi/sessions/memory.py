"""The store in memory: sessions end with the process, and other processes do not see them."""

import re
from collections.abc import Callable
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final

from camunda_entra_fastapi.sessions.local import LocalStore
from camunda_entra_fastapi.sessions.store import Session
from camunda_entra_fastapi.telemetry import logger

LIMIT: Final = 10_000
"""Sessions that one process keeps, of about 10 KB each."""
SWEEP_EVERY: Final = 60.0
"""Seconds after which a new session makes the store remove expired ones."""

_HANDLE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
"""256 random bits in base64url."""


class MemoryStore(LocalStore):
    """Sessions in this process, under handles of 256 random bits.

    It keeps only hashes of the handles. So neither the time of a look-up nor a dump of
    the memory reveals a handle.

    Args:
        clock: Returns seconds since 1970.
        limit: How many sessions are kept at most.
    """

    server_side = True

    def __init__(self, clock: Callable[[], float], *, limit: int = LIMIT) -> None:
        super().__init__(clock)
        self._limit = limit
        self._sessions: dict[bytes, Session] = {}
        self._by_sid: dict[str, set[bytes]] = {}
        self._sweep_at = clock() + SWEEP_EVERY
        self._has_warned = False

    async def create(self, session: Session) -> str:
        """Store the session, in place of the one that expires next where the store is full."""
        if self._clock() >= self._sweep_at or len(self._sessions) >= self._limit:
            self._sweep()
        while len(self._sessions) >= self._limit:
            self._evict()
        handle = token_urlsafe(32)
        self._put(_key(handle), session)
        return handle

    async def read(self, handle: str) -> Session | None:
        """The session as it was stored last."""
        return self._find(handle)

    async def replace(self, handle: str, session: Session) -> str | None:
        """Store the new state under the same handle; None without a session to replace."""
        if self._find(handle) is None:
            return None
        key = _key(handle)
        self._delete(key)
        self._put(key, session)
        return handle

    async def end(self, handle: str) -> None:
        """Delete the session."""
        self._delete(_key(handle))

    async def end_by_sid(self, sid: str) -> int:
        """Delete all sessions of that ``sid``; how many had not expired."""
        now = self._clock()
        ended = [self._delete(key) for key in list(self._by_sid.get(sid, ()))]
        return sum(session is not None and now < session.expires_at for session in ended)

    def _find(self, handle: str) -> Session | None:
        if not _HANDLE.fullmatch(handle):
            return None
        session = self._sessions.get(_key(handle))
        return session if session is not None and self._clock() < session.expires_at else None

    def _put(self, key: bytes, session: Session) -> None:
        self._sessions[key] = session
        if session.sid is not None:
            self._by_sid.setdefault(session.sid, set()).add(key)

    def _delete(self, key: bytes) -> Session | None:
        session = self._sessions.pop(key, None)
        if session is not None and session.sid is not None:
            keys = self._by_sid[session.sid]
            keys.discard(key)
            if not keys:
                del self._by_sid[session.sid]
        return session

    def _sweep(self) -> None:
        now = self._clock()
        self._sweep_at = now + SWEEP_EVERY
        for key in [key for key, session in list(self._sessions.items()) if session.expires_at <= now]:
            self._delete(key)

    def _evict(self) -> None:
        """Delete the session that expires next, so that new sign-ins stay."""
        key, _ = min(self._sessions.items(), key=lambda item: item[1].expires_at)
        self._delete(key)
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "The session store in memory is full: it keeps %d sessions, and every new one now costs the "
                "one that ends next. To keep more, set CAMUNDA_ENTRA_SESSION_STORE to a redis:// URL.",
                self._limit,
            )


def _key(handle: str) -> bytes:
    return sha256(handle.encode(errors="replace")).digest()
