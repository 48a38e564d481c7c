"""The store that replicas share: a Redis or Valkey, a single one, behind Sentinels, or a cluster.

Neither Redis nor a cookie alone reveals a session. The browser holds a name and a key; Redis
holds the record under a hash of the name, sealed by that key and the server's secret together.
So write access to Redis is not enough to plant a session. Every command has one key, as clusters require.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from math import ceil
from secrets import token_urlsafe
from typing import Any, Final, TypeVar

from redis import exceptions

from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.sessions.asking_connection import AskingConnection
from camunda_entra_fastapi.sessions.leases import Leases
from camunda_entra_fastapi.sessions.redis_client import ConnectedClient, connect
from camunda_entra_fastapi.sessions.sealing import Sealer
from camunda_entra_fastapi.sessions.store import Session, pack, unpack
from camunda_entra_fastapi.sessions.unavailable import unavailable
from camunda_entra_fastapi.sessions.unreadable import UnreadableHandles

T = TypeVar("T")

MAX_CACHED: Final = 1_000
"""Records that are cached unsealed, so that reading a session again costs no decryption."""
MAX_SIGN_INS: Final = 1_000
"""Sign-ins of one ``sid`` that are read from its index at once."""
LOCK_LIFETIME: Final = 30.0
"""Seconds after which the lock of a dead replica expires."""
LOCK_WAIT: Final = 10.0
"""Seconds that a replica waits for another one's renewal."""

_HANDLE: Final = re.compile(r"([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})")
"""A name and a key, of 256 random bits each, in base64url."""
_FAILURES: Final = (exceptions.RedisError, exceptions.RedisClusterException, OSError)
"""What redis-py raises when a command fails; the built-in ``TimeoutError`` is an OSError."""


