"""A lock among replicas, made of SET, GET and DEL: a user of the Redis needs no right to run scripts.

Taking it is ``SET key value NX PX lifetime``, with a value that nobody else has. Letting go is GET, and DEL
if the value is still ours. Between the two, a lock may expire and become another's, whose lock DEL would take
away. So DEL is sent only as long as the lock surely lives for longer than any command may take: its lifetime
is counted from before the SET was sent, by a clock that never goes back, and the command is given up before
it ends. A lock that is too old for this expires by itself soon.

What is left are a server that executes a command after we gave it up, a server's clock that jumps, and
a failover that loses the lock. Then two replicas renew one session at once, which Entra allows.
A lock whose holder died expires after its lifetime.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from math import ceil
from secrets import token_urlsafe
from typing import Any, Final

from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.log_records import Trouble
from camunda_entra_fastapi.telemetry import logger

POLL_EVERY: Final = 0.05
"""Seconds between two looks at a lock that another replica holds."""
LAST_MOMENT: Final = 0.1
"""Seconds for letting go of a lock after the store failed: whoever waits has waited for it already."""

Execute = Callable[[Callable[[Any], Awaitable[Any]]], Awaitable[Any]]
"""Runs a command on a client, within a time limit, and occupies a connection for no longer."""


class RedisLock:
    """A lock for one use.

    Args:
        execute: Runs a command. It may repeat one whose answer was lost.
        key: The lock's key.
        lifetime: Seconds after which the server drops the lock.
        margin: Seconds that one call of ``execute`` takes at most.
    """

    def __init__(self, execute: Execute, key: str, *, lifetime: float, margin: float) -> None:
        self._execute = execute
        self._key = key
        self._value = token_urlsafe(16).encode()
        self._lifetime = lifetime
        self._margin = margin
        self._clock = asyncio.get_running_loop().time
        self._lives_until = 0.0

    @asynccontextmanager
    async def held(self, wait: float, kept: Trouble) -> AsyncIterator[None]:
        """Hold the lock, if it can be taken in time.

        Where letting go fails, what was done stands all the same, and the lock expires.

        Args:
            wait: Seconds to wait for it.
            kept: Tells whether it is news that a lock is kept.

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        is_held = await self.acquire(wait)
        moment = None
        try:
            yield
        except SessionsUnavailable:
            moment = LAST_MOMENT
            raise
        finally:
            if is_held:
                with suppress(TimeoutError):
                    async with asyncio.timeout(moment):
                        await self._release_or_tell(kept)

    async def acquire(self, wait: float) -> bool:
        """Take the lock, or wait for it; whether it is ours. Between two looks it occupies no connection.

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        begun = self._clock()
        holder: bytes | None = None
        while True:
            asked = self._clock()
            if holder is None and await self._execute(self._set):
                self._lives_until = asked + self._lifetime
                return True
            holder = await self._execute(lambda redis: redis.get(self._key))
            if self._clock() >= begun + wait:
                return False
            if holder is not None:
                await asyncio.sleep(POLL_EVERY)

    async def release(self) -> None:
        """Let go of the lock if it is surely still ours; else it is left to expire.

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        await self._execute(self._delete)

    async def _release_or_tell(self, kept: Trouble) -> None:
        try:
            await self.release()
        except SessionsUnavailable as unavailable:
            if kept.is_news(unavailable.message):
                logger.warning(
                    "The lock of a renewed session stays in the Redis for up to %d seconds, in which no "
                    "replica renews that session. %s",
                    self._lifetime,
                    unavailable.message,
                )

    async def _set(self, redis: Any) -> Any:
        return await redis.set(self._key, self._value, nx=True, px=ceil(self._lifetime * 1000))

    async def _delete(self, redis: Any) -> None:
        if await redis.get(self._key) == self._value and self._clock() < self._lives_until - self._margin:
            await redis.delete(self._key)
