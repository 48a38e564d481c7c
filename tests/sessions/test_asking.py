"""All who ask share one connection for each event loop, whatever happens to it."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.sessions.asking_connection import AskingConnection
from camunda_entra_fastapi.sessions.cluster_asker import ClusterAsker
from camunda_entra_fastapi.sessions.redis import RedisStore
from camunda_entra_fastapi.sessions.redis_client import connect
from camunda_entra_fastapi.sessions.sealing import MAX_SEALED
from tests.conftest import FakeClock
from tests.sessions.conftest import RedisServer, make_session, sealer
from tests.sessions.test_redis import _knows_all_slots, cluster  # noqa: F401 - a fixture
from tests.waiting import wait_for

Make = Callable[..., RedisStore]

PATIENCE = 30


async def put(store: RedisStore, count: int) -> None:
    """Texts that other replicas may ask for."""
    for number in range(count):
        await store.put_shared(f"name {number}", f"text {number}", 600)


async def ask(store: RedisStore, count: int) -> list[str | None]:
    """All of them at once."""
    return list(await asyncio.gather(*(store.get_shared(f"name {number}") for number in range(count))))


def texts(count: int) -> list[str]:
    """What the answers should be."""
    return [f"text {number}" for number in range(count)]


def asking(server: RedisServer) -> list[dict[str, Any]]:
    """The server's connections on which something was asked last."""
    with server.client() as client:
        return [one for one in client.client_list() if one["cmd"] == "get"]


async def test_all_who_ask_share_a_connection(make_store: Make, redis_server: RedisServer) -> None:
    """Each gets the answer to their own question, and the server has few connections to hold."""
    store = make_store(redis_server.url)
    await put(store, 100)
    for _ in range(3):
        assert await ask(store, 100) == texts(100)
    assert len(asking(redis_server)) == 1
    await store.close()
    wait_for(lambda: not asking(redis_server))
    assert await ask(store, 2) == texts(2)


async def test_whoever_leaves_takes_nobodys_answer_along(make_store: Make, redis_server: RedisServer) -> None:
    """Their answer comes all the same, and is thrown away."""
    store = make_store(redis_server.url)
    await put(store, 20)
    await ask(store, 1)
    with redis_server.client() as client:
        client.execute_command("CLIENT PAUSE", 100, "ALL")
    tasks = [asyncio.create_task(store.get_shared(f"name {number}")) for number in range(20)]
    await asyncio.sleep(0.01)
    for task in tasks[::2]:
        task.cancel()
    assert await asyncio.gather(*tasks[1::2]) == texts(20)[1::2]
    assert await ask(store, 20) == texts(20)
    assert len(asking(redis_server)) == 1


async def test_a_record_that_is_too_large_is_none_and_takes_no_other_along(
    make_store: Make, redis_server: RedisServer
) -> None:
    """The connection ends at its header; others in flight are asked again."""
    store = make_store(redis_server.url)
    await put(store, 9)
    await store.put_shared("name 9", "x" * MAX_SEALED, 60)
    await store.put_shared("name 10", "x" * (MAX_SEALED + 1), 60)
    await store.put_shared("name 11", "", 60)
    answers = await asyncio.gather(*(ask(store, 12) for _ in range(3)))
    assert answers == [[*texts(9), "x" * MAX_SEALED, None, None]] * 3


async def test_a_redis_that_pauses_is_waited_for_no_longer_than_the_limit(
    make_store: Make, redis_server: RedisServer
) -> None:
    """Then it is away for all who asked, and there again once it answers."""
    store = make_store(redis_server.url, timeout=1)
    await put(store, 3)
    await ask(store, 1)
    with redis_server.client() as client:
        client.execute_command("CLIENT PAUSE", 1_500, "ALL")
    asked = await asyncio.gather(
        *(store.get_shared(f"name {number}") for number in range(3)), return_exceptions=True
    )
    assert ["TimeoutError" in str(one) for one in asked] == [True] * 3
    with redis_server.client() as client:
        client.ping()  # it goes on
    assert await ask(store, 3) == texts(3)