class RedisStore:
    """Sessions in a Redis, sealed, under handles of a name and a key.

    Args:
        url: The URL as the settings accept it, for example ``rediss+sentinel://first,second/service/0``.
        sealer: Seals the records.
        namespace: A short text of this deployment alone; every key in Redis begins with it.
        clock: Returns seconds since 1970.
        timeout: Seconds for one call, connecting included.
        lock_lifetime: Seconds for which a renewal can hold a session's lock.
        lock_wait: Seconds to wait for a lock before going on without.
        lease: Seconds for which copies of records count after the server confirmed them; 0 for no copies.
    """

    kind = "redis"
    server_side = True

    def __init__(
        self,
        url: str,
        sealer: Sealer,
        namespace: str,
        clock: Callable[[], float],
        *,
        timeout: float = 2,
        lock_lifetime: float = LOCK_LIFETIME,
        lock_wait: float = LOCK_WAIT,
        lease: float = 0,
    ) -> None:
        self._url = url
        self._sealer = sealer
        self._prefix = f"camunda_entra:{namespace}"
        self._clock = clock
        self._timeout = timeout
        self._lock_lifetime = lock_lifetime
        self._lock_wait = lock_wait
        self._unreadable = UnreadableHandles()
        self._cached_unseal = lru_cache(MAX_CACHED)(self._unseal)
        self._clients: dict[asyncio.AbstractEventLoop, ConnectedClient] = {}
        self._leases = Leases(lease, clock, self._prefix, self._touch, self._connection_for)
        self.leased = self._leases.leased if lease else None

    async def create(self, session: Session) -> str:
        """Store the session under a new name."""
        name, key = token_urlsafe(32), token_urlsafe(32)
        sealed = self._sealer.seal(pack(session), key.encode())

        async def write(redis: Any) -> None:
            # The index comes first: a name in the index without a record is harmless, the reverse is not.
            if session.sid is not None:
                await self._index(redis, session.sid, name, session.expires_at)
            await redis.set(self._key("session", name), sealed, px=self._milliseconds(session.expires_at))

        await self._execute(write)
        return f"{name}.{key}"

    async def read(self, handle: str) -> Session | None:
        """The session as any replica stored it last."""
        match = _HANDLE.fullmatch(handle)
        if match is None:
            self._unreadable.note(handle)
            return None
        name, key = match.groups()
        record = self._key("session", name)
        sealed = await self._get(record)
        session = None if sealed is None else self._cached_unseal(sealed, key)
        if sealed is not None and session is None:
            self._unreadable.note(handle)
        if sealed is not None and session is not None and self.leased is not None:
            self._leases.opened(record, sealed, handle, session)
        return session if session is not None and self._clock() < session.expires_at else None

    async def replace(self, handle: str, session: Session) -> str | None:
        """Store the new state under the same handle, if the session exists at that moment."""
        if await self.read(handle) is None:
            return None
        name, _, key = handle.partition(".")
        sealed = self._sealer.seal(pack(session), key.encode())
        record, milliseconds = self._key("session", name), self._milliseconds(session.expires_at)
        with self._leases.writing([record]):
            is_replaced = await self._execute(
                lambda redis: redis.set(record, sealed, px=milliseconds, xx=True)
            )
        return handle if is_replaced else None

    async def end(self, handle: str) -> None:
        """Delete the record, and its name from the index."""
        session = await self.read(handle)
        if session is None:
            return
        name = handle.partition(".")[0]
        record = self._key("session", name)

        async def delete(redis: Any) -> None:
            await redis.delete(record)
            if session.sid is not None:
                await redis.zrem(self._key("sid", session.sid), _digest(name))

        with self._leases.writing([record]):
            await self._execute(delete)

    async def end_by_sid(self, sid: str) -> int:
        """Delete all records of that ``sid``; how many there were."""
        index = self._key("sid", sid)

        async def delete(redis: Any) -> tuple[int, bool]:
            digests = await redis.zrange(index, 0, MAX_SIGN_INS - 1)
            names = [f"{self._prefix}:session:{digest.decode('latin-1')}" for digest in digests]
            with self._leases.writing(names):
                ended = sum([await redis.delete(name) for name in names])
            if digests:
                await redis.zrem(index, *digests)  # not the index itself, which may have grown meanwhile
            return int(ended), len(digests) == MAX_SIGN_INS

        count, is_more = await self._execute(delete)
        while is_more:
            ended, is_more = await self._execute(delete)
            count += ended
        return count

    async def use_once(self, key: str, seconds: float) -> bool:
        """Whether no replica has seen the key before."""
        key = self._key("mark", key)
        return bool(await self._execute(lambda redis: redis.set(key, b"", nx=True, px=ceil(seconds * 1000))))

    async def put_shared(self, name: str, content: str, seconds: float) -> None:
        """Store a sealed text for other replicas; not a session."""
        key, milliseconds = self._key("aside", name), max(1, ceil(seconds * 1000))
        await self._execute(lambda redis: redis.set(key, content, px=milliseconds))

    async def get_shared(self, name: str) -> str | None:
        """The text that a replica stored; None without one."""
        content = await self._get(self._key("aside", name))
        return None if content is None else str(content, "latin-1")

    @asynccontextmanager
    async def renewing(self, handle: str) -> AsyncIterator[None]:
        """Hold the session's lock, if it can be acquired in time.

        Without it two replicas may renew, which Entra allows. To wait for ever would be worse, and so
        would be an error for a lock that expired while it was held.
        """
        name = self._key("renewing", handle.partition(".")[0])
        lock = self._client().client.lock(name, timeout=self._lock_lifetime)
        is_held = await self._acquire(lock)
        try:
            yield
        finally:
            if is_held:
                with suppress(SessionsUnavailable):  # it expires by itself
                    await self._execute(lambda _: lock.release())

    def sweep(self) -> None:
        """Drop all unsealed records: Redis knows which sessions there are, and reading one again is cheap."""
        self._cached_unseal.cache_clear()
        self._leases.sweep()

    async def check(self) -> None:
        """Return when Redis responds."""
        await self._execute(lambda redis: redis.ping())

    async def close(self) -> None:
        """Close the connections of this event loop. Later calls open new ones."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            with suppress(*_FAILURES):
                await client.exit_stack.aclose()
        self._leases.end()

    async def _get(self, key: str) -> bytes | None:
        """The record of that key; None without one, and for one that is larger than any of ours."""
        return await self._client().asker.get(key.encode()) or None

    async def _execute(self, command: Callable[[Any], Awaitable[T]]) -> T:
        try:
            client = self._client()
            async with asyncio.timeout(self._timeout), client.semaphore:
                return await command(client.client)
        except _FAILURES as failure:
            raise unavailable(_name_of(failure)) from None

    async def _acquire(self, lock: Any) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._lock_wait
        # Separate attempts, so that a waiting replica occupies no connection.
        while not await self._execute(lambda _: lock.acquire(blocking=False)):
            if loop.time() >= deadline:
                return False
            await asyncio.sleep(0.05)
        return True

    async def _index(self, redis: Any, sid: str, name: str, expires_at: float) -> None:
        """Add a name to the index of the ``sid``, which expires with the last of its sessions."""
        index = self._key("sid", sid)
        await redis.zremrangebyscore(index, "-inf", self._clock())
        await redis.zadd(index, {_digest(name): expires_at})
        last = await redis.zrange(index, -1, -1, withscores=True)
        until = max([expires_at, *(score for _, score in last)])
        await redis.pexpire(index, self._milliseconds(until))

    def _unseal(self, sealed: bytes, key: str) -> Session | None:
        data = self._sealer.open(sealed.decode("latin-1"), key.encode())
        return None if data is None else unpack(data)

    def _client(self) -> ConnectedClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            for other in [each for each in list(self._clients) if each.is_closed()]:
                self._clients.pop(other, None)  # its connections cannot be closed any more
            self._clients[loop] = connect(self._url, self._timeout, self._leases.begin())
        return self._clients[loop]

    async def _touch(self, key: bytes) -> None:
        await self._execute(lambda redis: redis.set(key, b"", px=1000))

    def _connection_for(self, key: bytes) -> AskingConnection | None:
        return self._client().asker.connection_for(key)

    def _key(self, kind: str, text: str) -> str:
        return f"{self._prefix}:{kind}:{_digest(text)}"

    def _milliseconds(self, expires_at: float) -> int:
        return max(1, ceil((expires_at - self._clock()) * 1000))


def _digest(text: str) -> str:
    return sha256(text.encode(errors="replace")).hexdigest()


def _name_of(failure: BaseException) -> str:
    below = failure.__cause__ or failure.__context__
    return type(below if isinstance(below, OSError) else failure).__name__
