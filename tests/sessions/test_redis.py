"""The store in Redis beyond the contract, with real servers."""

import asyncio
import gc
import signal
import threading
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from string import ascii_letters
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from pytest_socket import socket_allow_hosts

from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.sessions.redis import LOCK_WAIT, RedisStore
from camunda_entra_fastapi.sessions.redis_client import MAX_CONCURRENT_COMMANDS, connect
from camunda_entra_fastapi.sessions.resp import Reply, RespReader
from camunda_entra_fastapi.sessions.sealing import MAX_SEALED, Sealer
from camunda_entra_fastapi.sessions.store import pack
from camunda_entra_fastapi.testing.serving.certificates import make_tls
from tests.conftest import LOOPBACK, FakeClock
from tests.ports import free_port
from tests.sessions.conftest import (
    REFRESH_TOKEN,
    SECRET,
    SID,
    RedisServer,
    make_session,
    sealer,
    watched,
)
from tests.waiting import PATIENCE, until, wait_for

Make = Callable[..., RedisStore]


@pytest.fixture
def store(make_store: Make, redis_server: RedisServer) -> RedisStore:
    """A store with nothing in it."""
    return make_store(redis_server.url)


def key_of(server: RedisServer, kind: str) -> str:
    """The one key of that kind."""
    with server.client() as client:
        (key,) = client.keys(f"camunda_entra:ab12:{kind}:*")
    return str(key)


def milliseconds_left(server: RedisServer, kind: str) -> int:
    """Until Redis itself drops the one key of that kind."""
    key = key_of(server, kind)
    with server.client() as client:
        return int(client.pttl(key))


def everything(server: RedisServer) -> str:
    """All that Redis would give to somebody who can read it."""
    with server.client() as client:
        found = []
        for key in client.keys("*"):
            value = client.zrange(key, 0, -1) if client.type(key) == "zset" else client.get(key)
            found.append(f"{key} = {value}")
    return "\n".join(found)


async def test_every_key_expires(store: RedisStore, redis_server: RedisServer, clock: FakeClock) -> None:
    """Redis drops sessions, the index of sids, marks and locks by itself when their time is over."""
    handle = await store.create(make_session(clock))
    assert await store.use_once("mark", 60.5)
    async with store.renewing(handle):
        for kind, seconds in (("session", 28_800), ("sid", 28_800), ("mark", 60.5), ("renewing", 30)):
            assert seconds * 1000 - 5_000 < milliseconds_left(redis_server, kind) <= seconds * 1000
    with redis_server.client() as client:
        assert len(client.keys("*")) == 3


async def test_a_renewed_session_expires_with_its_new_state(
    store: RedisStore, redis_server: RedisServer, clock: FakeClock
) -> None:
    """The time that Redis keeps is set again by what replaces it."""
    session = make_session(clock)
    handle = await store.create(session)
    clock.advance(20_000)
    assert await store.replace(handle, session)
    assert 8_795_000 < milliseconds_left(redis_server, "session") <= 8_800_000


async def test_the_index_lives_as_long_as_its_last_session(
    store: RedisStore, redis_server: RedisServer, clock: FakeClock
) -> None:
    """A shorter session of the same sid does not take a longer one out of reach."""
    await store.create(make_session(clock))
    await store.create(make_session(clock, expires_at=clock.now + 60))
    assert milliseconds_left(redis_server, "sid") > 28_000_000
    assert await store.end_by_sid(SID) == 2


async def test_the_index_is_cleaned(store: RedisStore, redis_server: RedisServer, clock: FakeClock) -> None:
    """Names of sessions that are over leave it with the next sign-in, and an ended session's at once."""
    await store.create(make_session(clock, expires_at=clock.now + 60))
    clock.advance(60)
    handle = await store.create(make_session(clock))
    index = key_of(redis_server, "sid")
    with redis_server.client() as client:
        assert client.zcard(index) == 1
        await store.end(handle)
        assert not client.exists(index)


async def test_a_session_that_redis_dropped_was_not_ended(
    store: RedisStore, redis_server: RedisServer, clock: FakeClock
) -> None:
    """A name in the index without a record counts for nothing, and leaves it."""
    await store.create(make_session(clock))
    with redis_server.client() as client:
        client.delete(key_of(redis_server, "session"))
        assert await store.end_by_sid(SID) == 0
        assert not client.keys("*")


