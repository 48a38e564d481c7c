"""Real Redis servers on this machine, and sessions to keep in them."""

import contextlib
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
import redis

from camunda_entra_fastapi.sessions.redis import RedisStore
from camunda_entra_fastapi.sessions.sealing import Sealer
from camunda_entra_fastapi.sessions.store import Session
from tests.conftest import FakeClock
from tests.ports import free_port
from tests.site import emulator, make_site
from tests.waiting import wait_for

__all__ = ["emulator", "make_site"]
SECRET = "s" * 32
REFRESH_TOKEN = "1.AXoA-refresh-token"
SID = "00d1cc4c-0d2f-4a9c-8c86-e7f3f2c2a7a1"


class RedisServer:
    """A ``redis-server`` that can be stopped and started again on the same port."""

    def __init__(self, folder: Path, *options: str, port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(
            ["redis-server", *self._arguments()],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._listens)

    def stop(self) -> None:
        """Stop it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Halt it, for example, or let it go on."""
        assert self._process is not None
        self._process.send_signal(number)

    def client(self, **options: Any) -> "redis.Redis":
        """A blocking client of redis-py, to look at what is stored."""
        return redis.Redis(port=self.port, decode_responses=True, protocol=2, **options)

    def _arguments(self) -> list[str]:
        listening = [] if "--tls-port" in self._options else ["--port", str(self.port)]
        return [*listening, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *self._options]

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "redis-server ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


@contextmanager
def watched(redis: RedisServer, folder: Path, service: str, *lines: str) -> Iterator[RedisServer]:
    """A Sentinel that watches a server under that name, with further lines of configuration."""
    port = free_port()
    told = [f"port {port}", "bind 127.0.0.1", f"sentinel monitor {service} 127.0.0.1 {redis.port} 1", *lines]
    configuration = folder / "sentinel.conf"
    configuration.write_text("".join(f"{line}\n" for line in told))
    sentinel = RedisServer(folder, port=port)
    sentinel._process = subprocess.Popen(
        ["redis-server", str(configuration), "--sentinel"], stdout=subprocess.DEVNULL, cwd=folder
    )
    wait_for(sentinel._listens)
    try:
        yield sentinel
    finally:
        sentinel.stop()


def make_session(clock: FakeClock, **others: Any) -> Session:
    """Somebody's sign-in, of eight hours."""
    values: dict[str, Any] = {
        "id": "i" * 43,
        "claims": {"oid": "5a1f", "name": "Zoë", "roles": ["Operate.Admin"]},
        "of_access_token": True,
        "subject": "subject-of-somebody",
        "expires_at": clock.now + 28_800,
        "access_expires_at": clock.now + 3_600,
        "renew_at": clock.now + 3_300,
        "refresh_token": REFRESH_TOKEN,
        "sid": SID,
        "login_hint": "O.CiQ-hint",
    }
    return Session(**(values | others))


def sealer(*secrets: str, deployment: str = "here") -> Sealer:
    """Seals as the package does for that deployment."""
    return Sealer(secrets or (SECRET,), f"session {deployment}", compress=True)


@pytest.fixture(scope="session")
def running_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server for all tests."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_server(running_redis: RedisServer) -> RedisServer:
    """A server with nothing in it."""
    with running_redis.client() as client:
        client.flushall()
    return running_redis


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that a test may stop."""
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
async def make_store(clock: FakeClock) -> AsyncIterator[Callable[..., RedisStore]]:
    """Makes stores, and closes them when the test is over."""
    stores = []

    def make(url: str, sealer: Sealer = sealer(), namespace: str = "ab12", **options: Any) -> RedisStore:  # noqa: B008
        stores.append(RedisStore(url, sealer, namespace, clock.time, **options))
        return stores[-1]

    yield make
    for store in stores:
        await store.close()
