"""How work grows with its input: processor time at two sizes in one run, as a ratio."""

import gc
import time
from collections.abc import Callable
from typing import Final

FACTOR: Final = 8
"""The larger size, by the smaller one."""
LIMIT: Final = 24.0
"""Linear work takes eight times as long, quadratic work 64 times."""


def growth_of(work: Callable[[int], object], size: int) -> float:
    """How much longer the work takes for eight times the size; the quickest of several runs each."""
    gc.collect()
    return _quickest(work, FACTOR * size) / _quickest(work, size)


def _quickest(work: Callable[[int], object], size: int) -> float:
    """Processor time of one run. A run is repeated until there is enough of it to be measured."""
    repeat, best = 1, float("inf")
    for _ in range(5):
        taken = _time(work, size, repeat)
        while taken < 0.002 and repeat < 1 << 16:
            repeat *= 2
            taken = _time(work, size, repeat)
        best = min(best, taken / repeat)
    return best


def _time(work: Callable[[int], object], size: int, repeat: int) -> float:
    began = time.process_time()
    for _ in range(repeat):
        work(size)
    return time.process_time() - began
