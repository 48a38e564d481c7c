"""A cluster: slots move, nodes are killed, with a replica and without, and come back."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from redis.crc import key_slot
from redis.exceptions import RedisError

from tests.chaos.scenario import Group, Scenario
from tests.chaos.servers import Server, reached
from tests.chaos.stores import follows

MOVED: Final = 200
"""Slots that move, besides those that have keys."""

SLOTS: Final = 16_384


@dataclass(frozen=True, slots=True)
class Shard:
    """A node that has slots, and the replica that may take its place."""

    node: Server
    replica: Server


class Cluster:
    """Three nodes that share the slots, each with a replica. They write down what they are told."""

    def __init__(self, program: str, folder: Path) -> None:
        options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"]
        options += ["--cluster-require-full-coverage", "no", "--cluster-replica-validity-factor", "0"]
        options += ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        made = [Server(program, folder / f"node{number}", *options) for number in range(6)]
        self.shards = [Shard(*made[number::3]) for number in range(3)]
        self.servers = made

    @property
    def url(self) -> str:
        """Where its nodes are."""
        return f"redis+cluster://{','.join(f'127.0.0.1:{each.port}' for each in self.servers)}"

    async def start(self) -> None:
        """Start all, and give each shard a third of the slots."""
        for each in self.servers:
            await each.start()
        for number, shard in enumerate(self.shards):
            first, last = number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1
            await shard.node.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
        for each in self.servers[1:]:
            await self.servers[0].ask("CLUSTER", "MEET", "127.0.0.1", each.port)
        await reached(self._know_each_other)
        for shard in self.shards:
            await shard.replica.ask("CLUSTER", "REPLICATE", await shard.node.ask("CLUSTER", "MYID"))
        await self.settled()

    def stop(self) -> None:
        """End all."""
        for each in self.servers:
            each.kill()

    async def records(self) -> set[str]:
        """What all nodes have together that hold slots."""
        return set().union(*[await each.records() for each in self.servers if await each.is_primary()])

    async def settled(self) -> None:
        """Wait until every slot has a node, and every node that has none follows one."""
        await reached(self._is_settled)

    async def covered(self, *servers: Server) -> None:
        """Wait until these see a node for every slot."""

        async def are_covered() -> bool:
            with suppress(RedisError, OSError):
                states = [_cluster_info(await each.ask("CLUSTER", "INFO")) for each in servers]
                return all(state["cluster_slots_ok"] == str(SLOTS) for state in states)
            return False

        await reached(are_covered)

    async def _know_each_other(self) -> bool:
        states = [_cluster_info(await each.ask("CLUSTER", "INFO")) for each in self.servers]
        return all(state["cluster_known_nodes"] == "6" for state in states)

    async def _is_settled(self) -> bool:
        with suppress(RedisError, OSError):
            states = [_cluster_info(await each.ask("CLUSTER", "INFO")) for each in self.servers]
            if any(state["cluster_slots_ok"] != str(SLOTS) for state in states):
                return False
            roles = [await each.is_primary() for each in self.servers]
            followers = [each for each, leads in zip(self.servers, roles, strict=True) if not leads]
            return len(followers) == 3 and all([await follows(each) for each in followers])
        return False


async def _resharded(store: Cluster) -> None:
    """Slots move one by one, as ``redis-cli --cluster reshard`` does it; those with keys there and back."""
    first, second = store.shards[0].node, store.shards[1].node
    async with first.holding() as ask_first, second.holding() as ask_second:
        one = Node(ask_first, first.port, await ask_first("CLUSTER", "MYID"))
        two = Node(ask_second, second.port, await ask_second("CLUSTER", "MYID"))
        slots = sorted({key_slot(str(key).encode()) for key in await one.ask("KEYS", "*")})
        empty = [slot for slot in range(len(slots) + MOVED) if slot not in slots][:MOVED]
        for slot in (*slots, *empty):
            await _move(slot, one, two)
        for slot in slots:
            await _move(slot, two, one)


@dataclass(frozen=True, slots=True)
class Node:
    """A node that gives slots or takes them: how to ask it, and where and who it is."""

    ask: Callable[..., Awaitable[Any]]
    port: int
    name: str


async def _move(slot: int, source: Node, target: Node) -> None:
    await target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.name)
    await source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.name)
    await asyncio.sleep(0.005)
    while keys := await source.ask("CLUSTER", "GETKEYSINSLOT", slot, 10):
        await source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
    await asyncio.sleep(0.005)
    for node in (target, source):
        await node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.name)


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


def _cluster_info(reply: Any) -> dict[str, str]:
    if isinstance(reply, dict):
        return {str(name): str(value) for name, value in reply.items()}
    return dict(line.split(":", 1) for line in str(reply).splitlines() if ":" in line)
