"""A stable address whose server changes, as managed stores have it, and what is between."""

import asyncio
from typing import Final

from tests.chaos.scenario import Group, Scenario
from tests.chaos.stores import Moving


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