async def test_more_questions_than_are_kept_are_not_asked(
    make_store: Make, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bound, so that a hanging server fills nobody's memory."""
    monkeypatch.setattr("camunda_entra_fastapi.sessions.asking_connection.MAX_WAITING", 5)
    store = make_store(redis_server.url)
    await put(store, 8)
    await ask(store, 1)
    asked = await asyncio.gather(
        *(store.get_shared(f"name {number}") for number in range(8)), return_exceptions=True
    )
    assert asked[:5] == texts(5)
    assert ["TooManyWaiting" in str(one) for one in asked[5:]] == [True] * 3
    assert await ask(store, 5) == texts(5)


@contextlib.contextmanager
def with_users(folder: Path, **users: str) -> Iterator[RedisServer]:
    """A server with these users, whose password is ``right``."""
    options = [
        word
        for name, rights in users.items()
        for word in ("--user", name, "on", ">right", "~camunda_entra:*", *rights.split())
    ]
    server = RedisServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


async def test_the_right_to_get_is_enough_to_ask(make_store: Make, tmp_path: Path) -> None:
    """A database of one's own takes ``select`` besides; without the right, it is said by its name."""
    with with_users(tmp_path, reader="+get", chooser="+get +select", writer="+set") as server:
        address = f"127.0.0.1:{server.port}"
        await put(make_store(server.url), 1)
        assert await ask(make_store(f"redis://reader:right@{address}"), 2) == ["text 0", None]
        assert await ask(make_store(f"redis://chooser:right@{address}/3"), 1) == [None]
        refused = {
            "redis://reader:wrong@": "WRONGPASS",
            "redis://writer:right@": r"NOPERM, the user lacks \+get",
        }
        for start, name in refused.items():
            store = make_store(f"{start}{address}")
            for _ in range(2):
                with pytest.raises(SessionsUnavailable, match=f"asked: {name}\\.") as caught:
                    await ask(store, 1)
                assert "wrong" not in str(caught.value)
                assert caught.value.__suppress_context__
        with pytest.raises(SessionsUnavailable, match="NOPERM"):
            await ask(make_store(f"redis://reader:right@{address}/3"), 1)


@contextlib.asynccontextmanager
async def saying(line: bytes, slots: bytes = b"") -> AsyncIterator[str]:
    """The URL of something that says this to each question, and that to whoever asks for a cluster's slots.

    A ``%d`` of the former is its port.
    """

    conversations: list[asyncio.Event] = []

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.append(over := asyncio.Event())
        with contextlib.suppress(ConnectionError):
            while command := await reader.read(65_536):
                count = len(re.findall(rb"\*\d+\r\n", command))
                answer = slots if b"SLOTS" in command else line.replace(b"%d", str(port).encode())
                writer.write(answer * count)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"{'redis+cluster' if slots else 'redis'}://127.0.0.1:{port}"
    async with asyncio.timeout(PATIENCE):
        for over in conversations:
            await over.wait()


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "ProtocolError"),
        (b":1\r\n", "ProtocolError"),
        (b"*1\r\n$1\r\na\r\n", "ProtocolError"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "LOADING"),
        (b"-MASTERDOWN Link with MASTER is down\r\n", "MASTERDOWN"),
        (b"-NOAUTH Authentication required.\r\n", "NOAUTH"),
        (b"-MOVED 3999 127.0.0.1:1\r\n", "MOVED"),
        (b"-ERR max number of clients reached\r\n", "ERR"),
    ],
)
async def test_what_a_server_says_instead_of_an_answer_is_no_session(
    make_store: Make, line: bytes, name: str
) -> None:
    """It is the store's fault, and named."""
    async with saying(line) as url:
        store = make_store(url)
        for _ in range(2):
            with pytest.raises(SessionsUnavailable, match=f"asked: {name}\\."):
                await store.get_shared("name")
        await store.close()


def slots_of(*ranges: tuple[int, int, bytes]) -> bytes:
    """What ``CLUSTER SLOTS`` says: who has which, all on a port that nobody listens on."""
    nodes = [
        b"*3\r\n:%d\r\n:%d\r\n*2\r\n$%d\r\n%b\r\n:1\r\n" % (first, last, len(host), host)
        for first, last, host in ranges
    ]
    return b"*%d\r\n%b" % (len(nodes), b"".join(nodes))


async def ask_one(url: str, *, until: str) -> None:
    """Ask twice, which fails with that name."""
    asker = connect(url, 2).asker
    for _ in range(2):
        with pytest.raises(SessionsUnavailable, match=f"asked: {until}\\."):
            await asker.get(b"camunda_entra:x")
    asker.close()


