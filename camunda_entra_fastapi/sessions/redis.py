"""The store that replicas share: a Redis or Valkey, a single one, behind Sentinels, or a cluster.

Neither Redis nor a cookie alone reveals a session. The browser holds a name and a key; Redis
holds the record under a hash of the name, sealed by that key and the server's secret together.
So write access to Redis is not enough to plant a session. Every command has one key, as clusters require.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from hashlib import sha256
from math import ceil
from secrets import token_urlsafe
from typing import Any, Final, TypeVar

from camunda_entra_fastapi.event_loops import forget_closed_loops
from camunda_entra_fastapi.log_records import Trouble
from camunda_entra_fastapi.sessions.asking_connection import AskingConnection
from camunda_entra_fastapi.sessions.leases import Leases
from camunda_entra_fastapi.sessions.redis_client import ConnectedClient, connect
from camunda_entra_fastapi.sessions.redis_ends import HANDLE, RedisEnds
from camunda_entra_fastapi.sessions.redis_failures import (
    FAILURES,
    Commands,
    RetiredClients,
    TimeLimit,
    as_unavailable,
    close_client,
)
from camunda_entra_fastapi.sessions.redis_limits import RedisLimits, read_limits
from camunda_entra_fastapi.sessions.redis_lock import RedisLock
from camunda_entra_fastapi.sessions.redis_rights import trial_of
from camunda_entra_fastapi.sessions.sealing import Sealer
from camunda_entra_fastapi.sessions.store import Session, pack, unpack
from camunda_entra_fastapi.sessions.unreadable import UnreadableHandles

T = TypeVar("T")

MAX_CACHED: Final = 1_000
"""Records that are cached unsealed, so that reading a session again costs no decryption."""
LOCK_LIFETIME: Final = 30.0
"""Seconds after which the lock of a dead replica expires."""
LOCK_WAIT: Final = 10.0
"""Seconds that a replica waits for another one's renewal."""

