"""What was seen once: a bounded set whose members grow old."""

from collections.abc import Callable
from typing import Final

LIMIT: Final = 100_000
"""Sign-ins of ten minutes that one process remembers. The oldest go first, whose codes Entra refuses."""


class ExpiringSet:
    """Texts that were shown, each until its time is over.

    Args:
        clock: Gives seconds since 1970.
        limit: How many are kept at most.
    """

    def __init__(self, clock: Callable[[], float], limit: int = LIMIT) -> None:
        self._clock = clock
        self._limit = limit
        self._expires_at: dict[str, float] = {}

    def __contains__(self, value: str) -> bool:
        return self._expires_at.get(value, 0) > self._clock()

    def add(self, value: str, seconds: float) -> bool:
        """Whether the mark was not there, which it is from now on for so many seconds."""
        if value in self:
            return False
        if len(self._expires_at) >= self._limit:
            self._sweep()
        self._expires_at[value] = self._clock() + seconds
        return True

    def _sweep(self) -> None:
        now = self._clock()
        living = [(value, until) for value, until in self._expires_at.items() if until > now]
        # A tenth is made room for, so that a flood does not sweep with every mark.
        self._expires_at = dict(living[-(self._limit - self._limit // 10) :])
