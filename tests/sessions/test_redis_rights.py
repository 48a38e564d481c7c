"""The rights that a Redis user needs are those that the documentation gives, and no more is asked for."""

import asyncio
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import redis

from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.sessions.redis import RedisStore
from camunda_entra_fastapi.sessions.redis_limits import RedisLimits, read_limits
from camunda_entra_fastapi.sessions.redis_rights import missing_right
from tests.conftest import FakeClock
from tests.sessions.conftest import SID, RedisServer, make_session, watched
from tests.sessions.rights import (
    LEAST,
    PAGE,
    REFUSED_WITHOUT_HARM,
    USER,
    given_rights,
    refused_to,
    url_of,
)
from tests.waiting import wait_for

Make = Callable[..., RedisStore]

IS_OLD: Final = tuple(map(int, redis.__version__.split(".")[:3])) < (5, 0, 8)
"""redis-py asked nodes of a cluster for INFO, as the page says."""


async def use(store: RedisStore, clock: FakeClock) -> None:
    """Everything that a store does."""
    await store.check()
    session = make_session(clock)
    handle = await store.create(session)
    assert await store.read(handle) == session
    async with store.renewing(handle):
        assert await store.replace(handle, session) == handle
    assert await store.use_once("mark", 60)
    await store.put_shared("a token", "sealed", 60)
    assert await store.get_shared("a token") == "sealed"
    await store.end(handle)
    handles = [await store.create(session) for _ in range(3)]
    assert await store.end_by_sid(SID) == 3
    assert [await store.read(each) for each in handles] == [None] * 3
    await store.try_commands()


@pytest.fixture
def guarded_redis(redis_server: RedisServer) -> Iterator[RedisServer]:
    """One whose user has the least rights."""
    with redis_server.client() as client:
        client.acl_log_reset()
        client.config_resetstat()
        given_rights(redis_server, LEAST)
        yield redis_server
        client.acl_deluser(USER)
        client.config_set("maxmemory", "0")
        client.config_set("maxmemory-policy", "noeviction")


async def test_the_least_rights_are_enough(
    make_store: Make, guarded_redis: RedisServer, clock: FakeClock
) -> None:
    """Nothing is asked for that they do not have, and each of them is needed."""
    await use(make_store(url_of(guarded_redis)), clock)
    assert refused_to(guarded_redis) <= REFUSED_WITHOUT_HARM
    with guarded_redis.client() as client:
        stats = client.info("commandstats")
    used = {name.removeprefix("cmdstat_").replace("|", " ") for name in stats}
    commands = {word[1:] for word in LEAST if word.startswith("+")}
    assert commands <= used
    ours = {"acl setuser", "acl log", "config resetstat", "info"}
    assert not used - commands - ours - {"auth", "client setinfo"}


@pytest.mark.parametrize("lacking", [word for word in LEAST if word.startswith("+")])
async def test_a_missing_right_is_named(make_store: Make, guarded_redis: RedisServer, lacking: str) -> None:
    """Whoever tries all commands, as doctor does, reads which one the user may not use."""
    given_rights(guarded_redis, [lacking.replace("+", "-")])
    store = make_store(url_of(guarded_redis))
    with pytest.raises(SessionsUnavailable) as caught:
        await store.try_commands()
    assert f"NoPermissionError, the user lacks {lacking}." in caught.value.message


async def test_missing_keys_are_named(make_store: Make, guarded_redis: RedisServer, clock: FakeClock) -> None:
    """A user who may use all commands, and not our keys."""
    given_rights(guarded_redis, ["resetkeys", "~others:*", "+@all"])
    store = make_store(url_of(guarded_redis))
    with pytest.raises(SessionsUnavailable, match=r"the user lacks ~camunda_entra:\*\."):
        await store.create(make_session(clock))


@pytest.mark.parametrize(
    ("refusal", "right"),
    [
        ("this user has no permissions to run the 'get' command or its subcommand", "+get"),
        ("User sessions has no permissions to run the 'client|no-evict' command", "+client|no-evict"),
        ("No permissions to access a key", "~camunda_entra:*"),
        ("this user has no permissions to access one of the keys used as arguments", "~camunda_entra:*"),
        ("User x' command has no permissions to run the 'GE;T' command", ""),
        (f"no permissions to run the '{'x' * 25}' command", ""),
        ("OOM command not allowed when used memory > 'maxmemory'.", ""),
    ],
)
def test_only_names_of_commands_are_taken_from_a_refusal(refusal: str, right: str) -> None:
    """Whatever else a server says stays out of logs."""
    assert missing_right(refusal) == right


