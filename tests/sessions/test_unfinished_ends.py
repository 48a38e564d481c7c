"""Sign-outs while the store is away: they count here at once, and are made up for."""

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import pytest

from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.sessions import unfinished_ends
from camunda_entra_fastapi.sessions.redis import RedisStore
from camunda_entra_fastapi.sessions.unfinished_ends import UnfinishedEnds
from tests.conftest import FakeClock
from tests.sessions.conftest import SID, RedisServer, make_session, sealer
from tests.waiting import PATIENCE, until

Make = Callable[..., RedisStore]
HANDLE = f"{'n' * 43}.{'k' * 43}"


@contextmanager
def hanging(server: RedisServer) -> Iterator[None]:
    """Meanwhile the server says nothing."""
    server.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.signal(signal.SIGCONT)
        with server.client() as client:
            client.ping()  # it is awake


@pytest.fixture
def here(make_store: Make, own_redis: RedisServer) -> RedisStore:
    """One replica's store."""
    return make_store(own_redis.url, timeout=0.4)


@pytest.fixture
def there(make_store: Make, own_redis: RedisServer) -> RedisStore:
    """Another replica's."""
    return make_store(own_redis.url)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the background, nothing happens for as long as a test takes."""
    monkeypatch.setattr(unfinished_ends, "FIRST_PAUSE", 100 * PATIENCE)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """All that was logged of sign-outs."""
    return [record.getMessage() for record in caplog.records if "sign-out" in record.getMessage()]


async def end_in_vain(store: RedisStore, handle: str) -> None:
    """Sign out while the store is away."""
    with pytest.raises(SessionsUnavailable):
        await store.end(handle)


async def is_over(store: RedisStore, *handles: str) -> None:
    """Wait until the sessions are over in that replica."""
    for handle in handles:
        for _ in range(100 * PATIENCE):
            if await store.read(handle) is None:
                break
            await asyncio.sleep(0.01)
        else:
            raise AssertionError("it is let in")


async def test_a_sign_out_is_made_up_for(
    here: RedisStore, there: RedisStore, own_redis: RedisServer, clock: FakeClock
) -> None:
    """The other replica hears of it by the record's absence, and nothing of it stays in the index."""
    handle = await here.create(make_session(clock))
    other = await here.create(make_session(clock, sid="another"))
    with hanging(own_redis):
        await end_in_vain(here, handle)
    assert await here.read(handle) is None
    await is_over(there, handle)
    assert await here.read(handle) is None
    assert await there.read(other)
    with own_redis.client() as client:
        assert len(client.keys("*:session:*")) == len(client.keys("*:sid:*")) == 1
    await until(lambda: not here._unfinished.are_there)


@pytest.mark.usefixtures("patient")
async def test_a_session_that_was_signed_out_is_over_in_this_process(
    here: RedisStore, there: RedisStore, own_redis: RedisServer, clock: FakeClock
) -> None:
    """Before it is made up for, it can be neither read nor renewed here; closing makes up for it."""
    session = make_session(clock)
    handle = await here.create(session)
    with hanging(own_redis):
        await end_in_vain(here, handle)
    assert await there.read(handle) == session
    assert await here.read(handle) is None
    assert await here.replace(handle, session) is None
    await here.close()
    assert await there.read(handle) is None


async def test_another_replica_renewing_it_does_not_save_it(
    here: RedisStore, there: RedisStore, own_redis: RedisServer, clock: FakeClock
) -> None:
    """A renewed session has the same name."""
    session = make_session(clock)
    handle = await here.create(session)
    with hanging(own_redis):
        await end_in_vain(here, handle)
    await there.replace(handle, session)
    await is_over(there, handle)


async def test_what_could_not_even_be_read_is_made_up_for(
    here: RedisStore, there: RedisStore, own_redis: RedisServer, clock: FakeClock
) -> None:
    """The handle is kept then. One that opens no record ends nobody's session."""
    handles = [await here.create(make_session(clock)) for _ in range(3)]
    mixed = f"{handles[0].partition('.')[0]}.{handles[1].partition('.')[2]}"
    with hanging(own_redis):
        for handle in (mixed, handles[2], "no handle", ""):
            here.end_later(handle)
    await is_over(there, handles[2])
    await until(lambda: not here._unfinished.are_there)
    assert await there.read(handles[0])
    assert await here.read(handles[0])


