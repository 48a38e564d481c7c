"""Sessions in a Redis: whether it answers, takes what sessions need, and what it does when it is full."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

from camunda_entra_fastapi.cli.findings import Finding, State, split_remedy
from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.sessions.redis_url import read_redis_url

_MEBIBYTE: Final = 1024**2
_TAKES_NO_WRITES: Final = "takes no writes"


async def findings_of_redis(store: Any, url: str) -> AsyncIterator[Finding]:
    """What there is to know of a store in a Redis, which is closed afterwards.

    Args:
        store: A ``RedisStore``; redis-py may not be installed, so the class is not named.
        url: The URL of the settings.
    """
    parts = read_redis_url(url)
    assert parts is not None  # noqa: S101 - the settings accepted it
    host = parts.authority
    try:
        await store.check()
        await store.try_commands()
        yield Finding("sessions", State.OK, f"in the Redis at {host}, which answers")
        yield _finding_of_limits(await _limits_of(store), host)
    except SessionsUnavailable as error:
        failure = _failure_of(error)
        if "the user lacks " in failure:
            right = failure.rpartition(" ")[2]
            cause = f"The Redis at {host} does not let its user do what sessions need: {failure}."
            remedy = f"Give the user that right, for example: redis-cli ACL SETUSER <user> '{right}'"
        elif _TAKES_NO_WRITES in error.message:
            cause = f"The session store at {host} {_TAKES_NO_WRITES}: {failure}."
            remedy = split_remedy(error.message)[1]
        else:
            cause = f"The session store at {host} does not answer: {failure}."
            remedy = (
                "Correct host, port, user and password in CAMUNDA_ENTRA_SESSION_STORE (rediss:// for TLS), "
                "and see that Redis runs and lets this machine in."
            )
        yield Finding("sessions", State.WRONG, cause, remedy, error.code)
    finally:
        await store.close()


async def _limits_of(store: Any) -> Any:
    """What bounds the store; None where it does not say. It answered before, so that is no fault."""
    with suppress(SessionsUnavailable):
        return await store.limits()
    return None


def _finding_of_limits(limits: Any, host: str) -> Finding:
    """The finding about what bounds the Redis, and what makes room when it is full."""
    if limits is None:
        return Finding(
            "eviction", State.SKIPPED, "not looked at, as the Redis does not say it; its user may lack +info"
        )
    evicting = [policy for policy in limits.policies if policy != "noeviction"]
    if evicting:
        return Finding(
            "eviction",
            State.NOTE,
            f"When the Redis at {host} is full, it signs people out: its maxmemory-policy is "
            f"{', '.join(evicting)}.",
            "Set maxmemory-policy to noeviction, so that nobody new signs in then, and all others stay.",
            "redis_evicts",
            "noeviction",
            ", ".join(evicting),
        )
    if not limits.max_bytes:
        return Finding(
            "eviction",
            State.NOTE,
            f"Nothing bounds the Redis at {host}: its maxmemory is 0.",
            "Set maxmemory to twice of what you expect; ten thousand sign-ins are 40 MB.",
            "redis_unbounded",
        )
    return Finding(
        "eviction",
        State.OK,
        f"none: it keeps {limits.max_bytes // _MEBIBYTE} MiB, and refuses new sign-ins when it is full",
    )


def _failure_of(error: SessionsUnavailable) -> str:
    """The kind of failure, without its details: passwords may be in them."""
    return split_remedy(error.message)[0].rpartition(": ")[2].removesuffix(".")
