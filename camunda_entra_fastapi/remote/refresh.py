"""A value kept fresh. Knows neither HTTP nor Entra: it is given a function that loads the value.

How it behaves, in one place:

- One load at a time. All who wait share its outcome, failure included, and none who gives up
  waiting cancels it for the others.
- A value that was loaded once is never lost: when loading fails, the last one stays.
- A failed load is not tried again before a pause, which doubles up to a limit. Who has no value
  then gets the same failure at once.
- Forced loads (for a key nobody has seen) wait for no pause but have a budget of their own, so
  that whoever makes them up can neither flood Entra nor starve the planned loads.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from random import SystemRandom
from typing import Final, Generic, Never, TypeVar

from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.telemetry import logger, refreshes

T = TypeVar("T")

FORCED_LOADS: Final = 5
FORCED_WINDOW: Final = 60.0
"""Seconds. Never more than ``FORCED_LOADS`` forced loads begin within this time."""

FRUITLESS_LOADS: Final = FORCED_LOADS
FRUITLESS_PAUSE: Final = FORCED_WINDOW / FORCED_LOADS
"""After so many forced loads in a row that found nothing, seconds to wait before each further one.

A client that keeps sending an unknown key would use the budget up within a moment of every minute.
Spread out like this, from the second minute on a real rollover is noticed within the pause.
"""

FIRST_BACKOFF: Final = 1.0
MAX_BACKOFF: Final = 15.0
"""Seconds between two attempts while loading fails."""

_JITTER: Final = 0.1
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class _Load(Generic[T]):
    """A load under way. A task belongs to one event loop; tests and threads have several."""

    task: "asyncio.Task[T]"
    loop: asyncio.AbstractEventLoop

    def joinable(self) -> bool:
        return self.loop is asyncio.get_running_loop() and not self.task.done()


class RefreshedValue(Generic[T]):
    """A value, when to load it again, and what to do when that fails.

    Args:
        name: What it is, for logs and metrics.
        load: Loads it; raises FetchFailed when it cannot.
        lifetime: Seconds until it is refreshed in the background, less up to a tenth by chance,
            so that replicas started together do not ask together.
        monotonic: The clock for all of this, in seconds.
    """

    def __init__(
        self, name: str, load: Callable[[], Awaitable[T]], *, lifetime: float, monotonic: Callable[[], float]
    ) -> None:
        self._name = name
        self._load = load
        self._lifetime = lifetime
        self._monotonic = monotonic
        self._value: T | None = None
        self._in_progress: _Load[T] | None = None
        self._failure: FetchFailed | None = None
        self._failures = 0
        self._due_at = -math.inf
        self._forced: deque[float] = deque(maxlen=FORCED_LOADS)
        self._fruitless = 0

    def current(self) -> T | None:
        """The last good value. A look at one that has grown old starts a refresh in the background."""
        if self._value is not None and self._monotonic() >= self._due_at:
            self._start()
        return self._value

    @property
    def due_in(self) -> float:
        """Seconds until the next planned load, zero when it is due."""
        return max(0.0, self._due_at - self._monotonic())

    async def get(self) -> T:
        """The value; loaded first when there is none.

        Raises:
            FetchFailed: There is none, and loading fails or has failed a moment ago.
        """
        value = self.current()
        if value is not None:
            return value
        if self._failure is not None and self.due_in > 0:
            # A new error each time: one that is raised again and again collects tracebacks.
            raise FetchFailed(self._failure.message, self._failure.code, fault=self._failure.fault)
        return await self._wait(self._start())

    async def refresh(self) -> T:
        """Load now, or join the load that is under way. For start-up and background refreshes.

        Raises:
            FetchFailed: Loading failed; the last good value is still there.
        """
        return await self._wait(self._start())

    async def keep_fresh(self) -> Never:
        """Refresh whenever it is due, for ever. Run as a task, it makes idle services notice too."""
        while True:
            await asyncio.sleep(self.due_in)
            if self.due_in == 0:
                with suppress(FetchFailed):
                    await self.refresh()

    async def force_refresh(self, found: Callable[[T], bool]) -> bool:
        """Load until ``found`` says yes to the value: the load under way, then a fresh one.

        A load that began before somebody asked may bring what was true before, so it is
        followed by one more. Returns whether the value has what was looked for; it never raises.
        """
        if (load := self._in_progress) is not None and load.joinable() and await self._check(load, found):
            return True
        if (load := self._in_progress) is not None and load.joinable():
            return await self._check(load, found)  # begun by another who waited like us
        if not self._may_force():
            return False
        # Both are counted before, so that failing and going away count too.
        self._forced.append(self._monotonic())
        self._fruitless += 1
        return await self._check(self._start(), found)

    def _may_force(self) -> bool:
        now = self._monotonic()
        if len(self._forced) == FORCED_LOADS and now - self._forced[0] < FORCED_WINDOW:
            return False
        return self._fruitless < FRUITLESS_LOADS or now - self._forced[-1] >= FRUITLESS_PAUSE

    async def _check(self, load: _Load[T], found: Callable[[T], bool]) -> bool:
        try:
            is_found = found(await self._wait(load))
        except FetchFailed:
            return False
        if is_found:
            self._fruitless = 0
        return is_found

    def _start(self) -> _Load[T]:
        """The load under way on this event loop, or a new one."""
        if self._in_progress is None or not self._in_progress.joinable():
            loop = asyncio.get_running_loop()
            self._in_progress = _Load(loop.create_task(self._run(), name=f"camunda_entra {self._name}"), loop)
            self._in_progress.task.add_done_callback(_retrieve)
        return self._in_progress

    async def _wait(self, load: _Load[T]) -> T:
        # Not shield(): from Python 3.14 on it reports a failure as unhandled when one waiter has left.
        await asyncio.wait((load.task,))
        return load.task.result()

    async def _run(self) -> T:
        try:
            value = await self._load()
        except Exception as error:
            failure = self._fail(error)
            if failure is error:
                raise
            raise failure from error
        self._publish(value)
        return value

    def _publish(self, value: T) -> None:
        # A recovery is told as loud as the fault was.
        logger.log(logging.WARNING if self._failure else logging.INFO, "Entra's %s fetched", self._name)
        refreshes.add(1, {"document": self._name, "outcome": "succeeded"})
        self._value, self._failure, self._failures = value, None, 0
        self._due_at = self._monotonic() + self._lifetime * (1 - _JITTER * _random.random())

    def _fail(self, error: Exception) -> FetchFailed:
        failure = error if isinstance(error, FetchFailed) else FetchFailed(f"{type(error).__name__} raised")
        backoff = min(MAX_BACKOFF, FIRST_BACKOFF * 2**self._failures)
        self._failure, self._failures = failure, min(self._failures + 1, 10)
        self._due_at = self._monotonic() + backoff
        logger.warning(
            "Entra's %s could not be fetched (%s); %s, next attempt in %.0f s",
            self._name,
            failure.message,
            "the last known ones stay in use" if self._value is not None else "requests with tokens get 503",
            backoff,
            exc_info=None if failure is error else error,
        )
        refreshes.add(1, {"document": self._name, "outcome": "failed"})
        return failure


def _retrieve(task: "asyncio.Task[T]") -> None:
    """Look at the outcome, so that asyncio does not complain when nobody waited for a failure."""
    if not task.cancelled():
        task.exception()
