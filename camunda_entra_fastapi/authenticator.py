"""From a token's text to what it says. The one way that every token goes."""

from dataclasses import replace
from typing import Any, Protocol

from camunda_entra_fastapi.errors import EntraError, InvalidToken
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.telemetry import remembered_hits, validation_seconds, validations
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.validation.compact import UnverifiedToken, parse
from camunda_entra_fastapi.validation.id_token import verify_id_token
from camunda_entra_fastapi.validation.keys import KeySet, SigningKey
from camunda_entra_fastapi.validation.policy import Policy
from camunda_entra_fastapi.validation.remembered import RememberedTokens
from camunda_entra_fastapi.validation.verifier import verify


class Clock(Protocol):
    """The two clocks that are needed, as the module ``time`` has them."""

    def time(self) -> float:
        """Seconds since 1970, to compare with what tokens say."""

    def monotonic(self) -> float:
        """Seconds since some moment, never going back, to measure how long things take."""


class Authenticator:
    """Judges tokens by a policy and the provider's keys.

    Args:
        keys: Where keys come from.
        policy: What is accepted.
        remember: How many verified tokens are kept at most; 0 for none.
        clock: What time it is.
    """

    def __init__(self, keys: KeySource, policy: Policy, *, remember: int, clock: Clock) -> None:
        self._keys = keys
        self._policy = policy
        # What we asked for ourselves names us as its client, whichever other clients are let in.
        ours = policy.allowed_clients and policy.allowed_clients | {policy.client_id.lower()}
        self._own_policy = replace(policy, allowed_clients=ours)
        self._remembered: RememberedTokens[EntraUser] = RememberedTokens(remember)
        self._clock = clock

    async def authenticate(self, token: str) -> EntraUser:
        """The user of an access token.

        Raises:
            InvalidToken: It is none that this API accepts.
            AccessDenied: Its client, or a guest, is not let in.
            EntraUnavailable: No keys to judge it by could be fetched yet.
        """
        keys = self._keys.current()
        if keys is not None and (user := self._remembered.find(token, keys, self._clock.time())) is not None:
            remembered_hits.add(1)
            return user
        began = self._clock.monotonic()
        outcome = "failed"
        try:
            user = await self._judge(token, keys)
            outcome = "accepted"
        except EntraError as error:
            outcome = error.code
            raise
        finally:
            validations.add(1, {"outcome": outcome})
            validation_seconds.record(self._clock.monotonic() - began, {"outcome": outcome})
        return user

    async def own_access_claims(self, token: str) -> dict[str, Any]:
        """The claims of an access token that this service was given when somebody signed in.

        Raises:
            InvalidToken: It is not for this API, which is no harm.
            AccessDenied: It is, but the person is not let in.
            EntraUnavailable: No keys to judge it by could be fetched yet.
        """
        unverified = parse(token)
        key, _ = await self._find_key(unverified, self._keys.current())
        return verify(unverified, key, self._own_policy, self._clock.time())

    async def id_claims(self, token: str, *, nonce: str | None, access_token: str) -> dict[str, Any]:
        """The claims of an ID token that came together with the access token.

        Args:
            token: The ID token.
            nonce: What it must repeat; None when a sign-in is renewed.
            access_token: What its ``at_hash`` must fit, if it has one.

        Raises:
            InvalidToken: It proves nothing to us.
            AccessDenied: It does, but the person is not let in.
            EntraUnavailable: No keys to judge it by could be fetched yet.
        """
        unverified = parse(token)
        key, _ = await self._find_key(unverified, self._keys.current())
        return verify_id_token(
            unverified, key, self._policy, self._clock.time(), nonce=nonce, access_token=access_token
        )

    async def _judge(self, token: str, keys: KeySet | None) -> EntraUser:
        unverified = parse(token)
        key, keys = await self._find_key(unverified, keys)
        claims = verify(unverified, key, self._policy, self._clock.time())
        user = EntraUser.from_claims(claims, token)
        self._remembered.remember(token, user, key, keys, claims["exp"] + self._policy.clock_skew)
        return user

    async def _find_key(self, unverified: UnverifiedToken, keys: KeySet | None) -> tuple[SigningKey, KeySet]:
        """The token's key, in memory or by asking Entra, and the set that it is in."""
        key = keys.find(unverified.key_id) if keys is not None else None
        if key is None or keys is None:
            key, keys = await self._keys.find(unverified.key_id)
        if key is None:
            raise InvalidToken(
                "key_unknown",
                "The token is signed with a key that is none of the tenant's current keys. "
                "Is it of another tenant or cloud? Otherwise request a new one.",
            )
        return key, keys
