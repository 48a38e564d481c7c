"""The outputs of commands that pages show: they are run, at a local Entra, and made the same each time.

What differs from run to run is replaced by what stands for it. IDs that are made in the run are counted in
the order in which they appear. Ports are those that the commands take where they are free. The clock stands
still. What is random in a token is cut, and so is the time that a slow check took. Nothing else is changed.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch

from rich.console import Console
from typer.testing import CliRunner

from camunda_entra_fastapi.cli.commands import commands
from camunda_entra_fastapi.testing import Directory, EntraEmulator, Secret
from tests.cli.register.conftest import enter_code
from tests.ports import free_port
from tests.waiting import PATIENCE

ORDERS: Final = "https://orders.example.com"
SERVICE, ENTRA = "8000", "8400"
NOW: Final = datetime(2026, 11, 23, 18, 2, 11, tzinfo=UTC)
_GUID: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_OPAQUE: Final = re.compile(r"^(  (?:aio|kid|rh|sub|uti) +)\S+(?:\n +\S+)?$", re.MULTILINE)
"""Claims whose values are made anew in each run; the first one needs two lines."""
_FENCE: Final = re.compile(
    r"(?P<head>^<!-- output: (?P<name>[a-z-]+) -->\n+```text\n).*?(?P<end>^```$)", re.MULTILINE | re.DOTALL
)
_SLOW: Final = re.compile(r" \([0-9.]+ s\)$", re.MULTILINE)
"""How long a check took, where it took long."""


def filled(page: str) -> str:
    """The page with the commands' outputs in the fences below ``<!-- output: NAME -->``."""
    return _FENCE.sub(lambda match: f"{match['head']}{output(match['name'])}{match['end']}", page)


@cache
def output(name: str) -> str:
    """The output of that name."""
    return NAMES[name]()


def normalised(text: str, *, ports: Mapping[str, str], known: str) -> str:
    """The text as it is in each run; IDs of ``known`` stay."""
    made: dict[str, str] = {}

    def counted(match: re.Match[str]) -> str:
        if match[0] in known:
            return match[0]
        return made.setdefault(match[0], f"00000000-0000-4000-8000-{len(made) + 1:012}")

    for here, there in ports.items():
        text = text.replace(f":{here}", f":{there}")
    text = _SLOW.sub("", _OPAQUE.sub(r"\1…", text))
    return "\n".join(line.rstrip() for line in _GUID.sub(counted, text).splitlines()).strip() + "\n"


@contextmanager
def _entra(directory: Directory | None = None) -> Iterator[EntraEmulator]:
    emulator = EntraEmulator(directory=directory or Directory.default(), clock=NOW.timestamp)
    with patch("time.time", NOW.timestamp), emulator.serve():
        yield emulator


def _run(emulator: EntraEmulator, *arguments: str, stdin: str = "", **changes: str) -> str:
    """The command's output, in a terminal of 80 columns, at that moment."""
    variables = {"COLUMNS": "80", "NO_COLOR": "1"} | emulator.environment() | changes
    with TemporaryDirectory() as folder, chdir(folder):
        result = CliRunner().invoke(commands, list(arguments), input=stdin, env=variables)
    assert result.exit_code in {0, 1}, result.stderr
    return normalised(result.stdout, ports={_port_of(emulator): ENTRA}, known=_known(emulator))


def _port_of(emulator: EntraEmulator) -> str:
    return emulator.base_url.rpartition(":")[2]


def _known(emulator: EntraEmulator) -> str:
    return " ".join((repr(emulator.directory), *emulator.environment().values()))


def _doctor_good() -> str:
    here = str(free_port())  # nothing listens there, whatever this machine does at 8000
    with _entra() as emulator:
        said = _run(emulator, "doctor", CAMUNDA_ENTRA_BASE_URL=f"http://localhost:{here}")
    return said.replace(f":{here}", f":{SERVICE}")


def _doctor_bad() -> str:
    tenant, *others = Directory.default().tenants
    applications = (
        replace(one, secrets=(Secret(str(one.secrets[0]), expires=datetime(2026, 11, 1, tzinfo=UTC)),))
        if one.client_id == EntraEmulator().application.client_id
        else one
        for one in tenant.applications
    )
    changed = replace(tenant, applications=tuple(applications))
    with _entra(Directory((changed, *others))) as emulator, _nobody_knows_orders():
        return _run(emulator, "doctor", CAMUNDA_ENTRA_BASE_URL=ORDERS)


def _explain_good() -> str:
    with _entra() as emulator:
        return _run(emulator, "explain", stdin=emulator.token(user="Ada Admin"))


def _explain_bad() -> str:
    with _entra() as emulator:
        token = emulator.token(user="Ben Reader", aud="api://billing", lifetime=-3600)
        return _run(emulator, "explain", stdin=token)


def _register() -> str:
    """Somebody signs in while it waits; the lines about that are not the plan, and stay."""
    with _entra() as emulator:
        shown: list[str] = []

        def enter_the_code(_: float) -> None:
            enter_code(emulator, "Ada Admin", re.findall(r"enter the code (\S+)", "\n".join(shown))[-1])

        def print_line(console: Console, text: str, style: str = "") -> None:
            shown.append(text)
            console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

        module = "camunda_entra_fastapi.cli.register.run"
        with patch(f"{module}.pause", enter_the_code), patch(f"{module}.print_line", print_line):
            local = ("--emulator", emulator.base_url, "--tenant", emulator.tenant.id)
            said = _run(emulator, "register", "Orders", "--base-url", ORDERS, "--dry-run", *local)
    return re.sub(r"(the code )\S+", r"\1…", said)


def _help() -> str:
    with _entra() as emulator:
        return _run(emulator, "--help")


def _served(command: str, *port_options: str) -> str:
    """What a command says that goes on until Ctrl-C, which it names when it has said all."""
    ports = {str(free_port()): port for port in (SERVICE, ENTRA)[-len(port_options) :]}
    options = [word for option, port in zip(port_options, ports, strict=True) for word in (option, port)]
    folder = Path(sys.executable).parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CAMUNDA_")}
    environment |= {"COLUMNS": "80", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
    environment["PATH"] = f"{folder}:{environment['PATH']}"
    said = ""
    with (
        TemporaryDirectory() as empty,
        subprocess.Popen(
            [folder / "camunda-entra", command, *options],
            cwd=empty,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        time.sleep(1)  # what comes behind it comes at once
        process.send_signal(signal.SIGINT)
        said += process.communicate(timeout=PATIENCE)[0]
    said = re.sub(r"eyJ[\w.-]+", "eyJ…", said.replace(f"{folder}/", ""))
    return normalised(said, ports=ports, known=_known(EntraEmulator()))


def _emulator() -> str:
    return _served("emulator", "--port")


def _demo() -> str:
    return _served("demo", "--port", "--emulator-port")


@contextmanager
def _nobody_knows_orders() -> Iterator[None]:
    """The service's host is unknown, whatever this machine's network says of it."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, *arguments: Any, **named: Any) -> Any:
        if host in {ORDERS.partition("//")[2], ORDERS.partition("//")[2].encode()}:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *arguments, **named)

    with patch("socket.getaddrinfo", resolved):
        yield


NAMES: Final[Mapping[str, Callable[[], str]]] = {
    "doctor-good": _doctor_good,
    "doctor-bad": _doctor_bad,
    "explain-good": _explain_good,
    "explain-bad": _explain_bad,
    "register-dry-run": _register,
    "help": _help,
    "emulator": _emulator,
    "demo": _demo,
}
