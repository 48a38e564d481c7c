"""What redis-py raises, and what follows: another attempt, a new connection, or that the store is away.

redis-py raises more than it documents. With uvloop, a connection that the server closed at once is a
``RuntimeError``; in a cluster, one that another task dropped is an ``AttributeError``. So whatever a command
of redis-py raises, and nothing else, is a failure of the store.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from redis import exceptions
from redis.asyncio.cluster import RedisCluster

from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.event_loops import forget_closed_loops
from camunda_entra_fastapi.sessions.redis_client import ConnectedClient
from camunda_entra_fastapi.sessions.redis_rights import missing_right
from camunda_entra_fastapi.sessions.unavailable import unavailable

T = TypeVar("T")

FAILURES: Final = (exceptions.RedisError, exceptions.RedisClusterException, OSError)
"""What comes out of ``Commands``; the built-in ``TimeoutError`` is an OSError."""
PAUSES: Final = (0.0, 0.05)
"""Seconds before the second and the third attempt of a command."""

_ANOTHER_SERVER: Final = (exceptions.ReadOnlyError, exceptions.MasterDownError)
"""Answers of a server that was the primary, and is a replica now."""
_FOR_NOW: Final = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ClusterDownError,
    exceptions.TryAgainError,
    exceptions.RedisClusterException,
    OSError,
)
_FOR_GOOD: Final = (exceptions.AuthenticationError, exceptions.AuthorizationError)
_REFUSALS: Final = (*_FOR_GOOD, exceptions.NoPermissionError)
_NO_WRITES: Final = {
    "OutOfMemoryError": "it is full. Give it more maxmemory, or delete what is not of sessions",
    "ReadOnlyError": "it is a replica. Name the primary in CAMUNDA_ENTRA_SESSION_STORE, or end the failover",
    "MISCONF": "it cannot save its snapshots. Its own log says why, mostly a full disk",
    "NOREPLICAS": "it has fewer replicas than its min-replicas-to-write",
}
"""What servers answer that can be asked, and take no writes."""


class BrokenConnection(exceptions.ConnectionError):
    """redis-py stumbled over a connection that is gone. Its text is the name of what redis-py raised."""


class Commands:
    """redis-py's commands; up to two more attempts are made of one that may work by then.

    A command may be repeated although the server executed it: the answer was lost. Only ``SET`` with ``NX``
    tells the difference, so its value has to be one that nobody else would set.

    Args:
        connected: Returns the client in use.
        connect_anew: Leaves a client whose server is the wrong one; whether another one takes its place.
        deadline: After this time of the event loop no attempt begins.
    """

    __slots__ = ("_connect_anew", "_connected", "_deadline")

    def __init__(
        self,
        connected: Callable[[], ConnectedClient],
        connect_anew: Callable[[ConnectedClient], bool],
        deadline: float,
    ) -> None:
        self._connected = connected
        self._connect_anew = connect_anew
        self._deadline = deadline

    @property
    def is_cluster(self) -> bool:
        """Whether commands may go to one of several nodes."""
        return isinstance(self._connected().client, RedisCluster)

    def __getattr__(self, name: str) -> Any:
        return partial(self._attempt, name)

    async def set(self, name: str, value: bytes | str, *, nx: bool = False, **options: Any) -> bool:
        """``SET``. With ``nx``: whether the value is there by this command, whichever attempt set it."""
        if await self._attempt("set", name, value, nx=nx, **options):
            return True
        return nx and bool(await self._attempt("get", name) == value)

    async def _attempt(self, name: str, *arguments: Any, **options: Any) -> Any:
        for pause in PAUSES:
            try:
                return await self._once(name, *arguments, **options)
            except FAILURES as failure:
                if isinstance(failure, _FOR_GOOD) or not isinstance(failure, _FOR_NOW):
                    raise
            await asyncio.sleep(pause)
        return await self._once(name, *arguments, **options)

    async def _once(self, name: str, *arguments: Any, **options: Any) -> Any:
        if asyncio.get_running_loop().time() >= self._deadline:
            raise exceptions.TimeoutError  # the cancellation was lost in redis-py
        connected = self._connected()
        answer = getattr(connected.client, name)(*arguments, **options)
        try:
            return await answer
        except _ANOTHER_SERVER as failure:
            if not self._connect_anew(connected):
                raise
            raise BrokenConnection(type(failure).__name__) from None
        except exceptions.RedisClusterException:
            # Older redis-py strikes nodes that fail off its list, and asks nobody when that is empty.
            self._connect_anew(connected)
            raise
        except FAILURES:
            raise
        except Exception as failure:  # redis-py's, see above
            raise BrokenConnection(type(failure).__name__) from failure


class TimeLimit:
    """A time limit that holds, whatever redis-py waits for when it is cancelled.

    Args:
        seconds: From the beginning, waiting for a connection included.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._tasks: dict[asyncio.AbstractEventLoop, set[asyncio.Task[Any]]] = {}

    async def within(self, command: Coroutine[Any, Any, T]) -> T:
        """What the command returns.

        Raises:
            TimeoutError: It takes longer. It is cancelled, and nobody waits for that.
        """
        loop = asyncio.get_running_loop()
        task = loop.create_task(command)
        try:
            done, _ = await asyncio.wait((task,), timeout=self._seconds)
        finally:
            if task.done():
                _retrieve(task)  # whoever waits may be cancelled at this very moment
            else:
                self._leave(loop, task)
        if not done:
            raise TimeoutError
        return task.result()

    async def close(self) -> None:
        """Wait for the commands of this event loop that were cancelled."""
        tasks = self._tasks.pop(asyncio.get_running_loop(), None)
        if tasks:
            await asyncio.wait(tasks, timeout=self._seconds)

    def _leave(self, loop: asyncio.AbstractEventLoop, task: "asyncio.Task[Any]") -> None:
        forget_closed_loops(self._tasks)
        tasks = self._tasks.setdefault(loop, set())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        task.add_done_callback(_retrieve)
        task.cancel()


