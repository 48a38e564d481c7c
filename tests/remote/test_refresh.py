"""``RefreshedValue``: when a value is loaded, by whom, and what happens when that fails."""

import asyncio
import gc
import logging
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.remote.refresh import (
    FIRST_BACKOFF,
    FORCED_LOADS,
    FORCED_WINDOW,
    FRUITLESS_LOADS,
    FRUITLESS_PAUSE,
    MAX_BACKOFF,
    RefreshedValue,
)
from tests.conftest import FakeClock
from tests.remote.virtual_time import now, run

LIFETIME: Final = 3600.0
LOGGER: Final = "camunda_entra_fastapi"


class Loads:
    """A load under the test's control: each call waits until the test gives its outcome."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[str]] = []
        self.count = 0

    async def __call__(self) -> str:
        self.count += 1
        outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.waiting.append(outcome)
        return await outcome

    async def succeed(self, value: str) -> None:
        """Let the oldest load that waits bring the value."""
        self.waiting.pop(0).set_result(value)
        await turn()

    async def fail(self, error: Exception | None = None) -> None:
        """Let the oldest load that waits fail."""
        self.waiting.pop(0).set_exception(error or FetchFailed("Entra is away."))
        await turn()


async def turn() -> None:
    """Let everybody go on who can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def start(*jobs: Any) -> "list[asyncio.Task[Any]]":
    """Begin all jobs and let each go on until it waits."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    await turn()
    return tasks


@pytest.fixture
def loads() -> Loads:
    """The loads of the value under test."""
    return Loads()


@pytest.fixture
def value(loads: Loads, clock: FakeClock) -> RefreshedValue[str]:
    """The value under test; nothing is loaded yet."""
    return RefreshedValue("keys", loads, lifetime=LIFETIME, monotonic=clock.monotonic)


async def loaded(value: RefreshedValue[str], loads: Loads, text: str = "first") -> None:
    """Let it have a value."""
    (task,) = await start(value.refresh())
    await loads.succeed(text)
    assert await task == text


async def failed(value: RefreshedValue[str], loads: Loads, error: Exception | None = None) -> FetchFailed:
    """Let a load fail, and give the error that who waited for it got."""
    (task,) = await start(value.refresh())
    await loads.fail(error)
    with pytest.raises(FetchFailed) as caught:
        await task
    return caught.value


def anything(_: str) -> bool:
    """Whatever was loaded is what was looked for."""
    return True


def nothing(_: str) -> bool:
    """A condition that is never true."""
    return False


# --- one load at a time ---------------------------------------------------------------------


async def test_is_loaded_on_first_use_and_kept(value: RefreshedValue[str], loads: Loads) -> None:
    """A later caller does not wait."""
    assert (value.current(), loads.count) == (None, 0)
    (task,) = await start(value.get())
    await loads.succeed("first")
    assert await task == "first"
    assert await value.get() == "first"
    assert (value.current(), loads.count) == ("first", 1)


async def test_three_hundred_waiters_share_one_load(value: RefreshedValue[str], loads: Loads) -> None:
    """However many ask at once, Entra is asked once."""
    tasks = await start(*(value.get() for _ in range(300)))
    assert loads.count == 1
    await loads.succeed("first")
    assert await asyncio.gather(*tasks) == ["first"] * 300
    assert loads.count == 1


async def test_a_failure_is_shared_by_all_who_wait(value: RefreshedValue[str], loads: Loads) -> None:
    """Nobody queues up to see for himself that Entra is away."""
    tasks = await start(*(value.get() for _ in range(300)))
    await loads.fail(FetchFailed("It is of another.", "issuer_unexpected"))
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {(type(error), getattr(error, "code", None)) for error in outcomes} == {
        (FetchFailed, "issuer_unexpected")
    }
    assert loads.count == 1


@pytest.mark.parametrize("leaving", [0, 1, 2], ids=["who began it", "who joined", "who came last"])
async def test_who_gives_up_waiting_cancels_nothing(
    leaving: int, value: RefreshedValue[str], loads: Loads
) -> None:
    """A client that goes away does not take the load of the others with it."""
    tasks = await start(*(value.get() for _ in range(3)))
    tasks.pop(leaving).cancel()
    await turn()
    await loads.succeed("first")
    assert await asyncio.gather(*tasks) == ["first"] * 2
    assert loads.count == 1


async def test_a_load_that_nobody_waits_for_any_more_still_counts(
    value: RefreshedValue[str], loads: Loads
) -> None:
    """The last client leaves; the value is there for the next."""
    (task,) = await start(value.get())
    task.cancel()
    await turn()
    await loads.succeed("first")
    assert value.current() == "first"


async def test_refresh_joins_the_load_in_progress(value: RefreshedValue[str], loads: Loads) -> None:
    """Start-up and first requests at once are one load."""
    tasks = await start(value.get(), value.refresh(), value.refresh())
    assert loads.count == 1
    await loads.succeed("first")
    assert await asyncio.gather(*tasks) == ["first"] * 3


# --- failures -------------------------------------------------------------------------------


async def test_the_last_good_value_stays_when_loading_fails(value: RefreshedValue[str], loads: Loads) -> None:
    """Entra's outage is not ours."""
    await loaded(value, loads)
    await failed(value, loads)
    assert value.current() == "first"
    assert await value.get() == "first"