async def test_nothing_can_be_read_at_rest(
    store: RedisStore, redis_server: RedisServer, clock: FakeClock
) -> None:
    """All of Redis holds no token, no claim, no sid, no used key, and neither half of a handle."""
    session = make_session(clock)
    handle = await store.create(session)
    await store.use_once("state-of-a-sign-in", 60)
    name, key = handle.split(".")
    secrets = (
        REFRESH_TOKEN,
        SID,
        name,
        key,
        SECRET,
        session.id,
        session.subject,
        "Operate",
        "state-of-a-sign-in",
    )
    async with store.renewing(handle):
        found = everything(redis_server)
    assert found.count("camunda_entra:ab12:") == 4
    for secret in secrets:
        assert secret not in found
    sealed = found.split("session:")[1].split("= ")[1].split("\n")[0]
    assert all(REFRESH_TOKEN.encode() not in urlsafe_b64decode(part + "==") for part in sealed.split(".")[1:])


async def test_neither_half_opens_it(
    store: RedisStore, make_store: Make, redis_server: RedisServer, clock: FakeClock
) -> None:
    """The record, the handle and the server's secret are all needed, also for what was opened before."""
    handle = await store.create(make_session(clock))
    other = await store.create(make_session(clock))
    assert await store.read(handle)
    mixed = f"{handle.split('.')[0]}.{other.split('.')[1]}"
    assert await store.read(mixed) is None
    assert await store.replace(mixed, make_session(clock)) is None
    await store.end(mixed)
    assert await store.read(handle)
    assert await make_store(redis_server.url, sealer("x" * 32)).read(handle) is None


async def test_secrets_rotate(make_store: Make, redis_server: RedisServer, clock: FakeClock) -> None:
    """Sessions sealed with the old secret go on until it is taken out."""
    old, new = "o" * 32, "n" * 32
    session = make_session(clock)
    before, during, after = [
        make_store(redis_server.url, sealer(*secrets)) for secrets in ((old,), (new, old), (new,))
    ]
    handle = await before.create(session)
    assert await during.read(handle) == session
    assert await after.read(handle) is None
    assert await during.replace(handle, session)
    assert await after.read(handle) == session


@pytest.mark.parametrize("planted", ["plain", "another's", "bytes", "empty", "sealed by others"])
async def test_planted_records_are_refused(
    store: RedisStore, redis_server: RedisServer, clock: FakeClock, planted: str
) -> None:
    """Write access to Redis neither creates a session nor makes a request fail."""
    session = make_session(clock)
    handle = await store.create(session)
    record = key_of(redis_server, "session")
    with redis_server.client() as client:
        another = make_session(clock, sid=None)
        others = await store.create(another)
        (other,) = set(client.keys("*:session:*")) - {record}
        value = {
            "plain": pack(session),
            "another's": client.get(other),
            "bytes": b"1.\xff\xfe\x00",
            "empty": b"",
            "sealed by others": sealer("x" * 32).seal(pack(session), handle.split(".")[1].encode()),
        }[planted]
        client.set(record, value)
    assert await store.read(handle) is None
    assert await store.read(others) == another


async def test_a_session_read_again_is_not_opened_again(store: RedisStore, clock: FakeClock) -> None:
    """The same record gives the same session, and a new one the new."""
    session = make_session(clock)
    handle = await store.create(session)
    first = await store.read(handle)
    assert await store.read(handle) is first
    await store.replace(handle, replace(session, refresh_token="1.another"))
    second = await store.read(handle)
    assert second is not None
    assert second.refresh_token == "1.another"


async def test_replicas_share_sessions(make_store: Make, redis_server: RedisServer, clock: FakeClock) -> None:
    """A replica sees at once what another one creates, replaces or ends."""
    here, there = make_store(redis_server.url), make_store(redis_server.url)
    session = make_session(clock)
    handle = await here.create(session)
    assert await there.read(handle) == session
    renewed = replace(session, refresh_token="1.another")
    assert await there.replace(handle, renewed) == handle
    assert await here.read(handle) == renewed
    assert await here.use_once("mark", 60)
    assert not await there.use_once("mark", 60)
    assert await there.end_by_sid(SID) == 1
    assert await here.read(handle) is None


