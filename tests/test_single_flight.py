"""How concurrent callers share one call."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from camunda_entra_fastapi.single_flight import SingleFlight


class Calls:
    """A function to call that ends when the test says so, and counts how often it began."""

    def __init__(self) -> None:
        self.count = 0
        self.end = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        """The number of this call."""
        self.count += 1
        number = self.count
        await self.end.wait()
        if self.error is not None:
            raise self.error
        return number


async def started(*coroutines: Coroutine[Any, Any, int]) -> "list[asyncio.Task[int]]":
    """Tasks that have begun and wait."""
    tasks = [asyncio.create_task(each) for each in coroutines]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_concurrent_callers_share_one_call() -> None:
    """Each key has its own, and a later caller a new one."""
    flights: SingleFlight[str, int] = SingleFlight("test")
    calls = Calls()
    tasks = await started(*(flights.run(key, calls) for key in ("a", "a", "b", "a")))
    calls.end.set()
    assert await asyncio.gather(*tasks) == [1, 1, 2, 1]
    assert await flights.run("a", calls) == 3


async def test_a_failure_is_shared_as_well() -> None:
    """All callers get it; the next call is a new one."""
    flights: SingleFlight[str, int] = SingleFlight("test")
    calls = Calls()
    tasks = await started(flights.run("a", calls), flights.run("a", calls))
    calls.error = ValueError("no")
    calls.end.set()
    assert [type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)] == [ValueError] * 2
    assert flights.in_progress("a") is None
    assert calls.count == 1


async def test_a_caller_that_leaves_cancels_nothing() -> None:
    """The others still get the outcome."""
    flights: SingleFlight[str, int] = SingleFlight("test")
    calls = Calls()
    leaving, staying = await started(flights.run("a", calls), flights.run("a", calls))
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    calls.end.set()
    assert await staying == 1
    assert calls.count == 1


async def test_a_failure_that_nobody_waits_for_is_no_complaint() -> None:
    """Asyncio reports exceptions that were never retrieved."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    flights: SingleFlight[str, int] = SingleFlight("test")
    calls = Calls()
    calls.error = ValueError("no")
    calls.end.set()
    flights.start("a", calls)
    await started()
    assert flights.in_progress("a") is None
    assert complaints == []


def test_a_call_of_a_closed_loop_is_forgotten() -> None:
    """A loop that is closed without cancelling its tasks does not stay in memory."""
    flights: SingleFlight[str, int] = SingleFlight("test")
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()

    async def begin() -> "asyncio.Task[int]":
        return flights.start("a", Calls())

    abandoned = first.run_until_complete(begin())
    abandoned._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio would report it
    first.close()

    async def use() -> int:
        calls = Calls()
        calls.end.set()
        return await flights.run("a", calls)

    assert second.run_until_complete(use()) == 1
    second.close()
    assert flights._tasks == {}