async def test_pauses_double_up_to_a_limit(
    value: RefreshedValue[str], loads: Loads, clock: FakeClock
) -> None:
    """From a second to a quarter of a minute, however often it fails."""
    pauses = []
    for _ in range(40):
        await failed(value, loads)
        pauses.append(value.due_in)
        clock.advance(value.due_in)
    assert pauses[:5] == [FIRST_BACKOFF, 2, 4, 8, MAX_BACKOFF]
    assert set(pauses[5:]) == {MAX_BACKOFF}


async def test_within_the_pause_nothing_is_tried(
    value: RefreshedValue[str], loads: Loads, clock: FakeClock
) -> None:
    """A caller meanwhile gets the same failure at once, as a new error."""
    first = await failed(value, loads, FetchFailed("It is of another.", "issuer_unexpected"))
    errors = []
    for _ in range(100):
        clock.advance(FIRST_BACKOFF / 101)
        with pytest.raises(FetchFailed) as caught:
            await value.get()
        errors.append(caught.value)
    assert {(error.message, error.code) for error in errors} == {(first.message, "issuer_unexpected")}
    assert len({id(error) for error in errors}) == 100  # one for all would collect a hundred tracebacks
    assert value.current() is None
    assert loads.count == 1


async def test_after_the_pause_the_next_who_asks_loads(
    value: RefreshedValue[str], loads: Loads, clock: FakeClock
) -> None:
    """Recovery needs no restart, and the next outage begins with a short pause again."""
    for _ in range(4):
        await failed(value, loads)
        clock.advance(value.due_in)
    (task,) = await start(value.get())
    await loads.succeed("back")
    assert await task == "back"
    clock.advance(LIFETIME)
    await failed(value, loads)
    assert value.due_in == FIRST_BACKOFF


async def test_an_unexpected_exception_is_a_failure_told_with_its_traceback(
    value: RefreshedValue[str], loads: Loads, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect of ours must neither pass unseen nor end the refreshing."""
    error = await failed(value, loads, KeyError("kid"))
    assert (error.code, error.message) == ("fetch_failed", "KeyError raised")
    assert isinstance(error.__cause__, KeyError)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], KeyError)
    clock.advance(FIRST_BACKOFF)
    await loaded(value, loads)


async def test_an_expected_failure_is_told_without_a_traceback(
    value: RefreshedValue[str], loads: Loads, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says what, what follows from it, and when it is tried again."""
    await failed(value, loads)
    await loaded(value, loads)
    await failed(value, loads)
    first, recovery, second = caplog.records
    assert not first.exc_info
    assert first.getMessage() == (
        "Entra's keys could not be fetched (Entra is away.); "
        "requests with tokens get 503, next attempt in 1 s"
    )
    assert recovery.getMessage() == "Entra's keys fetched"
    assert "the last known ones stay in use" in second.getMessage()
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


async def test_an_ordinary_refresh_is_told_quietly(
    value: RefreshedValue[str], loads: Loads, caplog: pytest.LogCaptureFixture
) -> None:
    """INFO, unless it is the end of an outage; that is told once."""
    caplog.set_level(logging.INFO, LOGGER)
    await loaded(value, loads)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "Entra's keys fetched")
    ]
    await failed(value, loads)
    await loaded(value, loads)
    await loaded(value, loads)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "WARNING", "INFO"]


