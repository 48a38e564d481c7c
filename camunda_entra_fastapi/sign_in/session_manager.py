"""Sessions: from the handle in a cookie to the user, renewed in time and once for concurrent requests."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from camunda_entra_fastapi.errors import AccessDenied, EntraUnavailable, InvalidToken, SignInFailed
from camunda_entra_fastapi.log_records import log_fields
from camunda_entra_fastapi.sessions.counted import CountedOperations
from camunda_entra_fastapi.sessions.expiring_set import ExpiringSet
from camunda_entra_fastapi.sessions.store import Session, SessionStore
from camunda_entra_fastapi.sign_in.exchange import Exchange
from camunda_entra_fastapi.sign_in.renewal_troubles import PUT_OFF, RenewalTroubles
from camunda_entra_fastapi.single_flight import SingleFlight
from camunda_entra_fastapi.sweeping import remove_expired
from camunda_entra_fastapi.telemetry import logger, session_renewals
from camunda_entra_fastapi.tenant_check import TenantCheck
from camunda_entra_fastapi.user import EntraUser

RENEWAL_TIMEOUT: Final = 1.0
"""Seconds that a request waits for a renewal while the claims are still valid."""
RENEWAL_PAUSE: Final = 10.0
"""Seconds until the next attempt after a renewal failed or took too long while the claims are still valid."""

MAX_ACCESS_TOKENS: Final = 1_000
"""Access tokens in memory: those of sessions whose cookies are too small for them."""

Leased: TypeAlias = Callable[[str, float], Session | None]

_END: Final = 64
"""Characters of a handle."""


@dataclass(frozen=True, slots=True)
class UserSession:
    """A session, its user, and the handle that the browser should have from now on."""

    session: Session
    handle: str = field(repr=False)
    user: EntraUser
    good_until: float
    """Until when nobody needs to look at it again: for renewal, for its end, or for its tenant."""


class SessionManager:
    """Finds, renews and ends sessions.

    Args:
        store: The session store.
        exchange: Requests new tokens from Entra.
        clock: Returns seconds since 1970.
        cache_size: How many sessions are cached with their users.
    """

    def __init__(
        self, store: SessionStore, exchange: Exchange, clock: Callable[[], float], *, cache_size: int
    ) -> None:
        self.store = store
        self._counted = CountedOperations(store.kind)
        self._exchange = exchange
        self._clock = clock
        self._cache_size = cache_size
        self._by_id: dict[str, UserSession] = {}
        self._by_handle: dict[str, UserSession] = {}
        """Those of ``_by_id`` that ``cached`` may return, by the end of their handles.

        To hash a whole handle takes as long as all else that a look-up does. Nobody but its holder knows the
        end of one, which is the seal of what stands before it.
        """
        self._access_tokens: dict[str, UserSession] = {}
        self._leased: Leased | None = getattr(store, "leased", None)
        """Gives the session of a handle at a time from a copy that is kept right; of stores that keep any."""
        self._ended = ExpiringSet(clock)
        self._renewals: SingleFlight[str, UserSession | None] = SingleFlight("session renewal")
        self._paused = ExpiringSet(clock)
        self._troubles = RenewalTroubles()

    async def create(self, session: Session) -> UserSession:
        """Store a new session.

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        with self._counted.create:
            handle = await self.store.create(session)
        return await self._cache_renewed(session, handle)

    def cached(self, handle: str) -> UserSession | None:
        """The session of a handle in the cache, if it need not be renewed; else None."""
        cached = self._by_handle.get(handle[-_END:])
        if cached is None:
            return None if self._leased is None else self._leased_session(handle, self._leased)
        if cached.handle != handle:
            return None
        return cached if self._clock() < cached.good_until else None

    async def find(self, handle: str) -> UserSession | None:
        """The session as it is, even if it is due for renewal; None for a handle without a session.

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        with self._counted.read:
            session = await self.store.read(handle)
        if session is None or session.id in self._ended:
            return None
        cached = self._by_id.get(session.id)
        if cached is not None and (
            cached.session is session
            or (not self.store.server_side and cached.session.access_expires_at > session.access_expires_at)
        ):
            return cached  # the renewed session, for a browser that does not have its new cookie yet
        user_session = self._cache(session, handle)
        if not self.store.server_side:  # other replicas may end a session in a server-side store
            self._by_handle[handle[-_END:]] = user_session
        return user_session

    async def renew_if_due(self, current: UserSession) -> UserSession | None:
        """The session with valid claims; renewed where it is due. None when it is over.

        Raises:
            EntraUnavailable: Its claims have expired, and Entra cannot be asked; or nobody can tell whether
                its tenant is still let in.
            SessionsUnavailable: The same of the store, or it cannot be told of an end.
        """
        tenants = self._exchange.validator.tenants
        if tenants is not None and not await self._is_let_in(current, tenants):
            return None
        now = self._clock()
        session = current.session
        if now < session.renew_at:
            return current
        is_valid = now < session.access_expires_at
        if is_valid and (session.refresh_token is None or session.id in self._paused):
            return current
        if not is_valid:
            return None if session.refresh_token is None else await self._renew_once(current)
        try:
            async with asyncio.timeout(RENEWAL_TIMEOUT):
                return await self._renew_once(current)
        except PUT_OFF as failure:
            # The renewal may still succeed. Until then, and after it failed, no request waits for it.
            self._paused.add(session.id, RENEWAL_PAUSE)
            self._troubles.put_off(failure)
            # The store may not know yet that Entra refused it, or that somebody signed out meanwhile.
            return None if session.id in self._ended else current

    async def with_access_token(self, current: UserSession) -> UserSession | None:
        """The session with its access token, even if its cookies are too small for it. None when it is over.

        Raises:
            AccessDenied: There is none, and no refresh token to request another one.
            EntraUnavailable: Entra cannot be asked.
            SessionsUnavailable: The store cannot be asked.
        """
        if current.session.access_token:
            return current
        if current.session.refresh_token is None:
            raise AccessDenied(
                "access_token_unavailable",
                "The session's access token was too large for its cookies, and there is no refresh token. "
                "Set CAMUNDA_ENTRA_SESSION_STORE to a redis:// URL, or add offline_access to "
                "CAMUNDA_ENTRA_SCOPES.",
            )
        cached = self._access_tokens.get(current.session.id)
        if cached is not None and cached.session.access_expires_at > self._clock():
            return await self.renew_if_due(cached)  # as long as it is good, nobody waits for a hanging Entra
        return await self._renew_once(current)

    async def end(self, current: UserSession) -> None:
        """End the session in this process, and in the store as far as it can.

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        self._ended.add(current.session.id, self.seconds_left(current.session))
        self._evict(current.session.id)
        self._access_tokens.pop(current.session.id, None)
        with self._counted.end:
            await self.store.end(current.handle)

    def end_later(self, handle: str) -> None:
        """End the session of a handle that could not be looked up, as soon as the store can be asked."""
        self.store.end_later(handle)

    async def end_by_sid(self, sid: str) -> int:
        """End the sessions of Entra's own session, as far as the store can; how many.

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        with self._counted.end_by_sid:
            return await self.store.end_by_sid(sid)

    def seconds_left(self, session: Session) -> float:
        """Seconds until the session expires."""
        return session.expires_at - self._clock()

    def sweep(self) -> None:
        """Remove from memory what has expired, here and in the store."""
        now = self._clock()
        for entries in (self._by_id, self._by_handle, self._access_tokens):
            remove_expired(entries, lambda cached: cached.session.expires_at, now)
        for expiring in (self._ended, self._paused, self.store):
            expiring.sweep()

    async def _cache_renewed(self, session: Session, handle: str) -> UserSession:
        """Cache a session with new tokens; also its access token, if the store did not keep that."""
        cached = self._cache(session, handle)
        stored = None if self.store.server_side else await self.store.read(handle)
        if stored is not None and not stored.access_token:
            if len(self._access_tokens) >= MAX_ACCESS_TOKENS:
                self._access_tokens.clear()
            self._access_tokens[session.id] = cached
        return cached

    def _cache(self, session: Session, handle: str) -> UserSession:
        has_customers = self._exchange.validator.has_customers
        user = EntraUser.from_sign_in(session.claims, session.access_token, has_customers=has_customers)
        good_until = min(session.renew_at, session.expires_at)
        if (tenants := self._exchange.validator.tenants) is not None:
            good_until = min(good_until, tenants.known_until(session.claims))
        cached = UserSession(session, handle, user, good_until)
        self._evict(session.id)
        if len(self._by_id) >= self._cache_size:
            self._by_id.clear()  # rare, and active sessions fill it again
            self._by_handle.clear()
        self._by_id[session.id] = cached
        return cached

    def _leased_session(self, handle: str, leased: Leased) -> UserSession | None:
        """The session of a handle in the store's local copies, if it is cached and need not be renewed."""
        now = self._clock()
        session = leased(handle, now)
        cached = None if session is None else self._by_id.get(session.id)
        if cached is None or cached.session is not session:
            return None
        return cached if now < cached.good_until else None

    async def _is_let_in(self, current: UserSession, tenants: TenantCheck) -> bool:
        """Whether the session's tenant is still let in; where it is not, the session ends."""
        session = current.session
        try:
            until = await tenants.let_in_until(session.claims)
        except InvalidToken as refused:
            logger.info("A session ended, as its tenant is not let in any more: %s", refused.message)
            await self.end(current)
            return False
        looked_at = replace(current, good_until=min(session.renew_at, session.expires_at, until))
        for cache, key in ((self._by_id, session.id), (self._by_handle, current.handle[-_END:])):
            if cache.get(key) is current:
                cache[key] = looked_at
        return True

    def _evict(self, session_id: str) -> None:
        """Remove the session from the cache, without ending it."""
        cached = self._by_id.pop(session_id, None)
        if cached is not None:
            self._by_handle.pop(cached.handle[-_END:], None)

    async def _renew_once(self, current: UserSession) -> UserSession | None:
        """The renewed session; one renewal for all requests that wait for it."""
        return await self._renewals.run(current.session.id, lambda: self._renew(current))

    async def _renew(self, current: UserSession) -> UserSession | None:
        async with self.store.renewing(current.handle):
            if self.store.server_side:
                with self._counted.read:
                    session = await self.store.read(current.handle)
                if session is None or session.id in self._ended:
                    return None
                if session.renew_at > self._clock():
                    return self._cache(session, current.handle)  # renewed by another replica meanwhile
            else:
                session = current.session
            try:
                renewed = await self._exchange.renew(session)
            except (SignInFailed, AccessDenied) as refused:
                logger.info(
                    "A session ended, as it cannot be renewed: %s",
                    refused.message,
                    extra=log_fields(code=refused.code),
                )
                session_renewals.add(1, {"outcome": "refused"})
                await self.end(current)
                return None
            except EntraUnavailable:
                session_renewals.add(1, {"outcome": "failed"})
                raise
            session_renewals.add(1, {"outcome": "renewed"})
            with self._counted.replace, self._troubles.storing():
                handle = await self.store.replace(current.handle, renewed)
        if handle is None or renewed.id in self._ended:
            return None
        return await self._cache_renewed(renewed, handle)