async def test_a_session_that_ends_while_it_is_replaced_stays_ended(
    make_store: Make, redis_server: RedisServer, clock: FakeClock
) -> None:
    """The end counts even when it comes between the last look and the write."""

    class EndingSealer(Sealer):
        """Another replica ends the session while this one seals its new state."""

        is_late = False

        def seal(self, plaintext: bytes, salt: bytes = b"") -> str:
            if self.is_late:
                with redis_server.client() as client:
                    client.delete(key_of(redis_server, "session"))
            return super().seal(plaintext, salt)

    late = EndingSealer([SECRET], "session")
    store = make_store(redis_server.url, late)
    handle = await store.create(make_session(clock))
    late.is_late = True
    assert await store.replace(handle, make_session(clock)) is None
    assert await store.read(handle) is None


def times_set(server: RedisServer) -> int:
    """How often a value was set, or tried to be, as locks are."""
    with server.client() as client:
        return int(client.info("commandstats").get("cmdstat_set", {}).get("calls", 0))


async def test_replicas_renew_one_after_the_other(
    make_store: Make, redis_server: RedisServer, clock: FakeClock
) -> None:
    """The second waits until the first lets go."""
    here, there = make_store(redis_server.url), make_store(redis_server.url)
    handle = await here.create(make_session(clock))
    order: list[str] = []

    async def wait_there() -> None:
        async with there.renewing(handle):
            order.append("there")

    async with here.renewing(handle):
        tried = times_set(redis_server)
        waiting = asyncio.create_task(wait_there())
        await until(lambda: times_set(redis_server) > tried)
        order.append("here")
    await waiting
    assert order == ["here", "there"]


async def test_a_lock_that_is_not_let_go_is_not_waited_for(
    make_store: Make, redis_server: RedisServer, clock: FakeClock
) -> None:
    """When the lock cannot be had in time, the renewal goes on, and leaves the other's lock alone."""
    here, there = make_store(redis_server.url), make_store(redis_server.url, lock_wait=0.1)
    handle = await here.create(make_session(clock))
    async with here.renewing(handle):
        async with asyncio.timeout(LOCK_WAIT / 2), there.renewing(handle):
            pass
        assert milliseconds_left(redis_server, "renewing") > 0


async def test_a_lock_may_expire_while_it_is_held(
    make_store: Make, redis_server: RedisServer, clock: FakeClock
) -> None:
    """Another replica gets it then; the first one's late release is no error and takes nothing away."""
    here = make_store(redis_server.url, lock_lifetime=0.05)
    there = make_store(redis_server.url)
    handle = await here.create(make_session(clock))
    async with asyncio.timeout(LOCK_WAIT / 2), here.renewing(handle):
        holding = there.renewing(handle)
        await holding.__aenter__()
    assert milliseconds_left(redis_server, "renewing") > 20_000
    await holding.__aexit__(None, None, None)
    with redis_server.client() as client:
        assert not client.keys("*:renewing:*")


async def test_redis_may_go_while_a_lock_is_held(
    make_store: Make, own_redis: RedisServer, clock: FakeClock
) -> None:
    """The renewal is not undone because its lock cannot be given back."""
    store = make_store(own_redis.url)
    handle = await store.create(make_session(clock))
    async with store.renewing(handle):
        own_redis.stop()


CALLS: dict[str, Callable[[RedisStore, FakeClock], Awaitable[object]]] = {
    "create": lambda store, clock: store.create(make_session(clock)),
    "read": lambda store, _: store.read("n" * 43 + "." + "k" * 43),
    "replace": lambda store, clock: store.replace("n" * 43 + "." + "k" * 43, make_session(clock)),
    "end": lambda store, _: store.end("n" * 43 + "." + "k" * 43),
    "end_by_sid": lambda store, _: store.end_by_sid(SID),
    "once": lambda store, _: store.use_once("mark", 60),
    "renewing": lambda store, _: store.renewing("n" * 43 + "." + "k" * 43).__aenter__(),
    "check": lambda store, _: store.check(),
}


