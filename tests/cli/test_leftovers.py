"""What a command leaves behind that a signal ends: nothing, and no private key even where it is killed."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import PATIENCE, wait_for

COMMAND = "from camunda_entra_fastapi.cli import main; main()"
EMULATOR = ("emulator", "--port", "0", "--tls")
DEMO = ("demo", "--port", "0", "--emulator-port", "0")


@contextmanager
def running(folder: Path, *arguments: str, before: str = "") -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, whose temporary files are in that folder.

    The end of a terminal is not ignored there, although it may be where the tests run in the background.
    """
    default = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); "
    with subprocess.Popen(
        [sys.executable, "-c", default + before + COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(folder)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()  # or a test that fails would wait for ever


def read_until(process: subprocess.Popen[str], words: str) -> None:
    """Wait until it has said that."""
    assert process.stdout is not None
    assert any(words in line for line in iter(process.stdout.readline, "")), "It ended too early."


def files(folder: Path) -> list[str]:
    """The names of all that is there."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("arguments", "meanwhile", "number"),
    [
        (EMULATOR, ["ca.pem"], signal.SIGINT),
        (EMULATOR, ["ca.pem"], signal.SIGHUP),
        (DEMO, ["service.log"], signal.SIGHUP),
    ],
    ids=["emulator by Ctrl-C", "emulator with its terminal", "demo with its terminal"],
)
def test_nothing_is_left(
    arguments: tuple[str, ...], meanwhile: list[str], number: signal.Signals, tmp_path: Path
) -> None:
    """Ctrl-C and a closed terminal; a request to end is below, the demo's other ends are beside its tests."""
    with running(tmp_path, *arguments) as process:
        read_until(process, "Ctrl-C ends")
        assert files(tmp_path) == meanwhile
        process.send_signal(number)
        _, complaints = process.communicate(timeout=PATIENCE)
    assert (process.returncode, complaints) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_check_that_is_ended(tmp_path: Path) -> None:
    """Not the sample either; and what was not checked to its end is no success."""
    with running(tmp_path, "demo", "--check") as process:
        wait_for(lambda: files(tmp_path) == ["service.log"])
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    assert process.returncode > 0
    assert list(tmp_path.iterdir()) == []


def test_who_is_killed_leaves_no_private_key(tmp_path: Path) -> None:
    """Nobody can clean up then; what is there is public."""
    with running(tmp_path, *EMULATOR) as process:
        read_until(process, "Ctrl-C ends")
        process.kill()
    (left,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left.name == "ca.pem"
    assert "PRIVATE KEY" not in left.read_text()


def test_who_is_killed_while_the_key_is_read_leaves_none_that_opens(tmp_path: Path) -> None:
    """It is encrypted, and its password is gone with the process."""
    halting = "import os, ssl, time; ssl.SSLContext.load_cert_chain = lambda *_: os.kill(os.getpid(), 9); "
    with running(tmp_path, *EMULATOR, before=halting) as process:
        assert process.wait(PATIENCE) == -signal.SIGKILL
    assert files(tmp_path) == ["ca.pem", "server.key", "server.pem"]
    (key,) = tmp_path.rglob("server.key")
    assert key.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")


def test_a_terminals_end_that_is_ignored_stays_so(tmp_path: Path) -> None:
    """As ``nohup`` wants it."""
    ignoring = "signal.signal(signal.SIGHUP, signal.SIG_IGN); "
    with running(tmp_path, *EMULATOR, before=ignoring) as process:
        read_until(process, "Ctrl-C ends")
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert list(tmp_path.iterdir()) == []
    (ignored,) = re.findall(r"SigIgn:\s+(\w+)", status)
    assert int(ignored, 16) & 1 << signal.SIGHUP - 1
