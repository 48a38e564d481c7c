"""A request by session cookie, by where sessions are kept, beside the build that asked by redis-py.

Over HTTP, as in ``over_http``: uvicorn with uvloop and httptools, loaded by wrk. Redis is a real one on this
machine, whose processor time is its own.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from camunda_entra_fastapi import EntraSettings
from camunda_entra_fastapi.testing import EntraEmulator
from tests.benchmarks.builds import PACKAGE, checkout
from tests.benchmarks.measurement import Goal, Row, row_of
from tests.benchmarks.over_http import NOBODY, Running, bearer, entra, signed_in
from tests.benchmarks.serving import ROOT, service, wait_for
from tests.sessions.conftest import RedisServer

BEFORE: Final = "7e84651"
"""The last build that asked by redis-py."""
GUARD: Final = "ours with sign-in"
LEASE: Final = {"CAMUNDA_ENTRA_SESSION_LEASE": "2"}

ASKED: Final = "redis, asked each time"
LEASED: Final = "redis, with a lease"
MEMORY: Final = "memory"
ASKED_BEFORE: Final = f"redis, asked each time, by build {BEFORE}"

GOALS: Final = {ASKED: Goal(0.6, at_least=True)}
"""Processor time of the floor, by that of the contender."""
GOAL_OF_LEASE: Final = Goal(0.9, at_least=True)
"""Processor time of the store ``memory``, by that of the contender."""


def session_stores(rounds: int, seconds: int) -> list[Row]:
    """One row for each store, and two for what a session takes in Redis."""
    chance = Random(3)
    results: dict[str, list[Running]] = {}
    sizes: dict[str, list[int]] = {}
    with entra() as emulator, checkout(BEFORE, PACKAGE, "tests") as before:
        for _ in range(rounds):
            with _running(emulator, before, sizes) as running:
                for contender in chance.sample(running, len(running)):
                    contender.work_beside_floor(seconds)
            for contender in running:
                results.setdefault(contender.name, []).append(contender)
    rows = [_row(name, same) for name, same in results.items()]
    if LEASED in results:
        pairs = zip(results[MEMORY], results[LEASED], strict=True)
        ratios = [_by_cost(leased) / _by_cost(memory) for memory, leased in pairs]
        rows.append(row_of(f"{LEASED}, by {MEMORY}", {"by cost": median(ratios)}, ratios, GOAL_OF_LEASE))
    bytes_before = median(sizes.get(ASKED_BEFORE, sizes[ASKED]))
    return rows + [
        row_of(
            f"bytes of a session in {name}",
            {"bytes": median(found)},
            [size / bytes_before for size in found],
            Goal(1) if name == ASKED else None,
        )
        for name, found in sizes.items()
    ]


@contextmanager
def _running(
    emulator: EntraEmulator, before: Path | None, sizes: dict[str, list[int]]
) -> Iterator[Sequence[Running]]:
    """All contenders, somebody signed in at each."""
    contenders: dict[str, dict[str, str]] = {"cookie": {}, MEMORY: {}, ASKED: {}}
    if "session_lease" in EntraSettings.model_fields:
        contenders[LEASED] = LEASE
    if before is not None:
        contenders[ASKED_BEFORE] = {}
    with ExitStack() as stack:
        nobody = stack.enter_context(service("nobody", emulator.environment()))
        wait_for(nobody, {})
        floor: Running | None = None
        running = []
        for name, settings in contenders.items():
            redis = stack.enter_context(_redis()) if name.startswith("redis") else None
            chosen = {"CAMUNDA_ENTRA_SESSION_STORE": redis.url if redis else name, **settings}
            build = before if before is not None and name == ASKED_BEFORE else ROOT
            one = stack.enter_context(service(GUARD, emulator.environment() | chosen, build=build))
            wait_for(one, bearer(emulator))
            cookie = signed_in(one, emulator)
            wait_for(one, cookie)
            if floor is None:
                floor = Running(f"{NOBODY}, sent the cookie", nobody, cookie)
                running.append(floor)
            running.append(Running(name, one, cookie, floor, GOALS.get(name)))
            if redis:
                sizes.setdefault(name, []).append(_size_of_a_session(redis))
        yield running


def _row(name: str, same: Sequence[Running]) -> Row:
    figures = {
        "requests/s": median(each.sample.rate for each in same),
        "processor us": median(each.sample.cost for each in same) * 1e6,
        "by requests/s": median(each.sample.rate / each.beside.rate for each in same),
    }
    return row_of(name, figures, [_by_cost(each) for each in same], same[0].goal or Goal(0, at_least=True))


def _by_cost(one: Running) -> float:
    return one.beside.cost / one.sample.cost


def _size_of_a_session(redis: RedisServer) -> int:
    """Bytes that the server takes for all that one sign-in left in it."""
    with redis.client() as client:
        return sum(client.memory_usage(key) for key in client.keys("*:session:*") + client.keys("*:sid:*"))


@contextmanager
def _redis() -> Iterator[RedisServer]:
    with TemporaryDirectory() as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        server.stop()