@pytest.mark.parametrize("call", CALLS)
async def test_a_redis_that_is_away_is_said_so(make_store: Make, clock: FakeClock, call: str) -> None:
    """Every method raises the one error, which names the kind of failure and no password."""
    store = make_store(f"redis://user:geheim@127.0.0.1:{free_port()}/0?password=geheim")
    with pytest.raises(SessionsUnavailable) as caught:
        await CALLS[call](store, clock)
    assert "cannot be asked: ConnectionRefusedError" in caught.value.message
    assert "geheim" not in caught.value.message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_a_redis_that_comes_back_is_used(
    make_store: Make, own_redis: RedisServer, clock: FakeClock
) -> None:
    """Nobody restarts anything: the store works again as soon as Redis does."""
    store = make_store(own_redis.url)
    session = make_session(clock)
    handle = await store.create(session)
    for _ in range(2):
        own_redis.stop()
        for _ in range(3):
            with pytest.raises(SessionsUnavailable):
                await store.read(handle)
        own_redis.start()
        assert await store.read(handle) is None
        handle = await store.create(session)
        assert await store.read(handle) == session


async def test_a_redis_restarted_unnoticed_is_used(
    make_store: Make, own_redis: RedisServer, clock: FakeClock
) -> None:
    """Connections that died while nothing was asked cost no request."""
    store = make_store(own_redis.url)
    await asyncio.gather(*(store.check() for _ in range(5)))
    own_redis.stop()
    own_redis.start()
    await asyncio.gather(*(store.check() for _ in range(5)))


async def test_a_redis_that_hangs_is_not_waited_for(make_store: Make) -> None:
    """One that takes the connection and says nothing costs the time limit and no more."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    store = make_store(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=0.2)
    async with server:
        with pytest.raises(SessionsUnavailable, match="TimeoutError"):
            async with asyncio.timeout(PATIENCE):  # after which TimeoutError itself is raised
                await store.check()
        await store.close()


async def test_a_redis_that_is_slow_is_not_waited_for(
    make_store: Make, redis_server: RedisServer, clock: FakeClock
) -> None:
    """The time limit is for all that one call asks, however soon each answer comes."""

    over = asyncio.Event()

    async def delay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_redis, to_redis = await asyncio.open_connection("127.0.0.1", redis_server.port)
        while command := await reader.read(65_536):
            await asyncio.sleep(0.09)
            to_redis.write(command)
            writer.write(await from_redis.read(65_536))
        for each in (to_redis, writer):
            each.close()
            await each.wait_closed()
        over.set()

    server = await asyncio.start_server(delay, "127.0.0.1", 0)
    store = make_store(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=0.25)
    async with server:
        with pytest.raises(SessionsUnavailable, match="TimeoutError"):
            await store.create(make_session(clock))
        await store.close()
        async with asyncio.timeout(PATIENCE):
            await over.wait()


async def test_what_hangs_and_wakes_gives_nobody_anothers_answer(
    make_store: Make, own_redis: RedisServer, clock: FakeClock
) -> None:
    """An answer that came too late is thrown away with its connection."""
    store = make_store(own_redis.url, timeout=0.3)
    sessions = [make_session(clock, subject=f"subject {number}") for number in range(5)]
    handles = [await store.create(session) for session in sessions]
    own_redis.signal(signal.SIGSTOP)
    for handle in handles[:2]:
        with pytest.raises(SessionsUnavailable):
            await store.read(handle)
    own_redis.signal(signal.SIGCONT)
    with own_redis.client() as client:
        client.ping()  # it is awake
    for handle, session in zip(handles, sessions, strict=True):
        assert await store.read(handle) == session


async def test_connections_are_few(store: RedisStore, redis_server: RedisServer, clock: FakeClock) -> None:
    """However many requests come at once, they share a bounded number of connections."""
    handle = await store.create(make_session(clock))
    assert all(await asyncio.gather(*(store.read(handle) for _ in range(300))))
    with redis_server.client() as client:
        assert 2 <= len(client.client_list()) <= MAX_CONCURRENT_COMMANDS + 1
        await store.close()
        wait_for(lambda: len(client.client_list()) == 1)


def test_every_event_loop_has_its_own_connections(redis_server: RedisServer, clock: FakeClock) -> None:
    """One store serves the loops of several threads side by side."""
    store = RedisStore(redis_server.url, sealer(), "ab12", clock.time)
    is_in_use, may_end = threading.Event(), threading.Event()
    handles: list[str] = []

    async def use_first() -> None:
        handles.append(await store.create(make_session(clock)))
        is_in_use.set()
        assert may_end.wait(PATIENCE)
        handles.extend([handles[0]] if await store.read(handles[0]) else [])
        await store.close()

    async def use_second() -> None:
        assert await store.read(handles[0])
        assert len(store._clients) == 2
        await store.close()

    thread = threading.Thread(target=asyncio.run, args=(use_first(),))
    thread.start()
    assert is_in_use.wait(PATIENCE)
    asyncio.run(use_second())
    may_end.set()
    thread.join()
    assert len(handles) == 2
    assert not store._clients


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_loops_that_are_over_leave_nothing(redis_server: RedisServer, clock: FakeClock) -> None:
    """Where nobody closed the store, the next loop drops the former one's connections."""
    store = RedisStore(redis_server.url, sealer(), "ab12", clock.time)

    async def use() -> None:
        await store.check()

    for _ in range(3):
        asyncio.run(use())
        assert len(store._clients) == 1

    async def use_and_close() -> None:
        await store.check()
        await store.close()

    asyncio.run(use_and_close())
    assert not store._clients
    gc.collect()  # now, as the warnings about what nobody closed are expected here