async def test_a_database_number_needs_one_more(
    make_store: Make, guarded_redis: RedisServer, clock: FakeClock
) -> None:
    """Without the right to choose it, that is what is named."""
    url = url_of(guarded_redis) + "/3"
    with pytest.raises(SessionsUnavailable):
        await make_store(url).check()
    given_rights(guarded_redis, PAGE["with a database number in the URL"])
    await use(make_store(url), clock)
    assert refused_to(guarded_redis) <= REFUSED_WITHOUT_HARM | {"select"}


async def test_the_limits_need_one_more(make_store: Make, guarded_redis: RedisServer) -> None:
    """Without the right to ask, nothing is known; either of the two commands tells it."""
    store = make_store(url_of(guarded_redis))
    assert await store.limits() is None
    with guarded_redis.client() as client:
        client.config_set("maxmemory", "5mb")
        client.config_set("maxmemory-policy", "volatile-ttl")
    for more in (PAGE["doctor looks at maxmemory and its policy"], ["-info", "+config|get"]):
        given_rights(guarded_redis, more)
        assert await store.limits() == RedisLimits(5 * 1024 * 1024, ("volatile-ttl",))


@pytest.mark.parametrize(
    ("answer", "limits"),
    [
        ({"maxmemory": "5", "maxmemory-policy": "noeviction"}, RedisLimits(5, ("noeviction",))),
        ({"maxmemory": 5, "maxmemory_policy": "\x1b[2J"}, RedisLimits(5, ("an unknown one",))),
        ({"maxmemory": "much", "maxmemory_policy": "noeviction"}, None),
        ({"used_memory": 5}, None),
    ],
)
async def test_servers_of_other_makers_may_answer_otherwise(
    answer: dict[str, object], limits: RedisLimits | None
) -> None:
    """What is not understood is not known, and no text of theirs is repeated."""

    class Other:
        is_cluster = False

        async def info(self, section: str) -> dict[str, object]:
            return answer

        async def config_get(self, pattern: str) -> dict[str, object]:
            raise redis.ResponseError(f"unknown command 'config', with args beginning with: {pattern}")

    assert await read_limits(Other()) == limits


@pytest.fixture
def sentinel(guarded_redis: RedisServer, tmp_path: Path) -> Iterator[RedisServer]:
    """A Sentinel that watches it, and whose own user has the least rights."""
    with watched(guarded_redis, tmp_path, "orders") as server:
        yield server


async def test_sentinels_have_users_of_their_own(
    make_store: Make, guarded_redis: RedisServer, sentinel: RedisServer, clock: FakeClock
) -> None:
    """Theirs asks where the primary is, and that of the primary has the least rights."""
    given_rights(sentinel, PAGE["each Sentinel"])
    store = make_store(
        f"redis+sentinel://{USER}:geheim@127.0.0.1:{sentinel.port}/orders"
        f"?sentinel_username={USER}&sentinel_password=geheim"
    )
    await use(store, clock)
    assert refused_to(guarded_redis) | refused_to(sentinel) <= REFUSED_WITHOUT_HARM


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[RedisServer, RedisServer]]:
    """A cluster of two, of which the first has all slots but one."""
    first, second = [
        RedisServer(tmp_path, "--cluster-enabled", "yes", "--cluster-config-file", f"{name}.conf")
        for name in ("a", "b")
    ]
    with first, second:
        for node in (first, second):
            given_rights(node, [*LEAST, *PAGE["in a cluster"], *(["+info"] if IS_OLD else [])])
        with first.client() as client:
            client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16_382)
            client.execute_command("CLUSTER MEET", "127.0.0.1", second.port)
            with second.client() as other:
                other.execute_command("CLUSTER ADDSLOTS", 16_383)
                for each in (client, other):
                    wait_for(lambda each=each: "cluster_state:ok" in _raw(each, "CLUSTER INFO"))  # type: ignore[misc]
        yield first, second


def _raw(client: Any, command: str) -> str:
    client.response_callbacks.clear()
    answer: Any = client.execute_command(command)
    return answer if isinstance(answer, str) else bytes(answer).decode()


