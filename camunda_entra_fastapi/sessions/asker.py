"""Asks a Redis what keys hold: on one connection for each event loop, and for each node of a cluster."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from camunda_entra_fastapi.sessions.asking_connection import (
    AskingConnection,
    ConnectionLost,
    TooManyWaiting,
    Tracker,
)
from camunda_entra_fastapi.sessions.resp import ServerError
from camunda_entra_fastapi.sessions.unavailable import unavailable
from camunda_entra_fastapi.single_flight import SingleFlight

ATTEMPTS: Final = 2
"""How often a new connection is tried, within the time limit, after the one that was there was lost."""

_GONE: Final = frozenset(("LOADING", "MASTERDOWN", "NOAUTH"))
"""Errors of a server that is not, or not any more, one to be asked: it starts, or it became a replica."""

Address: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Login:
    """How a connection begins."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    tls: Callable[[], ssl.SSLContext] | None = None


class Asker:
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
        self._loop = asyncio.get_running_loop()
        self._locate = locate
        self._login = login
        self._timeout = timeout
        self._tracker = tracker
        self._connection: AskingConnection | None = None
        self._opening: SingleFlight[str, AskingConnection] = SingleFlight("session store connection")

    async def get(self, key: bytes) -> bytes | None:
        """The text of a key; None without one.

        Raises:
            SessionsUnavailable: Nobody answered in time.
        """
        connection = self._connection
        started = self._loop.time()
        if connection is not None and connection.is_open:
            try:
                return await connection.get(key)
            except ConnectionLost:
                pass
            except ServerError as error:
                if error.code not in _GONE:
                    raise unavailable(error.code) from None
                connection.close()
            except TooManyWaiting as failure:
                raise unavailable(type(failure).__name__) from None
        return await self._ask_anew(key, started + self._timeout)

    def connection_for(self, key: bytes) -> AskingConnection | None:  # noqa: ARG002
        """The open connection on which this key would be asked now."""
        connection = self._connection
        return connection if connection is not None and connection.is_open else None

    def connections(self) -> list[AskingConnection]:
        """All that are open."""
        return [self._connection] if self._connection is not None and self._connection.is_open else []

    def renew(self) -> None:
        """Drop what is open; whoever waits is asked for again on a new connection."""
        if self._connection is not None:
            self._connection.close()

    def close(self) -> None:
        """Drop what is open."""
        self.renew()

    async def _ask_anew(self, key: bytes, deadline: float) -> bytes | None:
        """Ask on new connections, as long as there is time."""
        failure = "TimeoutError"
        try:
            async with asyncio.timeout_at(deadline):
                for _ in range(ATTEMPTS):
                    try:
                        connection = self._connection
                        if connection is None or not connection.is_open:
                            connection = await self._opening.run("", self._open)
                        return await connection.get(key)
                    except ConnectionLost as lost:
                        failure = lost.reason
                    except OSError as error:
                        failure = type(error).__name__
        except TimeoutError:
            pass
        except ServerError as error:
            failure = error.code
        raise unavailable(failure) from None

    async def _open(self) -> AskingConnection:
        async with asyncio.timeout(self._timeout / 2):
            self._connection = await open_connection(
                await self._locate(), self._login, self._timeout / 2, self._tracker
            )
        return self._connection


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
            lambda: connection, host, port, ssl=None if login.tls is None else login.tls()
        )
        await connection.set_up(login.username, login.password, login.database)
    except BaseException:
        connection.close()
        raise
    return connection
