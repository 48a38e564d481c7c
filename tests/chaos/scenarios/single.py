"""One server: its clients are killed, it pauses, hangs, is full, writes no more, and starts again."""

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final

from tests.chaos.scenario import Group, Scenario
from tests.chaos.servers import Server, reached

LASTS: Final = 4.0
"""Seconds that most faults last."""


class OneServer:
    """A server of its own."""

    def __init__(self, program: str, folder: Path) -> None:
        self.server = Server(program, folder / "server", "--save", "")
        self.servers = [self.server]

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.server.port}"

    async def start(self) -> None:
        """Start it."""
        await self.server.start()

    def stop(self) -> None:
        """End it."""
        self.server.kill()

    async def records(self) -> set[str]:
        """What it has."""
        return await self.server.records()

    def obstruct(self, *, is_obstructed: bool) -> None:
        """Put a folder where its snapshots would be, which no superuser's right overcomes, or remove it."""
        place = self.server.folder / "dump.rdb"
        if is_obstructed:
            place.unlink(missing_ok=True)
            place.mkdir()
        else:
            place.rmdir()


async def _storm(store: OneServer) -> None:
    """``CLIENT KILL`` for all clients, twenty times a second."""
    for _ in range(int(LASTS * 20)):
        await store.server.ask("CLIENT", "KILL", "TYPE", "normal")
        await asyncio.sleep(0.05)


async def _short_pause(store: OneServer) -> None:
    """A server that is slower than it should be, but within the limit."""
    for _ in range(4):
        await store.server.ask("CLIENT", "PAUSE", 600, "ALL")
        await asyncio.sleep(1)


async def _pause(store: OneServer) -> None:
    """``CLIENT PAUSE`` for longer than anybody waits."""
    await store.server.ask("CLIENT", "PAUSE", int(LASTS * 1000), "ALL")
    await asyncio.sleep(LASTS)


async def _hang(store: OneServer) -> None:
    """``SIGSTOP``: connections stay, and the system goes on to accept new ones."""
    store.server.halt()
    await asyncio.sleep(LASTS)
    store.server.go_on()


async def _full_of_clients(store: OneServer) -> None:
    """``maxclients`` is reached, and whoever had a connection lost it."""
    async with AsyncExitStack() as stack:
        # A connection of its own from before, as the replicas would take the one that becomes free.
        ask = await stack.enter_async_context(store.server.holding())
        _, before = await ask("CONFIG", "GET", "maxclients")
        await ask("CONFIG", "SET", "maxclients", 5)
        await ask("CLIENT", "KILL", "TYPE", "normal")
        for _ in range(int(LASTS * 10)):
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", store.server.port)
                stack.callback(writer.close)
            await asyncio.sleep(0.1)
        await ask("CONFIG", "SET", "maxclients", before)


async def _read_only(store: OneServer) -> None:
    """It follows a primary that is not there: it reads, and refuses to write (READONLY)."""
    await store.server.ask("REPLICAOF", "127.0.0.1", 1)
    await asyncio.sleep(LASTS)
    await store.server.ask("REPLICAOF", "NO", "ONE")


async def _full(store: OneServer) -> None:
    """``noeviction``, and no memory left: it reads and deletes, and stores nothing (OOM)."""
    await store.server.ask("CONFIG", "SET", "maxmemory", 1)
    await asyncio.sleep(LASTS)
    await store.server.ask("CONFIG", "SET", "maxmemory", 0)


async def _cannot_save(store: OneServer) -> None:
    """Its snapshots fail, so it writes no more (MISCONF)."""
    store.obstruct(is_obstructed=True)
    await store.server.ask("CONFIG", "SET", "save", "3600 1000000")
    await store.server.ask("BGSAVE")

    async def failed() -> bool:
        return bool((await store.server.info("persistence"))["rdb_last_bgsave_status"] == "err")

    await reached(failed)
    await asyncio.sleep(LASTS)
    store.obstruct(is_obstructed=False)
    await store.server.ask("SAVE")
    await store.server.ask("CONFIG", "SET", "save", "")


async def _restart(store: OneServer) -> None:
    """It is killed and comes back empty."""
    store.server.kill()
    await asyncio.sleep(1.5)
    await store.server.start()


async def _flush(store: OneServer) -> None:
    """``FLUSHALL``: it is there all the time, and knows nobody any more."""
    await store.server.ask("FLUSHALL")


SINGLE: Final = Group(
    "one server",
    OneServer,
    (
        Scenario("clients killed", _storm),
        Scenario("slow", _short_pause),
        Scenario("paused", _pause, notices=True),
        Scenario("hangs", _hang, notices=True),
        Scenario("maxclients", _full_of_clients, notices=True),
        Scenario("read-only", _read_only, notices=True),
        Scenario("full", _full, notices=True),
        Scenario("cannot save", _cannot_save, notices=True),
        Scenario("restarted empty", _restart, loses=True, notices=True),
        Scenario("flushed", _flush, loses=True, away=False),
    ),
)
