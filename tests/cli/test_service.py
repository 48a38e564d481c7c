"""The sample as a process: it starts, or the error says why not."""

import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from camunda_entra_fastapi.cli.interrupts import deferring_interrupts, interruptible
from camunda_entra_fastapi.cli.service import CommandError, check_port, sample_arguments, serve_sample
from camunda_entra_fastapi.testing import EntraEmulator

ENVIRONMENT = EntraEmulator(base_url="http://127.0.0.1:9").environment()


def test_answers_while_the_block_lasts() -> None:
    """It listens as soon as the block begins, and no longer when it ends."""
    with serve_sample(ENVIRONMENT, 0) as sample:
        assert httpx.get(f"{sample.url}/health").json() == {"status": "UP"}
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{sample.url}/health")


def test_says_why_it_did_not_start() -> None:
    """The error has the settings' own messages."""
    with pytest.raises(CommandError, match=r"It said last:(.|\n)*CAMUNDA_IDENTITY_CLIENT_ID is not set"):
        serve_sample(dict(list(ENVIRONMENT.items())[:3]), 0).__enter__()


def test_is_not_waited_for_without_end() -> None:
    """A sample that never listens is given up."""
    with pytest.raises(CommandError, match=r"The sample did not listen within 0 seconds\."):
        serve_sample(ENVIRONMENT, 0, timeout=0).__enter__()


def test_waiting_ends_when_it_ends() -> None:
    """A sample that ends by itself is no success; the error has its last output."""
    with serve_sample(ENVIRONMENT, 0) as sample:
        sample._process.terminate()
        with pytest.raises(CommandError, match=r"The sample ended\. It said last:\n(.|\n)*Shutting down"):
            sample.wait()


def test_is_found_in_a_wheel_and_in_a_checkout(tmp_path: Path) -> None:
    """A wheel has it inside of the package; in a checkout it is the one that people copy."""
    package = tmp_path / "camunda_entra_fastapi"
    (package / "cli").mkdir(parents=True)
    assert sample_arguments(package) == ["operate_web.main:app", "--app-dir", str(tmp_path / "samples")]
    (package / "cli" / "samples").mkdir()
    assert sample_arguments(package)[2] == str(package / "cli" / "samples")


def test_port_0_and_free_ports_are_fine() -> None:
    """A port that can be used is no error."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    check_port(0, "--port")
    check_port(port, "--port", ("127.0.0.1", "::1"))


def test_a_stranger_on_the_other_loopback_address_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Browsers may try ::1 first, so that one must be free too."""
    monkeypatch.setattr(socket, "create_server", refusing({socket.AF_INET6: errno.EADDRINUSE}))
    with pytest.raises(CommandError, match="Port 8000 cannot be used: Address already in use"):
        check_port(8000, "--port", ("127.0.0.1", "::1"))
    check_port(8000, "--port")


@pytest.mark.parametrize("reason", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
def test_a_machine_without_ipv6_is_fine(monkeypatch: pytest.MonkeyPatch, reason: int) -> None:
    """An address that does not exist cannot be taken."""
    monkeypatch.setattr(socket, "create_server", refusing({socket.AF_INET6: reason}))
    check_port(8000, "--port", ("127.0.0.1", "::1"))


def test_a_port_may_be_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is the system's, not always that it is taken."""
    monkeypatch.setattr(socket, "create_server", refusing({socket.AF_INET: errno.EACCES}))
    with pytest.raises(CommandError, match=r"Port 80 cannot be used: Permission denied\."):
        check_port(80, "--port")


def refusing(reasons: dict[socket.AddressFamily, int]) -> Any:
    """``socket.create_server``, refusing some families."""

    def create_server(address: tuple[str, int], *, family: socket.AddressFamily) -> socket.socket:
        if family in reasons:
            raise OSError(reasons[family], "refused")
        return socket.socket(family)

    return create_server


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_interrupts_while_it_is_started_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Its parent must know it before it can end it."""
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def interrupted_popen(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **options))
        os.kill(os.getpid(), number)
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted_popen)
    with pytest.raises(KeyboardInterrupt), interruptible(), serve_sample(ENVIRONMENT, 0):
        pytest.fail("it was interrupted before")
    assert started[0].poll() is not None


def test_a_signal_that_somebody_else_handles_is_left_to_them() -> None:
    """An application's own handler hears it at once."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda received, _: heard.append(received))
    try:
        with deferring_interrupts():
            os.kill(os.getpid(), signal.SIGTERM)
            assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_what_cannot_be_started_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The system's error is told, and the folder of its log is gone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(FileNotFoundError, match="no-python"), serve_sample(ENVIRONMENT, 0):
        pytest.fail("there is no such program")
    assert list(tmp_path.iterdir()) == []
