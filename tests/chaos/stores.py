"""What all stores that fail have in common."""

from contextlib import suppress
from typing import Protocol

from redis.exceptions import RedisError

from tests.chaos.servers import Server


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


async def follows(server: Server) -> bool:
    """Whether it has all that its primary has."""
    with suppress(RedisError, OSError):
        return (await server.info("replication")).get("master_link_status") == "up"
    return False
