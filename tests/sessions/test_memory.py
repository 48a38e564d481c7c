"""The store in memory beyond the contract: it stays small, and reveals no handle."""

import logging
import sys
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from camunda_entra_fastapi.sessions.memory import MemoryStore
from camunda_entra_fastapi.sessions.store import Session
from tests.conftest import FakeClock
from tests.sessions.conftest import SID, make_session


def session_of(person: int, clock: FakeClock, **others: Any) -> Session:
    """A session of one of several people of one tenant."""
    return make_session(clock, claims={"tid": "a tenant", "oid": f"person {person}"}, **others)


async def test_a_full_store_drops_what_ends_next(clock: FakeClock) -> None:
    """Where everybody has one session, a new one evicts the one that expires next."""
    store = MemoryStore(clock.time, limit=3)
    handles = [
        await store.create(session_of(person, clock, expires_at=clock.now + seconds))
        for person, seconds in enumerate((300, 100, 200, 50))
    ]
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


async def test_who_signs_in_without_end_costs_their_own_sessions(clock: FakeClock) -> None:
    """In a full store nobody else is signed out by it (CWE-770), and the newest of their own stays."""
    store = MemoryStore(clock.time, limit=20)
    others = [await store.create(session_of(number, clock)) for number in range(19)]
    endless = [await store.create(session_of(99, clock)) for _ in range(500)]
    assert [await store.read(handle) is not None for handle in others] == [True] * 19
    assert [handle for handle in endless if await store.read(handle)] == endless[-1:]


async def test_of_who_has_most_the_oldest_goes(clock: FakeClock) -> None:
    """However late it would end, and whoever signs in; next of those who have as many, the newcomer's."""
    store = MemoryStore(clock.time, limit=6)
    most = [
        await store.create(session_of(1, clock, expires_at=clock.now + 900 - number)) for number in range(3)
    ]
    two = [await store.create(session_of(2, clock)) for _ in range(2)]
    single = await store.create(session_of(3, clock, expires_at=clock.now + 10))
    newcomer = [await store.create(session_of(4, clock))]  # three are most
    assert [await store.read(handle) is not None for handle in most] == [False, True, True]
    newcomer.append(
        await store.create(session_of(4, clock))
    )  # two are most, and the newcomer would have them
    assert [await store.read(handle) is not None for handle in newcomer] == [False, True]
    assert all([await store.read(handle) for handle in (*most[1:], *two, single)])


async def test_a_renewal_keeps_the_age_of_a_session(clock: FakeClock) -> None:
    """It is the sign-in that counts: an old session that is renewed is not a new one."""
    store = MemoryStore(clock.time, limit=3)
    handles = [await store.create(session_of(1, clock)) for _ in range(3)]
    assert await store.replace(handles[0], session_of(1, clock, refresh_token="1.another"))
    await store.create(session_of(1, clock))
    assert [await store.read(handle) is not None for handle in handles] == [False, True, True]


@pytest.mark.parametrize(
    ("claims", "others"),
    [
        ({"tid": "a", "oid": "x"}, {"tid": "b", "oid": "x"}),
        ({"iss": "https://a", "oid": "x"}, {"iss": "https://b", "oid": "x"}),
        ({}, {"tid": "a", "oid": "x"}),
        ({"tid": 1, "oid": 2}, {"tid": "", "oid": ""}),
    ],
)
async def test_people_are_told_apart_by_tenant_and_object_id(
    clock: FakeClock, claims: dict[str, Any], others: dict[str, Any]
) -> None:
    """An object ID alone is nobody (Learn: claims, ``oid``); what a token lacks, the subject says."""
    one, same = make_session(clock, claims=claims), make_session(clock, claims=claims, id="another")
    other = make_session(clock, claims=others, subject="another subject")
    assert one.person == same.person != other.person
    store = MemoryStore(clock.time, limit=3)
    handles = [await store.create(session) for session in (other, one, same, same)]
    assert [await store.read(handle) is not None for handle in handles] == [True, False, True, True]


