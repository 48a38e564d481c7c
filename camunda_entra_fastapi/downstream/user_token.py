"""Tokens for other services in the name of whoever called this one (Learn: on-behalf-of flow)."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from camunda_entra_fastapi.downstream.app_token import MAX_RETRY_AFTER, MIN_REMAINING, look_at
from camunda_entra_fastapi.downstream.shared import CachedToken, SharedTokens
from camunda_entra_fastapi.errors import (
    AccessDenied,
    CredentialsMissing,
    EntraError,
    EntraRefused,
    EntraUnavailable,
    FetchFailed,
    InsufficientClaims,
    InvalidToken,
)
from camunda_entra_fastapi.remote.aadsts import is_consent
from camunda_entra_fastapi.remote.claims_request import claims_parameter
from camunda_entra_fastapi.remote.credentials import Client
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.remote.token_endpoint import redeem_refresh_token, request_on_behalf_of
from camunda_entra_fastapi.telemetry import logger

MAX_CACHED: Final = 1000
"""Tokens that are kept; the one that was not used for longest makes place."""
_FAULTS: Final = {
    "unreachable": "entra_unreachable",
    "timeout": "entra_timeout",
    "throttled": "entra_throttled",
}
RETRY_AFTER: Final = 5.0


@dataclass(frozen=True, slots=True)
class UserGrant:
    """What proves to Entra whom we act for.

    Attributes:
        key: A digest that names it, to find tokens that were had before.
        good_until: When it ends, and all that comes of it, in seconds since 1970.
        assertion: The access token that the caller sent.
        refresh_token: That of the session, instead.
    """

    key: str
    usable_until: float
    assertion: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)


class UserTokens:
    """The tokens of all who call, and how they are had.

    Args:
        http: For calls to Entra.
        keys: Knows where the token endpoint is.
        client: Who we are.
        clock: Gives seconds since 1970.
        shared: What other replicas have.
    """

    def __init__(
        self,
        http: EntraHttp,
        keys: KeySource,
        client: Client,
        clock: Callable[[], float],
        *,
        shared: SharedTokens | None = None,
    ) -> None:
        self.clock = clock
        self._shared = shared
        self._http = http
        self._keys = keys
        self._client = client
        self._cached: OrderedDict[tuple[str, str], CachedToken] = OrderedDict()
        self._in_progress: dict[tuple[asyncio.AbstractEventLoop, tuple[str, str]], asyncio.Task[str]] = {}
        self._throttled_until = float("-inf")

    def of(self, grant: UserGrant, scope: str) -> "UserToken":
        """The token for a scope in somebody's name."""
        return UserToken(self, grant, scope)

    def cached(self, key: tuple[str, str]) -> str | None:
        """A token that was had before and is good for a while."""
        cached = self._cached.get(key)
        if cached is None:
            return None
        if cached.usable_until <= self.clock():
            del self._cached[key]
            return None
        self._cached.move_to_end(key)
        return cached.token

    def evict(self, key: tuple[str, str]) -> None:
        """Forget a token."""
        self._cached.pop(key, None)

    def start(self, key: tuple[str, str], grant: UserGrant, claims: str | None) -> "asyncio.Task[str]":
        """The request that is under way on this event loop, or a new one."""
        loop = asyncio.get_running_loop()
        task = self._in_progress.get((loop, key))
        if task is None:
            task = loop.create_task(
                self.fetch(key, grant, claims, self._shared), name="camunda_entra on behalf of"
            )
            self._in_progress[loop, key] = task
            task.add_done_callback(lambda _: self._in_progress.pop((loop, key)))
            task.add_done_callback(look_at)
        return task

    async def fetch(
        self, key: tuple[str, str], grant: UserGrant, claims: str | None, shared: SharedTokens | None = None
    ) -> str:
        """A token that this process has not: another replica's, or a new one.

        Raises:
            EntraError: As for ``UserToken.get``.
        """
        name = f"user {key[0]} {key[1]}"
        # With claims, another one was refused a moment ago.
        cached = None if shared is None or claims is not None else await shared.get(name)
        if cached is None:
            cached = await self._request(key, grant, claims)
            if shared is not None:
                await shared.put(name, cached)
        self._cached[key] = cached
        if len(self._cached) > MAX_CACHED:
            self._cached.popitem(last=False)
        return cached.token

    async def _request(self, key: tuple[str, str], grant: UserGrant, claims: str | None) -> CachedToken:
        now = self.clock()
        if now < self._throttled_until:
            raise EntraUnavailable(
                "entra_throttled", "Entra asked to be left alone for a while.", self._throttled_until - now
            )
        scope, claims_value = key[1], claims_parameter(claims)
        try:
            endpoint = await self._keys.token_endpoint()
            if grant.refresh_token is not None:
                tokens = await redeem_refresh_token(
                    self._http,
                    endpoint,
                    self._client,
                    grant.refresh_token,
                    scope=scope,
                    claims=claims_value,
                )
            else:
                tokens = await request_on_behalf_of(
                    self._http,
                    endpoint,
                    self._client,
                    str(grant.assertion),
                    scope=scope,
                    claims=claims_value,
                )
        except EntraRefused as refused:
            raise _error_for(refused, grant, scope) from None
        except FetchFailed as failure:
            raise self._unavailable(failure, scope) from None
        now = self.clock()
        usable_for = max(tokens.expires_in - MIN_REMAINING, tokens.expires_in / 2)
        usable_until = min(now + usable_for, grant.usable_until)
        return CachedToken(tokens.access_token, usable_until, usable_until)

    def _unavailable(self, failure: FetchFailed, scope: str) -> EntraUnavailable:
        wait = min(failure.retry_after or RETRY_AFTER, MAX_RETRY_AFTER)
        if failure.fault == "throttled":
            self._throttled_until = self.clock() + wait
        logger.warning("No token for %s in a user's name: %s", scope, failure.message)
        code = _FAULTS.get(failure.fault, "entra_failed")
        return EntraUnavailable(code, f"There is no token for {scope}: {failure.message}", wait)


