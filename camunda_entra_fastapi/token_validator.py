"""Validates tokens: from a token's text to verified claims. Every token goes this one way."""

from dataclasses import replace
from typing import Any, Final, Protocol

from camunda_entra_fastapi.errors import EntraError, InvalidToken
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.telemetry import cache_hits, validation_seconds, validations
from camunda_entra_fastapi.tenant_check import TenantCheck, TenantFunction
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.validation.compact import MAX_TOKEN_BYTES, UnverifiedToken, parse
from camunda_entra_fastapi.validation.id_token import verify_id_token
from camunda_entra_fastapi.validation.keys import KeySet, SigningKey
from camunda_entra_fastapi.validation.policy import Policy
from camunda_entra_fastapi.validation.token_cache import TokenCache
from camunda_entra_fastapi.validation.verifier import verify_access_token

_MAX_CREDENTIALS_BYTES: Final = len(b"Bearer ") + MAX_TOKEN_BYTES


class Clock(Protocol):
    """The two clocks of the module ``time`` that are needed."""

    def time(self) -> float:
        """Seconds since 1970, to compare with times in tokens."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment, never going back, to measure durations."""


class TokenValidator:
    """Validates tokens by a policy and the provider's keys, and caches the users of valid ones.

    Args:
        keys: Gives the provider's keys.
        policy: The tokens that are accepted.
        cache_size: How many verified tokens are cached at most; 0 for none.
        clock: The time.
        tenant_function: Decides about tenants that the policy does not name; None without one.

    Attributes:
        has_customers: Whether the tokens are of a customers' tenant.
        tenants: Asks that function; None where no function decides.
        monotonic: The clock that measures durations.
    """

    def __init__(
        self,
        keys: KeySource,
        policy: Policy,
        *,
        cache_size: int,
        clock: Clock,
        tenant_function: TenantFunction | None = None,
    ) -> None:
        self._keys = keys
        if tenant_function is None:  # nobody is asked, so nobody is let in without being named
            policy = replace(policy, asks_about_tenants=False)
        self._policy = policy
        self.has_customers = policy.has_customers
        self._own_policy = policy.for_own_sign_ins()
        self._cache: TokenCache[EntraUser] = TokenCache(cache_size)
        self._clock = clock
        self._time = clock.time
        self.monotonic = clock.monotonic
        self._current_keys = keys.current
        self.tenants: TenantCheck | None = None
        if tenant_function is not None and policy.asks_about_tenants:
            self.tenants = TenantCheck(tenant_function, policy.allowed_tenants or frozenset(), clock.time)

    def cached(self, credentials: bytes) -> EntraUser | None:
        """The user of exactly these credentials, if validated before and still valid; else None."""
        keys = self._current_keys()
        if keys is None or len(credentials) > _MAX_CREDENTIALS_BYTES:  # to look it up is to read all of it
            return None
        user = self._cache.get(credentials, keys, self._time())
        if user is not None:
            cache_hits.count += 1
        return user

    def sweep(self) -> None:
        """Remove users from the cache whose tokens expired, and answers about tenants that did."""
        self._cache.sweep(self._time())
        if self.tenants is not None:
            self.tenants.sweep()

    async def validate(self, token: bytes, credentials: bytes) -> EntraUser:
        """The user of an access token, who is then cached by the credentials.

        Args:
            token: The access token.
            credentials: The Authorization header with the token in it, in the usual spelling: ``Bearer``,
                one blank, the token. The cache is bounded in bytes by that, too.

        Raises:
            InvalidToken: This API does not accept the token.
            AccessDenied: The settings do not let its client, or a guest, in.
            EntraUnavailable: No keys could be fetched yet, or nobody can tell whether its tenant is let in.
        """
        began = self._clock.monotonic()
        try:
            unverified = parse(token)
            key, keys = self._known_key(unverified) or await self._fetch_key(unverified)
            claims = verify_access_token(unverified, key, self._policy, self._time())
            good_until = claims["exp"] + self._policy.clock_skew
            if self.tenants is not None:
                good_until = min(good_until, await self.tenants.let_in_until(claims))
            user = EntraUser.from_owned_claims(claims, credentials, has_customers=self.has_customers)
            self._cache.put(credentials, user, key, keys, good_until)
        except BaseException as error:  # one clause, as each one that an error passes takes time
            self._count(error.code if isinstance(error, EntraError) else "failed", began)
            raise
        self._count("accepted", began)
        return user

    def _count(self, outcome: str, began: float) -> None:
        attributes = {"outcome": outcome}
        validations.add(1, attributes)
        validation_seconds.record(self._clock.monotonic() - began, attributes)

    async def validate_text(self, token: str) -> EntraUser:
        """The user of an access token, from the cache or validated.

        Raises:
            EntraError: As ``validate`` does.
        """
        credentials = b"Bearer " + token.encode()
        return self.cached(credentials) or await self.validate(token.encode(), credentials)

    async def validate_own_access_token(self, token: str) -> dict[str, Any]:
        """The claims of an access token that this service itself requested in a sign-in.

        They say who signed in; the token needs no permission for that.

        Raises:
            InvalidToken: It is not for this API, or not valid.
            AccessDenied: The settings do not let the user in.
            EntraUnavailable: No keys could be fetched yet.
        """
        unverified = parse(token)
        key, _ = self._known_key(unverified) or await self._fetch_key(unverified)
        return await self._let_in(verify_access_token(unverified, key, self._own_policy, self._time()))

    async def validate_id_token(self, token: str, *, nonce: str | None, access_token: str) -> dict[str, Any]:
        """The claims of an ID token that came together with the access token.

        Args:
            token: The ID token.
            nonce: The nonce that it must have; None when a session is renewed.
            access_token: The token that its ``at_hash`` must fit, if it has one.

        Raises:
            InvalidToken: It is not valid, or not for this application.
            AccessDenied: The settings do not let the user in.
            EntraUnavailable: No keys could be fetched yet.
        """
        unverified = parse(token)
        key, _ = self._known_key(unverified) or await self._fetch_key(unverified)
        claims = verify_id_token(
            unverified, key, self._policy, self._time(), nonce=nonce, access_token=access_token
        )
        return await self._let_in(claims)

    async def _let_in(self, claims: dict[str, Any]) -> dict[str, Any]:
        """The claims, if their tenant is let in."""
        if self.tenants is not None:
            await self.tenants.let_in_until(claims)
        return claims

    def _known_key(self, unverified: UnverifiedToken) -> tuple[SigningKey, KeySet] | None:
        """The token's key and its key set; None when the key is unknown and Entra must be asked."""
        keys = self._current_keys()
        key = None if keys is None else keys.find(unverified.key_id)
        return None if keys is None or key is None else (key, keys)

    async def _fetch_key(self, unverified: UnverifiedToken) -> tuple[SigningKey, KeySet]:
        """The token's key and its key set, fetched from Entra where needed."""
        key, keys = await self._keys.find(unverified.key_id)
        if key is None:
            raise InvalidToken(
                "key_unknown",
                "The token is signed with a key that is none of the tenant's current keys. "
                "Is it of another tenant or cloud? Otherwise request a new one.",
            )
        return key, keys
