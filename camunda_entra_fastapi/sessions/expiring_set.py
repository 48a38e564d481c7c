"""A bounded set whose members expire: used state values, ended sessions, pauses."""

from collections.abc import Callable
from typing import Final

from camunda_entra_fastapi.sweeping import remove_expired

LIMIT: Final = 100_000
"""Members. The oldest are evicted first: of used sign-ins, those whose codes Entra refuses by then."""


class ExpiringSet:
    """Texts, each of which stays a member until it expires.

    Args:
        clock: Returns seconds since 1970.
        limit: How many members there are at most.
    """

    def __init__(self, clock: Callable[[], float], limit: int = LIMIT) -> None:
        self._clock = clock
        self._limit = limit
        self._expires_at: dict[str, float] = {}

    def __contains__(self, value: str) -> bool:
        return self._expires_at.get(value, 0) > self._clock()

    def add(self, value: str, seconds: float) -> bool:
        """Add a member for that time; whether it was not one before."""
        if value in self:
            return False
        if len(self._expires_at) >= self._limit:
            self._sweep()
        self._expires_at[value] = self._clock() + seconds
        return True

    def sweep(self) -> None:
        """Remove the members that expired."""
        remove_expired(self._expires_at, float, self._clock())

    def _sweep(self) -> None:
        now = self._clock()
        living = [(value, until) for value, until in self._expires_at.items() if until > now]
        # It removes a tenth, so that a flood does not sweep with every new member.
        self._expires_at = dict(living[-(self._limit - self._limit // 10) :])
