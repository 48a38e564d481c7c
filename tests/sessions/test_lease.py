"""Copies of sessions that a Redis tells us to drop, with real servers."""

import asyncio
import gc
import logging
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Final

import pytest

from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.sessions.redis import RedisStore
from camunda_entra_fastapi.sessions.store import Session
from tests.conftest import FakeClock
from tests.ports import free_port
from tests.sessions.conftest import SID, RedisServer, make_session, sealer
from tests.sessions.holding import held_wire
from tests.sessions.test_redis import cluster, sentinels  # noqa: F401
from tests.waiting import PATIENCE, until

LONG: Final = 10
"""Seconds of a lease, by whose lapse no test waits to see a change."""

Make = Callable[..., RedisStore]


def leased(store: RedisStore, handle: str, clock: FakeClock) -> Session | None:
    """The copy that counts."""
    assert store.leased is not None
    return store.leased(handle, clock.now)


async def has_copy(store: RedisStore, handle: str, clock: FakeClock) -> None:
    """Read it, and wait until the server has confirmed that it tells of changes."""
    for _ in range(PATIENCE * 100):
        if leased(store, handle, clock) is not None:
            return
        assert await store.read(handle) is not None
        await asyncio.sleep(0.01)
    raise AssertionError("there is no copy")


async def copied(store: RedisStore, clock: FakeClock, session: Session | None = None) -> str:
    """The handle of a new session, of which there is a copy."""
    handle = await store.create(session or make_session(clock))
    await has_copy(store, handle, clock)
    return handle


def asked(server: RedisServer, command: str) -> int:
    """How often the server was asked so."""
    with server.client() as client:
        told: Any = client.info("commandstats")
    return int(told.get(f"cmdstat_{command}", {"calls": 0})["calls"])


async def test_a_copy_is_found_without_a_question(
    make_store: Make, redis_server: RedisServer, clock: FakeClock
) -> None:
    """It is the session that was read; without a lease there is none."""
    store = make_store(redis_server.url, lease=LONG)
    session = make_session(clock)
    handle = await copied(store, clock, session)
    before = asked(redis_server, "get")
    assert [leased(store, handle, clock) for _ in range(100)] == [session] * 100
    assert asked(redis_server, "get") == before
    assert leased(store, handle[:-1] + "x", clock) is None
    assert make_store(redis_server.url).leased is None


Change = Callable[[RedisStore, str, RedisServer], Awaitable[object]]


async def _replaced(store: RedisStore, handle: str, _: RedisServer) -> None:
    session = await store.read(handle)
    assert session is not None
    await store.replace(handle, replace(session, login_hint="another"))


async def _by_hand(server: RedisServer, *words: str | int) -> None:
    with server.client() as client:
        (key,) = client.keys("*:session:*") if "KEY" in words else ("",)
        client.execute_command(*(key if word == "KEY" else word for word in words))


async def _evicted(server: RedisServer) -> None:
    with server.client() as client:
        client.config_set("maxmemory-policy", "volatile-lru")
        client.config_set("maxmemory", 1)
        client.config_set("maxmemory", 0)
        assert client.keys("*:session:*") == []


async def _crowded_out(server: RedisServer) -> None:
    """The server tracks no more than one key from now on, and forgets at random which."""
    with server.client() as client:
        client.config_set("tracking-table-max-keys", 1)


