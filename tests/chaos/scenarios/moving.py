"""A stable address whose server changes, as managed stores have it, and what is between."""

import asyncio
from pathlib import Path
from typing import Final

from tests.chaos.scenario import Group, Scenario
from tests.chaos.servers import Server, reached
from tests.chaos.stores import follows
from tests.relay import Relay


class Moving:
    """A primary with a replica, behind one address, as clouds have them."""

    def __init__(self, program: str, folder: Path) -> None:
        self.primary = Server(program, folder / "first", "--save", "")
        self.other = Server(program, folder / "second", "--save", "")
        self.servers = [self.primary, self.other]
        self.relay = Relay(self.primary.port)
        self._opened = self.relay.open()

    @property
    def url(self) -> str:
        """The stable address."""
        return f"redis://127.0.0.1:{self.relay.port}"

    async def start(self) -> None:
        """Start both, and the address."""
        await self.primary.start()
        await self.other.start("--replicaof", "127.0.0.1", str(self.primary.port))
        await reached(follows, self.other)
        await self._opened.__aenter__()

    def stop(self) -> None:
        """End both."""
        self.relay.cut()
        self.primary.kill()
        self.other.kill()

    async def records(self) -> set[str]:
        """What the primary has."""
        return await self.primary.records()

    async def swap(self) -> None:
        """The replica becomes the primary, in order, and the primary its replica; it keeps its clients."""
        await reached(follows, self.other)
        await self.primary.ask("FAILOVER", "TO", "127.0.0.1", self.other.port, "TIMEOUT", 5000)
        await reached(self.other.is_primary)
        self.primary, self.other = self.other, self.primary
        await reached(follows, self.other)


async def _moved(store: Moving) -> None:
    """The former primary is a replica now, and keeps its clients; new connections reach the new one."""
    await store.swap()
    store.relay.target = store.primary.port


async def _moved_late(store: Moving) -> None:
    """For two seconds the address still leads to the former primary, which writes no more."""
    await store.swap()
    await asyncio.sleep(2)
    store.relay.target = store.primary.port


async def _moved_and_cut(store: Moving) -> None:
    """As the first, but its connections end."""
    await store.swap()
    store.relay.target = store.primary.port
    store.relay.cut()


async def _swallows(store: Moving) -> None:
    """The network between takes bytes and gives none, and no connection ends."""
    store.relay.passing.clear()
    await asyncio.sleep(4)
    store.relay.passing.set()


MOVING: Final = Group(
    "moving address",
    Moving,
    (
        Scenario("clients kept", _moved),
        Scenario("late", _moved_late, notices=True),
        Scenario("clients cut", _moved_and_cut),
        Scenario("network hangs", _swallows, notices=True),
    ),
)