_CHECK_MILLISECONDS: Final = 5_000
"""For so long the store keeps what ``check`` writes."""


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
        self._kept_locks = Trouble()
        self._cached_unseal = lru_cache(MAX_CACHED)(self._unseal)
        self._clients: dict[asyncio.AbstractEventLoop, ConnectedClient] = {}
        self._time_limit = TimeLimit(timeout)
        self._retired = RetiredClients(timeout)
        self._leases = Leases(lease, clock, self._prefix, self._touch, self._connection_for)
        self.leased = self._leased if lease else None
        find = partial(self.read, to_end_it=True)
        self._ends = RedisEnds(
            find, self._execute, self._key, writing=self._leases.writing, clock=clock, timeout=timeout
        )
        self._unfinished = self._ends.unfinished
        self._check_key = self._key("check", token_urlsafe(16))

    async def create(self, session: Session) -> str:
        """Store the session under a new name."""
        if session.sid is not None and self._unfinished.has_sid(session.sid):
            await self.end_by_sid(session.sid)  # now, as it is about sign-ins before this one
        name, key = token_urlsafe(32), token_urlsafe(32)
        sealed = self._sealer.seal(pack(session), key.encode())

        async def write(redis: Any) -> None:
            # The index comes first: a name in the index without a record is harmless, the reverse is not.
            if session.sid is not None:
                await self._ends.index(redis, session.sid, name, session.expires_at)
            await redis.set(self._key("session", name), sealed, px=self._milliseconds(session.expires_at))

        await self._execute(write)
        self._unfinished.resume()
        return f"{name}.{key}"

    async def read(self, handle: str, *, to_end_it: bool = False) -> Session | None:
        """The session as any replica stored it last; one that is still to be ended only for that purpose."""
        match = HANDLE.fullmatch(handle)
        if match is None:
            self._unreadable.note(handle)
            return None
        name, key = match.groups()
        record = self._key("session", name)
        sealed = await self._get(record)
        session = None if sealed is None else self._cached_unseal(sealed, key)
        if sealed is not None and session is None:
            self._unreadable.note(handle)
        if session is not None and self._unfinished.are_there and not to_end_it:
            session = None if self._unfinished.covers(handle, session.sid) else session
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
        await self._ends.end(handle)

    def end_later(self, handle: str) -> None:
        """Delete the record as soon as Redis can be asked."""
        self._ends.end_later(handle)

    async def end_by_sid(self, sid: str) -> int:
        """Delete all records of that ``sid``; how many there were."""
        return await self._ends.end_by_sid(sid)

    async def use_once(self, key: str, seconds: float) -> bool:
        """Whether no replica has seen the key before."""
        key, value, milliseconds = self._key("mark", key), token_urlsafe(16).encode(), ceil(seconds * 1000)
        return bool(await self._execute(lambda redis: redis.set(key, value, nx=True, px=milliseconds)))

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
        key = self._key("renewing", handle.partition(".")[0])
        lock = RedisLock(self._execute, key, lifetime=self._lock_lifetime, margin=self._timeout)
        async with lock.held(self._lock_wait, self._kept_locks):
            yield

    def sweep(self) -> None:
        """Drop all unsealed records: Redis knows which sessions there are, and reading one again is cheap."""
        self._cached_unseal.cache_clear()
        self._unfinished.sweep()
        self._leases.sweep()

    async def check(self) -> None:
        """Return when Redis takes writes: one that is full, or a replica, still answers.

        Each process has one key for it, which expires by itself. In a cluster this asks the node of that key.
        """
        await self._execute(lambda redis: redis.set(self._check_key, b"", px=_CHECK_MILLISECONDS))
        self._unfinished.resume()

    async def try_commands(self) -> None:
        """Return when the server executes every command that sessions need."""
        for command in trial_of(self._key("trial", token_urlsafe(32))):
            await self._execute(command)

    async def limits(self) -> RedisLimits | None:
        """What bounds the server; None where its user may not ask."""
        return await self._execute(read_limits)

    async def close(self) -> None:
        """Close the connections of this event loop. Later calls open new ones."""
        await self._unfinished.close()
        await self._retired.close()
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await close_client(client)
        await self._time_limit.close()
        self._leases.end()

    async def _get(self, key: str) -> bytes | None:
        """The record of that key; None without one, and for one that is larger than any of ours."""
        return await self._client().asker.get(key.encode()) or None

    async def _execute(self, command: Callable[[Any], Awaitable[T]]) -> T:
        try:
            return await self._time_limit.within(self._run(command))
        except FAILURES as failure:
            raise as_unavailable(failure) from None

    async def _run(self, command: Callable[[Any], Awaitable[T]]) -> T:
        deadline = asyncio.get_running_loop().time() + self._timeout
        async with self._client().semaphore:
            return await command(Commands(self._client, self._connect_anew, deadline))

    def _connect_anew(self, stale: ConnectedClient) -> bool:
        """Leave a server that is not the right one any more; whether there may be another one."""
        loop = asyncio.get_running_loop()
        if self._clients.get(loop) is stale:
            if not self._retired.retire(stale):
                return False
            del self._clients[loop]
        return True

    def _unseal(self, sealed: bytes, key: str) -> Session | None:
        data = self._sealer.open(sealed.decode("latin-1"), key.encode())
        return None if data is None else unpack(data)

    def _client(self) -> ConnectedClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            forget_closed_loops(self._clients)
            self._clients[loop] = connect(self._url, self._timeout, self._leases.begin())
        return self._clients[loop]

    def _leased(self, handle: str, now: float) -> Session | None:
        """The session of a handle as this process has a copy of it, if that counts then; else None."""
        session = self._leases.leased(handle, now)
        unfinished = self._unfinished
        is_over = session is not None and unfinished.are_there and unfinished.covers(handle, session.sid)
        return None if is_over else session

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
