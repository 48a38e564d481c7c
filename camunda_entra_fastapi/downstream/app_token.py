"""Tokens of this application itself: one for each scope, fetched when needed and renewed ahead of time."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from camunda_entra_fastapi.downstream.shared import Held, SharedTokens
from camunda_entra_fastapi.errors import EntraError, EntraRefused, EntraUnavailable, FetchFailed
from camunda_entra_fastapi.remote.claims_request import merged
from camunda_entra_fastapi.remote.credentials import Client
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.remote.token_endpoint import request_app_token
from camunda_entra_fastapi.telemetry import logger

RENEW_AFTER: Final = 0.75
"""The part of a token's life after which another one is fetched, where Entra says nothing of it."""
LEAST_LEFT: Final = 10.0
"""Seconds that a token must still be good for, so that it arrives before it expires."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 15.0
"""Seconds between attempts while Entra says no or nothing; longer only if it asks for more."""
LONGEST_WAIT: Final = 3600.0
"""Seconds that Entra may ask to wait for, as in Microsoft's own libraries."""
GIVE_UP_WINDOW: Final = 60.0
"""Seconds within which an API's second refusal counts as its word: another token would not help."""


@dataclass(slots=True)
class _Pause:
    """After a failure: what it was, and until when Entra is left alone."""

    failure: EntraRefused | FetchFailed
    until: float
    failures: int


@dataclass(frozen=True, slots=True)
class _Flight:
    task: "asyncio.Task[str]"
    loop: asyncio.AbstractEventLoop


