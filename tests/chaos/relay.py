"""A stable address in front of servers: what clouds have before a primary that moves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self


class Relay:
    """Hands connections on to a port; which one counts for new connections alone.

    Attributes:
        target: The port that new connections reach.
        passing: While it is cleared, bytes stay where they are, in both directions, and no connection ends.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.passing = asyncio.Event()
        self.passing.set()
        self._writers: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        """Listen until the block ends."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.passing.set()
            self.cut()

    def cut(self) -> None:
        """End all connections."""
        for writer in self._writers:
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = {writer}
        self._writers |= ends
        try:
            with contextlib.suppress(OSError):
                there, beyond = await asyncio.open_connection("127.0.0.1", self.target)
                ends.add(beyond)
                self._writers.add(beyond)
                pumps = {
                    asyncio.create_task(self._pump(reader, beyond)),
                    asyncio.create_task(self._pump(there, writer)),
                }
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                for pump in pumps:
                    pump.cancel()
        finally:
            self._writers -= ends
            for each in ends:
                each.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                await self.passing.wait()
                writer.write(data)
                await writer.drain()