@pytest.fixture
def guarded_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """One that asks for a user and a password."""
    server = RedisServer(
        tmp_path, "--requirepass", "root", "--user", "app", "on", ">p@ss/w&rd", "~camunda_entra:*", "+@all"
    )
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("userinfo", "rest"),
    [
        ("app:p%40ss%2Fw%26rd@", "/2"),
        ("", "/?username=app&password=p%40ss%2Fw%26rd&db=2"),
        (":root@", "/2"),
        ("", "?password=root&db=2"),
    ],
)
async def test_user_password_and_database_are_of_the_url(
    make_store: Make, guarded_redis: RedisServer, clock: FakeClock, userinfo: str, rest: str
) -> None:
    """Before the host or behind it, percent-encoded."""
    store = make_store(f"valkey://{userinfo}127.0.0.1:{guarded_redis.port}{rest}")
    await store.create(make_session(clock))
    with guarded_redis.client(password="root", db=2) as client:
        assert len(client.keys("camunda_entra:*")) == 2


@pytest.mark.parametrize("userinfo", ["", ":geheim@", "app:geheim@"])
async def test_a_wrong_password_is_said_so(
    make_store: Make, guarded_redis: RedisServer, userinfo: str
) -> None:
    """By the kind of failure, and not by the password."""
    with pytest.raises(SessionsUnavailable, match="AuthenticationError") as caught:
        await make_store(f"redis://{userinfo}127.0.0.1:{guarded_redis.port}").check()
    assert "geheim" not in str(caught.value)


