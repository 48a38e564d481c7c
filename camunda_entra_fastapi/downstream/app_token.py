"""This application's own tokens (client credentials): one for each scope, renewed ahead of time."""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from camunda_entra_fastapi.downstream.shared import MAX_RETRY_AFTER, CachedToken, SharedTokens, usable_for
from camunda_entra_fastapi.errors import (
    EntraError,
    EntraRefused,
    EntraUnavailable,
    FetchFailed,
)
from camunda_entra_fastapi.log_records import DOCTOR, Trouble, log_fields
from camunda_entra_fastapi.remote.aadsts import code_of, is_own_fault
from camunda_entra_fastapi.remote.claims_request import claims_parameter
from camunda_entra_fastapi.remote.credentials import Client
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.remote.token_endpoint import request_app_token
from camunda_entra_fastapi.single_flight import SingleFlight, outcome_of
from camunda_entra_fastapi.telemetry import logger

RENEW_AFTER: Final = 0.75
"""The part of a token's life after which another one is fetched, where Entra sends no ``refresh_in``."""
FIRST_BACKOFF: Final = 1.0
MAX_BACKOFF: Final = 15.0
"""Seconds between attempts while Entra refuses or does not answer; longer only if it asks for more."""
INVALIDATION_WINDOW: Final = 60.0
"""Seconds within which an API's second 401 is final: another token would not help."""


@dataclass(slots=True)
class _Backoff:
    """The last failure, and the time before which Entra is not asked again."""

    failure: EntraRefused | FetchFailed
    until: float
    failures: int


