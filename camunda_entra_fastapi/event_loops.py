"""What is kept for each event loop: tasks and connections work on no other, and threads have their own."""

import asyncio
from typing import Any


def forget_closed_loops(by_loop: dict[asyncio.AbstractEventLoop, Any]) -> None:
    """Remove what belongs to event loops that are closed: nobody can go on with it, or close it."""
    for closed in [loop for loop in list(by_loop) if loop.is_closed()]:
        by_loop.pop(closed, None)  # other threads may remove it in the same moment
