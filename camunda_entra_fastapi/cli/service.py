"""The sample as a process of its own, which knows of its surroundings by the six variables alone."""

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

INCIDENT: Final = 2251799813685301
"""The key of an incident that the sample starts with."""

PATIENCE: Final = 30.0
"""Seconds that the sample may take until it listens."""

_LISTENS: Final = re.compile(rb"Uvicorn running on http://127\.0\.0\.1:(\d+)")
_NO_SUCH_ADDRESS: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class DemoError(Exception):
    """The demo cannot run; the message tells a person why and what to do."""


@dataclass(frozen=True, slots=True)
class Service:
    """The running sample: web pages and an API.

    Attributes:
        url: Where it is reached. By the name localhost, for which Entra lets a redirect URI have any port.
    """

    url: str
    _process: subprocess.Popen[bytes]
    _log: Path

    def wait(self) -> None:
        """Wait until it ends, which it does only when something is wrong.

        Raises:
            DemoError: It ended; what it said last is in the message.
        """
        self._process.wait()
        raise _ended(self._log)


@contextmanager
def serve_sample(
    environment: Mapping[str, str], port: int, *, patience: float = PATIENCE
) -> Iterator[Service]:
    """Run the sample with the variables; it listens when the block begins, and is gone when it ends.

    Args:
        environment: The six variables.
        port: Of 127.0.0.1; 0 takes a free one.
        patience: Seconds until it must listen.

    Raises:
        DemoError: It does not start.
    """
    with TemporaryDirectory(prefix="camunda-entra-demo-") as folder:
        log = Path(folder) / "service.log"
        # Its working directory is an empty one, so that no .env of the caller's is read.
        with (
            log.open("wb") as output,
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "uvicorn"),
                    *sample_arguments(Path(__file__).parents[1]),
                    *("--host", "127.0.0.1", "--port", str(port)),
                    *("--no-access-log", "--timeout-graceful-shutdown", "2"),
                ],
                cwd=folder,
                env=_surroundings() | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            try:
                listens_on = _port_of(process, log, patience)
                yield Service(f"http://localhost:{listens_on}", process, log)
            finally:
                process.terminate()
                process.wait()


def sample_arguments(package: Path) -> list[str]:
    """How uvicorn is told of the sample.

    Args:
        package: This package's folder. A wheel has the sample in it; in a checkout it lies beside it.
    """
    shipped = package / "cli" / "samples"
    folder = shipped if shipped.is_dir() else package.parent / "samples"
    return ["operate_web.main:app", "--app-dir", str(folder)]


def check_port(port: int, option: str, addresses: tuple[str, ...] = ("127.0.0.1",)) -> None:
    """Make sure that a server can listen there.

    Args:
        port: The port; 0 is always fine.
        option: What the message tells people to change.
        addresses: All of them must be free. A name like localhost means 127.0.0.1 to one client and
            ::1 to the next, and a stranger on either would be taken for us.

    Raises:
        DemoError: It cannot.
    """
    for address in addresses if port else ():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            socket.create_server((address, port), family=family).close()
        except OSError as error:
            if error.errno in _NO_SUCH_ADDRESS:
                continue
            raise DemoError(
                f"Port {port} cannot be used: {os.strerror(error.errno or 0)}. "
                f"Choose another one with {option}, or {option} 0 for any that is free."
            ) from None


def _port_of(process: subprocess.Popen[bytes], log: Path, patience: float) -> int:
    deadline = time.monotonic() + patience
    while not (listens := _LISTENS.search(log.read_bytes())):
        if process.poll() is not None:
            raise _ended(log)
        if time.monotonic() >= deadline:
            raise DemoError(f"The sample did not listen within {patience:g} seconds.")
        time.sleep(0.02)
    return int(listens[1])


def _surroundings() -> dict[str, str]:
    """Our environment without what changes how the sample finds Entra."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("CAMUNDA_") and not name.upper().endswith("_PROXY")
    }


def _ended(log: Path) -> DemoError:
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-20:]
    return DemoError("\n".join(("The sample ended. It said last:", *said)))
