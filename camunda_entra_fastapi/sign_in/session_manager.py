"""Keeps sessions alive: from the cookie's handle to the user, renewed in time, once for all who ask."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from camunda_entra_fastapi.errors import AccessDenied, EntraUnavailable, SignInFailed
from camunda_entra_fastapi.sessions.replay import Marks
from camunda_entra_fastapi.sessions.store import Session, SessionStore
from camunda_entra_fastapi.sign_in.exchange import Exchange
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.user import EntraUser

PATIENCE: Final = 1.0
"""Seconds that a request waits for a renewal while its token is still good."""
PAUSE: Final = 10.0
"""Seconds until renewing is tried again after it failed, or took too long, while the token was still good."""

MAX_WITH_TOKEN: Final = 1_000
"""Sessions whose cookies are too small for their access token, which is kept here."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that is there, its user, and the handle that the browser should hold from now on."""

    session: Session
    handle: str
    user: EntraUser


@dataclass(frozen=True, slots=True)
class _Flight:
    """A renewal under way. A task belongs to one event loop; tests and threads have several."""

    task: "asyncio.Task[SignedIn | None]"
    loop: asyncio.AbstractEventLoop


class SessionKeeper:
    """Finds, renews and ends sessions.

    Args:
        store: Where they are.
        exchange: Gets new tokens for them.
        clock: Gives seconds since 1970.
        remember: How many users are kept made.
    """

    def __init__(
        self, store: SessionStore, exchange: Exchange, clock: Callable[[], float], *, remember: int
    ) -> None:
        self.store = store
        self._exchange = exchange
        self._clock = clock
        self._remember = remember
        self._known: dict[str, SignedIn] = {}
        self._by_handle: dict[str, SignedIn] = {}
        """Of those that are known, the ones that may be recalled."""
        self._with_token: dict[str, SignedIn] = {}
        self._ended = Marks(clock)
        self._flights: dict[str, _Flight] = {}
        self._paused = Marks(clock)

    async def create(self, session: Session) -> SignedIn:
        """Keep a new session.

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        return await self._keep(session, await self.store.create(session))

    def recall(self, handle: str) -> SignedIn | None:
        """The session of a handle that was found before, where nobody must be asked and nothing renewed."""
        known = self._by_handle.get(handle)
        if known is None:
            return None
        now, session = self._clock(), known.session
        return known if now < session.renew_at and now < session.expires_at else None

    async def find(self, handle: str) -> SignedIn | None:
        """The session as it is, perhaps in want of renewal; None for a handle that stands for none.

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        session = await self.store.read(handle)
        if session is None or session.id in self._ended:
            return None
        known = self._known.get(session.id)
        if known is not None and (
            known.session is session
            or (not self.store.server_side and known.session.access_expires_at > session.access_expires_at)
        ):
            return known  # for a browser that has not got the new cookie yet, the renewed one
        found = self._know(session, handle)
        if not self.store.server_side:  # elsewhere somebody else may end the session
            self._by_handle[handle] = found
        return found

    async def fresh(self, found: SignedIn) -> SignedIn | None:
        """The session with claims that count now; renewed where it is time. None when it is over.

        Raises:
            EntraUnavailable: Its claims are too old, and Entra cannot be asked for new ones.
            SessionsUnavailable: The store cannot be asked.
        """
        now = self._clock()
        session = found.session
        if now < session.renew_at:
            return found
        is_good = now < session.access_expires_at
        if is_good and (session.refresh_token is None or session.id in self._paused):
            return found
        if not is_good:
            return None if session.refresh_token is None else await self._land(self._take_off(found))
        flight = self._take_off(found)
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._land(flight)
        except (TimeoutError, EntraUnavailable):
            # What is under way may still succeed; until then, and after it failed, nobody waits for it.
            self._paused.add(session.id, PAUSE)
            return found

    async def with_access_token(self, found: SignedIn) -> SignedIn | None:
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
        kept = self._with_token.get(found.session.id)
        if kept is not None and kept.session.renew_at > self._clock():
            return kept
        return await self._land(self._take_off(found))

    async def end(self, found: SignedIn) -> None:
        """End the session, here and, as far as the store can, everywhere.

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        self._ended.add(found.session.id, self.seconds_left(found.session))
        self._forget(found.session.id)
        self._with_token.pop(found.session.id, None)
        await self.store.end(found.handle)

    def seconds_left(self, session: Session) -> float:
        """Until the session ends."""
        return session.expires_at - self._clock()

    async def _keep(self, session: Session, handle: str) -> SignedIn:
        """Know a session with its new tokens; its access token for itself if the store has no room for it."""
        known = self._know(session, handle)
        stored = None if self.store.server_side else await self.store.read(handle)
        if stored is not None and not stored.access_token:
            if len(self._with_token) >= MAX_WITH_TOKEN:
                self._with_token.clear()
            self._with_token[session.id] = known
        return known

    def _know(self, session: Session, handle: str) -> SignedIn:
        make = EntraUser.from_claims if session.of_access_token else EntraUser.from_id_token
        known = SignedIn(session, handle, make(session.claims, session.access_token))
        self._forget(session.id)
        if len(self._known) >= self._remember:
            self._known.clear()  # rare, and filled again by those who are still there
            self._by_handle.clear()
        self._known[session.id] = known
        return known

    def _forget(self, session_id: str) -> None:
        """The session is known no longer, nor found by its handle; neither is it ended."""
        known = self._known.pop(session_id, None)
        if known is not None:
            self._by_handle.pop(known.handle, None)

    def _take_off(self, found: SignedIn) -> _Flight:
        """The renewal of this session that is under way on this event loop, or a new one."""
        loop = asyncio.get_running_loop()
        flight = self._flights.get(found.session.id)
        if flight is None or flight.loop is not loop or flight.task.done():
            task = loop.create_task(self._renew(found), name="camunda_entra session renewal")
            flight = self._flights[found.session.id] = _Flight(task, loop)
            task.add_done_callback(lambda done: self._landed(found.session.id, done))
        return flight

    async def _land(self, flight: _Flight) -> SignedIn | None:
        await asyncio.wait((flight.task,))  # who gives up waiting cancels it for nobody
        return flight.task.result()

    def _landed(self, session_id: str, task: "asyncio.Task[SignedIn | None]") -> None:
        flight = self._flights.get(session_id)
        if flight is not None and flight.task is task:
            del self._flights[session_id]
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not complain when nobody waited

    async def _renew(self, found: SignedIn) -> SignedIn | None:
        async with self.store.renewing(found.handle):
            if self.store.server_side:
                session = await self.store.read(found.handle)
                if session is None:
                    return None
                if session.renew_at > self._clock():
                    return self._know(session, found.handle)  # by another replica, while we waited
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
        return await self._keep(renewed, handle)
