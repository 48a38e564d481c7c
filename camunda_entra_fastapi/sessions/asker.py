"""Asks a Redis what keys hold, on one connection of an event loop."""

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from camunda_entra_fastapi.sessions.asking_connection import (
    OVERSIZE,
    AskingConnection,
    ConnectionLost,
    Tracker,
)
from camunda_entra_fastapi.sessions.redis_rights import missing_right
from camunda_entra_fastapi.sessions.resp import ServerError
from camunda_entra_fastapi.sessions.unavailable import unavailable
from camunda_entra_fastapi.single_flight import SingleFlight

ATTEMPTS: Final = 3
"""How often a question is asked within its time limit, on a new connection where the last one was lost."""

_GONE: Final = frozenset(("LOADING", "MASTERDOWN", "NOAUTH"))
"""Errors of a server that is not, or not any more, the one to be asked."""

Address: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Login:
    """How a connection begins.

    Attributes:
        username: The user; None for the default one.
        password: Its password; None where the server asks for none.
        database: The number of the database.
        tls: Returns the context, another one when its files were replaced; None without TLS.
    """

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    tls: Callable[[], ssl.SSLContext] | None = None


class Asker(ABC):
    """Asks a server, or several of which each has some keys.

    Args:
        login: How a connection begins.
        timeout: Seconds for one question, with all attempts.
        tracker: Who hears of changes, where the server is to track what is read.
    """

    def __init__(self, login: Login, timeout: float, tracker: Tracker | None = None) -> None:
        self._login = login
        self._timeout = timeout
        self._tracker = tracker
        self._is_closed = False
        self._loop = asyncio.get_running_loop()
        self._connections: dict[Address | None, AskingConnection] = {}
        self._opening: SingleFlight[Address | None, AskingConnection] = SingleFlight(
            "session store connection"
        )

    async def get(self, key: bytes) -> bytes | None:
        """The text of a key; None without one.

        Raises:
            SessionsUnavailable: Nobody answered in time.
        """
        connection = self.connection_for(key)
        deadline = self._loop.time() + self._timeout
        if connection is not None:
            try:
                return await connection.get(key)
            except (ConnectionLost, ServerError) as failure:
                if not self._may_go_on(failure, connection, key):
                    raise unavailable(name_of(failure)) from None
        return await self._ask_again(key, deadline)

    @abstractmethod
    def connection_for(self, key: bytes) -> AskingConnection | None:
        """The open connection on which this key is asked now; None where one must be opened."""

    def renew(self) -> None:
        """Drop what is open, as the server is not the right one any more. Who waits is asked for again."""
        for connection in list(self._connections.values()):
            connection.close()
        self._connections.clear()

    def close(self) -> None:
        """Drop what is open, and what is about to be."""
        self._is_closed = True
        self.renew()

    async def _ask_again(self, key: bytes, deadline: float) -> bytes | None:
        """Ask until there is an answer, as long as there is time and a reason to hope."""
        name = "TimeoutError"
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                attempts = ATTEMPTS
                while attempts:
                    connection = None
                    try:
                        connection = self.connection_for(key) or await self._connect(key)
                        return await self._ask(connection, key)
                    except (OSError, ServerError) as failure:
                        name = name_of(failure)
                        if not self._may_go_on(failure, connection, key):
                            break
                        # Behind a record that is too large others wait; with each attempt there is one less.
                        attempts -= name != OVERSIZE
        raise unavailable(name) from None

    async def _ask(self, connection: AskingConnection, key: bytes) -> bytes | None:
        return await connection.get(key)

    @abstractmethod
    async def _connect(self, key: bytes) -> AskingConnection:
        """Open the connection on which this key is asked."""

    async def _open(self, name: Address | None, locate: Callable[[], Awaitable[Address]]) -> AskingConnection:
        """Open a connection, in half of the time, so that there is some for another one."""
        limit = self._timeout / 2
        async with asyncio.timeout(limit):
            connection = await open_connection(await locate(), self._login, limit, self._tracker)
        if self._is_closed:
            connection.close()
        self._connections[name] = connection
        return connection

    def _may_go_on(self, failure: Exception, connection: AskingConnection | None, key: bytes) -> bool:  # noqa: ARG002
        """Whether another attempt may succeed, after this failure on that connection."""
        if not isinstance(failure, ServerError):
            return True
        if failure.code not in _GONE:
            return False
        if connection is not None:
            connection.close()
        return True


class ServerAsker(Asker):
    """Asks one server.

    Args:
        locate: Finds where the server is, whenever a connection is opened.
        login: How a connection begins.
        timeout: Seconds for one question, with all attempts.
        tracker: Who hears of changes, where the server is to track what is read.
    """

    def __init__(
        self,
        locate: Callable[[], Awaitable[Address]],
        login: Login,
        timeout: float,
        tracker: Tracker | None = None,
    ) -> None:
        super().__init__(login, timeout, tracker)
        self._locate = locate

    def connection_for(self, key: bytes) -> AskingConnection | None:  # noqa: ARG002
        """The open connection."""
        connection = self._connections.get(None)
        return connection if connection is not None and connection.is_open else None

    async def _connect(self, key: bytes) -> AskingConnection:  # noqa: ARG002
        return await self._opening.run(None, lambda: self._open(None, self._locate))


async def open_connection(
    address: Address, login: Login, limit: float, tracker: Tracker | None
) -> AskingConnection:
    """A connection that can be asked.

    Raises:
        OSError: There is none.
        ServerError: The server refused.
    """
    host, port = address
    connection = AskingConnection(limit, tracker)
    try:
        await asyncio.get_running_loop().create_connection(
            lambda: connection, host, port, ssl=login.tls() if login.tls else None
        )
        await connection.set_up(login.username, login.password, login.database)
    except BaseException as failure:
        connection.close()
        if isinstance(failure, (ArithmeticError, RuntimeError, ValueError)):
            # An address that is none, as Sentinels and clusters may name it; what uvloop makes of a server
            # that closes at once.
            raise ConnectionLost(type(failure).__name__) from None
        raise
    return connection


def name_of(failure: Exception) -> str:
    """What a failure is called in messages; its text may repeat what was sent."""
    if isinstance(failure, ServerError):
        right = missing_right(str(failure))
        return f"{failure.code}, the user lacks {right}" if right else failure.code
    return failure.reason if isinstance(failure, ConnectionLost) else type(failure).__name__
