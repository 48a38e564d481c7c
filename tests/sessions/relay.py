"""What stands between a service and its Redis: an address that stays while the servers behind it change."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Relay:
    """Hands connections on, as the stable address of a managed Redis does.

    Attributes:
        target: The port that new connections reach; those that are there stay where they are.
        loses_answer_to: The answer to the next command with this in it is lost, with the connection.
        refuses: How many connections are closed at once.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.loses_answer_to: bytes | None = None
        self.refuses = 0
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self._port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Relay"]:
        """Listen."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(OSError, asyncio.CancelledError):
            await self._hand_on(reader, writer)
        writer.transport.abort()

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.refuses:
            self.refuses -= 1
            return
        from_redis, to_redis = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            while command := await reader.read(65_536):
                to_redis.write(command)
                answer = await from_redis.read(65_536)
                if self.loses_answer_to is not None and self.loses_answer_to in command:
                    self.loses_answer_to = None
                    return
                writer.write(answer)
        finally:
            to_redis.transport.abort()
