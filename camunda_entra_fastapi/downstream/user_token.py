"""Tokens for other services on behalf of the user who called this one (Learn: on-behalf-of flow)."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from camunda_entra_fastapi.downstream.shared import MAX_RETRY_AFTER, CachedToken, SharedTokens, usable_for
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
from camunda_entra_fastapi.remote.token_endpoint import Tokens, redeem_refresh_token, request_on_behalf_of
from camunda_entra_fastapi.single_flight import SingleFlight
from camunda_entra_fastapi.sweeping import remove_expired
from camunda_entra_fastapi.telemetry import logger

MAX_CACHED: Final = 1000
"""Tokens in the cache; the least recently used one is evicted."""
RETRY_AFTER: Final = 5.0
"""Seconds to wait where Entra names none."""
_OFFLINE: Final = "offline_access"
"""With it Entra also gives a refresh token (Learn: on-behalf-of flow)."""


@dataclass(frozen=True, slots=True)
class UserGrant:
    """An authorization grant of a user (RFC 6749, 1.3): it proves to Entra on whose behalf we ask.

    Attributes:
        key: A digest that names it, as key of the cache.
        expires_at: When it expires, and every token that it gives, in seconds since 1970.
        assertion: The access token that the caller sent (RFC 7523, 2.1).
        refresh_token: The refresh token of the session, instead.
    """

    key: str
    expires_at: float
    assertion: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)


class UserTokens:
    """The tokens of all users who call: cached, or requested from Entra.

    Args:
        http: For calls to Entra.
        keys: Knows the token endpoint.
        client: This application, as the token endpoint knows it.
        clock: Returns seconds since 1970.
        shared: The tokens of all replicas, if they share them.
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
        self._fetches: SingleFlight[tuple[str, str], str] = SingleFlight("on behalf of")
        self._throttled_until = float("-inf")

    def of(self, grant: UserGrant, scope: str) -> "UserToken":
        """The token for a scope on behalf of a user."""
        return UserToken(self, grant, scope)

    def cached(self, key: tuple[str, str]) -> str | None:
        """A token in the cache that stays valid for a while."""
        cached = self._cached.get(key)
        if cached is None:
            return None
        if cached.usable_until <= self.clock():
            del self._cached[key]
            return None
        self._cached.move_to_end(key)
        return cached.token

    def evict(self, key: tuple[str, str]) -> None:
        """Remove a token from the cache."""
        self._cached.pop(key, None)

    def sweep(self) -> None:
        """Remove the tokens that expired."""
        remove_expired(self._cached, lambda cached: cached.usable_until, self.clock())

    async def fetch_once(self, key: tuple[str, str], grant: UserGrant, claims: str | None) -> str:
        """As ``fetch`` from all replicas' tokens, once for all who ask at the same time."""
        return await self._fetches.run(key, lambda: self.fetch(key, grant, claims, self._shared))

    async def fetch(
        self, key: tuple[str, str], grant: UserGrant, claims: str | None, shared: SharedTokens | None = None
    ) -> str:
        """A token that is not in the cache: another replica's, or a new one.

        Raises:
            EntraError: As for ``UserToken.get``.
        """
        name = _shared_name(key)
        # With claims, an API has just refused the shared one.
        cached = None if shared is None or claims is not None else await shared.get(name)
        if cached is not None:
            self._put(key, cached)
            return cached.token
        tokens = await self._request(grant, key[1], claims)
        return await self._keep(key, tokens, grant.expires_at, shared)

    async def lasting(self, grant: UserGrant, scope: str, key: str, expires_at: float) -> UserGrant:
        """A grant that outlives this one, by a refresh token of Entra's; its first access token is cached.

        Args:
            grant: Proves on whose behalf now.
            scope: What the first token is for.
            key: The new grant's.
            expires_at: When the new grant shall expire, in seconds since 1970.

        Raises:
            EntraError: As for ``UserToken.get``; ``AccessDenied`` also where Entra gives no refresh token.
        """
        tokens = await self._request(grant, scope, None, offline=True)
        refresh_token = tokens.refresh_token or grant.refresh_token
        if refresh_token is None:
            raise AccessDenied(
                "consent_required",
                f"Entra gives no refresh token for {scope} in your name: nobody consented to offline_access.",
            )
        await self._keep((key, scope), tokens, expires_at, self._shared)
        return UserGrant(key, expires_at, refresh_token=refresh_token)

    async def _keep(
        self, key: tuple[str, str], tokens: Tokens, expires_at: float, shared: SharedTokens | None
    ) -> str:
        """Cache a new access token, here and for the other replicas."""
        usable_until = min(self.clock() + usable_for(tokens), expires_at)
        cached = CachedToken(tokens.access_token, usable_until, usable_until)
        if shared is not None:
            await shared.put(_shared_name(key), cached)
        self._put(key, cached)
        return cached.token

    def _put(self, key: tuple[str, str], cached: CachedToken) -> None:
        self._cached[key] = cached
        if len(self._cached) > MAX_CACHED:
            self._cached.popitem(last=False)

    async def _request(
        self, grant: UserGrant, scope: str, claims: str | None, *, offline: bool = False
    ) -> Tokens:
        now = self.clock()
        if now < self._throttled_until:
            raise EntraUnavailable(
                "entra_throttled", "Entra asked to be left alone for a while.", self._throttled_until - now
            )
        claims_value = claims_parameter(claims)
        requested = f"{scope} {_OFFLINE}" if offline and _OFFLINE not in scope.split() else scope
        try:
            endpoint = await self._keys.token_endpoint()
            if grant.refresh_token is not None:
                return await redeem_refresh_token(
                    self._http,
                    endpoint,
                    self._client,
                    grant.refresh_token,
                    scope=requested,
                    claims=claims_value,
                )
            return await request_on_behalf_of(
                self._http,
                endpoint,
                self._client,
                str(grant.assertion),
                scope=requested,
                claims=claims_value,
            )
        except EntraRefused as refused:
            raise _error_for(refused, grant, scope) from None
        except FetchFailed as failure:
            raise self._unavailable(failure, scope) from None

    def _unavailable(self, failure: FetchFailed, scope: str) -> EntraUnavailable:
        wait = min(failure.retry_after or RETRY_AFTER, MAX_RETRY_AFTER)
        if failure.fault == "throttled":
            self._throttled_until = self.clock() + wait
        logger.warning("No token for %s in a user's name: %s", scope, failure.message)
        code = failure.unavailable_code
        return EntraUnavailable(code, f"There is no token for {scope}: {failure.message}", wait)