CHANGES: Final[dict[str, Change]] = {
    "signed out": lambda other, handle, _: other.end(handle),
    "signed out at Entra": lambda other, *_: other.end_by_sid(SID),
    "renewed": _replaced,
    "deleted by hand": lambda *args: _by_hand(args[2], "DEL", "KEY"),
    "flushed": lambda *args: _by_hand(args[2], "FLUSHALL"),
    "one database flushed": lambda *args: _by_hand(args[2], "FLUSHDB", "ASYNC"),
    "evicted": lambda *args: _evicted(args[2]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_change_elsewhere_counts_here_at_once(
    change: Change, make_store: Make, own_redis: RedisServer, clock: FakeClock
) -> None:
    """Long before any lease is over: it does not lapse while it is in use."""
    here, other = (make_store(own_redis.url, lease=LONG) for _ in range(2))
    handle = await other.create(make_session(clock))
    await has_copy(here, handle, clock)
    await change(other, handle, own_redis)
    await until(lambda: leased(here, handle, clock) is None)
    found = await here.read(handle)
    assert (found and found.login_hint) == ("another" if change is _replaced else None)


async def test_what_expires_at_the_server_is_dropped(
    make_store: Make, own_redis: RedisServer, clock: FakeClock
) -> None:
    """By the server's clock, whatever ours says."""
    store = make_store(own_redis.url, lease=LONG)
    handle = await store.create(make_session(clock))
    await _by_hand(own_redis, "PEXPIRE", "KEY", 1_500)
    await has_copy(store, handle, clock)
    await until(lambda: leased(store, handle, clock) is None)
    assert await store.read(handle) is None


async def test_what_the_server_cannot_track_any_more_is_asked_again(
    make_store: Make, own_redis: RedisServer, clock: FakeClock
) -> None:
    """With a full table it forgets keys, and says which; whoever is signed in stays so."""
    store = make_store(own_redis.url, lease=LONG)
    handles = [await store.create(make_session(clock)) for _ in range(5)]
    for handle in handles:
        await has_copy(store, handle, clock)
    await _crowded_out(own_redis)
    for _ in range(3):
        assert None not in [await store.read(handle) for handle in handles]
    await until(lambda: sum(leased(store, handle, clock) is not None for handle in handles) <= 1)


async def test_with_the_connection_its_copies_go(
    make_store: Make, redis_server: RedisServer, clock: FakeClock
) -> None:
    """Nobody fails, and the next connection brings copies again."""
    store = make_store(redis_server.url, lease=LONG)
    handle = await store.create(make_session(clock))
    for _ in range(3):
        await has_copy(store, handle, clock)
        with redis_server.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await until(lambda: leased(store, handle, clock) is None)
        (lease,) = store._leases._by_loop.values()
        assert len(lease.records) == 0
        assert await store.read(handle) is not None


async def test_a_server_that_hangs_is_believed_for_a_lease_at_most(
    make_store: Make, own_redis: RedisServer, clock: FakeClock
) -> None:
    """Then it is asked, and away, until it goes on."""
    store = make_store(own_redis.url, lease=1)
    handle = await copied(store, clock)
    own_redis.signal(signal.SIGSTOP)
    stopped = monotonic()
    try:
        for _ in range(PATIENCE * 100):
            now = monotonic()
            if leased(store, handle, clock) is None:
                break
            assert now <= stopped + 1
            await asyncio.sleep(0.01)
        with pytest.raises(SessionsUnavailable):
            await store.read(handle)
    finally:
        own_redis.signal(signal.SIGCONT)
    await has_copy(store, handle, clock)


async def test_a_wire_that_swallows_words_is_believed_for_a_lease_at_most(
    make_store: Make, own_redis: RedisServer, clock: FakeClock
) -> None:
    """What was said before counts, and a sign-out elsewhere as soon as the lease is over."""
    async with held_wire(own_redis.port) as wire:
        store = make_store(wire.url, lease=1, timeout=2 * PATIENCE)
        handle = await copied(store, clock)
        wire.hold()
        held = monotonic()
        await make_store(own_redis.url).end(handle)
        while now := monotonic():
            if leased(store, handle, clock) is None:
                break
            assert now <= held + 1
            await asyncio.sleep(0.01)
        wire.let_go()
        assert await store.read(handle) is None
        await store.close()


async def test_an_answer_that_took_long_counts_from_when_it_was_asked_for(
    make_store: Make, own_redis: RedisServer, clock: FakeClock
) -> None:
    """What changed after that may be right behind it."""
    async with held_wire(own_redis.port) as wire:
        store = make_store(wire.url, lease=1, timeout=2 * PATIENCE)
        handle = await copied(store, clock)
        wire.hold()
        before = asked(own_redis, "hello")
        while asked(own_redis, "hello") == before:
            leased(store, handle, clock)  # it is in use
            await asyncio.sleep(0.01)
        heard = monotonic()
        await make_store(own_redis.url).end(handle)
        await asyncio.sleep(heard + 0.8 - monotonic())
        wire.pass_one()
        while (now := monotonic()) < heard + 1.3:
            assert leased(store, handle, clock) is None or now <= heard + 1
            await asyncio.sleep(0.01)
        wire.let_go()
        await until(lambda: len(next(iter(store._leases._by_loop.values())).records) == 0)
        await store.close()


async def test_machines_that_were_suspended_ask_anew(
    make_store: Make, redis_server: RedisServer, clock: FakeClock
) -> None:
    """The monotonic clock may stand still then; the other one does not, and may be set back."""
    store = make_store(redis_server.url, lease=LONG)
    handle = await copied(store, clock)
    for seconds in (LONG, -1):
        clock.advance(seconds)
        assert leased(store, handle, clock) is None
        clock.advance(-seconds)
        assert leased(store, handle, clock) is not None


async def test_nobody_asks_for_copies_that_nobody_uses(
    make_store: Make, own_redis: RedisServer, clock: FakeClock
) -> None:
    """The lease lapses, and the next request has one again."""
    store = make_store(own_redis.url, lease=1)
    handle = await copied(store, clock)
    before = -1
    while (now := asked(own_redis, "hello")) != before:
        before = now
        await asyncio.sleep(1.2)  # longer than the lease
    await has_copy(store, handle, clock)
    assert asked(own_redis, "hello") > before


async def test_no_answer_is_older_than_a_write_of_our_own(
    make_store: Make, own_redis: RedisServer, clock: FakeClock
) -> None:
    """Neither a copy that the server has told us to drop, when that is still on its way, nor a reply."""
    async with held_wire(own_redis.port) as wire:
        store = make_store(wire.url, lease=LONG, timeout=2 * PATIENCE)
        handle = await copied(store, clock)
        wire.hold()
        gets = asked(own_redis, "get")
        reading = asyncio.create_task(store.read(handle))
        await until(lambda: asked(own_redis, "get") > gets)
        assert await store.end_by_sid(SID) == 1
        assert leased(store, handle, clock) is None
        wire.pass_one()
        assert await reading is not None  # it was signed in when it was asked
        assert leased(store, handle, clock) is None
        wire.let_go()
        for _ in range(20):
            assert leased(store, handle, clock) is None
            await asyncio.sleep(0)
        assert await store.read(handle) is None
        # What was renewed is copied again, as soon as the server has told all that it said before.
        handle = await copied(store, clock)
        renewed = make_session(clock, login_hint="renewed")
        await store.replace(handle, renewed)
        assert leased(store, handle, clock) is None
        await has_copy(store, handle, clock)
        assert leased(store, handle, clock) == renewed


async def test_of_two_writes_at_once_both_count(
    make_store: Make, redis_server: RedisServer, clock: FakeClock
) -> None:
    """There is no copy before the server has told of both."""
    store = make_store(redis_server.url, lease=LONG)
    handle = await copied(store, clock)
    states = [make_session(clock, login_hint=name) for name in "ab"]
    await asyncio.gather(*(store.replace(handle, state) for state in states))
    assert leased(store, handle, clock) is None
    await has_copy(store, handle, clock)
    assert leased(store, handle, clock) in states


async def test_where_no_name_is_on_a_node_another_one_is_looked_for(
    make_store: Make, redis_server: RedisServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that may be changed to see what the server tells must be the node's; until then, it is asked."""
    monkeypatch.setattr("camunda_entra_fastapi.sessions.lease.CANARY_TRIES", 0)
    store = make_store(redis_server.url, lease=1)
    handle = await store.create(make_session(clock))
    for _ in range(20):
        assert await store.read(handle) is not None
        assert leased(store, handle, clock) is None
        await asyncio.sleep(0)
    monkeypatch.undo()
    await has_copy(store, handle, clock)


async def test_a_write_that_failed_leaves_nothing_behind(
    make_store: Make, own_redis: RedisServer, clock: FakeClock
) -> None:
    """Whatever became of it, the session is asked for once more, and then copied again."""
    store = make_store(own_redis.url, lease=LONG)
    session = make_session(clock)
    handle = await copied(store, clock, session)
    with own_redis.client() as client:
        client.config_set("min-replicas-to-write", 1)
        with pytest.raises(SessionsUnavailable):
            await store.replace(handle, session)
        assert leased(store, handle, clock) is None
        client.config_set("min-replicas-to-write", 0)
    await has_copy(store, handle, clock)
    own_redis.stop()
    with pytest.raises(SessionsUnavailable):
        await store.replace(handle, session)
    own_redis.start()
    handle = await copied(store, clock, session)


async def test_whatever_is_late_no_copy_is_older_than_a_lease_or_than_a_write_of_our_own(  # noqa: PLR0915
    make_store: Make, own_redis: RedisServer, clock: FakeClock
) -> None:
    """Two replicas read and renew one session while their wires hold words back, now and then for long."""
    random = Random(22)
    replaced_at: dict[int, float] = {}
    """When each version was replaced by the next one."""
    version = 0
    session = make_session(clock, login_hint="0")
    hits = 0
    async with held_wire(own_redis.port) as first, held_wire(own_redis.port) as second:
        wires = (first, second)
        stores = [make_store(wire.url, lease=1, timeout=2 * PATIENCE) for wire in wires]
        handle = await stores[0].create(session)
        own = [0, 0]
        """The version that each one wrote last."""
        writing = asyncio.Lock()
        is_over = False

        async def hold(number: int) -> None:
            while not is_over:
                for seconds in (0.002, 0.02, 0.002, 0.02, 0.002, 0.02, 1.2 * (number + 1) - 1):
                    await asyncio.sleep(random.choice((0.001, 0.02, 0.05)))
                    wires[number].hold()
                    await asyncio.sleep(seconds * random.uniform(1, 2))
                    wires[number].let_go()

        async def write(number: int) -> None:
            nonlocal version
            while not is_over:
                await asyncio.sleep(random.uniform(0, 0.05))
                async with writing:
                    now = str(version + 1)
                    assert await stores[number].replace(handle, replace(session, login_hint=now)) == handle
                    replaced_at[version] = monotonic()
                    version += 1
                    own[number] = version

        async def read(number: int) -> None:
            while not is_over:
                assert await stores[number].read(handle) is not None
                await asyncio.sleep(random.uniform(0, 0.02))

        async def look(number: int) -> None:
            nonlocal hits
            while not is_over:
                now = monotonic()
                found = leased(stores[number], handle, clock)
                if found is not None:
                    hits += 1
                    assert int(found.login_hint or "") >= own[number]
                    assert replaced_at.get(int(found.login_hint or ""), now) >= now - 1
                await asyncio.sleep(random.uniform(0, 0.002))

        async def end() -> None:
            nonlocal is_over
            for _ in range(PATIENCE * 10):
                await asyncio.sleep(0.1)
                if hits > 100 and version > 20 and own[1] and own[0]:
                    break
            is_over = True

        async with asyncio.TaskGroup() as group:
            for number in (0, 1):
                for task in (hold, write, read, look):
                    group.create_task(task(number))
            group.create_task(end())
        assert hits > 100
        for store in stores:
            await store.close()


@pytest.fixture
def guarded_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A server whose user may do what a store needs without a lease."""
    server = RedisServer(tmp_path)
    server.start()
    with server.client() as client:
        client.execute_command("ACL SETUSER app on >secret ~camunda_entra:* +get +set +del +ping")
    yield server
    server.stop()


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was warned of."""
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_user_who_may_not_track_asks_every_time(
    make_store: Make, guarded_redis: RedisServer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning says which right is missing, for all connections; with that there are copies."""
    url = f"redis://app:secret@127.0.0.1:{guarded_redis.port}"
    store = make_store(url, lease=LONG)
    handle = await store.create(make_session(clock, sid=None))
    for _ in range(3):
        assert await store.read(handle) is not None
        assert leased(store, handle, clock) is None
        await store.close()
    (warning,) = warnings_in(caplog)
    assert warning == (
        "CAMUNDA_ENTRA_SESSION_LEASE has no effect, and every request asks the Redis: the server refused "
        "CLIENT TRACKING (NOPERM). Allow this user to, in Redis' ACL: +client|tracking."
    )
    with guarded_redis.client() as client:
        client.execute_command("ACL SETUSER app +client|tracking")
    await has_copy(store, handle, clock)
    assert len(warnings_in(caplog)) == 1


@pytest.mark.parametrize(
    ("command", "told"), [("hello", "refused HELLO (ERR)"), ("client", "refused CLIENT TRACKING (ERR)")]
)
async def test_a_server_that_knows_no_such_thing_is_asked_every_time(
    command: str,
    told: str,
    make_store: Make,
    tmp_path: Path,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Redis before its version 6, and proxies."""
    server = RedisServer(tmp_path, "--rename-command", command, "")
    server.start()
    try:
        store = make_store(server.url, lease=LONG)
        handle = await store.create(make_session(clock))
        for _ in range(3):
            assert await store.read(handle) is not None
            assert leased(store, handle, clock) is None
        (warning,) = warnings_in(caplog)
        assert told in warning
        assert "Redis 6 and Valkey have it" in warning
    finally:
        await store.close()
        server.stop()


async def test_a_proxy_that_promises_and_tells_nothing_is_found_out(
    make_store: Make, own_redis: RedisServer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Before any copy counts: a change of our own, by another connection, must be told."""
    async with held_wire(own_redis.port) as wire:
        wire.is_mute = True
        store = make_store(wire.url, lease=LONG)
        handle = await store.create(make_session(clock))
        for _ in range(50):
            assert await store.read(handle) is not None
            assert leased(store, handle, clock) is None
            await asyncio.sleep(0.001)
        await until(lambda: warnings_in(caplog) != [])
        (warning,) = warnings_in(caplog)
        assert "accepted CLIENT TRACKING, and told nothing" in warning
        await store.read(handle)
        assert leased(store, handle, clock) is None
        await store.close()


async def test_a_primary_that_turned_replica_is_not_believed(
    make_store: Make, own_redis: RedisServer, clock: FakeClock
) -> None:
    """It keeps its clients where a provider's address moves on, and may hear of nothing any more."""
    store = make_store(own_redis.url, lease=1)
    handle = await copied(store, clock)
    with own_redis.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", free_port())
        await until(lambda: leased(store, handle, clock) is None)
        for _ in range(20):
            assert await store.read(handle) is not None
            assert leased(store, handle, clock) is None
            await asyncio.sleep(0.01)
        client.execute_command("REPLICAOF", "NO", "ONE")
    await has_copy(store, handle, clock)


async def test_sentinels_new_primary_brings_new_copies(
    make_store: Make,
    own_redis: RedisServer,
    sentinels: RedisServer,  # noqa: F811
    clock: FakeClock,
    tmp_path: Path,
) -> None:
    """A sign-out at the new one counts, and no request fails."""
    folder = tmp_path / "replica"
    folder.mkdir()
    other = RedisServer(
        folder, "--replicaof", f"127.0.0.1 {own_redis.port}", "--repl-diskless-sync-delay", "0"
    )
    other.start()
    with own_redis.client() as primary, sentinels.client(password="watched") as sentinel:
        sentinel.execute_command("SENTINEL", "DEBUG", "info-period", 100)
        primary.config_set("repl-diskless-sync-delay", 0)
        url = f"redis+sentinel://127.0.0.1:{sentinels.port}/my-master?sentinel_password=watched"
        here, there = (make_store(url, lease=LONG) for _ in range(2))
        handle = await there.create(make_session(clock))
        await has_copy(here, handle, clock)
        try:
            await until(lambda: "online" in str(primary.execute_command("INFO", "replication")))
            await until(lambda: _accepted(sentinel))
            await until(lambda: leased(here, handle, clock) is None)
            await until_found(here, handle)
            await has_copy(here, handle, clock)
            await until_ended(there, handle)
            await until(lambda: leased(here, handle, clock) is None)
            assert await here.read(handle) is None
        finally:
            for store in (here, there):
                await store.close()
            other.stop()


def _accepted(sentinel: Any) -> bool:
    try:
        sentinel.execute_command("SENTINEL", "FAILOVER", "my-master")
    except Exception as refused:  # noqa: BLE001 - it has no good replica yet, or is at it
        return "INPROG" in str(refused)
    return True


async def until_found(store: RedisStore, handle: str) -> None:
    """Ask until the failover is over."""
    for _ in range(PATIENCE * 20):
        try:
            assert await store.read(handle) is not None
        except SessionsUnavailable:
            await asyncio.sleep(0.05)
        else:
            return
    raise AssertionError("it does not come back")


async def until_ended(store: RedisStore, handle: str) -> None:
    """Sign out as soon as the failover is over."""
    for _ in range(PATIENCE * 20):
        try:
            await store.end(handle)
        except SessionsUnavailable:
            await asyncio.sleep(0.05)
        else:
            return
    raise AssertionError("it does not come back")


async def test_each_node_of_a_cluster_tells_of_its_own(
    make_store: Make,
    cluster: list[RedisServer],  # noqa: F811
    clock: FakeClock,
) -> None:
    """A node that forgets everything takes its own copies, and no others."""
    url = f"redis+cluster://127.0.0.1:{cluster[0].port}"
    here, there = (make_store(url, lease=LONG) for _ in range(2))
    handles = [await there.create(make_session(clock)) for _ in range(8)]
    for handle in handles:
        await has_copy(here, handle, clock)
    await there.end(handles[0])
    await until(lambda: leased(here, handles[0], clock) is None)
    with cluster[0].client() as first, cluster[1].client() as second:
        first.flushall()
        left = len(second.keys("*:session:*"))
        assert left > 0
    await until(lambda: sum(leased(here, handle, clock) is not None for handle in handles) == left)
    ours = next(handle for handle in handles if leased(here, handle, clock) is not None)
    await here.end(ours)
    assert leased(here, ours, clock) is None
    assert await there.end_by_sid(SID) <= left
    await until(lambda: all(leased(here, handle, clock) is None for handle in handles))


def test_every_event_loop_has_its_own_copies(redis_server: RedisServer, clock: FakeClock) -> None:
    """A sign-out in one counts in the others; loops that are over leave nothing."""
    store = RedisStore(redis_server.url, sealer(), "ab12", clock.time, lease=LONG)

    async def create() -> str:
        handle = await store.create(make_session(clock))
        await store.close()
        return handle

    async def end() -> None:
        await store.end(handle)
        await store.close()

    handle = asyncio.run(create())
    has_ended, have_copies = threading.Event(), threading.Barrier(3)
    outcomes: list[bool] = []

    async def use() -> None:
        await has_copy(store, handle, clock)
        have_copies.wait(PATIENCE)
        await until(has_ended.is_set)
        await until(lambda: leased(store, handle, clock) is None)
        outcomes.append(await store.read(handle) is None)
        await store.close()

    threads = [threading.Thread(target=lambda: asyncio.run(use())) for _ in range(2)]
    for thread in threads:
        thread.start()
    have_copies.wait(PATIENCE)
    asyncio.run(end())
    has_ended.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert outcomes == [True, True]

    async def last() -> int:
        await copied(store, clock)
        await store.close()
        return len(store._leases._by_loop)

    assert asyncio.run(last()) == 0


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_loops_that_are_over_leave_no_copies(redis_server: RedisServer, clock: FakeClock) -> None:
    """Where nobody closed the store, the next loop drops the former one's."""
    store = RedisStore(redis_server.url, sealer(), "ab12", clock.time, lease=LONG)

    async def use() -> None:
        await copied(store, clock)

    for _ in range(3):
        asyncio.run(use())
        assert len(store._leases._by_loop) == 1

    async def use_and_close() -> None:
        await use()
        await store.close()

    asyncio.run(use_and_close())
    assert not store._leases._by_loop
    gc.collect()  # now, as the warnings about what nobody closed are expected here


async def test_no_copy_is_older_than_a_minute(
    make_store: Make, redis_server: RedisServer, clock: FakeClock
) -> None:
    """Sweeping drops them all: there are changes that no server tells of, such as SWAPDB."""
    store = make_store(redis_server.url, lease=LONG)
    handle = await copied(store, clock)
    store.sweep()
    assert leased(store, handle, clock) is None
    await has_copy(store, handle, clock)


async def test_other_records_are_not_copied(
    make_store: Make, redis_server: RedisServer, clock: FakeClock
) -> None:
    """Tokens that replicas share are asked for as before."""
    store = make_store(redis_server.url, lease=LONG)
    await copied(store, clock)
    await store.put_shared("name", "sealed", 60)
    assert await store.get_shared("name") == "sealed"
    (lease,) = store._leases._by_loop.values()
    assert len(lease.records) == 1
