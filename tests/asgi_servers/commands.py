"""The servers, how each is started, and the options that make up for a limit."""

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.asgi_servers.wire import get

ROOT: Final = Path(__file__).parents[2]
BIN: Final = ROOT / ".venv-asgi" / "bin"
PINS: Final = ROOT / "tests" / "packaging" / "asgi.txt"
APP: Final = "tests.asgi_servers.app:app"


@dataclass(frozen=True)
class Command:
    """One server.

    Attributes:
        package: The package of it, whose version is told.
        line: How it is started; ``PORT`` stands for the port.
        root: The option for a proxy's prefix; empty where it has none.
        room: The options that make room for headers of 32 KB, as environment variables and as words.
    """

    package: str
    line: str
    root: str = "--root-path"
    room: tuple[Mapping[str, str], str] = ({}, "")


_UVICORN: Final = f"uvicorn {APP} --port PORT"
_GUNICORN: Final = f"gunicorn {APP} --bind 127.0.0.1:PORT --no-control-socket"
_LINES: Final = {"WEBSOCKETS_MAX_LINE_LENGTH": "32768"}
COMMANDS: Final = {
    "uvicorn, httptools, websockets": Command(
        "uvicorn", f"{_UVICORN} --http httptools --ws websockets", room=(_LINES, "")
    ),
    "uvicorn, httptools, websockets-sansio": Command(
        "uvicorn", f"{_UVICORN} --http httptools --ws websockets-sansio", room=(_LINES, "")
    ),
    "uvicorn, h11, wsproto": Command(
        "uvicorn",
        f"{_UVICORN} --http h11 --ws wsproto",
        room=({}, "--h11-max-incomplete-event-size 65536"),
    ),
    "fastapi run": Command(
        "fastapi-cli",
        "fastapi run tests/asgi_servers/app.py --port PORT --host 127.0.0.1",
        room=(_LINES, ""),
    ),
    "granian": Command("granian", f"granian --interface asgi {APP} --port PORT", "--url-path-prefix"),
    "hypercorn": Command(
        "hypercorn",
        f"hypercorn {APP} --bind 127.0.0.1:PORT",
        room=({}, "--config tests/asgi_servers/hypercorn.toml"),
    ),
    "daphne": Command("daphne", f"daphne {APP} --port PORT"),
    "gunicorn, asgi": Command(
        "gunicorn",
        f"{_GUNICORN} --worker-class asgi",
        room=({}, "--limit-request-field_size 32768"),
    ),
    "gunicorn, uvicorn-worker": Command(
        "uvicorn-worker", f"{_GUNICORN} --worker-class uvicorn_worker.UvicornWorker", "", room=(_LINES, "")
    ),
}


def version_of(package: str) -> str:
    """The pinned version."""
    (version,) = re.findall(rf"^{package}==(\S+)", PINS.read_text("utf-8"), re.MULTILINE)
    return str(version)


@dataclass
class Server:
    """A server that runs."""

    process: subprocess.Popen[bytes]
    port: int
    seen: Path
    log: Path

    def tell(self, name: str) -> None:
        """Say to the application that something happened."""
        (self.seen / name).touch()

    def wait_for(self, name: str, seconds: float = 30) -> bool:
        """Whether the application says so in time."""
        deadline = time.monotonic() + seconds
        while not (self.seen / name).exists():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def ask_to_stop(self) -> None:
        """As Kubernetes and systemd do."""
        self.process.send_signal(signal.SIGTERM)

    def ends_within(self, seconds: float) -> bool:
        """Whether the process ends in time."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
            return True
        return False


@contextmanager
def running(command: Command, environment: Mapping[str, str], *options: str) -> Iterator[Server]:
    """The server, once it listens; killed at the end, if it is still there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = command.line.replace("PORT", str(port)).split() + list(options)
    with tempfile.TemporaryDirectory() as name:
        seen, log = Path(name), Path(name) / "log"
        inherited = {key: value for key, value in os.environ.items() if "PROXY" not in key.upper()}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(BIN / words[0]), *words[1:]], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT,
                env={**inherited, **environment} | {"SEEN": name, "HOME": name}, start_new_session=True,
            )  # fmt: skip
        try:
            deadline = time.monotonic() + 60
            while True:
                # A master may listen long before its worker answers.
                if get(port, "/open").status == 200:
                    break
                assert process.poll() is None, log.read_text("utf-8")
                assert time.monotonic() < deadline, log.read_text("utf-8")
                time.sleep(0.05)
            yield Server(process, port, seen, log)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