class AppToken:
    """This application's token for one scope.

    Args:
        http: For calls to Entra.
        keys: Knows where the token endpoint is.
        client: Who we are.
        scope: What the token is for; it ends in ``/.default``.
        clock: Gives seconds since 1970.
        shared: What other replicas have.
    """

    def __init__(  # noqa: PLR0917 - all of it is needed
        self,
        http: EntraHttp,
        keys: KeySource,
        client: Client,
        scope: str,
        clock: Callable[[], float],
        shared: SharedTokens | None = None,
    ) -> None:
        self._http = http
        self._keys = keys
        self._client = client
        self._scope = scope
        self._clock = clock
        self._shared = shared
        self._refused: str | None = None
        self._held: Held | None = None
        self._pause: _Pause | None = None
        self._flight: _Flight | None = None
        self._blocking = threading.Lock()
        self._claims: str | None = None
        self._given_up_at = float("-inf")

    async def get(self) -> str:
        """A token that is good for a while.

        Raises:
            EntraRefused: Entra says no.
            EntraUnavailable: Entra cannot be asked, and no token is left that is good.
        """
        held = self._usable()
        if held is not None and (self._clock() < held.renew_at or self._is_paused()):
            return held.token
        flight = self._take_off()
        if held is not None:
            return held.token  # while the next one is on its way
        await asyncio.wait((flight,))  # who gives up waiting cancels it for nobody
        return flight.result()

    def get_blocking(self) -> str:
        """The same, for callers without an event loop.

        Raises:
            EntraRefused: Entra says no.
            EntraUnavailable: Entra cannot be asked, and no token is left that is good.
        """
        with self._blocking:
            held = self._usable()
            if held is not None and (self._clock() < held.renew_at or self._is_paused()):
                return held.token
            try:
                # In a thread of its own, as the caller's may have an event loop that waits for the caller.
                with ThreadPoolExecutor(1) as threads:
                    return threads.submit(asyncio.run, self._fetch(None)).result()
            except EntraError:
                if held is None:
                    raise
                return held.token

    def give_up(self, token: str, claims: str | None) -> bool:
        """Not to use a token any more that an API refused; whether another one is worth asking for.

        Args:
            token: What was refused.
            claims: What the API wants to see in the next one, as JSON.
        """
        held, now = self._held, self._clock()
        if held is None or held.token != token:
            return True  # another request was refused as well, and there is a newer one by now
        if now - self._given_up_at < GIVE_UP_WINDOW:
            return False
        self._held, self._claims, self._given_up_at, self._refused = None, claims, now, token
        return True

    def _usable(self) -> Held | None:
        held = self._held
        return held if held is not None and self._clock() < held.good_until else None

    def _is_paused(self) -> bool:
        return self._pause is not None and self._clock() < self._pause.until

    def _take_off(self) -> "asyncio.Task[str]":
        """The request that is under way on this event loop, or a new one."""
        loop = asyncio.get_running_loop()
        if self._flight is None or self._flight.loop is not loop or self._flight.task.done():
            task = loop.create_task(self._fetch(self._shared), name=f"camunda_entra token for {self._scope}")
            task.add_done_callback(look_at)
            self._flight = _Flight(task, loop)
        return self._flight.task

    async def _fetch(self, shared: SharedTokens | None) -> str:
        name = f"app {self._scope}"
        if shared is not None:
            found = await shared.find(name)
            if found is not None and found.token != self._refused:
                self._held = found
                return found.token
        held = self._held = await self._ask()
        if shared is not None:
            await shared.keep(name, held)
        return held.token

    async def _ask(self) -> Held:
        pause = self._pause
        if pause is not None and self._clock() < pause.until:
            raise self._told(pause)
        try:
            endpoint = await self._keys.token_endpoint()
            tokens = await request_app_token(
                self._http, endpoint, self._client, scope=self._scope, claims=merged(self._claims)
            )
        except (EntraRefused, FetchFailed) as failure:
            raise self._told(self._failed(failure)) from None
        now = self._clock()
        renew_in = tokens.refresh_in or tokens.expires_in * RENEW_AFTER
        good_for = max(tokens.expires_in - LEAST_LEFT, tokens.expires_in / 2)
        self._pause = None
        return Held(tokens.access_token, now + min(renew_in, good_for), now + good_for)

    def _failed(self, failure: EntraRefused | FetchFailed) -> _Pause:
        failures = 0 if self._pause is None else min(self._pause.failures + 1, 10)
        asked = failure.retry_after if isinstance(failure, FetchFailed) else None
        wait = min(asked, LONGEST_WAIT) if asked else min(LONGEST_PAUSE, FIRST_PAUSE * 2**failures)
        self._pause = _Pause(failure, self._clock() + wait, failures)
        logger.warning("No token for %s: %s (next attempt in %.0f s)", self._scope, failure.message, wait)
        return self._pause

    def _told(self, pause: _Pause) -> EntraError:
        # A new error each time: one that is raised again and again collects tracebacks.
        failure = pause.failure
        if isinstance(failure, EntraRefused):
            return EntraRefused(failure.message, failure.refusal)
        code = {
            "unreachable": "entra_unreachable",
            "timeout": "entra_timeout",
            "throttled": "entra_throttled",
        }
        return EntraUnavailable(
            code.get(failure.fault, "entra_failed"),
            f"There is no token for {self._scope}: {failure.message}",
            max(1.0, pause.until - self._clock()),
        )


def look_at(task: "asyncio.Task[str]") -> None:
    """So that asyncio does not complain of a failure that nobody waited for."""
    if not task.cancelled():
        task.exception()


class AppTokens:
    """This application's tokens, by scope.

    Args:
        make: Makes the token of a scope.
    """

    def __init__(self, make: Callable[[str], AppToken]) -> None:
        self._make = make
        self._by_scope: dict[str, AppToken] = {}

    def of(self, scope: str) -> AppToken:
        """The token of a scope; the same one for all who call the same service."""
        return self._by_scope.setdefault(scope, self._make(scope))


def read_app_scope(scope: str) -> str:
    """The scope of an application's own tokens.

    Raises:
        ValueError: It is none that Entra accepts (Learn: client credentials flow; AADSTS1002012).
    """
    if not scope.endswith("/.default") or not scope.isprintable() or " " in scope or not scope.isascii():
        raise ValueError(
            "An application's own token takes one scope that ends in /.default, such as "
            "api://00000000-0000-0000-0000-000000000000/.default, and not "
            f"{scope[:80]!r}. What it may do there is granted in Entra, as app roles."
        )
    return scope