class UserToken:
    """One token for one scope, on behalf of one user.

    Args:
        tokens: The cache, and the way to Entra.
        grant: Proves on whose behalf.
        scope: The requested scope.
    """

    def __init__(self, tokens: UserTokens, grant: UserGrant, scope: str) -> None:
        self._tokens = tokens
        self._grant = grant
        self._key = (grant.key, scope)
        self._claims: str | None = None

    async def get(self) -> str:
        """A token that stays valid for a while.

        Raises:
            AccessDenied: Consent is missing.
            CredentialsMissing: The session is over.
            EntraRefused: Entra refuses this service.
            EntraUnavailable: Entra cannot be asked.
            InsufficientClaims: The user has to sign in again, with these claims.
            InvalidToken: The caller's token is not valid any more.
        """
        cached = self._tokens.cached(self._key)
        if cached is not None:
            return cached
        return await self._tokens.fetch_once(self._key, self._grant, self._claims)

    def get_blocking(self) -> str:
        """The same, for callers without an event loop."""
        cached = self._tokens.cached(self._key)
        if cached is not None:
            return cached
        with ThreadPoolExecutor(1) as threads:
            fetch = self._tokens.fetch(self._key, self._grant, self._claims)
            return threads.submit(asyncio.run, fetch).result()

    def invalidate(self, token: str, claims: str | None) -> bool:
        """Drop a token that an API refused; whether to ask for another one."""
        if self._tokens.cached(self._key) == token:
            self._tokens.evict(self._key)
        is_first = self._claims is None
        self._claims = claims or "{}"
        return is_first


def _shared_name(key: tuple[str, str]) -> str:
    """The name of a token among those that replicas share."""
    return f"user {key[0]} {key[1]}"


def _error_for(refused: EntraRefused, grant: UserGrant, scope: str) -> EntraError:
    """The error for the caller when Entra refuses (Learn: on-behalf-of flow, error response example)."""
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
    return EntraRefused(f"There is no token for {scope}: {refused.message}", refusal)
