"""What bounds a Redis, and what it does when it is full."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import RedisClusterException, ResponseError


@dataclass(frozen=True, slots=True)
class RedisLimits:
    """The limits of a server; of a cluster, those of its nodes together."""

    max_bytes: int
    """``maxmemory`` of the smallest node; 0 where one has none."""
    policies: tuple[str, ...]
    """Each ``maxmemory-policy`` of a node, by name."""


async def read_limits(redis: Any) -> RedisLimits | None:
    """The limits, as far as the user may ask for them.

    Both commands are asked for: managed servers often take ``CONFIG`` away, and administrators ``INFO``.
    """
    for ask in _QUESTIONS:
        try:
            return _limits_in(await ask(redis))
        except (ResponseError, RedisClusterException, LookupError, ValueError):
            continue
    return None


_POLICY: Final = re.compile(r"[a-z-]{1,40}")


async def _info(redis: Any) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = await redis.info("memory", **_everywhere(redis))
    return answer


async def _config(redis: Any) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = await redis.config_get("maxmemory*", **_everywhere(redis))
    return answer


def _everywhere(redis: Any) -> dict[str, str]:
    """What sends a question to each primary of a cluster, where redis-py would ask one of them alone."""
    return {"target_nodes": "primaries"} if redis.is_cluster else {}


_QUESTIONS: Final[tuple[Callable[[Any], Awaitable[Mapping[str, Any]]], ...]] = (_info, _config)


def _limits_in(answer: Mapping[str, Any]) -> RedisLimits:
    """The limits in the answer of a server, or in those of a cluster's nodes.

    Raises:
        LookupError: They are not there.
        ValueError: One is no number.
    """
    nodes = [each for each in answer.values() if isinstance(each, Mapping)] or [answer]
    settings = [{str(name).replace("-", "_"): value for name, value in node.items()} for node in nodes]
    return RedisLimits(
        min(int(each["maxmemory"]) for each in settings),
        tuple(sorted({_policy_in(str(each["maxmemory_policy"])) for each in settings})),
    )


def _policy_in(text: str) -> str:
    return text if _POLICY.fullmatch(text) else "an unknown one"