async def test_failures_that_nobody_waits_for_are_not_reported_by_asyncio(
    value: RefreshedValue[str], loads: Loads, clock: FakeClock
) -> None:
    """Neither one in the background nor one whose only waiter went away."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    await loaded(value, loads)
    clock.advance(LIFETIME)
    assert value.current() == "first"
    await turn()
    await loads.fail()
    (task,) = await start(value.refresh())
    task.cancel()
    await turn()
    await loads.fail(RuntimeError("a defect"))
    del task, value
    loads.waiting.clear()
    gc.collect()
    await turn()
    assert complaints == []
    assert loads.count == 3


# --- growing old ----------------------------------------------------------------------------


async def test_an_old_value_is_given_at_once_and_refreshed_behind(
    value: RefreshedValue[str], loads: Loads, clock: FakeClock
) -> None:
    """No request waits for a planned refresh, and there is only one however many ask."""
    await loaded(value, loads)
    clock.advance(LIFETIME)
    assert [value.current() for _ in range(50)] == ["first"] * 50
    assert await value.get() == "first"
    await turn()
    assert loads.count == 2
    await loads.succeed("second")
    assert (value.current(), loads.count) == ("second", 2)


async def test_a_young_value_is_left_alone(
    value: RefreshedValue[str], loads: Loads, clock: FakeClock
) -> None:
    """Nine tenths of the lifetime pass in peace."""
    await loaded(value, loads)
    clock.advance(0.9 * LIFETIME - 1)
    assert value.current() == "first"
    await turn()
    assert loads.count == 1


async def test_failing_background_refreshes_keep_to_the_pauses(
    value: RefreshedValue[str], loads: Loads, clock: FakeClock
) -> None:
    """A stale value is no reason to ask more often."""
    await loaded(value, loads)
    clock.advance(LIFETIME)
    for expected in (2, 3, 4):
        value.current()
        await turn()
        assert loads.count == expected
        await loads.fail()
        clock.advance(value.due_in - 0.01)
        assert value.current() == "first"
        await turn()
        assert loads.count == expected
        clock.advance(0.02)


async def test_replicas_do_not_ask_together(loads: Loads, clock: FakeClock) -> None:
    """Each lifetime is shortened by chance, by a tenth at most, and never lengthened."""
    dues = []
    for _ in range(200):
        value = RefreshedValue("keys", loads, lifetime=LIFETIME, monotonic=clock.monotonic)
        await loaded(value, loads)
        dues.append(value.due_in)
    assert 0.9 * LIFETIME <= min(dues) < 0.92 * LIFETIME
    assert 0.98 * LIFETIME < max(dues) <= LIFETIME
    assert len(set(dues)) > 190


def test_kept_fresh_without_anybody_asking() -> None:
    """The loop refreshes each time it is due, goes on through failures, and never sooner."""
    begun: list[float] = []

    async def load() -> str:
        begun.append(now())
        await asyncio.sleep(1)
        if 3 <= len(begun) <= 6:
            raise FetchFailed("Entra is away.")
        return f"value {len(begun)}"

    async def scenario() -> str | None:
        value = RefreshedValue("keys", load, lifetime=LIFETIME, monotonic=now)
        task = asyncio.create_task(value.keep_fresh())
        await asyncio.sleep(4 * LIFETIME)
        task.cancel()
        return value.current()

    assert run(scenario()) == f"value {len(begun)}"
    gaps = [later - sooner for sooner, later in pairwise(begun)]
    planned = [gaps[0], gaps[1], *gaps[6:]]
    assert all(0.9 * LIFETIME <= gap - 1 <= LIFETIME for gap in planned)
    assert [round(gap - 1, 3) for gap in gaps[2:6]] == [1, 2, 4, 8]
    assert len(begun) in (8, 9)


def test_keeping_fresh_does_not_repeat_what_a_request_just_did() -> None:
    """A forced load in between puts the planned one off."""
    begun: list[float] = []

    async def load() -> str:
        begun.append(now())
        return "value"

    async def scenario() -> None:
        value = RefreshedValue("keys", load, lifetime=LIFETIME, monotonic=now)
        task = asyncio.create_task(value.keep_fresh())
        await asyncio.sleep(LIFETIME / 2)
        assert await value.force_refresh(anything)
        await asyncio.sleep(LIFETIME)
        task.cancel()

    run(scenario())
    assert len(begun) == 3
    assert begun[1] == LIFETIME / 2
    assert begun[2] - begun[1] >= 0.9 * LIFETIME


# --- forced loads ---------------------------------------------------------------------------


async def test_forced_loads_begin_at_once(value: RefreshedValue[str], loads: Loads) -> None:
    """An unknown key does not wait for the value to grow old."""
    await loaded(value, loads)
    (task,) = await start(value.force_refresh(lambda text: text == "second"))
    assert loads.count == 2
    await loads.succeed("second")
    assert await task is True
    assert value.current() == "second"


async def test_forced_loads_do_not_wait_for_the_pause(value: RefreshedValue[str], loads: Loads) -> None:
    """A failed attempt a moment ago may have been bad luck."""
    await loaded(value, loads)
    await failed(value, loads)
    (task,) = await start(value.force_refresh(anything))
    await loads.succeed("second")
    assert await task is True


async def test_what_was_looked_for_may_not_exist(value: RefreshedValue[str], loads: Loads) -> None:
    """The load succeeds, the search does not."""
    await loaded(value, loads)
    (task,) = await start(value.force_refresh(nothing))
    await loads.succeed("second")
    assert await task is False


async def test_a_forced_load_that_fails_is_no_error(value: RefreshedValue[str], loads: Loads) -> None:
    """The caller gets False; the old value stays."""
    await loaded(value, loads)
    (task,) = await start(value.force_refresh(anything))
    await loads.fail()
    assert await task is False
    assert value.current() == "first"


async def test_all_who_look_for_the_same_share_a_forced_load(
    value: RefreshedValue[str], loads: Loads
) -> None:
    """A rollover under load is one fetch."""
    await loaded(value, loads)
    tasks = await start(*(value.force_refresh(lambda text: text == "second") for _ in range(300)))
    assert loads.count == 2
    await loads.succeed("second")
    assert await asyncio.gather(*tasks) == [True] * 300
    assert loads.count == 2


async def test_a_load_that_began_before_the_question_is_followed_by_one_more(
    value: RefreshedValue[str], loads: Loads
) -> None:
    """It may bring what was true before; the one more is shared by all, too."""
    await loaded(value, loads)
    (planned,) = await start(value.refresh())
    tasks = await start(*(value.force_refresh(lambda text: text == "third") for _ in range(300)))
    assert loads.count == 2
    await loads.succeed("second")
    await planned
    assert loads.count == 3
    await loads.succeed("third")
    assert await asyncio.gather(*tasks) == [True] * 300
    assert loads.count == 3


async def test_a_failed_load_that_began_before_the_question_is_followed_by_one_more(
    value: RefreshedValue[str], loads: Loads
) -> None:
    """Bad luck of another's attempt is not the last word."""
    await loaded(value, loads)
    (planned,) = await start(value.refresh())
    (task,) = await start(value.force_refresh(anything))
    await loads.fail()
    with pytest.raises(FetchFailed):
        await planned
    await loads.succeed("second")
    assert await task is True


