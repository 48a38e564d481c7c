"""Fixtures for every test: no network beyond this machine, no settings of the machine's own."""

import gc
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import certifi
import pytest
from pytest_socket import enable_socket, socket_allow_hosts

LOOPBACK = ["127.0.0.1", "::1", "localhost"]


@dataclass
class FakeClock:
    """A clock that stands still until it is told to move; both of its hands move together."""

    now: float = 1_795_000_000.0

    def time(self) -> float:
        """Seconds since 1970."""
        return self.now

    def monotonic(self) -> float:
        """The same; only differences of it are looked at."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@pytest.fixture
def clock() -> FakeClock:
    """Time that stands still."""
    return FakeClock()


@pytest.fixture(scope="session", autouse=True)
def temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What programs leave that a signal ends is below pytest's folders, which pytest removes in time."""
    folder = str(tmp_path_factory.mktemp("temporary"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture(scope="session", autouse=True)
def few_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The default certificates are two of certifi's: to load all takes longer than most tests do.

    That is in this process; the ones that tests start load all.
    """
    end = "-----END CERTIFICATE-----\n"
    usual = Path(certifi.where()).read_text(encoding="utf-8").split(end)
    few = tmp_path_factory.mktemp("authorities") / "two.pem"
    few.write_text("".join(each + end for each in usual[:2]), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(few))
        yield


def pytest_collection_finish() -> None:
    """Modules and tests stay: the garbage collector needs not look through them again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def closed_network() -> Iterator[None]:
    """Connections go to this machine or nowhere."""
    socket_allow_hosts(LOOPBACK, allow_unix_socket=True)
    yield
    enable_socket()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no ``.env`` of the machine reaches a test."""
    for name in list(os.environ):
        if name.upper().startswith("CAMUNDA_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
