"""Sentinels: the primary is replaced in order, killed, and hangs."""

import asyncio
from typing import Final

from redis.exceptions import ResponseError

from tests.chaos.scenario import Group, Scenario
from tests.chaos.servers import reached
from tests.chaos.stores import NAME, Sentinels


async def _on_command(store: Sentinels) -> None:
    """``SENTINEL FAILOVER``."""
    former = await store.primary()

    async def began() -> bool:
        try:
            await store.sentinels[0].ask("SENTINEL", "FAILOVER", NAME)
        except ResponseError:  # it has not heard of a good replica yet
            return False
        return True

    await reached(began)
    await store.moved(former)


async def _killed(store: Sentinels) -> None:
    """It is gone, and comes back as a replica of its successor."""
    former = await store.primary()
    former.kill()
    await store.moved(former)
    await former.start("--replicaof", "127.0.0.1", str((await store.primary()).port))


async def _hangs(store: Sentinels) -> None:
    """It hangs until it has a successor, then it wakes and takes itself for the primary for a while."""
    former = await store.primary()
    former.halt()
    await store.moved(former)
    await asyncio.sleep(1)
    former.go_on()
    await store.settled()


SENTINELS: Final = Group(
    "Sentinels",
    Sentinels,
    (
        Scenario("failover", _on_command, loses=True),
        Scenario("primary killed", _killed, loses=True),
        Scenario("primary hangs", _hangs, loses=True),
    ),
)
