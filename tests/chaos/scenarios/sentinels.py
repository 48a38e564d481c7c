"""Sentinels: the primary is replaced in order, killed, and hangs."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from redis.exceptions import RedisError, ResponseError

from tests.chaos.scenario import Group, Scenario
from tests.chaos.servers import Server, reached

NAME: Final = "sessions"
"""What Sentinels call the primary."""


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
                well = [
                    each for each in known if (each["flags"], each["master-link-status"]) == ("slave", "ok")
                ]
                if len(well) != replicas or any(int(each["master-port"]) != primary.port for each in well):
                    return False
            return await primary.is_primary()
        return False

    async def _state(self, sentinel: Server) -> dict[str, str]:
        return _pairs(await sentinel.ask("SENTINEL", "MASTER", NAME))


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


def _pairs(reply: Any) -> dict[str, str]:
    if isinstance(reply, dict):
        return {str(name): str(value) for name, value in reply.items()}
    return dict(zip(map(str, reply[::2]), map(str, reply[1::2]), strict=True))
