"""Tokens that replicas share, so that one of them asks Entra and the others need not.

They are sealed, each for its own name: who can write into the store plants nothing, and moves nothing.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.sessions.sealing import Sealer


@dataclass(frozen=True, slots=True)
class CachedToken:
    """A token, and its times in seconds since 1970."""

    token: str = field(repr=False)
    renew_at: float
    usable_until: float


class SharedStore(Protocol):
    """A place that all replicas reach."""

    async def put_shared(self, name: str, content: str, seconds: float) -> None:
        """Keep a text for as long."""

    async def get_shared(self, name: str) -> str | None:
        """The text, if it is still there."""


class SharedTokens:
    """The tokens on the shelf. While it cannot be reached, there are none, and nobody is the worse for it.

    Args:
        shelf: Where they are.
        sealer: Seals them.
        clock: Gives seconds since 1970.
    """

    def __init__(self, store: SharedStore, sealer: Sealer, clock: Callable[[], float]) -> None:
        self._store = store
        self._sealer = sealer
        self._clock = clock

    async def get(self, name: str) -> CachedToken | None:
        """A token that need not be renewed yet."""
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
        """Put a token there for the others."""
        content = json.dumps([token.token, token.renew_at, token.usable_until]).encode()
        with suppress(SessionsUnavailable):
            seconds = token.usable_until - self._clock()
            await self._store.put_shared(name, self._sealer.seal(content, name.encode()), seconds)
