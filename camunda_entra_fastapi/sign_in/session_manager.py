"""Keeps sessions alive: from the cookie's handle to the user, renewed in time, once for all who ask."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from camunda_entra_fastapi.errors import AccessDenied, EntraUnavailable, SignInFailed
from camunda_entra_fastapi.sessions.expiring_set import ExpiringSet
from camunda_entra_fastapi.sessions.store import Session, SessionStore
from camunda_entra_fastapi.sign_in.exchange import Exchange
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.user import EntraUser

RENEWAL_TIMEOUT: Final = 1.0
"""Seconds that a request waits for a renewal while its token is still good."""
RENEWAL_PAUSE: Final = 10.0
"""Seconds until renewing is tried again after it failed, or took too long, while the token was still good."""

MAX_ACCESS_TOKENS: Final = 1_000
"""Sessions whose cookies are too small for their access token, which is kept here."""


@dataclass(frozen=True, slots=True)
class UserSession:
    """A session that is there, its user, and the handle that the browser should hold from now on."""

    session: Session
    handle: str
    user: EntraUser


@dataclass(frozen=True, slots=True)
class _Renewal:
    """A renewal under way. A task belongs to one event loop; tests and threads have several."""

    task: "asyncio.Task[UserSession | None]"
    loop: asyncio.AbstractEventLoop


class SessionManager:
    """Finds, renews and ends sessions.

    Args:
        store: Where they are.
        exchange: Gets new tokens for them.
        clock: Gives seconds since 1970.
        remember: How many users are kept made.
    """

    def __init__(
        self, store: SessionStore, exchange: Exchange, clock: Callable[[], float], *, cache_size: int
    ) -> None:
        self.store = store
        self._exchange = exchange
        self._clock = clock
        self._cache_size = cache_size
        self._by_id: dict[str, UserSession] = {}
        self._by_handle: dict[str, UserSession] = {}
        """Of those that are known, the ones that may be recalled."""
        self._with_access_token: dict[str, UserSession] = {}
        self._ended = ExpiringSet(clock)
        self._renewals: dict[str, _Renewal] = {}
        self._paused = ExpiringSet(clock)

    async def create(self, session: Session) -> UserSession:
        """Keep a new session.

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        return await self._cache_with_token(session, await self.store.create(session))

    def cached(self, handle: str) -> UserSession | None:
        """The session of a handle that was found before, where nobody must be asked and nothing renewed."""
        cached = self._by_handle.get(handle)
        if cached is None:
            return None
        now, session = self._clock(), cached.session
        return cached if now < session.renew_at and now < session.expires_at else None

    async def find(self, handle: str) -> UserSession | None:
        """The session as it is, perhaps in want of renewal; None for a handle that stands for none.

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        session = await self.store.read(handle)
        if session is None or session.id in self._ended:
            return None
        cached = self._by_id.get(session.id)
        if cached is not None and (
            cached.session is session
            or (not self.store.server_side and cached.session.access_expires_at > session.access_expires_at)
        ):
            return cached  # for a browser that has not got the new cookie yet, the renewed one
        found = self._cache(session, handle)
        if not self.store.server_side:  # elsewhere somebody else may end the session
            self._by_handle[handle] = found
        return found

    async def renew_if_due(self, found: UserSession) -> UserSession | None:
        """The session with claims that count now; renewed where it is time. None when it is over.

        Raises:
            EntraUnavailable: Its claims are too old, and Entra cannot be asked for new ones.
            SessionsUnavailable: The store cannot be asked.
        """
        now = self._clock()
        session = found.session
        if now < session.renew_at:
            return found
        is_valid = now < session.access_expires_at
        if is_valid and (session.refresh_token is None or session.id in self._paused):
            return found
        if not is_valid:
            return None if session.refresh_token is None else await self._wait(self._start_renewal(found))
        renewal = self._start_renewal(found)
        try:
            async with asyncio.timeout(RENEWAL_TIMEOUT):
                return await self._wait(renewal)
        except (TimeoutError, EntraUnavailable):
            # What is under way may still succeed; until then, and after it failed, nobody waits for it.
            self._paused.add(session.id, RENEWAL_PAUSE)
            return found

    async def with_access_token(self, found: UserSession) -> UserSession | None:
        """The session with its access token, which cookies may be too small for. None when it is over.

        Raises:
            AccessDenied: There is none, and no refresh token to get another one.
            EntraUnavailable: Entra cannot be asked.
            SessionsUnavailable: The store cannot be asked.
        """
        if found.session.access_token:
            return found
        if found.session.refresh_token is None:
            raise AccessDenied(
                "access_token_unavailable",
                "The session's access token was too large for its cookies, and there is no refresh token. "
                "Set CAMUNDA_ENTRA_SESSION_STORE to a redis:// URL, or add offline_access to "
                "CAMUNDA_ENTRA_SCOPES.",
            )
        cached = self._with_access_token.get(found.session.id)
        if cached is not None and cached.session.renew_at > self._clock():
            return cached
        return await self._wait(self._start_renewal(found))

    async def end(self, found: UserSession) -> None:
        """End the session, here and, as far as the store can, everywhere.

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        self._ended.add(found.session.id, self.seconds_left(found.session))
        self._evict(found.session.id)
        self._with_access_token.pop(found.session.id, None)
        await self.store.end(found.handle)

    def seconds_left(self, session: Session) -> float:
        """Until the session ends."""
        return session.expires_at - self._clock()

    async def _cache_with_token(self, session: Session, handle: str) -> UserSession:
        """Know a session with its new tokens; its access token for itself if the store has no room for it."""
        cached = self._cache(session, handle)
        stored = None if self.store.server_side else await self.store.read(handle)
        if stored is not None and not stored.access_token:
            if len(self._with_access_token) >= MAX_ACCESS_TOKENS:
                self._with_access_token.clear()
            self._with_access_token[session.id] = cached
        return cached

    def _cache(self, session: Session, handle: str) -> UserSession:
        make = EntraUser.from_claims if session.of_access_token else EntraUser.from_id_token
        cached = UserSession(session, handle, make(session.claims, session.access_token))
        self._evict(session.id)
        if len(self._by_id) >= self._cache_size:
            self._by_id.clear()  # rare, and filled again by those who are still there
            self._by_handle.clear()
        self._by_id[session.id] = cached
        return cached

    def _evict(self, session_id: str) -> None:
        """The session is known no longer, nor found by its handle; neither is it ended."""
        cached = self._by_id.pop(session_id, None)
        if cached is not None:
            self._by_handle.pop(cached.handle, None)

    def _start_renewal(self, found: UserSession) -> _Renewal:
        """The renewal of this session that is under way on this event loop, or a new one."""
        loop = asyncio.get_running_loop()
        renewal = self._renewals.get(found.session.id)
        if renewal is None or renewal.loop is not loop or renewal.task.done():
            task = loop.create_task(self._renew(found), name="camunda_entra session renewal")
            renewal = self._renewals[found.session.id] = _Renewal(task, loop)
            task.add_done_callback(lambda done: self._done(found.session.id, done))
        return renewal

    async def _wait(self, renewal: _Renewal) -> UserSession | None:
        await asyncio.wait((renewal.task,))  # who gives up waiting cancels it for nobody
        return renewal.task.result()

    def _done(self, session_id: str, task: "asyncio.Task[UserSession | None]") -> None:
        renewal = self._renewals.get(session_id)
        if renewal is not None and renewal.task is task:
            del self._renewals[session_id]
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not complain when nobody waited

    async def _renew(self, found: UserSession) -> UserSession | None:
        async with self.store.renewing(found.handle):
            if self.store.server_side:
                session = await self.store.read(found.handle)
                if session is None:
                    return None
                if session.renew_at > self._clock():
                    return self._cache(session, found.handle)  # by another replica, while we waited
            else:
                session = found.session
            try:
                renewed = await self._exchange.renew(session)
            except (SignInFailed, AccessDenied) as refused:
                logger.info("A session ended, as it cannot be renewed: %s", refused.message)
                await self.end(found)
                return None
            handle = await self.store.replace(found.handle, renewed)
        if handle is None or renewed.id in self._ended:
            return None
        return await self._cache_with_token(renewed, handle)
