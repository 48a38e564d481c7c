"""From a token's text to the user it stands for. The one way that every token goes."""

from typing import Protocol

from camunda_entra_fastapi.errors import EntraError, InvalidToken
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.telemetry import remembered_hits, validation_seconds, validations
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.validation.compact import parse
from camunda_entra_fastapi.validation.keys import KeySet
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

    async def _judge(self, token: str, keys: KeySet | None) -> EntraUser:
        unverified = parse(token)
        key = keys.find(unverified.key_id) if keys is not None else None
        if key is None or keys is None:
            key, keys = await self._keys.find(unverified.key_id)
        if key is None:
            raise InvalidToken(
                "key_unknown",
                "The token is signed with a key that is none of the tenant's current keys. "
                "Is it of another tenant or cloud? Otherwise request a new one.",
            )
        claims = verify(unverified, key, self._policy, self._clock.time())
        user = EntraUser.from_claims(claims, token)
        self._remembered.remember(token, user, key, keys, claims["exp"] + self._policy.clock_skew)
        return user