def _retrieve(task: "asyncio.Task[Any]") -> None:
    """Look at how it ended, so that asyncio does not complain that nobody did."""
    if not task.cancelled():
        task.exception()


class RetiredClients:
    """Clients whose server was the wrong one, one for each event loop.

    A retired client takes no new commands, and is closed when those on their way are over. Until then no
    other one is retired: where the server is a replica for good, each write would connect anew.

    Args:
        timeout: Seconds that a command takes at most.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._closing: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}

    def retire(self, client: ConnectedClient) -> bool:
        """Close the client when its commands are over; False where another one is closed at the moment."""
        loop = asyncio.get_running_loop()
        forget_closed_loops(self._closing)
        closing = self._closing.get(loop)
        if closing is not None and not closing.done():
            return False
        client.asker.renew()  # who reads shall not stay with that server either
        self._closing[loop] = loop.create_task(self._close(client), name="camunda_entra former Redis")
        return True

    async def close(self) -> None:
        """Close the client of this event loop now, if there is one."""
        closing = self._closing.pop(asyncio.get_running_loop(), None)
        if closing is not None:
            closing.cancel()
            await asyncio.wait((closing,))

    async def _close(self, client: ConnectedClient) -> None:
        try:
            await asyncio.sleep(self._timeout)
        finally:
            await close_client(client)


async def close_client(client: ConnectedClient) -> None:
    """Close its connections."""
    with suppress(*FAILURES):
        await client.exit_stack.aclose()


def as_unavailable(failure: BaseException) -> SessionsUnavailable:
    """The failure in our words, and its name: its text may repeat what was sent, passwords included."""
    name = _name_of(failure)
    if name in _NO_WRITES:
        return SessionsUnavailable(
            f"The session store answers, but takes no writes: {name}. Probably {_NO_WRITES[name]}. "
            "Whoever is signed in can be told; nobody can sign in, and no session can be renewed."
        )
    return unavailable(name)


def _name_of(failure: BaseException) -> str:
    if isinstance(failure, BrokenConnection):
        return str(failure)
    if type(failure) is exceptions.ResponseError:
        code = str(failure).partition(" ")[0]
        return code if code in _NO_WRITES else "ResponseError"
    failure = _refusal_below(failure)
    below = failure.__cause__ or failure.__context__
    name = type(below if isinstance(below, OSError) else failure).__name__
    right = missing_right(str(failure))
    return f"{name}, the user lacks {right}" if right else name


def _refusal_below(failure: BaseException) -> BaseException:
    """What a node refused, where a cluster's client says that it is in no cluster, or away."""
    if isinstance(failure, exceptions.RedisClusterException):
        below: BaseException | None = failure
        while below is not None:
            if isinstance(below, _REFUSALS):
                return below
            below = below.__cause__ or below.__context__
    return failure
