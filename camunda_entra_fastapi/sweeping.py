"""Sweeping: what has expired leaves the caches within a minute or so, also where nobody asks for it again.

Every cache is bounded without it. With it, claims and tokens of people who went home are not kept until
others push them out.
"""

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Final, Never, Protocol, TypeVar

from camunda_entra_fastapi.telemetry import logger

K = TypeVar("K")
V = TypeVar("V")

SWEEP_EVERY: Final = 60.0
"""Seconds between two sweeps."""


class Sweepable(Protocol):
    """Has entries that expire."""

    def sweep(self) -> None:
        """Remove what has expired."""


def remove_expired(entries: MutableMapping[K, V], expires_at: Callable[[V], float], now: float) -> None:
    """Remove the entries whose time has come."""
    for key in [key for key, value in list(entries.items()) if expires_at(value) <= now]:
        entries.pop(key, None)


async def keep_sweeping(*caches: Sweepable | None) -> Never:
    """Sweep all of them every minute, for ever; None stands for one that there is not."""
    while True:
        await asyncio.sleep(SWEEP_EVERY)
        for cache in caches:
            if cache is None:
                continue
            # Tokens are also fetched in threads. Where one adds an entry in that very moment, the iteration
            # ends, and this sweep with it; the next one is in a minute.
            try:
                cache.sweep()
            except RuntimeError:
                continue
            except Exception:  # noqa: BLE001 - it ends neither the sweeping nor the lifespan that awaits it
                logger.exception("What has expired could not be removed; the next attempt is in a minute")
