"""A Redis that fails: what is tried again, what is said, and what health checks are told."""

import asyncio
import gc
import shutil
import signal
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from redis.asyncio import Redis
from redis.exceptions import RedisClusterException

from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.sessions.redis import RedisStore
from camunda_entra_fastapi.sessions.redis_failures import TimeLimit
from tests.conftest import FakeClock
from tests.relay import Relay
from tests.sessions.conftest import SID, RedisServer, make_session, sealer
from tests.waiting import PATIENCE, until, wait_for

Make = Callable[..., RedisStore]
NAMED = {
    "RuntimeError": RuntimeError("unable to perform operation on <TCPTransport closed=True>"),
    "AttributeError": AttributeError("'NoneType' object has no attribute 'writelines'"),
    "KeyError": KeyError(4711),
    "IndexError": IndexError("list index out of range"),
    "InvalidStateError": asyncio.InvalidStateError("invalid state"),
}


@pytest.fixture
async def relay(redis_server: RedisServer) -> AsyncIterator[Relay]:
    """An address in front of a server with nothing in it."""
    async with Relay(redis_server.port).open() as relay:
        yield relay


@pytest.fixture
def other_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Another server."""
    folder = tmp_path / "other"
    folder.mkdir()
    server = RedisServer(folder)
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("name", NAMED)
async def test_whatever_redis_py_raises_is_a_store_that_is_away(
    make_store: Make, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It raises more than it documents, where a connection is dropped while it is in use."""

    async def fail(*_: object, **__: object) -> None:
        raise NAMED[name]

    monkeypatch.setattr(Redis, "execute_command", fail)
    with pytest.raises(SessionsUnavailable, match=rf"cannot be asked: {name}\. ") as caught:
        await make_store(redis_server.url).use_once("mark", 60)
    assert "NoneType" not in caught.value.message
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("name", NAMED)
async def test_a_command_is_tried_three_times(
    make_store: Make, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, name: str, clock: FakeClock
) -> None:
    """What fails twice and works then was no fault that anybody notices."""
    execute: Any = Redis.execute_command
    attempts: list[Any] = []

    async def fail_twice(self: Any, *words: Any, **options: Any) -> Any:
        attempts.append(words[0])
        if attempts.count(words[0]) <= 2:
            raise NAMED[name]
        return await execute(self, *words, **options)

    monkeypatch.setattr(Redis, "execute_command", fail_twice)
    store = make_store(redis_server.url)
    assert await store.use_once("mark", 60)
    assert attempts == ["SET"] * 3
    await store.create(make_session(clock))
    assert {word: attempts.count(word) for word in ("ZADD", "PEXPIRE")} == {"ZADD": 3, "PEXPIRE": 3}


async def test_faults_of_our_own_are_not_the_stores(make_store: Make, redis_server: RedisServer) -> None:
    """A session that cannot be stored is no store that is away."""
    store = make_store(redis_server.url)
    with pytest.raises(TypeError):
        await store.use_once("mark", None)  # type: ignore[arg-type]
    session = make_session(FakeClock(), sid=None)
    object.__setattr__(session, "expires_at", None)
    with pytest.raises(TypeError):
        await store.create(session)


def test_a_server_that_closes_at_once_is_away_on_uvloop(clock: FakeClock) -> None:
    """uvloop raises RuntimeError for what asyncio takes: a write to a connection that was reset meanwhile."""
    failures: list[str] = []

    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reset = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        writer.write(b"-ERR max number of clients reached\r\n")
        writer.close()

    async def use(store: RedisStore, mark: str) -> None:
        with pytest.raises(SessionsUnavailable) as caught:
            await store.use_once(mark, 60)
        failures.append(caught.value.message)

    async def run() -> None:
        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        store = RedisStore(f"redis://127.0.0.1:{port}", sealer(), "ab12", clock.time)
        async with server:
            for _ in range(5):
                await asyncio.gather(*(use(store, str(mark)) for mark in range(20)))
            await store.close()

    uvloop.run(run())
    assert len(failures) == 100