async def test_tls_checks_the_servers_certificate(make_store: Make, tmp_path: Path) -> None:
    """With the authority named it connects; without, or under another host's name, it does not."""
    port = free_port()
    socket_allow_hosts([*LOOPBACK, "127.0.0.2"])
    tls = make_tls("127.0.0.1")
    with tls.files() as (certificate, key), tls.authority_file() as authority:
        options = f"--port 0 --tls-port {port} --tls-auth-clients no --bind 127.0.0.1 127.0.0.2".split()
        keys = ["--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
        keys += ["--tls-key-file-pass", tls.password]
        server = RedisServer(tmp_path, *options, *keys, port=port)
        server.start()
        try:
            trusted = f"ssl_ca_certs={authority}"
            await make_store(f"rediss://127.0.0.1:{port}?{trusted}").check()
            await make_store(f"valkeys://127.0.0.2:{port}?{trusted}&ssl_check_hostname=false").check()
            assert await make_store(f"rediss://127.0.0.1:{port}?{trusted}").get_shared("nothing") is None
            unchecked = make_store(f"valkeys://127.0.0.2:{port}?{trusted}&ssl_check_hostname=false")
            assert await unchecked.get_shared("nothing") is None
            own = tmp_path / "own-key.pem"  # a client may show a certificate, whose key has no password
            own.write_bytes(
                load_pem_private_key(key.read_bytes(), tls.password.encode()).private_bytes(
                    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
                )
            )
            shown = f"{trusted}&ssl_certfile={certificate}&ssl_keyfile={own}"
            assert await make_store(f"rediss://127.0.0.1:{port}?{shown}").get_shared("nothing") is None
            for url in (f"rediss://127.0.0.1:{port}", f"rediss://127.0.0.2:{port}?{trusted}"):
                with pytest.raises(SessionsUnavailable, match="SSLCertVerificationError"):
                    await make_store(url).check()
                with pytest.raises(SessionsUnavailable, match="SSLCertVerificationError"):
                    await make_store(url).get_shared("nothing")
            with pytest.raises(SessionsUnavailable):
                await make_store(f"rediss://127.0.0.1:{port}?ssl_ca_certs=/nowhere.pem").check()
            for missing in (
                "ssl_ca_certs=/nowhere.pem",
                "ssl_certfile=/nowhere.pem&ssl_keyfile=/nowhere.pem",
            ):
                with pytest.raises(SessionsUnavailable, match="FileNotFoundError"):
                    await make_store(f"rediss://127.0.0.1:{port}?{missing}").get_shared("nothing")
        finally:
            server.stop()


async def test_certificates_are_read_again_only_when_their_files_are_replaced(tmp_path: Path) -> None:
    """While a server is away each request tries to connect: to read all authorities each time takes long."""
    bundle = tmp_path / "authorities.pem"
    tls = connect(f"rediss://127.0.0.1:{free_port()}?ssl_ca_certs={bundle}", 2).asker._login.tls
    assert tls is not None
    with make_tls("127.0.0.1").authority_file() as first, make_tls("127.0.0.1").authority_file() as second:
        bundle.write_bytes(first.read_bytes())
        context = tls()
        assert tls() is context
        replacement = tmp_path / "replacement.pem"
        replacement.write_bytes(second.read_bytes())
        replacement.replace(bundle)
        assert tls() is not context
        assert tls() is tls()
        bundle.write_text("no certificate", "ascii")
        for _ in range(2):
            with pytest.raises(OSError, match="certificate"):
                tls()


@pytest.fixture
def sentinels(own_redis: RedisServer, tmp_path: Path) -> Iterator[RedisServer]:
    """A Sentinel that watches a Redis."""
    with watched(own_redis, tmp_path, "my-master", "requirepass watched") as sentinel:
        yield sentinel


async def test_sentinels_are_asked_where_redis_is(
    make_store: Make, own_redis: RedisServer, sentinels: RedisServer, clock: FakeClock
) -> None:
    """One Sentinel that answers is enough, whether others are away or hang."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    hanging = await asyncio.start_server(hang, "127.0.0.1", 0)
    hosts = ",".join(
        f"127.0.0.1:{port}" for port in (free_port(), hanging.sockets[0].getsockname()[1], sentinels.port)
    )
    async with hanging:
        store = make_store(f"redis+sentinel://{hosts}/my-master/4?sentinel_password=watched")
        session = make_session(clock)
        handle = await store.create(session)
        assert await store.read(handle) == session
        async with store.renewing(handle):
            pass
        with own_redis.client(db=4) as client:
            assert len(client.keys("camunda_entra:*")) == 2
        await store.close()


async def test_a_service_that_no_sentinel_knows_is_said_so(make_store: Make, sentinels: RedisServer) -> None:
    """As is a Sentinel that wants a password."""
    for rest in ("/another?sentinel_password=watched", "/my-master"):
        with pytest.raises(SessionsUnavailable):
            await make_store(f"redis+sentinel://127.0.0.1:{sentinels.port}{rest}").check()
        with pytest.raises(SessionsUnavailable):
            await make_store(f"redis+sentinel://127.0.0.1:{sentinels.port}{rest}").get_shared("name")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[list[RedisServer]]:
    """Two nodes that share the slots."""
    nodes = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        nodes.append(RedisServer(folder, "--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"))
    with nodes[0], nodes[1]:
        for node, slots in zip(nodes, ((0, 8191), (8192, 16383)), strict=True):
            with node.client() as client:
                client.execute_command("CLUSTER ADDSLOTSRANGE", *slots)
        with nodes[0].client() as client:
            client.execute_command("CLUSTER MEET", "127.0.0.1", nodes[1].port)
        wait_for(lambda: all(_knows_all_slots(node) for node in nodes))
        yield nodes


def _knows_all_slots(node: RedisServer) -> bool:
    with node.client() as client:
        information: Any = client.execute_command("CLUSTER INFO")
    return "cluster_state:ok" in str(information).replace("': '", ":") and "16384" in str(information)


async def test_a_cluster_keeps_sessions(
    make_store: Make, cluster: list[RedisServer], clock: FakeClock
) -> None:
    """Keys of one session may be on different nodes, so no command is about two of them."""
    store = make_store(f"redis+cluster://127.0.0.1:{cluster[1].port},127.0.0.1:{free_port()}")
    await store.check()
    session = make_session(clock)
    handles = [await store.create(session) for _ in range(20)]
    for handle in handles:
        assert await store.read(handle) == session
        async with store.renewing(handle):
            assert await store.replace(handle, session) == handle
    assert await store.use_once("mark", 60)
    assert not await store.use_once("mark", 60)
    for node in cluster:
        with node.client() as client:
            assert len(client.keys("*:session:*")) > 0
    await store.end(handles.pop())
    assert await store.end_by_sid(SID) == 19
    assert [await store.read(handle) for handle in handles] == [None] * 19


async def test_connections_of_a_cluster_may_be_dropped_by_others(
    make_store: Make, cluster: list[RedisServer]
) -> None:
    """As redis-py does itself when a node fails: what another task drops is no fault of a request's."""
    store = make_store(f"redis+cluster://127.0.0.1:{cluster[0].port}")

    async def drop() -> None:
        await store._client().client.aclose()

    for number in range(3):
        marks = [store.use_once(f"mark {number} {each}", 60) for each in range(20)]
        outcomes = await asyncio.gather(*marks[:10], drop(), *marks[10:], drop(), return_exceptions=True)
        assert all(each in {True, None} or isinstance(each, SessionsUnavailable) for each in outcomes)
    assert await store.use_once("mark", 60)


async def test_a_cluster_that_is_away_is_said_so(
    make_store: Make, cluster: list[RedisServer], clock: FakeClock
) -> None:
    """It is one error, as with a single Redis, whether or not it was there before."""
    store = make_store(f"redis+cluster://127.0.0.1:{cluster[0].port}")
    handle = await store.create(make_session(clock))
    for node in cluster:
        node.stop()
    for requested in (store, make_store(f"redis+cluster://127.0.0.1:{cluster[0].port}")):
        for _ in range(2):
            with pytest.raises(SessionsUnavailable):
                await requested.read(handle)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://redis", [("redis", 6379)]),
        ("redis://u:p@[::1]:7000/1", [("::1", 7000)]),
        ("redis+cluster://a:1,b,c:3", [("a", 1), ("b", 6379), ("c", 3)]),
        ("redis+sentinel://a,[::2]:3/m", [("a", 26379), ("::2", 3)]),
        ("rediss+sentinel://u:p@[::1],B:7/m/2", [("::1", 26379), ("b", 7)]),
        ("redis+cluster://a,[2001:DB8::2]:3", [("a", 6379), ("2001:db8::2", 3)]),
    ],
)
async def test_hosts_and_ports_are_of_the_url(
    monkeypatch: pytest.MonkeyPatch, make_store: Make, url: str, expected: list[tuple[str, int]]
) -> None:
    """Ports that are not given are the usual ones of a Redis or a Sentinel."""
    requested: list[tuple[str, int]] = []

    async def refuse(host: str, port: int, **_: object) -> None:
        requested.append((host, port))
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio, "open_connection", refuse)
    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", refuse, raising=False)
    with pytest.raises(SessionsUnavailable):
        await make_store(url).check()
    assert set(requested) == set(expected)


