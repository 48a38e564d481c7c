"""Waiting for something to happen: never for an amount of time, which a busy machine makes too short."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 60
"""Seconds until a test gives up. No test expects to wait for so long; machines may be busy."""


def wait_for(condition: Callable[[], bool], told: Callable[[], str] = lambda: "it takes too long") -> None:
    """Wait until it holds, which a process or another thread brings about.

    Args:
        condition: What is waited for.
        told: What is known when it does not come about.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.02)


async def until(condition: Callable[[], bool]) -> None:
    """The same, while others of this event loop go on."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        await asyncio.sleep(0.01)