async def test_a_planned_load_that_finds_it_is_enough(value: RefreshedValue[str], loads: Loads) -> None:
    """Nothing of the budget is spent."""
    await loaded(value, loads)
    for _ in range(FORCED_LOADS + 1):
        (planned,) = await start(value.refresh())
        (task,) = await start(value.force_refresh(anything))
        await loads.succeed("second")
        assert list(await asyncio.gather(planned, task)) == ["second", True]
    assert loads.count == FORCED_LOADS + 2


async def force_once(value: RefreshedValue[str], loads: Loads, found: Callable[[str], bool]) -> bool:
    """Force a load if that is allowed, let it succeed, and say whether there was one."""
    before = loads.count
    (task,) = await start(value.force_refresh(found))
    if loads.count == before:
        assert await task is False
        return False
    await loads.succeed("again")
    assert await task is found("again")
    return True


async def test_no_more_than_five_in_a_minute(
    value: RefreshedValue[str], loads: Loads, clock: FakeClock
) -> None:
    """Even where each finds something; the sixth waits until the first is a minute ago."""
    await loaded(value, loads)
    begun = [await force_once(value, loads, anything) for _ in range(10)]
    assert begun == [True] * FORCED_LOADS + [False] * 5
    clock.advance(FORCED_WINDOW - 0.01)
    assert not await force_once(value, loads, anything)
    clock.advance(0.01)
    assert await force_once(value, loads, anything)


