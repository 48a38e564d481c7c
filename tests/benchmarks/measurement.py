"""Interleaved rounds: in each, every contender works once, in an order drawn anew.

What slows the machine down for a while thus slows all of them, and as ratios are formed within a
round and then their median is taken, it falls out. Processor time counts; wall time stands beside it.
"""

import gc
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Final

_RUN_IN: Final = 3
"""Tokens that a contender validates before each of its batches."""

Work = Callable[[], Awaitable[None]]
"""One batch, ready to go: what it needs lies prepared, so that only the validation is timed."""


@dataclass(frozen=True, slots=True)
class Goal:
    """The goal, the limit included."""

    limit: float
    at_least: bool = False

    def missed_by(self, ratio: float) -> bool:
        """Whether the ratio is worse."""
        return ratio < self.limit if self.at_least else ratio > self.limit

    def __str__(self) -> str:
        return f"at {'least' if self.at_least else 'most'} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Contender:
    """One row of the table.

    Attributes:
        name: What the row is called.
        batch: How many tokens it validates in one round.
        prepare: Makes the work of one round, outside of the clock.
        goal: What its ratio to the floor should be; None where there is no goal.
        floor: The contender that it is compared with; None for the first one of all.
    """

    name: str
    batch: int
    prepare: Callable[[int], Awaitable[Work]]
    goal: Goal | None = None
    floor: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """The measurements of one contender.

    Attributes:
        name: What the row is called.
        figures: Numbers by the title of their column, which tells the unit.
        ratio: What the goal is about, and what is compared with the baseline. As a rule the median
            of the ratios to the floor that were formed within each round.
        quartiles: A quarter of the rounds lies below the one, a quarter above the other.
        goal: What the ratio should be.
        higher_is_better: As throughput is. Costs are not.
    """

    name: str
    figures: Mapping[str, float]
    ratio: float
    quartiles: tuple[float, float] | None = None
    goal: Goal | None = None
    higher_is_better: bool = False

    @property
    def missed(self) -> bool:
        """Whether there is a goal, and it was not reached."""
        return self.goal is not None and self.goal.missed_by(self.ratio)


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the report.

    Attributes:
        name: What the section is called on the command line and in JSON.
        title: What was measured, and what the ratio is.
        rows: The contenders, in order.
    """

    name: str
    title: str
    rows: Sequence[Row]


def row_of(name: str, figures: Mapping[str, float], ratios: Sequence[float], goal: Goal | None = None) -> Row:
    """The row whose ratio is the median of all rounds'."""
    low, middle, high = quantiles(ratios, n=4, method="inclusive")
    better = goal is not None and goal.at_least
    return Row(name, figures, middle, (low, high), goal, higher_is_better=better)


async def measure(contenders: Sequence[Contender], *, rounds: int, warm_up: int = 5) -> list[Row]:
    """One row for each contender; the first one is the floor of all that name none."""
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
            used, passed = await measure_once(contender)
            if turn >= warm_up:
                processor[index].append(used / contender.batch / 1000)
                wall[index].append(passed / contender.batch / 1000)
    gc.unfreeze()
    names = [contender.name for contender in contenders]
    rows = []
    for contender, mine, passed_by in zip(contenders, processor, wall, strict=True):
        floor = processor[names.index(contender.floor) if contender.floor else 0]
        figures = {"processor us": median(mine), "wall us": median(passed_by)}
        ratios = [one / base for one, base in zip(mine, floor, strict=True)]
        rows.append(row_of(contender.name, figures, ratios, contender.goal))
    return rows


async def measure_once(contender: Contender) -> tuple[int, int]:
    """Processor time and wall time of one batch, in nanoseconds."""
    # Off the clock, so that nobody pays for what a neighbour drove out of the processor's caches.
    await (await contender.prepare(_RUN_IN))()
    return await _time(await contender.prepare(contender.batch))


async def _time(work: Work) -> tuple[int, int]:
    """Processor time and wall time of one batch, in nanoseconds."""
    wall, processor = time.perf_counter_ns(), time.process_time_ns()
    await work()
    return time.process_time_ns() - processor, time.perf_counter_ns() - wall
