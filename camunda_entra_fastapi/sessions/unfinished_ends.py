"""Sign-outs that the session store could not be told of: kept, and made up for in the background."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import random
from typing import Final

from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.event_loops import forget_closed_loops
from camunda_entra_fastapi.sweeping import remove_expired
from camunda_entra_fastapi.telemetry import logger

LIMIT: Final = 10_000
"""Sign-outs of each kind that are kept."""
KEPT_FOR: Final = 90 * 86_400.0
"""Seconds for which one is kept: the longest that a session lasts."""
FIRST_PAUSE: Final = 0.25
"""Seconds before the first attempt to make up for it; each further pause is twice as long."""
LONGEST_PAUSE: Final = 1.5
"""Seconds between two attempts at most."""
AT_ONCE: Final = 20
"""Sign-outs that are made up for at once. When none of so many works, the store is still away."""


class UnfinishedEnds:
    """Sign-outs to make up for. Meanwhile they count in this process.

    Handles that nobody could look up may be anybody's invention, and so may be a ``sid``. Each kind has a
    bound of its own, so that a flood of them pushes no known session's sign-out out.

    Args:
        end: Ends the session of a handle.
        end_by_sid: Ends the sessions of a ``sid``.
        clock: Returns seconds since 1970.
        timeout: Seconds for the last attempt, when the store is closed.
    """

    def __init__(
        self,
        end: Callable[[str], Awaitable[object]],
        end_by_sid: Callable[[str], Awaitable[object]],
        clock: Callable[[], float],
        timeout: float,
    ) -> None:
        self._clock = clock
        self._timeout = timeout
        self._sessions: dict[str, float] = {}
        self._handles: dict[str, float] = {}
        self._sids: dict[str, float] = {}
        self._kinds = ((self._sessions, end), (self._handles, end), (self._sids, end_by_sid))
        self._tasks: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}
        self.are_there = False
        """Whether there are any: an attribute, as each request looks at it."""

    def add_session(self, handle: str) -> None:
        """Keep the handle of a session that was to be ended."""
        self._add(self._sessions, handle)

    def add_handle(self, handle: str) -> None:
        """Keep a handle that could not be looked up."""
        if handle not in self._sessions:
            self._add(self._handles, handle)

    def add_sid(self, sid: str) -> None:
        """Keep a ``sid`` whose sessions were to be ended."""
        self._add(self._sids, sid)

    def has_sid(self, sid: str) -> bool:
        """Whether sessions of that ``sid`` are to be ended."""
        return sid in self._sids

    def discard_sid(self, sid: str) -> None:
        """Forget a ``sid`` whose sessions were ended."""
        self._sids.pop(sid, None)
        self._count()

    def covers(self, handle: str, sid: str | None) -> bool:
        """Whether the session of that handle and ``sid`` is to be ended."""
        return handle in self._sessions or handle in self._handles or sid in self._sids

    def resume(self) -> None:
        """Make up for them here where the event loop that did so is gone; nothing where none are there."""
        if self.are_there and not any(map(_is_alive, list(self._tasks.items()))):
            loop = asyncio.get_running_loop()
            forget_closed_loops(self._tasks)
            self._tasks[loop] = loop.create_task(self._keep_trying(), name="camunda_entra sign-outs")

    def sweep(self) -> None:
        """Forget those whose sessions are over by themselves."""
        for kept, _ in self._kinds:
            remove_expired(kept, float, self._clock())
        self._count()

    async def close(self) -> None:
        """Try once more on this event loop, in the time of one call."""
        task = self._tasks.pop(asyncio.get_running_loop(), None)
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if self.are_there:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timeout):
                    await self._try_all()
        if (count := self._count()) and not any(map(_is_alive, list(self._tasks.items()))):
            logger.warning(
                "%d sign-outs could not be made up for before this process ended: the session store is still "
                "away. When it is back, other replicas let these sessions in until their time is over",
                count,
            )

    def _add(self, kept: dict[str, float], text: str) -> None:
        if not self.are_there:
            logger.warning(
                "The session store could not be told of a sign-out. The session is over in this process, and "
                "will be so in the store as soon as it answers. Until then, other replicas may let it in"
            )
        if len(kept) >= LIMIT and text not in kept:
            kept.pop(next(iter(kept)), None)
        kept[text] = self._clock() + KEPT_FOR
        self.are_there = True
        self.resume()

    def _count(self) -> int:
        count = sum(len(kept) for kept, _ in self._kinds)
        self.are_there = count > 0
        return count

    async def _keep_trying(self) -> None:
        pause = FIRST_PAUSE
        while self.are_there:
            await asyncio.sleep(pause * (0.5 + random() / 2))  # noqa: S311 - replicas shall not try in step
            pause = FIRST_PAUSE if await self._try_all() else min(2 * pause, LONGEST_PAUSE)

    async def _try_all(self) -> bool:
        """Try all of them, until so many at once have failed; whether any was made up for."""
        done = 0
        waiting = [(kept, text, end) for kept, end in self._kinds for text in list(kept)]
        for start in range(0, len(waiting), AT_ONCE):
            some = waiting[start : start + AT_ONCE]
            outcomes = await asyncio.gather(*(self._try(*each) for each in some))
            done += sum(outcomes)
            if not any(outcomes):
                break
        if done and not self._count():
            logger.info("All sign-outs that the session store could not be told of have been made up for")
        return done > 0

    async def _try(self, kept: dict[str, float], text: str, end: Callable[[str], Awaitable[object]]) -> bool:
        try:
            await end(text)
        except SessionsUnavailable:
            if (until := kept.pop(text, None)) is not None:
                kept[text] = until  # behind all others, which may have a node of a cluster that is there
            return False
        kept.pop(text, None)
        return True


def _is_alive(entry: tuple[asyncio.AbstractEventLoop, "asyncio.Task[None]"]) -> bool:
    loop, task = entry
    return loop.is_running() and not task.done()