@pytest.fixture
def small_redis(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """A server with room for little more than itself, and what it does when that is full."""
    server = RedisServer(tmp_path, "--maxmemory", "4mb", "--maxmemory-policy", request.param)
    server.start()
    yield server
    server.stop()


async def fill(store: RedisStore, clock: FakeClock, count: int) -> list[str]:
    """Handles of that many sign-ins, one after another, of 10 KB each."""
    handles = []
    for number in range(count):
        noise = "".join(Random(number).choices(ascii_letters, k=10_000))
        handles.append(await store.create(make_session(clock, refresh_token=noise, sid=f"sid {number}")))
        clock.advance(10)
    return handles


@pytest.mark.parametrize("small_redis", ["volatile-ttl"], indirect=True)
async def test_a_full_redis_may_drop_what_ends_next(
    small_redis: RedisServer, make_store: Make, clock: FakeClock
) -> None:
    """With ``volatile-ttl`` people can sign in, and others are signed out for it: docs advise against it."""
    store = make_store(small_redis.url)
    handles = await fill(store, clock, 500)
    living = [position for position, handle in enumerate(handles) if await store.read(handle)]
    assert 50 < len(living) < 400
    assert living[-1] == 499
    assert sum(living) / len(living) > 320  # Redis takes the next of some that it looks at, not of all


@pytest.mark.parametrize("small_redis", ["noeviction"], indirect=True)
async def test_a_full_redis_may_refuse_new_sign_ins(
    small_redis: RedisServer, make_store: Make, clock: FakeClock
) -> None:
    """With ``noeviction``, as docs advise, whoever is signed in stays so and can sign out."""
    store = make_store(small_redis.url)
    session = make_session(clock)
    first = await store.create(session)
    with pytest.raises(SessionsUnavailable, match="OutOfMemoryError"):
        await fill(store, clock, 500)
    assert await store.read(first) == session
    with pytest.raises(SessionsUnavailable, match="OutOfMemoryError"):
        await store.replace(first, session)
    await store.end(first)
    assert await store.read(first) is None


async def test_a_record_that_is_too_large_stays_in_redis(
    store: RedisStore, redis_server: RedisServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes to Redis makes nobody read megabytes (CWE-400), and that costs no further command.

    Redis sends what fits into the system's buffers. None of it is read but what came with the first bytes.
    """
    handle = await store.create(make_session(clock))
    await store.put_shared("a token", "x" * 20_000_000, 60)
    opened: list[str] = []
    monkeypatch.setattr(Sealer, "open", lambda _, sealed, __: opened.append(sealed))
    received: list[int] = []
    feed = RespReader.feed

    def count(reader: RespReader, data: bytes) -> Iterator[Reply]:
        received.append(len(data))
        return feed(reader, data)

    monkeypatch.setattr(RespReader, "feed", count)
    with redis_server.client() as client:
        client.set(key_of(redis_server, "session"), "x" * 20_000_000)
        client.config_resetstat()
        assert await store.read(handle) is None
        assert await store.get_shared("a token") is None
        assert len(received) == 2
        assert sum(received) < 1_000_000
        commands = client.info("commandstats")
        assert {name: commands[name]["calls"] for name in commands if "get" in name} == {"cmdstat_get": 2}
        client.set(key_of(redis_server, "session"), "x" * MAX_SEALED)
        assert await store.read(handle) is None
    assert opened == ["x" * MAX_SEALED]


async def test_sign_ins_of_one_sid_are_read_in_portions(
    store: RedisStore, redis_server: RedisServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, all of them end, and no answer of Redis has more than so many."""
    monkeypatch.setattr("camunda_entra_fastapi.sessions.redis_ends.MAX_SIGN_INS", 3)
    for count, portions in ((0, 1), (2, 1), (3, 2), (7, 3)):
        handles = [await store.create(make_session(clock)) for _ in range(count)]
        with redis_server.client() as client:
            client.config_resetstat()
            assert await store.end_by_sid(SID) == count
            assert client.info("commandstats")["cmdstat_zrange"]["calls"] == portions
            assert not client.keys("*")
        assert [await store.read(handle) for handle in handles] == [None] * count


async def test_unsealed_records_do_not_stay_in_memory(store: RedisStore, clock: FakeClock) -> None:
    """They are dropped when memory is swept, ended or not, and read again from Redis."""
    handle = await store.create(make_session(clock))
    assert await store.read(handle) is await store.read(handle)
    store.sweep()
    assert store._cached_unseal.cache_info().currsize == 0
    assert await store.read(handle) == make_session(clock)


async def test_who_waited_for_a_hanging_store_does_not_wait_for_its_lock_too(
    make_store: Make, own_redis: RedisServer, clock: FakeClock
) -> None:
    """The lock is left to expire, once letting go of it has had a moment."""
    store = make_store(own_redis.url, timeout=60, lock_lifetime=90)
    handle = await store.create(make_session(clock))

    async def fail_while_renewing() -> None:
        async with store.renewing(handle):
            own_redis.signal(signal.SIGSTOP)
            raise SessionsUnavailable("by the test")

    async with asyncio.timeout(45):
        with pytest.raises(SessionsUnavailable, match="by the test"):
            await fail_while_renewing()
    own_redis.signal(signal.SIGCONT)
