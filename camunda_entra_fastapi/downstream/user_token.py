"""Tokens for other services in the name of whoever called this one (Learn: on-behalf-of flow)."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from camunda_entra_fastapi.downstream.app_token import LEAST_LEFT, LONGEST_WAIT, look_at
from camunda_entra_fastapi.downstream.shared import Held, SharedTokens
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
from camunda_entra_fastapi.remote.claims_request import merged
from camunda_entra_fastapi.remote.credentials import Client
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.remote.token_endpoint import redeem_refresh_token, request_on_behalf_of
from camunda_entra_fastapi.telemetry import logger

MAX_KEPT: Final = 1000
"""Tokens that are kept; the one that was not used for longest makes place."""
_FAULTS: Final = {
    "unreachable": "entra_unreachable",
    "timeout": "entra_timeout",
    "throttled": "entra_throttled",
}
RETRY_AFTER: Final = 5.0


@dataclass(frozen=True, slots=True)
class Source:
    """What proves to Entra whom we act for.

    Attributes:
        key: A digest that names it, to find tokens that were had before.
        good_until: When it ends, and all that comes of it, in seconds since 1970.
        assertion: The access token that the caller sent.
        refresh_token: That of the session, instead.
    """

    key: str
    good_until: float
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
        self._held: OrderedDict[tuple[str, str], Held] = OrderedDict()
        self._flights: dict[tuple[asyncio.AbstractEventLoop, tuple[str, str]], asyncio.Task[str]] = {}
        self._quiet_until = float("-inf")

    def of(self, source: Source, scope: str) -> "UserToken":
        """The token for a scope in somebody's name."""
        return UserToken(self, source, scope)

    def held(self, key: tuple[str, str]) -> str | None:
        """A token that was had before and is good for a while."""
        held = self._held.get(key)
        if held is None:
            return None
        if held.good_until <= self.clock():
            del self._held[key]
            return None
        self._held.move_to_end(key)
        return held.token

    def drop(self, key: tuple[str, str]) -> None:
        """Forget a token."""
        self._held.pop(key, None)

    def take_off(self, key: tuple[str, str], source: Source, claims: str | None) -> "asyncio.Task[str]":
        """The request that is under way on this event loop, or a new one."""
        loop = asyncio.get_running_loop()
        flight = self._flights.get((loop, key))
        if flight is None:
            flight = loop.create_task(
                self.fetch(key, source, claims, self._shared), name="camunda_entra on behalf of"
            )
            self._flights[loop, key] = flight
            flight.add_done_callback(lambda _: self._flights.pop((loop, key)))
            flight.add_done_callback(look_at)
        return flight

    async def fetch(
        self, key: tuple[str, str], source: Source, claims: str | None, shared: SharedTokens | None = None
    ) -> str:
        """A token that this process has not: another replica's, or a new one.

        Raises:
            EntraError: As for ``UserToken.get``.
        """
        name = f"user {key[0]} {key[1]}"
        # With claims, another one was refused a moment ago.
        held = None if shared is None or claims is not None else await shared.find(name)
        if held is None:
            held = await self._ask(key, source, claims)
            if shared is not None:
                await shared.keep(name, held)
        self._held[key] = held
        if len(self._held) > MAX_KEPT:
            self._held.popitem(last=False)
        return held.token

    async def _ask(self, key: tuple[str, str], source: Source, claims: str | None) -> Held:
        now = self.clock()
        if now < self._quiet_until:
            raise EntraUnavailable(
                "entra_throttled", "Entra asked to be left alone for a while.", self._quiet_until - now
            )
        scope, wanted = key[1], merged(claims)
        try:
            endpoint = await self._keys.token_endpoint()
            if source.refresh_token is not None:
                tokens = await redeem_refresh_token(
                    self._http, endpoint, self._client, source.refresh_token, scope=scope, claims=wanted
                )
            else:
                tokens = await request_on_behalf_of(
                    self._http, endpoint, self._client, str(source.assertion), scope=scope, claims=wanted
                )
        except EntraRefused as refused:
            raise _told(refused, source, scope) from None
        except FetchFailed as failure:
            raise self._unavailable(failure, scope) from None
        now = self.clock()
        good_for = max(tokens.expires_in - LEAST_LEFT, tokens.expires_in / 2)
        good_until = min(now + good_for, source.good_until)
        return Held(tokens.access_token, good_until, good_until)

    def _unavailable(self, failure: FetchFailed, scope: str) -> EntraUnavailable:
        wait = min(failure.retry_after or RETRY_AFTER, LONGEST_WAIT)
        if failure.fault == "throttled":
            self._quiet_until = self.clock() + wait
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

    def __init__(self, tokens: UserTokens, source: Source, scope: str) -> None:
        self._tokens = tokens
        self._source = source
        self._key = (source.key, scope)
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
        held = self._tokens.held(self._key)
        if held is not None:
            return held
        flight = self._tokens.take_off(self._key, self._source, self._claims)
        await asyncio.wait((flight,))  # who gives up waiting cancels it for nobody
        return flight.result()

    def get_blocking(self) -> str:
        """The same, for callers without an event loop."""
        held = self._tokens.held(self._key)
        if held is not None:
            return held
        with ThreadPoolExecutor(1) as threads:
            fetch = self._tokens.fetch(self._key, self._source, self._claims)
            return threads.submit(asyncio.run, fetch).result()

    def give_up(self, token: str, claims: str | None) -> bool:
        """Not to use a token any more that an API refused; whether another one is worth asking for."""
        if self._tokens.held(self._key) == token:
            self._tokens.drop(self._key)
        is_first = self._claims is None
        self._claims = claims or "{}"
        return is_first


def _told(refused: EntraRefused, source: Source, scope: str) -> EntraError:
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
    if refusal.error == "invalid_grant" and source.refresh_token is not None:
        return CredentialsMissing(f"The sign-in is over: {refused.message}")
    if refusal.error == "invalid_grant":
        return InvalidToken("token_expired", f"Entra does not take the token any more: {refused.message}")
    return refused