async def test_memory_is_bounded_in_bytes(clock: FakeClock) -> None:
    """Few large sessions fill the store as many small ones do; new ones and renewed ones are let in."""
    large = {"refresh_token": "r" * 100_000}
    store = MemoryStore(clock.time, max_bytes=1_000_000)
    handles = [await store.create(session_of(person, clock, **large)) for person in range(20)]
    living = [handle for handle in handles if await store.read(handle)]
    assert living == handles[-9:]  # of 100 KB each
    assert await store.replace(living[0], session_of(11, clock, refresh_token="r" * 300_000))
    assert [await store.read(handle) is not None for handle in living] == [True, False, False, *[True] * 6]
    assert sum(sys.getsizeof(record.session.refresh_token) for record in store._sessions.values()) < 1e6


async def test_the_size_of_a_session_is_that_of_all_in_it(clock: FakeClock) -> None:
    """Text counts wherever it is: in claims, in lists, in objects of lists."""
    for claims in (
        {"x": "r" * 9_000},
        {"r" * 9_000: 1},
        {"x": ["r" * 9_000]},
        {"x": [{"y": ("r" * 9_000,)}]},
    ):
        store = MemoryStore(clock.time, max_bytes=20_000)
        for number in range(3):
            await store.create(make_session(clock, claims=claims, subject=f"person {number}"))
        assert len(store._sessions) in (1, 2)


class Counted(float):
    """A time that counts how often it is compared."""

    comparisons = 0

    def __lt__(self, other: float) -> bool:
        """Whether it is earlier."""
        Counted.comparisons += 1
        return float.__lt__(self, other)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same."""
        Counted.comparisons += 1
        return float.__eq__(self, other)

    __hash__ = float.__hash__


@pytest.mark.parametrize("people", [1, 1000])
@pytest.mark.parametrize("limit", [64, 4096])
async def test_a_flood_costs_little_in_a_store_of_any_size(clock: FakeClock, people: int, limit: int) -> None:
    """Whoever signs in to a full store, nobody looks through all sessions for the one that has to go."""
    store = MemoryStore(clock.time, limit=limit)
    chance = Random(1)

    async def sign_in(person: int) -> None:
        until = Counted(clock.now + chance.randrange(3600))
        await store.create(session_of(person, clock, expires_at=until))

    for number in range(limit):
        await sign_in(number)
    Counted.comparisons = 0
    for number in range(1000):
        await sign_in(limit + number % people)
    assert Counted.comparisons / 1000 < 10 * limit.bit_length()


async def test_nothing_is_left_of_what_came_and_went(clock: FakeClock) -> None:
    """Whatever is created, renewed, ended and evicted in any order, the books stay right and small."""
    chance = Random(3)
    store = MemoryStore(clock.time, limit=12, max_bytes=60_000)
    known: list[str] = []
    for _ in range(3000):
        clock.advance(chance.random())
        session = session_of(
            chance.randrange(6),
            clock,
            sid=chance.choice((None, "a", "b", "c")),
            expires_at=clock.now + chance.randrange(1, 90),
            refresh_token="r" * chance.randrange(9_000),
        )
        doing, handle = chance.random(), chance.choice(known) if known else ""
        if doing < 0.6:
            known.append(await store.create(session))
            assert await store.read(known[-1]) is session
        elif doing < 0.8:
            assert (await store.replace(handle, session) is None) or await store.read(handle) is session
        elif doing < 0.95:
            await store.end(handle)
        else:
            await store.end_by_sid(chance.choice("abc"))
        sessions = store._sessions
        assert len(sessions) <= 12
        assert store._size == sum(record.size for record in sessions.values()) <= 60_000
        assert set().union(*store._by_sid.values()) == {
            key for key, record in sessions.items() if record.session.sid is not None
        }
        shares = store._shares
        assert {key for keys in shares._keys.values() for key in keys} == sessions.keys()
        assert shares.most == max(map(len, shares._keys.values()), default=0)
        assert len(store._expiring) <= 2 * len(sessions) + 101
        del known[:-30]
    clock.advance(100)
    await store.create(session_of(1, clock))
    assert len(store._sessions) == 1
    assert store._shares.most == 1


async def test_renewals_leave_nothing_behind(clock: FakeClock) -> None:
    """One session that is renewed a thousand times is one session, in every book."""
    store = MemoryStore(clock.time)
    session = session_of(1, clock)
    handle = await store.create(session)
    for number in range(1000):
        assert await store.replace(handle, replace(session, refresh_token=f"1.{number}"))
    assert len(store._sessions) == 1
    assert len(store._expiring) <= 103