async def test_a_front_channel_logout_is_made_up_for(
    here: RedisStore, there: RedisStore, own_redis: RedisServer, clock: FakeClock
) -> None:
    """All sign-ins of that ``sid`` are over here at once, and elsewhere when the store is back."""
    handles = [await there.create(make_session(clock)) for _ in range(3)]
    other = await there.create(make_session(clock, sid="another"))
    anonymous = await there.create(make_session(clock, sid=None))
    with hanging(own_redis), pytest.raises(SessionsUnavailable):
        await here.end_by_sid(SID)
    assert [await here.read(handle) for handle in handles] == [None] * 3
    await is_over(there, *handles)
    assert await here.read(other)
    assert await here.read(anonymous)


@pytest.mark.usefixtures("patient")
async def test_a_later_sign_in_of_that_sid_is_none_of_it(
    here: RedisStore, there: RedisStore, own_redis: RedisServer, clock: FakeClock
) -> None:
    """What was to be ended is ended before."""
    former = await here.create(make_session(clock))
    with hanging(own_redis), pytest.raises(SessionsUnavailable):
        await here.end_by_sid(SID)
    handle = await here.create(make_session(clock))
    assert await there.read(former) is None
    assert await here.read(handle)
    await here.close()
    assert await there.read(handle)


async def test_the_log_has_two_lines_of_an_outage(
    here: RedisStore, own_redis: RedisServer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """When it begins and when all is made up for, however many signed out; no handle is in them."""
    caplog.set_level(logging.DEBUG)
    handles = [await here.create(make_session(clock)) for _ in range(5)]
    for _ in range(2):
        with hanging(own_redis):
            await asyncio.gather(*(end_in_vain(here, handle) for handle in handles))
        await until(lambda: not here._unfinished.are_there)
        begun, made_up_for = lines(caplog)
        assert "over in this process" in begun
        assert "have been made up for" in made_up_for
        assert not any(part in caplog.text for handle in handles for part in handle.split("."))
        caplog.clear()
        handles = [await here.create(make_session(clock)) for _ in range(5)]


async def test_a_process_that_ends_tries_once_more_and_no_longer(
    here: RedisStore,
    there: RedisStore,
    own_redis: RedisServer,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where the store is still away then, the log says what that means; no task is left."""
    handle = await here.create(make_session(clock))
    before = asyncio.all_tasks()
    with hanging(own_redis):
        await end_in_vain(here, handle)
        async with asyncio.timeout(PATIENCE):
            await here.close()
    assert asyncio.all_tasks() == before
    assert "1 sign-outs could not be made up for before this process ended" in lines(caplog)[-1]
    assert await there.read(handle)
    assert await here.read(handle) is None


def test_a_loop_that_is_over_leaves_it_to_the_next(own_redis: RedisServer, clock: FakeClock) -> None:
    """As with scripts and tests, each of which runs its own: a health check or a sign-in goes on with it."""
    store = RedisStore(own_redis.url, sealer(), "ab12", clock.time, timeout=0.4)

    async def sign_out() -> str:
        handle = await store.create(make_session(clock))
        with hanging(own_redis):
            await end_in_vain(store, handle)
            await store._retired.close()
            await store._clients.pop(asyncio.get_running_loop()).exit_stack.aclose()
        return handle

    async def go_on(handle: str) -> None:
        await store.check()
        await until(lambda: not store._unfinished.are_there)
        await store.close()

    handle = asyncio.run(sign_out())
    assert store._unfinished.are_there
    asyncio.run(go_on(handle))
    with own_redis.client() as client:
        assert not client.keys("*:session:*")


def test_threads_share_what_is_left_to_do(own_redis: RedisServer, clock: FakeClock) -> None:
    """A sign-out in one thread's loop counts in the other's, too, and is made up for once."""
    store = RedisStore(own_redis.url, sealer(), "ab12", clock.time, timeout=0.4)
    results: list[object] = []
    are_signed_in, is_away, have_failed, is_back = (threading.Barrier(4, timeout=PATIENCE) for _ in range(4))

    async def sign_out() -> None:
        handles = [await store.create(make_session(clock)) for _ in range(10)]
        are_signed_in.wait()
        is_away.wait()
        await asyncio.gather(*(end_in_vain(store, handle) for handle in handles))
        have_failed.wait()
        is_back.wait()
        results.extend([await store.read(handle) for handle in handles])
        await until(lambda: not store._unfinished.are_there)
        await store.close()

    threads = [threading.Thread(target=asyncio.run, args=(sign_out(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    are_signed_in.wait()
    with hanging(own_redis):
        is_away.wait()
        have_failed.wait()
    is_back.wait()
    for thread in threads:
        thread.join()
    assert results == [None] * 30
    assert not store._unfinished._tasks
    with own_redis.client() as client:
        assert not client.keys("*:session:*")


class Ends:
    """A store in which some handles cannot be ended."""

    def __init__(self, clock: FakeClock) -> None:
        self.unreachable: set[str] = set()
        self.ended: list[str] = []
        self.unfinished = UnfinishedEnds(self.end, self.end, clock.time, 0.4)

    async def end(self, handle: str) -> None:
        """End it, or fail."""
        if handle in self.unreachable:
            raise SessionsUnavailable("That node is away.")
        self.ended.append(handle)


@pytest.fixture
async def ends(clock: FakeClock) -> AsyncIterator[Ends]:
    """A store that can always be asked."""
    ends = Ends(clock)
    yield ends
    ends.unreachable.clear()
    await ends.unfinished.close()


async def test_a_part_of_a_cluster_does_not_hold_up_the_rest(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many sign-outs cannot be made up for, the others are."""
    monkeypatch.setattr(unfinished_ends, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(unfinished_ends, "LONGEST_PAUSE", 0.02)
    ends.unreachable = {f"there {number}" for number in range(50)}
    for handle in ends.unreachable:
        ends.unfinished.add_session(handle)
    here = {f"here {number}" for number in range(50)}
    for handle in here:
        ends.unfinished.add_session(handle)
    await until(lambda: set(ends.ended) == here)
    assert ends.unfinished.are_there
    ends.unreachable.clear()
    await until(lambda: not ends.unfinished.are_there)
    assert sorted(ends.ended) == sorted({*here, *(f"there {number}" for number in range(50))})


async def test_what_was_ended_meanwhile_is_not_kept(clock: FakeClock) -> None:
    """By a sign-in of that ``sid``, for example, while an attempt in the background fails."""

    async def end(sid: str) -> None:
        unfinished.discard_sid(sid)
        raise SessionsUnavailable("A moment too early.")

    unfinished = UnfinishedEnds(end, end, clock.time, 0.4)
    unfinished.add_sid(SID)
    await unfinished.close()
    assert not unfinished.are_there
    assert not unfinished.has_sid(SID)


@pytest.mark.usefixtures("patient")
async def test_what_strangers_send_pushes_nobody_out(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """Handles that could not be looked up, and sids, have bounds of their own; the oldest of each goes."""
    monkeypatch.setattr(unfinished_ends, "LIMIT", 5)
    ends.unfinished.add_session("known")
    for number in range(20):
        ends.unfinished.add_handle(f"handle {number}")
        ends.unfinished.add_sid(f"sid {number}")
    assert ends.unfinished.covers("known", None)
    assert [number for number in range(20) if ends.unfinished.covers(f"handle {number}", None)] == [
        15,
        16,
        17,
        18,
        19,
    ]
    assert [number for number in range(20) if ends.unfinished.covers("", f"sid {number}")] == [
        15,
        16,
        17,
        18,
        19,
    ]
    ends.unfinished.add_handle("known")
    await ends.unfinished.close()
    assert len(ends.ended) == len(set(ends.ended)) == 11


@pytest.mark.usefixtures("patient")
async def test_sessions_that_are_over_by_themselves_are_forgotten(ends: Ends, clock: FakeClock) -> None:
    """No session lasts for more than 90 days."""
    ends.unfinished.add_session("early")
    clock.advance(1)
    ends.unfinished.add_sid("late")
    clock.advance(90 * 86_400 - 1)
    ends.unfinished.sweep()
    assert not ends.unfinished.covers("early", None)
    assert ends.unfinished.covers("early", "late")
    clock.advance(1)
    ends.unfinished.sweep()
    assert not ends.unfinished.are_there
    await ends.unfinished.close()
    assert not ends.ended


async def test_pauses_grow_to_a_second_and_a_half(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is away for long is asked every second or so, and replicas do not ask in step."""
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr("asyncio.sleep", note)
    ends.unreachable = {HANDLE}
    ends.unfinished.add_session(HANDLE)
    while len(pauses) < 200:
        await sleep(0)
    ends.unreachable.clear()
    while ends.unfinished.are_there:
        await sleep(0)
    for number, pause in enumerate(pauses[:200]):
        longest = min(0.25 * 2**number, 1.5)
        assert longest / 2 <= pause <= longest
    assert len({*pauses[10:200]}) > 100
