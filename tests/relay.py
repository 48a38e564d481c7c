"""A stable address in front of servers: what clouds have before a primary that moves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self


class Relay:
    """Hands connections on to a port, in both directions and as they are.

    Attributes:
        target: The port that new connections reach; those that are there stay where they are.
        passing: While it is cleared, bytes stay where they are, in both directions, and no connection ends.
        refuses: How many connections are closed at once.
        loses_answer_to: The answer to the next command with this in it is lost, with the connection.
        connections: How many were asked for.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.passing = asyncio.Event()
        self.passing.set()
        self.refuses = 0
        self.loses_answer_to: bytes | None = None
        self.connections = 0
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        """Listen until the block ends."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """End all connections."""
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        is_refused = self.refuses > 0
        self.refuses -= is_refused
        if is_refused:
            writer.transport.abort()
            return
        with suppress(OSError, asyncio.CancelledError):
            await self._hand_on(reader, writer)
        writer.close()

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, beyond = await asyncio.open_connection("127.0.0.1", self.target)
        ends, is_losing = {writer, beyond}, asyncio.Event()
        self._writers |= ends
        pumps = [
            asyncio.create_task(self._ask(reader, beyond, is_losing)),
            asyncio.create_task(self._answer(there, writer, is_losing)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._writers -= ends
            beyond.close()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_losing: asyncio.Event
    ) -> None:
        while data := await reader.read(65_536):
            await self.passing.wait()
            if self.loses_answer_to is not None and self.loses_answer_to in data:
                self.loses_answer_to = None
                is_losing.set()
            writer.write(data)
            await writer.drain()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_losing: asyncio.Event
    ) -> None:
        while data := await reader.read(65_536):
            await self.passing.wait()
            if is_losing.is_set():
                writer.transport.abort()
                return
            writer.write(data)
            await writer.drain()