@pytest.mark.parametrize(
    ("slots", "name"),
    [
        (b":1\r\n", "ProtocolError"),
        (b"*1\r\n*1\r\n:1\r\n", "ProtocolError"),
        (slots_of((20_000, 30_000, b"a")), "SlotWithoutNode"),
        (slots_of((0, 16_383, b"?")), "SlotWithoutNode"),
        (slots_of((0, 0, b"")), "SlotWithoutNode"),
        (b"*0\r\n", "SlotWithoutNode"),
        (b"-NOPERM no right to run 'cluster|slots'\r\n", "NOPERM"),
        (slots_of((0, 99_999, b"")), "ConnectionRefusedError"),
        (slots_of((0, 16_383, b"a..b")), "UnicodeError"),
    ],
)
async def test_slots_that_cannot_be_used_are_said_so(slots: bytes, name: str) -> None:
    """Whatever a node takes for the cluster."""
    async with saying(b"", slots) as url:
        await ask_one(url, until=name)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"-MOVED 1 127.0.0.1:%d\r\n", "MOVED"),
        (b"-MOVED 1 :%d\r\n", "MOVED"),
        (b"-MOVED 1 :123456789\r\n", "MOVED"),
        (b"-MOVED 1 127.0.0.1:99999\r\n", "MOVED"),
        (b"-MOVED\r\n", "MOVED"),
        (b"-ASK 1 127.0.0.1:%d\r\n", "ASK"),
        (b"-ASK nowhere\r\n", "ASK"),
        (b"-NOPERM no right to run 'get'\r\n", "NOPERM"),
    ],
)
async def test_redirections_in_circles_end(line: bytes, name: str) -> None:
    """So do those to nowhere."""
    async with saying(line, b":1\r\n") as url:
        port = int(url.rpartition(":")[2])
        asker = connect(url, 2).asker
        assert isinstance(asker, ClusterAsker)
        for _ in range(2):
            asker._nodes = [("127.0.0.1", port)] * 16_384
            with pytest.raises(SessionsUnavailable, match=f"asked: ({name}|ProtocolError)\\."):
                await asker.get(b"camunda_entra:x")
        asker.close()


async def test_a_password_that_is_not_looked_at_yet(make_store: Make) -> None:
    """A server that loads its data refuses everything, and is asked again."""
    async with saying(b"-LOADING Redis is loading the dataset in memory\r\n") as url:
        with pytest.raises(SessionsUnavailable, match="LOADING"):
            await make_store(url.replace("//", "//:secret@")).get_shared("name")


async def test_what_a_server_says_by_itself_is_no_answer(make_store: Make) -> None:
    """Nobody asked for it; who did ask gets theirs."""
    async with saying(b">2\r\n+message\r\n+x\r\n$1\r\na\r\n") as url:
        store = make_store(url)
        assert await store.get_shared("name") == "a"
        await store.close()


async def test_a_refusal_for_nobody_is_none(make_store: Make) -> None:
    """Whoever was refused has left; the others ask on."""
    async with saying(b"-NOPERM\r\n") as url:
        store = make_store(url)
        for _ in range(2):
            task = asyncio.create_task(store.get_shared("name"))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(SessionsUnavailable, match="NOPERM"):
                await store.get_shared("name")
        await store.close()


async def test_a_moved_slot_is_found(
    make_store: Make,
    cluster: list[RedisServer],  # noqa: F811
) -> None:
    """While it moves, and afterwards; each key is asked where it is."""
    store = make_store(f"redis+cluster://127.0.0.1:{cluster[0].port}")
    await put(store, 30)
    assert await ask(store, 30) == texts(30)
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(node.client()) for node in cluster)
        ids = [client.execute_command("CLUSTER MYID") for client in (first, second)]
        for key in first.keys("*"):
            slot = first.execute_command("CLUSTER KEYSLOT", key)
            second.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[0])
            first.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[1])
            first.execute_command("MIGRATE", "127.0.0.1", cluster[1].port, key, 0, 5_000)
        assert await ask(store, 30) == texts(30)  # by ASK
        for key in second.keys("*"):
            slot = second.execute_command("CLUSTER KEYSLOT", key)
            for client in (second, first):
                client.execute_command("CLUSTER SETSLOT", slot, "NODE", ids[1])
        assert await ask(store, 30) == texts(30)  # by MOVED
        second.config_resetstat()
        first.config_resetstat()
        assert await ask(store, 30) == texts(30)
        assert "cmdstat_get" not in first.info("commandstats")
        assert second.info("commandstats")["cmdstat_get"]["calls"] == 30