class AppToken:
    """This application's token for one scope.

    Args:
        http: For calls to Entra.
        keys: Knows the token endpoint.
        client: This application, as the token endpoint knows it.
        scope: The requested scope; it ends in ``/.default``.
        clock: Returns seconds since 1970.
        shared: The tokens of all replicas, if they share them.
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
        self._trouble = Trouble(clock)
        self._fetches: SingleFlight[str, str] = SingleFlight(f"token for {scope}")
        self._blocking_lock = threading.Lock()
        self._claims: str | None = None
        self._invalidated_at = float("-inf")

    async def get(self) -> str:
        """A token that stays valid for a while.

        Raises:
            EntraRefused: Entra refuses.
            EntraUnavailable: Entra cannot be asked, and there is no valid token left.
        """
        cached = self._usable()
        if cached is not None and not self._is_due(cached):
            return cached.token
        fetch = self._fetches.start(self._scope, lambda: self._fetch(self._shared))
        return await outcome_of(fetch) if cached is None else cached.token

    def get_blocking(self) -> str:
        """The same, for callers without an event loop. A renewal ahead of time is made beside them, too.

        Raises:
            EntraRefused: Entra refuses.
            EntraUnavailable: Entra cannot be asked, and there is no valid token left.
        """
        cached = self._usable()
        if cached is None:
            with self._blocking_lock:
                cached = self._usable()  # perhaps by now, by whoever had the lock
                return self._fetch_blocking() if cached is None else cached.token
        if self._is_due(cached) and self._blocking_lock.acquire(blocking=False):
            try:
                # A daemon, so that a program which ends meanwhile does not wait for Entra.
                threading.Thread(target=self._renew, name="camunda_entra token renewal", daemon=True).start()
            except RuntimeError:  # no thread is left, or the interpreter is about to end
                self._blocking_lock.release()
        return cached.token

    def _fetch_blocking(self) -> str:
        # In a thread of its own, as the caller's may have an event loop that waits for the caller.
        with ThreadPoolExecutor(1) as threads:
            return threads.submit(asyncio.run, self._fetch(None)).result()

    def _renew(self) -> None:
        try:
            if (cached := self._cached) is None or self._is_due(cached):  # nobody was quicker
                with suppress(EntraError):  # it is logged, and the token at hand is good
                    asyncio.run(self._fetch(None))
        finally:
            self._blocking_lock.release()

    def invalidate(self, token: str, claims: str | None) -> bool:
        """Drop a token that an API refused; whether to ask for another one.

        Args:
            token: The refused token.
            claims: The claims that the API requires in the next one, as JSON.
        """
        cached, now = self._cached, self._clock()
        if cached is None or cached.token != token:
            return True  # another request's 401 came first, and there is a newer token by now
        if now - self._invalidated_at < INVALIDATION_WINDOW:
            return False
        self._cached, self._claims, self._invalidated_at, self._rejected = None, claims, now, token
        return True

    def _usable(self) -> CachedToken | None:
        cached = self._cached
        return cached if cached is not None and self._clock() < cached.usable_until else None

    def _is_due(self, cached: CachedToken) -> bool:
        now = self._clock()
        return now >= cached.renew_at and (self._backoff is None or now >= self._backoff.until)

    async def _fetch(self, shared: SharedTokens | None) -> str:
        name = f"app {self._scope}"
        if shared is not None:
            shared_token = await shared.get(name)
            if shared_token is not None and shared_token.token != self._rejected:
                self._cached = shared_token
                return shared_token.token
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
        lifetime = usable_for(tokens)
        self._backoff = None
        self._trouble.end()
        return CachedToken(tokens.access_token, now + min(renew_in, lifetime), now + lifetime)

    def _back_off(self, failure: EntraRefused | FetchFailed) -> _Backoff:
        failures = 0 if self._backoff is None else min(self._backoff.failures + 1, 10)
        retry_after = failure.retry_after if isinstance(failure, FetchFailed) else None
        doubled = min(MAX_BACKOFF, FIRST_BACKOFF * 2**failures)
        wait = min(retry_after, MAX_RETRY_AFTER) if retry_after else doubled
        self._backoff = _Backoff(failure, self._clock() + wait, failures)
        self._log(failure, wait)
        return self._backoff

    def _log(self, failure: EntraRefused | FetchFailed, wait: float) -> None:
        """Log a failure when it begins and when it changes, and a reminder while it lasts."""
        is_own = is_own_fault(failure.refusal)
        is_news = self._trouble.is_news(failure.message)
        code = failure.code if isinstance(failure, EntraRefused) else failure.unavailable_code
        logger.log(
            (logging.ERROR if is_own else logging.WARNING) if is_news else logging.DEBUG,
            "No token for %s: %s (next attempt in %.0f s)%s",
            self._scope,
            failure.message,
            wait,
            f". {DOCTOR}" if is_own else "",
            extra=log_fields(code=code, aadsts=code_of(failure.refusal)),
        )

    def _error_for(self, backoff: _Backoff) -> EntraError:
        # A new error each time: an error that is raised repeatedly collects tracebacks.
        failure = backoff.failure
        if isinstance(failure, EntraRefused):
            return EntraRefused(f"There is no token for {self._scope}: {failure.message}", failure.refusal)
        return EntraUnavailable(
            failure.unavailable_code,
            f"There is no token for {self._scope}: {failure.message}",
            max(1.0, backoff.until - self._clock()),
        )


class AppTokens:
    """This application's tokens, by scope.

    Args:
        make: Creates the token of a scope.
    """

    def __init__(self, create: Callable[[str], AppToken]) -> None:
        self._create = create
        self._by_scope: dict[str, AppToken] = {}

    def of(self, scope: str) -> AppToken:
        """The token of a scope; the same one for all callers of a service."""
        return self._by_scope.setdefault(scope, self._create(scope))


def read_app_scope(scope: str) -> str:
    """The scope, if an application can request it for itself.

    Raises:
        ValueError: Entra would refuse it (Learn: client credentials flow; AADSTS1002012).
    """
    if not scope.endswith("/.default") or not scope.isprintable() or " " in scope or not scope.isascii():
        raise ValueError(
            "An application's own token takes one scope that ends in /.default, such as "
            "api://00000000-0000-0000-0000-000000000000/.default, and not "
            f"{scope[:80]!r}. What it may do there is granted in Entra, as app roles."
        )
    return scope
