"""Entra's signing keys: by key ID, from memory or by one shared request."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Never

from camunda_entra_fastapi.errors import EntraUnavailable, FetchFailed, quoted
from camunda_entra_fastapi.remote.aadsts import MISCONFIGURED
from camunda_entra_fastapi.remote.discovery import Discovery, Provider, check_meant, fetch_discovery
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.refresh import RefreshedValue
from camunda_entra_fastapi.telemetry import key_ages, logger
from camunda_entra_fastapi.validation.keys import KeySet, SigningKey, parse_keys


@dataclass(frozen=True, slots=True)
class KeyAges:
    """Which keys are in memory, by key ID, and for how long no document had them.

    Attributes:
        published: The keys of the newest document.
        published_age: Seconds since that document was fetched.
        kept_ages: The keys that it lacks: seconds since a document last had each.
        retention: Seconds of that age until a key is dropped.
    """

    published: tuple[str, ...]
    published_age: float
    kept_ages: Mapping[str, float]
    retention: float


class KeySource:
    """The provider's signing keys, refreshed in the background.

    Discovery document and keys are two values with one lifetime: a rollover reloads the keys alone.

    Args:
        http: Sends requests.
        provider: Whose keys they are.
        lifetime: Seconds until discovery document and keys are refreshed.
        monotonic: Returns seconds of a monotonic clock.
        retention: Seconds that a key outlives the documents that lack it, since one last had it; with 0
            the newest document alone counts.
    """

    def __init__(
        self,
        http: EntraHttp,
        provider: Provider,
        *,
        lifetime: float,
        monotonic: Callable[[], float],
        retention: float = 0.0,
    ) -> None:
        self._http = http
        self._provider = provider
        self._monotonic = monotonic
        self._retention = retention
        self._published_at = -math.inf
        self._has_warned = False
        self._discovery: RefreshedValue[Discovery] = RefreshedValue(
            "discovery document", self._load_discovery, lifetime=lifetime, monotonic=monotonic
        )
        self._keys: RefreshedValue[KeySet] = RefreshedValue(
            "signing keys",
            self._load_keys,
            lifetime=lifetime,
            monotonic=monotonic,
            expire=self._expire,
        )
        self.current: Callable[[], KeySet | None] = self._keys.current
        """The keys in memory, without waiting; None while there are none. Called for each request."""
        self.issuer = provider.issuer
        key_ages.add(self)

    async def find(self, key_id: str) -> tuple[SigningKey | None, KeySet]:
        """The key of that ID and its key set; the key is None if Entra does not have it either.

        Raises:
            EntraUnavailable: No keys were fetched yet, and none can be fetched now.
        """
        known = self._keys.current()
        if known is not None and self._keys.is_spent:  # nearly always, for whoever makes up keys
            return known.find(key_id), known
        try:
            keys = await self._keys.get()
        except FetchFailed as failure:
            raise self._unavailable(failure) from None
        if keys.find(key_id) is None:
            await self._keys.force_refresh(lambda fetched: fetched.find(key_id) is not None)
            keys = self._keys.current() or keys
        return keys.find(key_id), keys

    def ages(self) -> KeyAges:
        """Which keys are in memory, and since when Entra's documents lack those that are kept."""
        keys, now = self._keys.current() or KeySet({}), self._monotonic()
        return KeyAges(
            tuple(key_id for key_id in keys.by_id if key_id not in keys.last_seen),
            now - self._published_at,
            {key_id: now - seen_at for key_id, seen_at in keys.last_seen.items()},
            self._retention,
        )

    def age(self) -> float | None:
        """Seconds since the newest document of keys was fetched; None before the first."""
        return None if self._published_at == -math.inf else self._monotonic() - self._published_at

    async def check(self) -> None:
        """Return when there are keys; they are fetched if there are none yet.

        Raises:
            EntraUnavailable: No keys were fetched yet, and none can be fetched now.
        """
        try:
            await self._keys.get()
        except FetchFailed as failure:
            raise self._unavailable(failure) from None

    async def discovery(self) -> Discovery:
        """Entra's endpoints.

        Raises:
            FetchFailed: The document was not fetched yet, and cannot be fetched now.
        """
        return await self._discovery.get()

    @property
    def known_discovery(self) -> Discovery | None:
        """Entra's endpoints as they were fetched last, without waiting; None before the first fetch."""
        return self._discovery.known

    async def token_endpoint(self) -> str:
        """The token endpoint, on the back channel.

        Raises:
            FetchFailed: Entra was never reached, or has no such endpoint.
        """
        endpoint = (await self.discovery()).token_endpoint
        if endpoint is None:
            raise FetchFailed("Entra's discovery document has no token_endpoint.")
        return endpoint

    async def prefetch(self) -> None:
        """Fetch discovery document and keys now; a failure is logged and retried later."""
        with suppress(FetchFailed):
            await self._keys.refresh()

    async def keep_discovery_fresh(self) -> Never:
        """Refresh the discovery document for ever, whenever it is due."""
        await self._discovery.keep_fresh()

    async def keep_keys_fresh(self) -> Never:
        """Refresh the keys for ever, whenever they are due."""
        await self._keys.keep_fresh()

    async def _load_discovery(self) -> Discovery:
        discovery = await fetch_discovery(self._http, self._provider)
        self._warn_of_local(is_local=discovery.is_local)
        return discovery

    async def _load_keys(self) -> KeySet:
        discovery = self._discovery.current() or await self._discovery.refresh()
        document = await self._http.get_json(discovery.jwks_uri)
        self._warn_of_local(is_local=check_meant(document, self._provider))
        try:
            keys = parse_keys(document)
        except ValueError as error:
            raise FetchFailed(f"{discovery.jwks_uri} answered with unusable keys: {error}.") from None
        for reason in keys.skipped[:10]:
            logger.info("A signing key of Entra's was left out: %s", reason)
        known = self._keys.current()
        if known is not None:
            keys, _ = self._expire(keys.keeping(known, self._published_at))
            _log_missing([key_id for key_id in keys.last_seen if key_id not in known.last_seen])
        self._published_at = self._monotonic()
        return known if known == keys else keys  # the same object for unchanged keys, for the token cache

    def _expire(self, keys: KeySet) -> tuple[KeySet, float]:
        """The keys without the kept ones whose time is over, and when the next one's is."""
        keys = keys.without_expired(self._retention, self._monotonic())
        return keys, min(keys.last_seen.values(), default=math.inf) + self._retention

    def _warn_of_local(self, *, is_local: bool) -> None:
        if is_local and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "The issuer %s is the local Entra, which asks for no password: whoever reaches it is anybody "
                "here. Nothing that matters may trust it",
                self._provider.issuer,
            )

    def _unavailable(self, failure: FetchFailed) -> EntraUnavailable:
        wait = self._keys.due_in
        if failure.code in MISCONFIGURED:
            return EntraUnavailable(failure.code, failure.message, wait)
        return EntraUnavailable(
            "keys_unavailable",
            f"Entra's signing keys were never fetched, so no token can be judged: {failure.message}",
            wait,
        )


def _log_missing(key_ids: list[str]) -> None:
    for key_id in key_ids[:10]:
        logger.info("Entra's newest key document lacks the signing key %s; it is kept", quoted(key_id, 80))
