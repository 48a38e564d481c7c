"""Interleaved rounds: in each, every contender works once, in an order drawn anew.

What slows the machine down for a while thus slows all of them, and as ratios are formed within a
round and then their median is taken, it falls out. Processor time counts; wall time stands beside it.
"""

import gc
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Final

_RUN_IN: Final = 3
"""Tokens that a contender judges before each of its batches."""

Work = Callable[[], Awaitable[None]]
"""One batch, ready to go: what it needs lies prepared, so that only the judging is timed."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One row of the table.

    Attributes:
        name: What the row is called.
        batch: How many tokens it judges in one round.
        prepare: Makes the work of one round, outside of the clock.
        goal: The highest ratio to the floor that is good enough; None where there is no goal.
    """

    name: str
    batch: int
    prepare: Callable[[int], Awaitable[Work]]
    goal: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one contender: microseconds for one token, and how that compares."""

    name: str
    processor: float
    wall: float
    ratio: float
    """Processor time by the floor's of the same round, the median of all rounds."""
    ratio_low: float
    ratio_high: float
    """A quarter of the rounds lies below the one, a quarter above the other."""
    goal: float | None

    @property
    def missed(self) -> bool:
        """Whether there is a goal, and it was not reached."""
        return self.goal is not None and self.ratio > self.goal


async def measure(contenders: Sequence[Contender], *, rounds: int, warm_up: int = 5) -> list[Row]:
    """One row for each contender; the first one is the floor."""
    chance = random.Random(1)
    processor: list[list[float]] = [[] for _ in contenders]
    wall: list[list[float]] = [[] for _ in contenders]
    gc.collect()
    gc.freeze()  # thousands of tokens lie prepared; a service has no such heap to look through
    for turn in range(warm_up + rounds):
        # The collector stays on, as in a service, but finds nothing that another round left behind.
        gc.collect()
        for index in chance.sample(range(len(contenders)), len(contenders)):
            contender = contenders[index]
            # Off the clock, so that nobody pays for what a neighbour drove out of the processor's caches.
            await (await contender.prepare(_RUN_IN))()
            used, passed = await _time(await contender.prepare(contender.batch))
            if turn >= warm_up:
                processor[index].append(used / contender.batch / 1000)
                wall[index].append(passed / contender.batch / 1000)
    gc.unfreeze()
    return [
        _row(contender, processor[index], wall[index], processor[0])
        for index, contender in enumerate(contenders)
    ]


async def _time(work: Work) -> tuple[int, int]:
    """Processor time and wall time of one batch, in nanoseconds."""
    wall, processor = time.perf_counter_ns(), time.process_time_ns()
    await work()
    return time.process_time_ns() - processor, time.perf_counter_ns() - wall


def _row(contender: Contender, processor: list[float], wall: list[float], floor: list[float]) -> Row:
    ratios = [mine / base for mine, base in zip(processor, floor, strict=True)]
    low, middle, high = quantiles(ratios, n=4, method="inclusive")
    return Row(contender.name, median(processor), median(wall), middle, low, high, contender.goal)
