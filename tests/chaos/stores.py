"""The stores that fail: one server, one behind an address that moves, Sentinels, a cluster."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from redis.exceptions import RedisError, ResponseError

from tests.chaos.relay import Relay
from tests.chaos.servers import Server, reached

SLOTS: Final = 16_384
NAME: Final = "sessions"
"""What Sentinels call the primary."""


class Store(Protocol):
    """What a scenario breaks."""

    servers: list[Server]
    """All that keep sessions."""

    @property
    def url(self) -> str:
        """What replicas are told."""

    async def start(self) -> None:
        """Start it; it is ready when this returns."""

    def stop(self) -> None:
        """End all its processes."""

    async def records(self) -> set[str]:
        """The sessions that it has."""


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
        await reached(_follows, self.other)
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
        await reached(_follows, self.other)
        await self.primary.ask("FAILOVER", "TO", "127.0.0.1", self.other.port, "TIMEOUT", 5000)
        await reached(self.other.is_primary)
        self.primary, self.other = self.other, self.primary
        await reached(_follows, self.other)


class Sentinels:
    """A primary with two replicas, and three Sentinels that watch them."""

    def __init__(self, program: str, folder: Path) -> None:
        self.servers = [Server(program, folder / f"server{number}", "--save", "") for number in range(3)]
        self.sentinels = []
        for number in range(3):
            place = folder / f"sentinel{number}"
            self.sentinels.append(Server(program, place, str(place / "sentinel.conf"), "--sentinel"))

    @property
    def url(self) -> str:
        """Where the Sentinels are."""
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        return f"redis+sentinel://{hosts}/{NAME}"

    async def start(self) -> None:
        """Start all; each Sentinel knows of all others when this returns."""
        primary, *others = self.servers
        await primary.start()
        for each in others:
            await each.start("--replicaof", "127.0.0.1", str(primary.port))
        for sentinel in self.sentinels:
            (sentinel.folder / "sentinel.conf").write_text(
                f"sentinel monitor {NAME} 127.0.0.1 {primary.port} 2\n"
                f"sentinel down-after-milliseconds {NAME} 1000\nsentinel failover-timeout {NAME} 3000\n"
            )
            await sentinel.start()
        await self.settled()

    def stop(self) -> None:
        """End all."""
        for each in (*self.sentinels, *self.servers):
            each.kill()

    async def records(self) -> set[str]:
        """What the primary has."""
        return await (await self.primary()).records()

    async def primary(self) -> Server:
        """The server that the Sentinels agree upon."""
        ports = {int(found["port"]) for found in [await self._state(each) for each in self.sentinels]}
        if len(ports) > 1:
            raise ResponseError("the Sentinels disagree")
        return next(each for each in self.servers if each.port in ports)

    async def settled(self, *, replicas: int = 2) -> None:
        """Wait until all Sentinels see one primary and its replicas, all of them well."""
        await reached(self._is_settled, replicas)

    async def moved(self, former: Server) -> None:
        """Wait until another one is the primary for all Sentinels, and for itself."""

        async def has_moved() -> bool:
            with suppress(RedisError, OSError):
                primary = await self.primary()
                return primary is not former and await primary.is_primary()
            return False

        await reached(has_moved)

    async def _is_settled(self, replicas: int) -> bool:
        with suppress(RedisError, OSError):
            states = [await self._state(each) for each in self.sentinels]
            if any(state["flags"] != "master" or int(state["num-other-sentinels"]) != 2 for state in states):
                return False
            primary = await self.primary()
            for sentinel in self.sentinels:
                known = [_pairs(each) for each in await sentinel.ask("SENTINEL", "REPLICAS", NAME)]
                well = [each for each in known if (each["flags"], each["master-link-status"]) == ("slave", "ok")]
                if len(well) != replicas or any(int(each["master-port"]) != primary.port for each in well):
                    return False
            return await primary.is_primary()
        return False

    async def _state(self, sentinel: Server) -> dict[str, str]:
        return _pairs(await sentinel.ask("SENTINEL", "MASTER", NAME))


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
            return len(followers) == 3 and all([await _follows(each) for each in followers])
        return False


async def _follows(server: Server) -> bool:
    """Whether it has all that its primary has."""
    with suppress(RedisError, OSError):
        return (await server.info("replication")).get("master_link_status") == "up"
    return False


def _pairs(reply: Any) -> dict[str, str]:
    if isinstance(reply, dict):
        return {str(name): str(value) for name, value in reply.items()}
    return dict(zip(map(str, reply[::2]), map(str, reply[1::2]), strict=True))


def _cluster_info(reply: Any) -> dict[str, str]:
    if isinstance(reply, dict):
        return {str(name): str(value) for name, value in reply.items()}
    return dict(line.split(":", 1) for line in str(reply).splitlines() if ":" in line)