async def test_the_time_limit_holds_whatever_redis_py_waits_for(
    make_store: Make, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hold a cancellation up, for a connection to be closed; nobody waits for that but ``close``."""
    execute, may_end, has_ended = Redis.execute_command, asyncio.Event(), asyncio.Event()

    async def dawdle(self: Any, *words: Any, **options: Any) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await may_end.wait()
            has_ended.set()
            raise RuntimeError("too late") from None

    store = make_store(redis_server.url, timeout=0.2)
    await store.check()
    monkeypatch.setattr(Redis, "execute_command", dawdle)
    with pytest.raises(SessionsUnavailable, match="TimeoutError"):
        await store.check()
    monkeypatch.setattr(Redis, "execute_command", execute)
    await store.check()
    asyncio.get_running_loop().call_later(0.1, may_end.set)
    await store.close()
    assert has_ended.is_set()


async def test_whoever_hangs_up_takes_the_command_along(
    make_store: Make, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that is cancelled leaves nothing behind."""
    is_waiting, is_cancelled = asyncio.Event(), asyncio.Event()

    async def wait(*_: object, **__: object) -> None:
        try:
            is_waiting.set()
            await asyncio.Event().wait()
        finally:
            is_cancelled.set()

    monkeypatch.setattr(Redis, "execute_command", wait)
    request = asyncio.create_task(make_store(redis_server.url).check())
    await is_waiting.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    await is_cancelled.wait()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_loops_that_are_over_leave_no_commands(own_redis: RedisServer, clock: FakeClock) -> None:
    """Where nobody closed the store, the next loop forgets the former one's."""
    store = RedisStore(own_redis.url, sealer(), "ab12", clock.time, timeout=0.2)

    async def ask() -> None:
        with pytest.raises(SessionsUnavailable):
            await store.check()

    own_redis.signal(signal.SIGSTOP)
    try:
        for _ in range(3):
            asyncio.run(ask())
            assert len(store._time_limit._tasks) == 1
    finally:
        own_redis.signal(signal.SIGCONT)
    gc.collect()  # now, as the warnings about what nobody closed are expected here


async def test_a_full_server_is_away_until_somebody_leaves(
    make_store: Make, own_redis: RedisServer, clock: FakeClock
) -> None:
    """With ``maxclients`` reached, it is the one error, and all is well when there is room again."""
    with own_redis.client() as client:
        client.config_set("maxclients", 1)
        store = make_store(own_redis.url)
        for _ in range(3):
            with pytest.raises(SessionsUnavailable):
                await store.create(make_session(clock))
        client.config_set("maxclients", 100)
        assert await store.read(await store.create(make_session(clock)))


async def test_two_connections_that_are_refused_cost_no_request(
    relay: Relay, make_store: Make, clock: FakeClock
) -> None:
    """A server that is full for a moment, or a balancer that looks for one."""
    store = make_store(relay.url)
    relay.refuses = 2
    session = make_session(clock)
    assert await store.read(await store.create(session)) == session


async def test_a_mark_whose_answer_was_lost_is_ours(relay: Relay, make_store: Make) -> None:
    """Whether this attempt set it, or the one before, its random value tells; it still counts once."""
    store = make_store(relay.url)
    relay.loses_answer_to = b"NX"
    assert await store.use_once("mark", 60)
    assert relay.loses_answer_to is None
    assert not await store.use_once("mark", 60)
    assert not await make_store(relay.url).use_once("mark", 60)


@pytest.mark.parametrize("word", [b"zadd", b"ZADD", b"PEXPIRE", b"SET"])
async def test_other_answers_that_are_lost_change_nothing(
    relay: Relay, make_store: Make, clock: FakeClock, word: bytes
) -> None:
    """All other commands may be executed twice."""
    store = make_store(relay.url)
    relay.loses_answer_to = word
    session = make_session(clock)
    handle = await store.create(session)
    assert await store.read(handle) == session
    assert await store.end_by_sid(SID) == 1


async def test_a_managed_failover_is_followed(
    relay: Relay, redis_server: RedisServer, other_redis: RedisServer, make_store: Make, clock: FakeClock
) -> None:
    """Behind a stable address the former primary keeps its clients, as a replica that refuses all writes."""
    store = make_store(relay.url, timeout=PATIENCE)
    session = make_session(clock)
    # Many connections, all of them idle when it happens.
    await asyncio.gather(*(store.create(session) for _ in range(30)))
    relay.target = other_redis.port
    with redis_server.client() as former, other_redis.client() as primary:
        former.replicaof("127.0.0.1", other_redis.port)
        try:
            handles = await asyncio.gather(*(store.create(session) for _ in range(30)))
            assert len(primary.keys("*:session:*")) == 30
            assert [await store.read(handle) for handle in handles] == [session] * 30
            await store.check()
            await store.close()
            await until(lambda: not [each for each in former.client_list() if each["flags"] == "N"][1:])
        finally:
            former.replicaof("NO", "ONE")


async def test_a_replica_for_good_is_connected_to_anew_now_and_then(
    relay: Relay, redis_server: RedisServer, other_redis: RedisServer, make_store: Make, clock: FakeClock
) -> None:
    """Each refused write would otherwise open a connection; as soon as it is the primary, all is well."""
    store = make_store(relay.url)
    with redis_server.client() as client:
        client.replicaof("127.0.0.1", other_redis.port)
        try:
            for _ in range(20):
                with pytest.raises(SessionsUnavailable, match="takes no writes: ReadOnlyError") as caught:
                    await store.create(make_session(clock))
            assert relay.connections < 20
        finally:
            client.replicaof("NO", "ONE")
    assert "it is a replica" in caught.value.message
    assert await store.create(make_session(clock))


async def test_a_cluster_whose_nodes_redis_py_has_forgotten_is_connected_to_anew(
    make_store: Make, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older ones strike each node off that failed, and have nobody to ask when all did."""
    store = make_store(redis_server.url)
    forgetful = store._client().client

    async def fail(self: Any, *words: Any, **options: Any) -> Any:
        if self is forgetful:
            raise RedisClusterException("Redis Cluster cannot be connected.")
        return await execute(self, *words, **options)

    execute: Any = Redis.execute_command
    monkeypatch.setattr(Redis, "execute_command", fail)
    assert await store.use_once("mark", 60)


async def test_two_failovers_are_followed(
    relay: Relay, redis_server: RedisServer, other_redis: RedisServer, make_store: Make
) -> None:
    """The second one as well as the first, when the connections of before are closed."""
    store = make_store(relay.url, timeout=0.5)
    servers = (redis_server, other_redis)
    await store.check()
    for former, new in (servers, servers[::-1], servers):
        with former.client() as demoted, new.client() as promoted:
            promoted.replicaof("NO", "ONE")
            relay.target = new.port
            demoted.replicaof("127.0.0.1", new.port)
            await store.check()
            assert promoted.keys("*:check:*")
            await until(lambda: not store._retired._closing or _all_done(store))
    with redis_server.client() as client:
        client.replicaof("NO", "ONE")


def _all_done(store: RedisStore) -> bool:
    return all(task.done() for task in store._retired._closing.values())


def _full(server: RedisServer) -> str:
    with server.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
    return "OutOfMemoryError. Probably it is full"


def _unable_to_save(server: RedisServer) -> str:
    with server.client() as client:
        client.config_set("save", "3600 1")
        shutil.rmtree(server._folder)
        client.set("changed", "1")
        client.bgsave()
        wait_for(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
    return "MISCONF. Probably it cannot save its snapshots"


def _without_replicas(server: RedisServer) -> str:
    with server.client() as client:
        client.config_set("min-replicas-to-write", 1)
    return "NOREPLICAS. Probably it has fewer replicas"


@pytest.mark.parametrize("break_it", [_full, _unable_to_save, _without_replicas])
async def test_a_store_that_takes_no_writes_is_not_ready(
    make_store: Make, own_redis: RedisServer, clock: FakeClock, break_it: Callable[[RedisServer], str]
) -> None:
    """It answers all questions, and lets nobody sign in; the message says why."""
    store = make_store(own_redis.url)
    session = make_session(clock)
    handle = await store.create(session)
    await store.check()
    expected = break_it(own_redis)
    with pytest.raises(SessionsUnavailable, match=f"takes no writes: {expected}"):
        await store.check()
    assert await store.read(handle) == session


async def test_health_checks_fill_nothing(make_store: Make, redis_server: RedisServer) -> None:
    """However often they come: one key for each process, which goes by itself."""
    stores = [make_store(redis_server.url) for _ in range(2)]
    for _ in range(50):
        for store in stores:
            await store.check()
    with redis_server.client() as client:
        keys = client.keys("*")
        assert len(keys) == 2
        assert all(key.startswith("camunda_entra:ab12:check:") for key in keys)
        assert all(0 < client.pttl(key) <= 5_000 for key in keys)


async def test_who_leaves_when_the_store_has_just_failed_leaves_no_complaint() -> None:
    """Nobody looks at that failure any more, and asyncio does not log it as forgotten."""
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    fails = asyncio.Event()

    async def command() -> None:
        await fails.wait()
        raise OSError

    asking = loop.create_task(TimeLimit(60).within(command()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    fails.set()
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait((asking,))
    assert asking.cancelled()
    del asking
    gc.collect()
    assert not complaints
