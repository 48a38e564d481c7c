"""A wire between a store and its Redis, whose words a test can hold back, or leave out."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

PUSH: Final = re.compile(rb">2\r\n\$10\r\ninvalidate\r\n(?:\*1\r\n\$(\d+)\r\n[^\r]*|_)\r\n")


class HeldWire:
    """Passes bytes on as they are and in their order.

    Attributes:
        is_mute: Whether what it says without being asked is left out.
    """

    def __init__(self, port: int) -> None:
        self.url = ""
        self._flows = asyncio.Event()
        self._flows.set()
        self._passes_one = False
        self.is_mute = False
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()

    def hold(self) -> None:
        """From now on, what the server says on connections with RESP3 waits. All else is passed on."""
        self._flows.clear()

    def let_go(self) -> None:
        """Pass on what waits."""
        self._passes_one = False
        self._flows.set()

    def pass_one(self) -> None:
        """Pass on what came first of what waits, and no more."""
        self._passes_one = True
        self._flows.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect one client with the server."""
        to_client = writer
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        first = await reader.read(65_536)
        to_server.write(first)
        is_tracked = first.startswith(b"*2\r\n$5\r\nHELLO")

        async def up() -> None:
            while data := await reader.read(65_536):
                to_server.write(data)

        async def down() -> None:
            while data := await from_server.read(65_536):
                if is_tracked:
                    await self._flows.wait()
                    if self._passes_one:
                        self._flows.clear()
                to_client.write(PUSH.sub(b"", data) if self.is_mute else data)

        tasks = [asyncio.create_task(up()), asyncio.create_task(down())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            to_server.close()
            to_client.close()


@asynccontextmanager
async def held_wire(port: int) -> AsyncIterator[HeldWire]:
    """A wire to that port."""
    wire = HeldWire(port)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await wire.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    wire.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield wire
    finally:
        server.close()
