"""A cluster: slots move, nodes are killed, with a replica and without, and come back."""

import asyncio
from typing import Final

from redis.crc import key_slot

from tests.chaos.scenario import Group, Scenario
from tests.chaos.servers import Server
from tests.chaos.stores import Cluster

MOVED: Final = 600
"""Slots that move, besides those that have keys."""


async def _resharded(store: Cluster) -> None:
    """Slots move one by one: those with sessions first, and there and back."""
    first, second, _ = store.shards
    slots = await _slots_with_keys(first.node)
    empty = [slot for slot in range(len(slots) + MOVED) if slot not in slots][:MOVED]
    for slot in (*slots, *empty):
        await _move(store, slot, first.node, second.node)
        await asyncio.sleep(0.002)
    for slot in slots:
        await _move(store, slot, second.node, first.node)
        await asyncio.sleep(0.002)


async def _slots_with_keys(node: Server) -> list[int]:
    keys = await node.ask("KEYS", "*")
    return sorted({key_slot(str(key).encode()) for key in keys})


async def _move(store: Cluster, slot: int, source: Server, target: Server) -> None:
    """As ``redis-cli --cluster reshard`` does it."""
    source_id, target_id = await source.ask("CLUSTER", "MYID"), await target.ask("CLUSTER", "MYID")
    await target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
    await source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
    while keys := await source.ask("CLUSTER", "GETKEYSINSLOT", slot, 10):
        await source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
    for node in (target, source):
        await node.ask("CLUSTER", "SETSLOT", slot, "NODE", target_id)


async def _failed_over(store: Cluster) -> None:
    """``CLUSTER FAILOVER``: node and replica change places, in order."""
    await store.shards[1].replica.ask("CLUSTER", "FAILOVER")
    await asyncio.sleep(1)
    await store.settled()


async def _killed(store: Cluster) -> None:
    """A node is gone; its replica takes its place, and it comes back as a replica."""
    node, replica = store.shards[0].node, store.shards[0].replica
    node.kill()
    await asyncio.sleep(1)
    await store.covered(*(each for each in store.servers if each is not node))
    await asyncio.sleep(1)
    await node.start()
    await store.settled()
    assert await replica.is_primary()


async def _killed_alone(store: Cluster) -> None:
    """A node and its replica are gone, and a third of the slots; both come back with what they had."""
    shard = store.shards[2]
    shard.replica.kill()
    shard.node.kill()
    await asyncio.sleep(4)
    await shard.node.start()
    await store.covered(*(each for each in store.servers if each is not shard.replica))
    await shard.replica.start()


CLUSTER: Final = Group(
    "cluster",
    Cluster,
    (
        Scenario("resharded", _resharded),
        Scenario("failover", _failed_over),
        Scenario("node killed", _killed, loses=True, recovery=5),
        Scenario("node and replica killed", _killed_alone, notices=False, recovery=5),
    ),
)
