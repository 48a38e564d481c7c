"""The sample service in a process of its own, configured by the six variables alone."""

import errno
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from camunda_entra_fastapi.cli.interrupts import deferring_interrupts

INCIDENT: Final = 2251799813685301
"""The key of an incident that the sample starts with."""

START_TIMEOUT: Final = 30.0
"""Seconds that the sample may take to start."""

_LISTENING: Final = re.compile(rb"Uvicorn running on http://127\.0\.0\.1:(\d+)")
_NO_SUCH_ADDRESS: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class CommandError(Exception):
    """A command cannot run; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Service:
    """The running sample: web pages and an API.

    Attributes:
        url: Its URL, with the host localhost, for which Entra lets a redirect URI have any port.
    """

    url: str
    _process: subprocess.Popen[bytes]
    _log: Path

    def wait(self) -> None:
        """Wait until the process ends, which it does only when something is wrong.

        Raises:
            CommandError: It ended; the message has its last output.
        """
        self._process.wait()
        raise _exit_error(self._log)


@contextmanager
def serve_sample(
    environment: Mapping[str, str], port: int, *, timeout: float = START_TIMEOUT
) -> Iterator[Service]:
    """Run the sample with the variables. It listens when the block begins, and is stopped when it ends.

    Args:
        environment: The six variables.
        port: The port of 127.0.0.1; 0 for any that is free.
        timeout: Seconds until it must listen.

    Raises:
        CommandError: It does not start.
    """
    with TemporaryDirectory(prefix="camunda-entra-demo-") as folder:
        log = Path(folder) / "service.log"
        command = [
            *(sys.executable, "-m", "uvicorn"),
            *sample_arguments(Path(__file__).parents[1]),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--no-access-log", "--timeout-graceful-shutdown", "2"),
        ]
        process: subprocess.Popen[bytes] | None = None
        with log.open("wb") as output:
            try:
                with deferring_interrupts():  # or one in the middle leaves a process that nobody knows
                    process = subprocess.Popen(
                        command,
                        cwd=folder,  # which is empty, so that no .env of the caller's is read
                        env=_inherited_environment() | dict(environment),
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                    )
                actual_port = _wait_for_port(process, log, timeout)
                yield Service(f"http://localhost:{actual_port}", process, log)
            finally:
                if process is not None:
                    process.terminate()
                    process.wait()


def sample_arguments(package: Path) -> list[str]:
    """The arguments by which uvicorn finds the sample.

    Args:
        package: This package's folder. A wheel has the sample in it; in a checkout it is beside it.
    """
    in_wheel = package / "cli" / "samples"
    folder = in_wheel if in_wheel.is_dir() else package.parent / "samples"
    return ["operate_web.main:app", "--app-dir", str(folder)]


def check_port(port: int, option: str, addresses: tuple[str, ...] = ("127.0.0.1",)) -> None:
    """Make sure that a server can listen there.

    Args:
        port: The port; 0 is always fine.
        option: The option that the message names.
        addresses: All of them must be free. A name like localhost means 127.0.0.1 to one client and
            ::1 to the next, and another server on either would be taken for this one.

    Raises:
        CommandError: It cannot.
    """
    for address in addresses if port else ():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            socket.create_server((address, port), family=family).close()
        except OSError as error:
            if error.errno in _NO_SUCH_ADDRESS:
                continue
            raise CommandError(
                f"Port {port} cannot be used: {os.strerror(error.errno or 0)}. "
                f"Choose another one with {option}, or {option} 0 for any that is free."
            ) from None


def _wait_for_port(process: subprocess.Popen[bytes], log: Path, timeout: float) -> int:
    deadline = time.monotonic() + timeout
    while not (match := _LISTENING.search(log.read_bytes())):
        if process.poll() is not None:
            raise _exit_error(log)
        if time.monotonic() >= deadline:
            raise CommandError(f"The sample did not listen within {timeout:g} seconds.")
        time.sleep(0.02)
    return int(match[1])


def _inherited_environment() -> dict[str, str]:
    """The environment without variables that change how the sample finds Entra."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("CAMUNDA_") and not name.upper().endswith("_PROXY")
    }


def _exit_error(log: Path) -> CommandError:
    last_lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-20:]
    return CommandError("\n".join(("The sample ended. It said last:", *last_lines)))
