"""The common part of session stores without a server."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from camunda_entra_fastapi.sessions.expiring_set import ExpiringSet


class LocalStore:
    """A store without connections and without locks between replicas.

    Args:
        clock: Returns seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._used = ExpiringSet(clock)

    async def use_once(self, key: str, seconds: float) -> bool:
        """Whether this process sees the key for the first time."""
        return self._used.add(key, seconds)

    def renewing(self, handle: str) -> AbstractAsyncContextManager[None]:  # noqa: ARG002
        """No lock: each process renews a session once at a time anyway, and no other one can see it."""
        return nullcontext()

    def end_later(self, handle: str) -> None:
        """Return: this store can always be asked."""

    def sweep(self) -> None:
        """Remove what need not be known any more."""
        self._used.sweep()

    async def check(self) -> None:
        """Return: there is nothing to reach."""

    async def close(self) -> None:
        """Return: there are no connections."""
