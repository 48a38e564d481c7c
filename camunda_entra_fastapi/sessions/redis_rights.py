"""The rights that the user of a Redis needs: each command tried once, and a missing one named."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

TRIAL_LIFETIME: Final = 5_000
"""Milliseconds after which the server drops what a trial left."""

_COMMAND: Final = re.compile(r" the '([a-z]{1,24}(?:\|[a-z-]{1,24})?)' command")
_KEY: Final = re.compile(r"o permissions to access (?:a key|one of the keys used as arguments)")


def missing_right(refusal: str) -> str:
    """What a server's ``NOPERM`` asks for, in words of our own; empty where it does not tell.

    Nothing of the text is repeated but the name of a command: elsewhere it names users, or what others sent.
    """
    command = _COMMAND.search(refusal)
    if command is not None:
        return f"+{command[1]}"
    return "~camunda_entra:*" if _KEY.search(refusal) else ""


def trial_of(key: str) -> list[Callable[[Any], Awaitable[Any]]]:
    """Each command that sessions need, for a key that nobody else uses; nothing of it stays."""
    index = f"{key}:index"
    return [
        lambda redis: redis.ping(),
        lambda redis: redis.set(key, b"", nx=True, px=TRIAL_LIFETIME),
        lambda redis: redis.get(key),
        lambda redis: redis.delete(key),
        lambda redis: redis.zadd(index, {"": 1}),
        lambda redis: redis.pexpire(index, TRIAL_LIFETIME),
        lambda redis: redis.zrange(index, 0, -1, withscores=True),
        lambda redis: redis.zremrangebyscore(index, "-inf", 0),
        lambda redis: redis.zrem(index, ""),
    ]
