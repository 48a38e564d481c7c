"""The store in memory beyond the contract: it stays small, and reveals no handle."""

import logging

import pytest

from camunda_entra_fastapi.sessions.memory import MemoryStore
from tests.conftest import FakeClock
from tests.sessions.conftest import SID, make_session


async def test_a_full_store_drops_what_ends_next(clock: FakeClock) -> None:
    """A new session evicts the one that expires next."""
    store = MemoryStore(clock.time, limit=3)
    seconds = (300, 100, 200)
    handles = [await store.create(make_session(clock, expires_at=clock.now + each)) for each in seconds]
    handles.append(await store.create(make_session(clock, expires_at=clock.now + 50)))
    assert [await store.read(handle) is not None for handle in handles] == [True, False, True, True]
    assert await store.end_by_sid(SID) == 3


async def test_a_full_store_drops_what_is_over_first(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """No living session is dropped as long as there are expired ones, and nobody is warned."""
    store = MemoryStore(clock.time, limit=2)
    for _ in range(2):
        await store.create(make_session(clock, expires_at=clock.now + 10))
    clock.advance(10)
    handles = [await store.create(make_session(clock)) for _ in range(2)]
    assert [await store.read(handle) is not None for handle in handles] == [True, True]
    assert not caplog.records


async def test_a_full_store_says_so_once(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    """The operator reads how many there are and what to set; a flood does not fill the log."""
    store = MemoryStore(clock.time, limit=1)
    for _ in range(5):
        await store.create(make_session(clock))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "keeps 1 sessions" in caplog.text
    assert "CAMUNDA_ENTRA_SESSION_STORE" in caplog.text


async def test_what_is_over_is_swept(clock: FakeClock) -> None:
    """A new session after a minute makes the store forget expired ones, and their sids."""
    store = MemoryStore(clock.time)
    for number in range(5):
        await store.create(make_session(clock, sid=f"sid {number}", expires_at=clock.now + 30))
    clock.advance(59)
    await store.create(make_session(clock))
    assert len(store._sessions) == 6
    clock.advance(1)
    await store.create(make_session(clock))
    assert len(store._sessions) == 2
    assert list(store._by_sid) == [SID]


async def test_what_is_over_is_not_counted(clock: FakeClock) -> None:
    """Sessions of a sid that had expired were not ended by it."""
    store = MemoryStore(clock.time)
    await store.create(make_session(clock, expires_at=clock.now + 10))
    await store.create(make_session(clock, expires_at=clock.now + 20))
    clock.advance(10)
    assert await store.end_by_sid(SID) == 1
    assert not store._sessions


async def test_no_handle_is_kept(clock: FakeClock) -> None:
    """A listing of the store's memory has nobody's handle."""
    store = MemoryStore(clock.time)
    handle = await store.create(make_session(clock))
    assert handle not in repr(vars(store))
    assert handle.encode() not in store._sessions


async def test_ended_sessions_leave_nothing(clock: FakeClock) -> None:
    """Neither the session nor its sid stays."""
    store = MemoryStore(clock.time)
    handles = [await store.create(make_session(clock)) for _ in range(2)]
    for handle in handles:
        await store.end(handle)
    assert (store._sessions, store._by_sid) == ({}, {})


async def test_members_expire(clock: FakeClock) -> None:
    """When its time is over, a mark is new again."""
    store = MemoryStore(clock.time)
    assert await store.use_once("mark", 60)
    clock.advance(59)
    assert not await store.use_once("mark", 60)
    clock.advance(1)
    assert await store.use_once("mark", 60)
