"""A value that is refreshed. Knows no HTTP: it gets a function that loads the value from Entra.

The rules:

- One load at a time (single flight). All callers share its outcome, failure included. A caller that
  is cancelled does not cancel the load for the others.
- A value that was loaded is never lost: when loading fails, the last one stays.
- After a failed load there is a backoff, which doubles up to a limit. A caller without a value gets
  the same failure at once meanwhile.
- A failure is logged when it begins and when it changes, and every ten minutes while it lasts.
- Parts of a value may expire before the rest. Then it is loaded again, and whatever comes of that, the
  expired parts are gone.
- Forced loads (for an unknown key) wait for no backoff but have a limit of their own, so that
  clients who make up keys can neither flood Entra nor delay the planned loads.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import SystemRandom
from typing import Final, Generic, Never, TypeVar

from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.log_records import DOCTOR, Trouble, log_fields
from camunda_entra_fastapi.remote.aadsts import MISCONFIGURED, code_of, is_own_fault
from camunda_entra_fastapi.single_flight import SingleFlight, outcome_of
from camunda_entra_fastapi.telemetry import logger, refreshes

T = TypeVar("T")

FORCED_LOADS: Final = 5
FORCED_WINDOW: Final = 60.0
"""Seconds in which at most ``FORCED_LOADS`` forced loads begin."""

FRUITLESS_LOADS: Final = FORCED_LOADS
FRUITLESS_PAUSE: Final = FORCED_WINDOW / FORCED_LOADS
"""After this many forced loads in a row that found nothing, seconds to wait before each further one.

