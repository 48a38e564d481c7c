"""Sessions in Redis are ended: at once, or as soon as it can be asked again. An index finds a sid's."""

import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from math import ceil
from typing import Any, Final

from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.sessions.store import Session
from camunda_entra_fastapi.sessions.unfinished_ends import UnfinishedEnds

MAX_SIGN_INS: Final = 1_000
"""Sign-ins of one ``sid`` that are read from its index at once."""
HANDLE: Final = re.compile(r"([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})")
"""A name and a key, of 256 random bits each, in base64url."""


class RedisEnds:
    """Ends sessions.

    Args:
        find: Returns the session of a record that the handle opens.
        execute: Executes commands, or raises SessionsUnavailable.
        key: Returns the key of a kind for a text: what is before the last colon, and a digest of the text.
        writing: A context around each write of keys, of which no copies may be kept meanwhile.
        clock: Returns seconds since 1970.
        timeout: Seconds for what is left to do when the store is closed.
    """

    def __init__(
        self,
        find: Callable[[str], Awaitable[Session | None]],
        execute: Callable[[Callable[[Any], Awaitable[Any]]], Awaitable[Any]],
        key: Callable[[str, str], str],
        *,
        writing: Callable[[Sequence[str]], AbstractContextManager[None]],
        clock: Callable[[], float],
        timeout: float,
    ) -> None:
        self._find = find
        self._execute = execute
        self._key = key
        self._writing = writing
        self._clock = clock
        self.unfinished = UnfinishedEnds(self._end, self._end_by_sid, clock, timeout)

    async def index(self, redis: Any, sid: str, name: str, expires_at: float) -> None:
        """Add a name to the index of the ``sid``, which expires with the last of its sessions."""
        index, now = self._key("sid", sid), self._clock()
        await redis.zremrangebyscore(index, "-inf", now)
        await redis.zadd(index, {self._key("session", name).rpartition(":")[2]: expires_at})
        last = await redis.zrange(index, -1, -1, withscores=True)
        until = max([expires_at, *(score for _, score in last)])
        await redis.pexpire(index, max(1, ceil((until - now) * 1000)))

    async def end(self, handle: str) -> None:
        """End the session, or keep the handle until that works.

        Raises:
            SessionsUnavailable: Redis cannot be asked, and the handle is kept.
        """
        try:
            await self._end(handle)
        except SessionsUnavailable:
            self.unfinished.add_session(handle)
            raise

    def end_later(self, handle: str) -> None:
        """End the session as soon as Redis can be asked, whose handle could not be looked up."""
        if HANDLE.fullmatch(handle):
            self.unfinished.add_handle(handle)

    async def end_by_sid(self, sid: str) -> int:
        """End all sessions of that ``sid``, or keep it until that works; how many there were.

        Raises:
            SessionsUnavailable: Redis cannot be asked, and the ``sid`` is kept.
        """
        try:
            count = await self._end_by_sid(sid)
        except SessionsUnavailable:
            self.unfinished.add_sid(sid)
            raise
        self.unfinished.discard_sid(sid)
        return count

    async def _end(self, handle: str) -> None:
        session = await self._find(handle)
        if session is None:
            return
        sid, record = session.sid, self._key("session", handle.partition(".")[0])

        async def delete(redis: Any) -> None:
            await redis.delete(record)
            if sid is not None:
                await redis.zrem(self._key("sid", sid), record.rpartition(":")[2])

        with self._writing([record]):
            await self._execute(delete)

    async def _end_by_sid(self, sid: str) -> int:
        index, prefix = self._key("sid", sid), self._key("session", "").rpartition(":")[0]

        async def delete(redis: Any) -> tuple[int, bool]:
            digests = await redis.zrange(index, 0, MAX_SIGN_INS - 1)
            records = [f"{prefix}:{digest.decode('latin-1')}" for digest in digests]
            with self._writing(records):
                ended = sum([await redis.delete(record) for record in records])
            if digests:
                await redis.zrem(index, *digests)  # not the index itself, which may have grown meanwhile
            return int(ended), len(digests) == MAX_SIGN_INS

        count, is_more = await self._execute(delete)
        while is_more:
            ended, is_more = await self._execute(delete)
            count += ended
        return int(count)