async def test_failing_forced_loads_count_as_well(value: RefreshedValue[str], loads: Loads) -> None:
    """An Entra that is away is not asked more often than one that answers."""
    await loaded(value, loads)
    for _ in range(20):
        (task,) = await start(value.force_refresh(anything))
        if loads.waiting:
            await loads.fail()
        assert await task is False
    assert loads.count - 1 <= FORCED_LOADS


async def test_loads_that_find_nothing_are_spread_over_the_minute(
    value: RefreshedValue[str], loads: Loads, clock: FakeClock
) -> None:
    """After five of them each further one waits, so that a minute has no moment in which all are spent."""
    await loaded(value, loads)
    begun = [await force_once(value, loads, nothing) for _ in range(10)]
    assert begun == [True] * FRUITLESS_LOADS + [False] * 5
    clock.advance(FORCED_WINDOW)
    for _ in range(3):
        assert await force_once(value, loads, nothing)
        assert not await force_once(value, loads, nothing)
        clock.advance(FRUITLESS_PAUSE - 0.01)
        assert not await force_once(value, loads, nothing)
        clock.advance(0.01)


async def test_a_find_releases_the_brake(value: RefreshedValue[str], loads: Loads, clock: FakeClock) -> None:
    """A real rollover in the middle of a flood makes the next ones quick again."""
    await loaded(value, loads)
    for _ in range(FRUITLESS_LOADS):
        assert await force_once(value, loads, nothing)
    clock.advance(FORCED_WINDOW)
    assert await force_once(value, loads, anything)
    assert await force_once(value, loads, nothing)


async def test_a_find_by_somebody_who_joined_releases_the_brake_too(
    value: RefreshedValue[str], loads: Loads, clock: FakeClock
) -> None:
    """A load that an invented key began and a real one used was not fruitless."""
    await loaded(value, loads)
    for _ in range(FRUITLESS_LOADS):
        assert await force_once(value, loads, nothing)
    clock.advance(FORCED_WINDOW)
    (invented,) = await start(value.force_refresh(nothing))
    (real,) = await start(value.force_refresh(lambda text: text == "new"))
    await loads.succeed("new")
    assert list(await asyncio.gather(invented, real)) == [False, True]
    assert await force_once(value, loads, nothing)


async def test_going_away_does_not_evade_the_brake(
    value: RefreshedValue[str], loads: Loads, clock: FakeClock
) -> None:
    """A cancelled caller's load counts as a fruitless one."""
    await loaded(value, loads)
    for _ in range(FRUITLESS_LOADS):
        (task,) = await start(value.force_refresh(nothing))
        task.cancel()
        await turn()
        await loads.succeed("again")
    clock.advance(FORCED_WINDOW)
    assert await force_once(value, loads, nothing)
    assert not await force_once(value, loads, nothing)


async def test_a_flood_does_not_starve_planned_loads(
    value: RefreshedValue[str], loads: Loads, clock: FakeClock
) -> None:
    """With the forced budget spent, the value is refreshed in the background as ever."""
    await loaded(value, loads)
    while await force_once(value, loads, anything):
        pass
    clock.advance(value.due_in)
    assert not loads.waiting
    assert value.current() == "again"
    await turn()
    await loads.succeed("planned")
    assert value.current() == "planned"