A client that keeps sending an unknown key would use up the limit at the beginning of every minute.
Spread out like this, a real rollover is noticed within the pause from the second minute on.
"""

FIRST_BACKOFF: Final = 1.0
MAX_BACKOFF: Final = 15.0
"""Seconds between two attempts while loading fails."""

_JITTER: Final = 0.1
_random = SystemRandom()


class RefreshedValue(Generic[T]):
    """A value, when it is loaded again, and what happens when that fails.

    Args:
        name: Its name, for logs and metrics.
        load: Loads it; raises FetchFailed when it cannot.
        lifetime: Seconds until it is refreshed in the background, less a random part up to a tenth,
            so that replicas that start together do not load together.
        monotonic: Returns seconds of a monotonic clock.
        expire: Returns a value without what has expired of it, the same object if nothing has, and the
            time when something will; infinity for never.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[], Awaitable[T]],
        *,
        lifetime: float,
        monotonic: Callable[[], float],
        expire: Callable[[T], tuple[T, float]] = lambda value: (value, math.inf),
    ) -> None:
        self._name = name
        self._load = load
        self._lifetime = lifetime
        self._monotonic = monotonic
        self._expire = expire
        self._value: T | None = None
        self._loads: SingleFlight[str, T] = SingleFlight(name)
        self._failure: FetchFailed | None = None
        self._trouble = Trouble(monotonic)
        self._failures = 0
        self._due_at = -math.inf
        self._forced: deque[float] = deque(maxlen=FORCED_LOADS)
        self._fruitless = 0

    def current(self) -> T | None:
        """The last good value. If it is due, this starts a refresh in the background."""
        if self._value is not None and self._monotonic() >= self._due_at:
            self._loads.start(self._name, self._run)
        return self._value

    @property
    def known(self) -> T | None:
        """The last good value, however old; this starts nothing."""
        return self._value

    @property
    def due_in(self) -> float:
        """Seconds until the next planned load, zero when it is due."""
        return max(0.0, self._due_at - self._monotonic())

    async def get(self) -> T:
        """The value; loaded first when there is none.

        Raises:
            FetchFailed: There is none, and loading fails or has just failed.
        """
        value = self.current()
        if value is not None:
            return value
        if self._failure is not None and self.due_in > 0:
            # A new error each time: an error that is raised repeatedly collects tracebacks.
            last = self._failure
            raise FetchFailed(last.message, last.code, fault=last.fault, refusal=last.refusal)
        return await self._loads.run(self._name, self._run)

    async def refresh(self) -> T:
        """Load now, or wait for the load in progress. For start-up and background refreshes.

        Raises:
            FetchFailed: Loading failed; the last good value is still there.
        """
        return await self._loads.run(self._name, self._run)

    async def keep_fresh(self) -> Never:
        """Refresh whenever it is due, for ever. As a task, it also refreshes in idle services."""
        while True:
            await asyncio.sleep(self.due_in)
            if self.due_in == 0:
                with suppress(FetchFailed):
                    await self.refresh()

    async def force_refresh(self, found: Callable[[T], bool]) -> bool:
        """Load until ``found`` is true of the value: the load in progress, then a new one.

        A load that began before this call may bring an older state, so it is followed by one more.
        Returns whether ``found`` was true; it never raises.
        """
        if (load := self._loads.in_progress(self._name)) is not None and await self._check(load, found):
            return True
        if (load := self._loads.in_progress(self._name)) is not None:
            return await self._check(load, found)  # begun by another caller that waited like this one
        if not self._may_force():
            return False
        # Both are counted before, so that failed and cancelled loads count, too.
        self._forced.append(self._monotonic())
        self._fruitless += 1
        return await self._check(self._loads.start(self._name, self._run), found)

    @property
    def is_spent(self) -> bool:
        """Whether there is nothing to wait for: no load is in progress, and none may be forced now."""
        return self._loads.in_progress(self._name) is None and not self._may_force()

    def _may_force(self) -> bool:
        now = self._monotonic()
        if len(self._forced) == FORCED_LOADS and now - self._forced[0] < FORCED_WINDOW:
            return False
        return self._fruitless < FRUITLESS_LOADS or now - self._forced[-1] >= FRUITLESS_PAUSE

    async def _check(self, load: "asyncio.Task[T]", found: Callable[[T], bool]) -> bool:
        try:
            is_found = found(await outcome_of(load))
        except FetchFailed:
            return False
        if is_found:
            self._fruitless = 0
        return is_found

    async def _run(self) -> T:
        if self._value is not None:
            self._value, _ = self._expire(self._value)
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
        # A recovery is logged so that whoever saw the failure sees it, too.
        level = logging.WARNING if self._trouble.end() else logging.INFO
        logger.log(level, "Entra's %s fetched", self._name)
        refreshes.add(1, {"document": self._name, "outcome": "succeeded"})
        self._failure, self._failures = None, 0
        self._value, expires_at = self._expire(value)
        due_at = self._monotonic() + self._lifetime * (1 - _JITTER * _random.random())
        self._due_at = min(due_at, expires_at)

    def _fail(self, error: Exception) -> FetchFailed:
        failure = error if isinstance(error, FetchFailed) else FetchFailed(f"{type(error).__name__} raised")
        backoff = min(MAX_BACKOFF, FIRST_BACKOFF * 2**self._failures)
        self._failure, self._failures = failure, min(self._failures + 1, 10)
        self._due_at = self._monotonic() + backoff
        refreshes.add(1, {"document": self._name, "outcome": "failed"})
        self._log(failure, backoff, None if failure is error else error)
        return failure

    def _log(self, failure: FetchFailed, backoff: float, unexpected: Exception | None) -> None:
        """Log the failure once: not for another value that needs this one, and not each time it repeats."""
        if failure.is_logged:
            return
        failure.is_logged = True
        is_own = failure.code in MISCONFIGURED or is_own_fault(failure.refusal)
        is_news = self._trouble.is_news(failure.message if failure.fault == "failed" else failure.fault)
        logger.log(
            (logging.ERROR if is_own else logging.WARNING) if is_news else logging.DEBUG,
            "Entra's %s could not be fetched (%s); %s, next attempt in %.0f s%s",
            self._name,
            failure.message,
            "the last known ones stay in use" if self._value is not None else "requests with tokens get 503",
            backoff,
            f". {DOCTOR}" if is_own else "",
            exc_info=unexpected if is_news else None,
            extra=log_fields(code=failure.unavailable_code, aadsts=code_of(failure.refusal)),
        )
