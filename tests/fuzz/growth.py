"""How work grows with the length of its input: in steps, in memory, and in time where steps are not seen.

A step is a line of Python. It does not see work in C, such as a regular expression's, hence the time.
"""

import sys
import time
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

Work = Callable[[str], object]

MOST: Final = 2.6
"""Times as much for twice the input. Linear work takes 2 times, quadratic work 4."""
MOST_TIME: Final = 10.0
"""Times as much time for four times the input. Linear work takes 4 times, quadratic work 16."""
FEW_STEPS: Final = 300
LITTLE_MEMORY: Final = 64 * 1024
LITTLE_TIME: Final = 0.02
"""What is no growth yet: on 32 KiB, quadratic work takes several times as long."""
SMALL: Final = 1024
LARGE: Final = 16 * 1024
SIZES: Final = (1024, 4096, 8192)
"""Those whose time is compared to that of four times as much; quadratic work is found at a small one."""


def steps_of(work: Work, text: str) -> int:
    """How many lines of Python run."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work(text)
    finally:
        sys.settrace(before)
    return count


def memory_of(work: Work, text: str) -> int:
    """How many bytes are held at the most."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        work(text)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def seconds_of(work: Work, text: str, repeats: int) -> float:
    """Seconds of this thread's processor time, of the quickest time."""
    best = float("inf")
    for _ in range(repeats):
        began = time.thread_time()
        work(text)
        best = min(best, time.thread_time() - began)
        if best > 0.3:  # no repetition makes that quick
            break
    return best


def check_growth(work: Work, at: Callable[[int], str]) -> float:
    """Assert that work on twice the input is not much more than twice the work; gives the ratio of steps.

    Args:
        work: What is measured.
        at: Gives an input of about that many characters.
    """
    work(at(64))  # what is done once only, such as compiling an expression, is done
    small, twice = (steps_of(work, at(size)) for size in (SMALL, 2 * SMALL))
    assert twice <= MOST * small + FEW_STEPS, f"{small} steps become {twice} when the input doubles"
    large, double = (memory_of(work, at(size)) for size in (LARGE, 2 * LARGE))
    assert double <= MOST * large + LITTLE_MEMORY, f"{large} bytes become {double} when the input doubles"
    check_time(work, at)
    return twice / max(small, FEW_STEPS)


def check_time(work: Work, at: Callable[[int], str]) -> None:
    """Assert the same of the time: on four times the input, not much more than four times as much."""
    for size in SIZES:
        short, long = at(size), at(4 * size)
        for repeats in (1, 3, 10):  # a machine that is busy with something else gets more chances
            after = seconds_of(work, long, repeats)
            before = 0.0 if after <= LITTLE_TIME else seconds_of(work, short, repeats)
            if after <= max(LITTLE_TIME, MOST_TIME * before):
                break
        else:
            raise AssertionError(
                f"{before:.3f} seconds become {after:.3f} on four times the input, {4 * size}"
            )