class UserToken:
    """One token for one scope, in one person's name.

    Args:
        tokens: Has it, or gets it.
        source: What proves for whom.
        scope: What it is for.
    """

    def __init__(self, tokens: UserTokens, grant: UserGrant, scope: str) -> None:
        self._tokens = tokens
        self._source = grant
        self._key = (grant.key, scope)
        self._claims: str | None = None

    async def get(self) -> str:
        """A token that is good for a while.

        Raises:
            AccessDenied: Somebody has to consent first.
            CredentialsMissing: The session is over.
            EntraRefused: Entra refuses this service.
            EntraUnavailable: Entra cannot be asked.
            InsufficientClaims: The person has to sign in again, in another way.
            InvalidToken: The caller's token is good no longer.
        """
        cached = self._tokens.cached(self._key)
        if cached is not None:
            return cached
        task = self._tokens.start(self._key, self._source, self._claims)
        await asyncio.wait((task,))  # who gives up waiting cancels it for nobody
        return task.result()

    def get_blocking(self) -> str:
        """The same, for callers without an event loop."""
        cached = self._tokens.cached(self._key)
        if cached is not None:
            return cached
        with ThreadPoolExecutor(1) as threads:
            fetch = self._tokens.fetch(self._key, self._source, self._claims)
            return threads.submit(asyncio.run, fetch).result()

    def invalidate(self, token: str, claims: str | None) -> bool:
        """Not to use a token any more that an API refused; whether another one is worth asking for."""
        if self._tokens.cached(self._key) == token:
            self._tokens.evict(self._key)
        is_first = self._claims is None
        self._claims = claims or "{}"
        return is_first


def _error_for(refused: EntraRefused, grant: UserGrant, scope: str) -> EntraError:
    """What the caller is told when Entra says no (Learn: on-behalf-of flow, error response example)."""
    refusal = refused.refusal
    if refusal.claims is not None:
        return InsufficientClaims(
            f"Entra wants a stronger or fresher sign-in before it lets this service call {scope} for you.",
            json.loads(refusal.claims),
        )
    if is_consent(refusal):
        return AccessDenied("consent_required", f"For {scope} in your name: {refused.message}")
    if refusal.error == "interaction_required":
        return InsufficientClaims(f"You have to sign in again before this service may ask for {scope}.", {})
    if refusal.error == "invalid_grant" and grant.refresh_token is not None:
        return CredentialsMissing(f"The sign-in is over: {refused.message}")
    if refusal.error == "invalid_grant":
        return InvalidToken("token_expired", f"Entra does not take the token any more: {refused.message}")
    return refused
