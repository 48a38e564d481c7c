"""One Redis or Valkey server, in a process that can be killed, halted and started again."""

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.ports import free_port

KEPT: Final = "camunda_entra:*:session:*"
"""The keys of sessions."""
PATIENCE: Final = 300
"""Seconds until the harness gives up: processes start slowly where many others run."""
_BUSY: Final = 0.02
"""Seconds between two looks."""


class Server:
    """A server on this machine.

    Args:
        program: What is started: ``redis-server``, or the path of a ``valkey-server``.
        folder: Where it keeps files.
        options: Further options of its command line.
    """

    def __init__(self, program: str, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.folder = folder
        self._program = program
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    async def start(self, *others: str) -> None:
        """Start it, with other options besides, and wait until it answers."""
        self._spawn(*others)
        await reached(self._listens)

    def kill(self) -> None:
        """End it at once, without a word to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def pids(self) -> list[int]:
        """Its process, while there is one."""
        return [] if self._process is None else [self._process.pid]

    def halt(self) -> None:
        """It keeps its connections and answers nobody."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """It answers again."""
        self._signal(signal.SIGCONT)

    async def ask(self, *command: Any) -> Any:
        """The reply to a command, on a connection of its own.

        Raises:
            RedisError: The server refuses, or is away.
        """
        async with self.holding() as ask:
            return await ask(*command)

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
        """``ask`` by one connection that is kept until the block ends."""
        async with self._client(single_connection_client=True) as client:
            execute: Callable[..., Awaitable[Any]] = client.execute_command
            yield execute

    async def info(self, section: str) -> dict[str, Any]:
        """A section of INFO."""
        found: dict[str, Any] = await self.ask("INFO", section)
        return found

    async def records(self) -> set[str]:
        """The sessions that it has: the last part of each key."""
        async with self._client() as client:
            return {str(key).rpartition(":")[2] async for key in client.scan_iter(match=KEPT, count=1000)}

    async def is_primary(self) -> bool:
        """Whether it answers, and takes writes."""
        with contextlib.suppress(RedisError, OSError):
            return bool((await self.info("replication"))["role"] == "master")
        return False

    def _client(self, **options: Any) -> "Redis":
        return Redis(port=self.port, decode_responses=True, protocol=2, socket_timeout=2, **options)

    async def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.close()
            return True
        return False

    def _spawn(self, *others: str) -> None:
        command = [self._program, *self._options, "--bind", "127.0.0.1", "--port", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*command, *others], cwd=self.folder, stdout=log, stderr=log)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


async def reached(condition: Callable[..., Awaitable[bool]], *arguments: Any) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not await condition(*arguments):  # noqa: ASYNC110 - other processes bring it about
            await asyncio.sleep(_BUSY)