async def test_a_cluster_needs_three_more(
    make_store: Make, nodes: tuple[RedisServer, RedisServer], clock: FakeClock
) -> None:
    """To find the nodes and their commands, and to follow a slot that moves."""
    first, second = nodes
    store = make_store(f"redis+cluster://{USER}:geheim@127.0.0.1:{first.port}")
    await use(store, clock)
    key = store._key("mark", "moving")
    with first.client() as here, second.client() as there:
        slot = here.execute_command("CLUSTER KEYSLOT", key)
        here.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", _raw(there, "CLUSTER MYID"))
        there.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", _raw(here, "CLUSTER MYID"))
        assert await store.use_once("moving", 60)
        assert "cmdstat_asking:calls=1," in _raw(there, "INFO commandstats")
    for node in nodes:
        assert refused_to(node) <= REFUSED_WITHOUT_HARM
        given_rights(node, PAGE["doctor looks at maxmemory and its policy"])
    with first.client() as client:
        client.config_set("maxmemory", "64mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
    assert await store.limits() == RedisLimits(0, ("allkeys-lru", "noeviction"))


@pytest.mark.parametrize("lacking", ["+cluster|slots", "+command"])
async def test_a_right_that_a_cluster_asks_for_first_is_named(
    make_store: Make, nodes: tuple[RedisServer, RedisServer], lacking: str
) -> None:
    """redis-py says of a node that refuses CLUSTER SLOTS that it is in no cluster."""
    for node in nodes:
        given_rights(node, [lacking.replace("+", "-")])
    store = make_store(f"redis+cluster://{USER}:geheim@127.0.0.1:{nodes[0].port}")
    with pytest.raises(SessionsUnavailable) as caught:
        await store.try_commands()
    assert f"NoPermissionError, the user lacks {lacking}." in caught.value.message


async def test_a_cluster_that_refuses_the_password_is_told_apart(
    make_store: Make, nodes: tuple[RedisServer, RedisServer]
) -> None:
    """It is there, and nothing is wrong with its slots."""
    store = make_store(f"redis+cluster://{USER}:falsch@127.0.0.1:{nodes[0].port}")
    with pytest.raises(SessionsUnavailable, match=r": AuthenticationError\."):
        await store.try_commands()


async def test_a_lock_that_cannot_be_let_go_of_is_told(
    make_store: Make, guarded_redis: RedisServer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The renewal stands, and one line says for how long the lock stays, and which right is missing."""
    store = make_store(url_of(guarded_redis))
    handles = [await store.create(make_session(clock)) for _ in range(2)]
    given_rights(guarded_redis, ["-del"])
    for handle in handles:
        async with store.renewing(handle):
            pass
    (record,) = caplog.records
    assert "stays in the Redis for up to 30 seconds" in record.getMessage()
    assert "the user lacks +del." in record.getMessage()


async def test_a_lock_whose_answer_was_lost_is_ours(
    make_store: Make, redis_server: RedisServer, clock: FakeClock
) -> None:
    """A SET that is sent once more, as nobody heard of the first one, does not wait for itself."""
    sets = 0

    async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sets
        from_redis, to_redis = await asyncio.open_connection("127.0.0.1", redis_server.port)
        while command := await reader.read(65_536):
            to_redis.write(command)
            answer = await from_redis.read(65_536)
            if b":renewing:" in command and b"NX" in command:
                sets += 1
                if sets == 1:
                    break
            writer.write(answer)
        for each in (to_redis, writer):
            each.close()

    server = await asyncio.start_server(hand_on, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        store = make_store(f"redis://127.0.0.1:{port}", lock_wait=0.0)
        handle = await store.create(make_session(clock))
        async with store.renewing(handle):
            pass
        assert sets == 2
        with redis_server.client() as client:
            assert not client.keys("*:renewing:*")
        await store.close()


async def test_a_lock_that_is_about_to_expire_is_left_to(
    make_store: Make, redis_server: RedisServer, clock: FakeClock
) -> None:
    """Nobody deletes it within the time of a command before its end: it may be another's by then."""
    store = make_store(redis_server.url, timeout=5.0, lock_lifetime=4.5)
    handle = await store.create(make_session(clock))
    async with store.renewing(handle):
        pass
    with redis_server.client() as client:
        assert len(client.keys("*:renewing:*")) == 1


async def test_others_locks_stay(make_store: Make, redis_server: RedisServer, clock: FakeClock) -> None:
    """A lock that became another's, as the server lost ours, is not let go of."""
    store = make_store(redis_server.url)
    handle = await store.create(make_session(clock))
    with redis_server.client() as client:
        async with store.renewing(handle):
            (key,) = client.keys("*:renewing:*")
            client.set(key, "another's")
        assert client.get(key) == "another's"


def test_the_page_gives_the_rights_in_each_form() -> None:
    """The commands of the page are those that these tests run."""
    assert set(PAGE) == {
        "every Redis",
        "with a database number in the URL",
        "in a cluster",
        "each Sentinel",
        "doctor looks at maxmemory and its policy",
        "CLIENT LIST names redis-py, from Redis 7.2 on",
        "with a lease",
    }
    assert shlex.split(" ".join(LEAST)) == LEAST
    assert not [word for words in PAGE.values() for word in words if not re.match(r"[+~]", word)]


async def test_a_lease_needs_two_more(guarded_redis: RedisServer) -> None:
    """The protocol that pushes, and to be told of changes."""
    given_rights(guarded_redis, PAGE["with a lease"])
    port = guarded_redis.port
    with redis.Redis(
        port=port, username=USER, password="geheim", protocol=3, decode_responses=True
    ) as client:
        assert client.execute_command("CLIENT TRACKING", "ON", "NOLOOP")
    assert refused_to(guarded_redis) <= REFUSED_WITHOUT_HARM