async def test_planned_loads_do_not_spend_the_forced_budget(value: RefreshedValue[str], loads: Loads) -> None:
    """An unknown key is looked up at once, however often was refreshed before."""
    for _ in range(20):
        await loaded(value, loads)
    for _ in range(FORCED_LOADS):
        assert await force_once(value, loads, anything)


Question = tuple[float, float, bool, bool]
QUESTIONS: Final = st.lists(
    st.tuples(
        st.floats(0, 20),  # seconds since the question before
        st.floats(0, 30),  # seconds that the load takes, should this question begin one
        st.booleans(),  # whether the load succeeds
        st.booleans(),  # whether it finds what is looked for
    ),
    min_size=1,
    max_size=60,
)


@given(questions=QUESTIONS, patience=st.sampled_from([0.5, 5.0, 1000.0]))
@settings(deadline=None, max_examples=150, derandomize=True, database=None)
def test_whatever_happens_five_forced_loads_a_minute_are_the_most(
    questions: list[Question], patience: float
) -> None:
    """At any times, with any outcomes, and whoever gives up: the budget holds, and no two loads overlap."""
    begun: list[float] = []
    under_way = 0
    plan: Question = (0, 0, True, True)

    async def load() -> bool:
        nonlocal under_way
        begun.append(now())
        assert under_way == 0
        under_way += 1
        _, duration, succeeds, fruitful = plan
        await asyncio.sleep(duration)
        under_way -= 1
        if not succeeds:
            raise FetchFailed("Entra is away.")
        return fruitful

    async def ask(value: RefreshedValue[bool]) -> None:
        try:
            async with asyncio.timeout(patience):
                await value.force_refresh(lambda fruitful: fruitful)
        except TimeoutError:
            pass

    async def scenario() -> None:
        nonlocal plan
        value = RefreshedValue("keys", load, lifetime=86_400, monotonic=now)
        await value.get()
        begun.clear()
        tasks = []
        for plan in questions:
            await asyncio.sleep(plan[0])
            tasks.append(asyncio.create_task(ask(value)))
        await asyncio.gather(*tasks)

    run(scenario())
    assert all(
        later - sooner >= FORCED_WINDOW for sooner, later in zip(begun, begun[FORCED_LOADS:], strict=False)
    )


# --- event loops ----------------------------------------------------------------------------


def test_one_value_serves_one_event_loop_after_another(loads: Loads, clock: FakeClock) -> None:
    """As with a test client for each test, or a command after a command."""
    value = RefreshedValue("keys", loads, lifetime=LIFETIME, monotonic=clock.monotonic)

    async def use(expected: str) -> None:
        (task,) = await start(value.refresh())
        await loads.succeed(expected)
        assert await task == expected

    asyncio.run(use("first"))
    assert value.current() == "first"
    asyncio.run(use("second"))
    assert value.current() == "second"


def test_a_load_that_its_loop_took_with_it_is_begun_anew(loads: Loads, clock: FakeClock) -> None:
    """A loop that ends cancels what is in progress; the next does not wait for it."""
    value = RefreshedValue("keys", loads, lifetime=LIFETIME, monotonic=clock.monotonic)

    async def leave() -> None:
        await start(value.get())

    async def use() -> str:
        loads.waiting.clear()
        (task,) = await start(value.get())
        await loads.succeed("second")
        return str(await task)

    asyncio.run(leave())
    assert asyncio.run(use()) == "second"
    assert loads.count == 2


def test_a_load_left_hanging_in_a_dead_loop_is_begun_anew(
    loads: Loads, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A loop that was closed without cancelling anything leaves a load that never ends."""
    value = RefreshedValue("keys", loads, lifetime=LIFETIME, monotonic=clock.monotonic)

    async def leave() -> None:
        await start(value.refresh())

    async def use() -> tuple[str, bool]:
        loads.waiting.clear()
        (task,) = await start(value.get())
        await loads.succeed("second")
        (forced,) = await start(value.force_refresh(anything))
        await loads.succeed("third")
        return await task, await forced

    dead = asyncio.new_event_loop()
    dead.set_exception_handler(lambda *_: None)  # it would tell of the task that is lost on purpose
    dead.run_until_complete(leave())
    dead.close()
    assert asyncio.run(use()) == ("second", True)
    assert loads.count == 3
