"""Tokens that replicas share, so that only one of them has to ask Entra.

Each is sealed for its own name: write access to the store is not enough to plant or to swap tokens.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.remote.token_endpoint import Tokens
from camunda_entra_fastapi.sessions.sealing import Sealer

MIN_REMAINING: Final = 10.0
"""Seconds for which a token must still be valid, so that it arrives before it expires."""
MAX_RETRY_AFTER: Final = 3600.0
"""Seconds that Entra may ask to wait for, as in Microsoft's own libraries."""


@dataclass(frozen=True, slots=True)
class CachedToken:
    """A token, and its times in seconds since 1970."""

    token: str = field(repr=False)
    renew_at: float
    usable_until: float
    """Some seconds before it expires, so that it arrives before that."""


def usable_for(tokens: Tokens) -> float:
    """Seconds for which a new access token is sent along."""
    return max(tokens.expires_in - MIN_REMAINING, tokens.expires_in / 2)


class SharedStore(Protocol):
    """A store that all replicas reach."""

    async def put_shared(self, name: str, content: str, seconds: float) -> None:
        """Keep a text for that time."""

    async def get_shared(self, name: str) -> str | None:
        """The text; None when there is none, or none any more."""


class SharedTokens:
    """The tokens in the store. While it cannot be reached, each replica asks Entra by itself.

    Args:
        store: Where they are.
        sealer: Seals them.
        clock: Returns seconds since 1970.
    """

    def __init__(self, store: SharedStore, sealer: Sealer, clock: Callable[[], float]) -> None:
        self._store = store
        self._sealer = sealer
        self._clock = clock

    async def get(self, name: str) -> CachedToken | None:
        """The token of that name, unless it is due for renewal."""
        try:
            sealed = await self._store.get_shared(name)
        except SessionsUnavailable:
            return None
        data = None if sealed is None else self._sealer.open(sealed, name.encode())
        if data is None:
            return None
        token = CachedToken(*json.loads(data))
        return token if self._clock() < token.renew_at else None

    async def put(self, name: str, token: CachedToken) -> None:
        """Store a token for the other replicas."""
        content = json.dumps([token.token, token.renew_at, token.usable_until]).encode()
        with suppress(SessionsUnavailable):
            seconds = token.usable_until - self._clock()
            await self._store.put_shared(name, self._sealer.seal(content, name.encode()), seconds)