async def test_a_node_that_was_away_is_asked_again(
    make_store: Make,
    cluster: list[RedisServer],  # noqa: F811
) -> None:
    """The other nodes' keys are found meanwhile."""
    store = make_store(f"redis+cluster://127.0.0.1:{cluster[0].port},127.0.0.1:{cluster[1].port}")
    await put(store, 30)
    cluster[1].stop()
    asked = await asyncio.gather(
        *(store.get_shared(f"name {number}") for number in range(30)), return_exceptions=True
    )
    found = [one for one in asked if isinstance(one, str)]
    assert 5 < len(found) < 25
    assert all(isinstance(one, str | SessionsUnavailable) for one in asked)
    cluster[1].start()
    missing = [number for number, one in enumerate(asked) if not isinstance(one, str)]
    await asyncio.to_thread(wait_for, lambda: all(map(_knows_all_slots, cluster)))
    assert [await store.get_shared(f"name {number}") for number in missing] == [None] * len(missing)


class Notes:
    """What a tracker hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.connection: AskingConnection | None = None

    def on_open(self, connection: AskingConnection) -> None:
        """Note it."""
        self.connection = connection
        self.heard.append("open")

    def on_untracked(self, reason: str) -> None:
        """Note it."""
        self.heard.append(reason)

    def on_reply(self, connection: AskingConnection, key: bytes, value: bytes | None) -> None:
        """Note it."""
        assert connection is self.connection
        self.heard.append((key, value))

    def on_push(self, connection: AskingConnection, kind: bytes, items: list[Any]) -> None:
        """Note it."""
        assert connection is self.connection
        self.heard.append((kind, items))

    def on_lost(self, connection: AskingConnection) -> None:
        """Note it."""
        assert connection is self.connection
        self.heard.append("lost")


async def test_a_tracker_hears_all_in_its_order(redis_server: RedisServer) -> None:
    """What was read, then its change, then the PONG that was asked for after it, then the end."""
    notes = Notes()
    asker = connect(f"{redis_server.url}/2", 2, notes).asker
    with redis_server.client(db=2) as client:
        client.set("a", "1")
        assert await asker.get(b"a") == b"1"
        client.set("a", "2")
        connection = asker.connection_for(b"a")
        assert connection is not None
        assert connection.is_tracked
        assert await connection.send(b"PING") == b"PONG"
        notes.heard.append("PONG")
        client.flushall()
        assert await connection.send(b"PING") == b"PONG"
        client.execute_command("CLIENT KILL", "TYPE", "normal", "SKIPME", "yes")
        assert await asker.get(b"a") is None
    asker.close()
    assert notes.heard == [
        "open",
        (b"a", b"1"),
        (b"invalidate", [[b"a"]]),
        "PONG",
        (b"invalidate", [None]),
        "lost",
        "open",
        (b"a", None),
        "lost",
    ]
    assert asker.connection_for(b"a") is None
    assert connection.send(b"PING").exception() is not None  # at once, and nothing is waited for


class Closing(Notes):
    """Closes the connection when it hears something."""

    def on_reply(self, connection: AskingConnection, key: bytes, value: bytes | None) -> None:
        """For the first time."""
        super().on_reply(connection, key, value)
        if self.heard == ["open", (key, value)]:
            connection.close()

    def on_push(self, connection: AskingConnection, kind: bytes, items: list[Any]) -> None:
        """Each time."""
        super().on_push(connection, kind, items)
        connection.close()


async def test_a_tracker_may_close_the_connection(redis_server: RedisServer) -> None:
    """In the middle of what it hears; who waits is asked for again, and nobody fails."""
    notes = Closing()
    asker = connect(redis_server.url, 2, notes).asker
    with redis_server.client() as client:
        client.set("a", "1")
        assert await asyncio.gather(*(asker.get(b"a") for _ in range(5))) == [b"1"] * 5
        assert notes.heard[:5] == ["open", (b"a", b"1"), "lost", "open", (b"a", b"1")]
        client.set("a", "2")
        assert await asyncio.gather(*(asker.get(b"a") for _ in range(5))) == [b"2"] * 5
    asker.close()
    assert notes.heard.count("open") == notes.heard.count("lost") == 3


async def test_without_the_right_to_track_it_asks(tmp_path: Path) -> None:
    """The tracker is told what was refused."""
    with with_users(tmp_path, reader="+get +select") as server:
        for password, heard in (("right", ["NOPERM CLIENT TRACKING"]), ("wrong", [])):
            notes = Notes()
            asker = connect(f"redis://reader:{password}@127.0.0.1:{server.port}/1", 2, notes).asker
            if heard:
                assert await asker.get(b"camunda_entra:x") is None
                connection = asker.connection_for(b"camunda_entra:x")
                assert connection is not None
                assert not connection.is_tracked
            else:
                with pytest.raises(SessionsUnavailable, match="WRONGPASS"):
                    await asker.get(b"camunda_entra:x")
            asker.close()
            assert notes.heard == heard


async def test_an_old_server_that_knows_no_hello_is_asked() -> None:
    """In the protocol that all of them speak."""
    async with saying(b"-ERR unknown command 'HELLO'\r\n") as url:
        notes = Notes()
        asker = connect(url, 2, notes).asker
        with pytest.raises(SessionsUnavailable, match="ERR"):
            await asker.get(b"x")
        asker.close()
        assert notes.heard[0] == "ERR HELLO"


async def test_renewed_connections_fail_nobody(redis_server: RedisServer) -> None:
    """Who waits is asked for again where the server is now."""
    asker = connect(redis_server.url, 2).asker
    with redis_server.client() as client:
        client.set("a", "1")
    await asker.get(b"a")
    waiting = asyncio.gather(*(asker.get(b"a") for _ in range(10)))
    await asyncio.sleep(0)
    asker.renew()
    assert await waiting == [b"1"] * 10
    asker.close()


async def test_what_is_opened_while_the_store_closes_is_closed(redis_server: RedisServer) -> None:
    """Nothing stays open behind the application's end."""
    asker = connect(redis_server.url, 2).asker
    task = asyncio.create_task(asker.get(b"a"))
    await asyncio.sleep(0)
    asker.close()
    with pytest.raises(SessionsUnavailable, match="closed"):
        await task
    assert asker.connection_for(b"a") is None


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_connection_that_breaks_fails_nobody(
    redis_server: RedisServer, clock: FakeClock, loop: str
) -> None:
    """Who waits is asked for again, on a new one that all share.

    The transports of uvloop raise RuntimeError when they are written to after their end.
    """
    run: Any = asyncio.run if loop == "asyncio" else pytest.importorskip("uvloop").run

    async def use() -> None:
        store = RedisStore(redis_server.url, sealer(), "ab12", clock.time)
        handle = await store.create(make_session(clock))
        with redis_server.client() as client:
            for turns in range(15):
                reads = [asyncio.create_task(store.read(handle)) for _ in range(20)]
                for _ in range(turns):
                    await asyncio.sleep(0)
                client.execute_command("CLIENT KILL", "TYPE", "normal", "SKIPME", "yes")
                reads += [asyncio.create_task(store.read(handle)) for _ in range(20)]
                assert await asyncio.gather(*reads) == [make_session(clock)] * 40
            assert client.info("stats")["total_connections_received"] < 100
        await store.close()

    with redis_server.client() as client:
        client.config_resetstat()
    run(use())


async def test_what_arrives_on_a_lost_connection_is_not_looked_at() -> None:
    """Whoever hears of changes was told that no more come."""
    heard: list[object] = []

    class Listening:
        def on_open(self, connection: AskingConnection) -> None: ...
        def on_untracked(self, reason: str) -> None: ...
        def on_reply(self, connection: AskingConnection, key: bytes, value: bytes | None) -> None: ...
        def on_push(self, connection: AskingConnection, kind: bytes, items: list[Any]) -> None:
            heard.append(kind)

        def on_lost(self, connection: AskingConnection) -> None:
            heard.append("lost")

    connection = AskingConnection(1, Listening())
    connection.is_tracked = True
    connection.data_received(b">2\r\n$10\r\ninvalidate\r\n_\r\n")
    connection.close()
    connection.data_received(b">2\r\n$10\r\ninvalidate\r\n_\r\n")
    assert heard == [b"invalidate", "lost"]
