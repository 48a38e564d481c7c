"""Tokens of this application itself: one for each scope, fetched when needed and renewed ahead of time."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from camunda_entra_fastapi.downstream.shared import CachedToken, SharedTokens
from camunda_entra_fastapi.errors import EntraError, EntraRefused, EntraUnavailable, FetchFailed
from camunda_entra_fastapi.remote.claims_request import claims_parameter
from camunda_entra_fastapi.remote.credentials import Client
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.remote.token_endpoint import request_app_token
from camunda_entra_fastapi.telemetry import logger

RENEW_AFTER: Final = 0.75
"""The part of a token's life after which another one is fetched, where Entra says nothing of it."""
MIN_REMAINING: Final = 10.0
"""Seconds that a token must still be good for, so that it arrives before it expires."""
FIRST_BACKOFF: Final = 1.0
MAX_BACKOFF: Final = 15.0
"""Seconds between attempts while Entra says no or nothing; longer only if it asks for more."""
MAX_RETRY_AFTER: Final = 3600.0
"""Seconds that Entra may ask to wait for, as in Microsoft's own libraries."""
INVALIDATION_WINDOW: Final = 60.0
"""Seconds within which an API's second refusal counts as its word: another token would not help."""


@dataclass(slots=True)
class _Backoff:
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
        self._rejected: str | None = None
        self._cached: CachedToken | None = None
        self._backoff: _Backoff | None = None
        self._in_progress: _Flight | None = None
        self._blocking_lock = threading.Lock()
        self._claims: str | None = None
        self._invalidated_at = float("-inf")

    async def get(self) -> str:
        """A token that is good for a while.

        Raises:
            EntraRefused: Entra says no.
            EntraUnavailable: Entra cannot be asked, and no token is left that is good.
        """
        cached = self._usable()
        if cached is not None and (self._clock() < cached.renew_at or self._is_backing_off()):
            return cached.token
        task = self._start()
        if cached is not None:
            return cached.token  # while the next one is on its way
        await asyncio.wait((task,))  # who gives up waiting cancels it for nobody
        return task.result()

    def get_blocking(self) -> str:
        """The same, for callers without an event loop.

        Raises:
            EntraRefused: Entra says no.
            EntraUnavailable: Entra cannot be asked, and no token is left that is good.
        """
        with self._blocking_lock:
            cached = self._usable()
            if cached is not None and (self._clock() < cached.renew_at or self._is_backing_off()):
                return cached.token
            try:
                # In a thread of its own, as the caller's may have an event loop that waits for the caller.
                with ThreadPoolExecutor(1) as threads:
                    return threads.submit(asyncio.run, self._fetch(None)).result()
            except EntraError:
                if cached is None:
                    raise
                return cached.token

    def invalidate(self, token: str, claims: str | None) -> bool:
        """Not to use a token any more that an API refused; whether another one is worth asking for.

        Args:
            token: What was refused.
            claims: What the API wants to see in the next one, as JSON.
        """
        cached, now = self._cached, self._clock()
        if cached is None or cached.token != token:
            return True  # another request was refused as well, and there is a newer one by now
        if now - self._invalidated_at < INVALIDATION_WINDOW:
            return False
        self._cached, self._claims, self._invalidated_at, self._rejected = None, claims, now, token
        return True

    def _usable(self) -> CachedToken | None:
        cached = self._cached
        return cached if cached is not None and self._clock() < cached.usable_until else None

    def _is_backing_off(self) -> bool:
        return self._backoff is not None and self._clock() < self._backoff.until

    def _start(self) -> "asyncio.Task[str]":
        """The request that is under way on this event loop, or a new one."""
        loop = asyncio.get_running_loop()
        if self._in_progress is None or self._in_progress.loop is not loop or self._in_progress.task.done():
            task = loop.create_task(self._fetch(self._shared), name=f"camunda_entra token for {self._scope}")
            task.add_done_callback(look_at)
            self._in_progress = _Flight(task, loop)
        return self._in_progress.task

    async def _fetch(self, shared: SharedTokens | None) -> str:
        name = f"app {self._scope}"
        if shared is not None:
            found = await shared.get(name)
            if found is not None and found.token != self._rejected:
                self._cached = found
                return found.token
        cached = self._cached = await self._request()
        if shared is not None:
            await shared.put(name, cached)
        return cached.token

    async def _request(self) -> CachedToken:
        backoff = self._backoff
        if backoff is not None and self._clock() < backoff.until:
            raise self._error_for(backoff)
        try:
            endpoint = await self._keys.token_endpoint()
            tokens = await request_app_token(
                self._http, endpoint, self._client, scope=self._scope, claims=claims_parameter(self._claims)
            )
        except (EntraRefused, FetchFailed) as failure:
            raise self._error_for(self._back_off(failure)) from None
        now = self._clock()
        renew_in = tokens.refresh_in or tokens.expires_in * RENEW_AFTER
        usable_for = max(tokens.expires_in - MIN_REMAINING, tokens.expires_in / 2)
        self._backoff = None
        return CachedToken(tokens.access_token, now + min(renew_in, usable_for), now + usable_for)

    def _back_off(self, failure: EntraRefused | FetchFailed) -> _Backoff:
        failures = 0 if self._backoff is None else min(self._backoff.failures + 1, 10)
        retry_after = failure.retry_after if isinstance(failure, FetchFailed) else None
        wait = (
            min(retry_after, MAX_RETRY_AFTER)
            if retry_after
            else min(MAX_BACKOFF, FIRST_BACKOFF * 2**failures)
        )
        self._backoff = _Backoff(failure, self._clock() + wait, failures)
        logger.warning("No token for %s: %s (next attempt in %.0f s)", self._scope, failure.message, wait)
        return self._backoff

    def _error_for(self, backoff: _Backoff) -> EntraError:
        # A new error each time: one that is raised again and again collects tracebacks.
        failure = backoff.failure
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
            max(1.0, backoff.until - self._clock()),
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
