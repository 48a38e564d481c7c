"""The stateless store: the browser keeps the whole session, sealed. Any replica reads it, none can end it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from camunda_entra_fastapi.sessions.local import LocalStore
from camunda_entra_fastapi.sessions.sealing import Sealer
from camunda_entra_fastapi.sessions.store import MAX_HANDLE_CHARACTERS, Session, pack, unpack
from camunda_entra_fastapi.sessions.unreadable import UnreadableHandles
from camunda_entra_fastapi.sweeping import remove_expired
from camunda_entra_fastapi.telemetry import logger

MAX_WITH_ACCESS_TOKEN: Final = 6_900
"""Characters up to which a handle holds the access token: below 7 KB of cookies, names included."""
WARN_CHARACTERS: Final = 7_000
"""Characters from which proxies may refuse requests: nginx and others allow 8 KB for all headers."""
MAX_CACHED: Final = 10_000
"""Sessions that are cached, each by its newest handle: unsealing one takes 40 microseconds."""


class CookieStore(LocalStore):
    """Sessions whose handle is the session itself.

    Args:
        sealer: Seals the sessions; it should compress.
        clock: Returns seconds since 1970.
    """

    kind = "cookie"
    server_side = False

    def __init__(self, sealer: Sealer, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._sealer = sealer
        self._unreadable = UnreadableHandles()
        self._cache: dict[str, Session] = {}
        self._handles: dict[str, str] = {}
        """The cached handle of each session, by its ID: a renewed one takes its former one's place."""

    async def create(self, session: Session) -> str:
        """Seal the session, without its access token where that would make it too large."""
        handle = self._sealer.seal(pack(session))
        if session.access_token and len(handle) > MAX_WITH_ACCESS_TOKEN:
            handle = self._sealer.seal(pack(replace(session, access_token="")))
        if len(handle) >= WARN_CHARACTERS:
            logger.warning(
                "A session takes %d bytes of cookies, of which %d are claims. Proxies refuse headers of more "
                "than 8 KB by default. Set CAMUNDA_ENTRA_SESSION_STORE to a redis:// URL, or "
                "groupMembershipClaims to ApplicationGroup in the app registration.",
                len(handle),
                len(pack(replace(session, access_token="", refresh_token=None))),
            )
        return handle

    async def read(self, handle: str) -> Session | None:
        """The session in the handle; the seal proves that this service wrote it."""
        session = self._cache.get(handle) or self._unseal(handle)
        return session if session is not None and self._clock() < session.expires_at else None

    async def replace(self, handle: str, session: Session) -> str | None:  # noqa: ARG002
        """The handle of the new state. The former one stays valid, as nothing is stored here."""
        return await self.create(session)

    async def end(self, handle: str) -> None:
        """Remove it from the cache; copies in browsers stay valid until they expire."""
        if (session := self._cache.pop(handle, None)) is not None:
            self._handles.pop(session.id, None)

    async def end_by_sid(self, sid: str) -> int:  # noqa: ARG002
        """Always 0: no session is stored here."""
        return 0

    def sweep(self) -> None:
        """Also remove the sessions that expired."""
        super().sweep()
        remove_expired(self._cache, lambda session: session.expires_at, self._clock())
        for session_id in [each for each, handle in list(self._handles.items()) if handle not in self._cache]:
            self._handles.pop(session_id, None)

    def _unseal(self, handle: str) -> Session | None:
        if len(handle) > MAX_HANDLE_CHARACTERS:
            return None
        if (data := self._sealer.open(handle)) is None:
            self._unreadable.note(handle)
            return None
        session = unpack(data)
        if session is not None:
            self._remember(handle, session)
        return session

    def _remember(self, handle: str, session: Session) -> None:
        """Cache the session in the place of its former state; one that comes late is not cached."""
        former = self._handles.get(session.id)
        known = None if former is None else self._cache.get(former)
        if known is not None and known.access_expires_at > session.access_expires_at:
            return
        if former is not None:
            self._cache.pop(former, None)
        elif len(self._cache) >= MAX_CACHED:  # rare, and active sessions fill it again
            self._cache.clear()
            self._handles.clear()
        self._cache[handle] = session
        self._handles[session.id] = handle
