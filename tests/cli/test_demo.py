"""``camunda-entra demo``: what it prints is true, and it ends as it should."""

import dataclasses
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from camunda_entra_fastapi.cli.commands import commands
from camunda_entra_fastapi.cli.instructions import print_instructions
from camunda_entra_fastapi.cli.service import Service
from camunda_entra_fastapi.testing import Directory, EntraEmulator
from tests.waiting import PATIENCE

VARIABLES = [
    f"CAMUNDA_IDENTITY_{name}"
    for name in ("TYPE", "ISSUER", "ISSUER_BACKEND_URL", "CLIENT_ID", "CLIENT_SECRET", "AUDIENCE")
]


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which another server listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def token_of(command: str) -> str:
    """What the command prints, which stands in a line to paste in ``$(…)``."""
    ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert (ran.stdout.count("."), ran.stderr) == (2, "")
    return ran.stdout.strip()


def paste(line: str, token: Callable[[str], str] = token_of) -> str:
    """What the line prints when it is pasted into a shell; without curl, what curl would print."""
    line = re.sub(r"\$\((.*)\)", lambda match: token(match[1]), line)
    if shutil.which("curl"):
        return subprocess.run(
            ["sh", "-c", line], capture_output=True, text=True, timeout=PATIENCE, check=True
        ).stdout
    words = iter(shlex.split(line)[1:])
    method, url, headers, shows_headers = "GET", "", {}, False
    for word in words:
        match word:
            case "-i":
                shows_headers = True
            case "-w":
                next(words)
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case _:
                url = word
    response = httpx.request(method, url, headers=headers)
    head = f"HTTP/1.1 {response.status_code}\n{response.headers}\n\n" if shows_headers else ""
    return f"{head}{response.text}\n"


def first_curl(printed: str) -> str:
    """The first line to paste, with a token of this demo's Entra for this demo's sample."""
    return next(line for line in printed.splitlines() if line.startswith("curl "))


def try_instructions(printed: str) -> None:
    """Paste every curl line, in order, and see what the text around it promises."""
    lists, resolves, refused, exports = [line for line in printed.splitlines() if line.startswith("curl ")]
    try_it = partial(paste, token=cache(token_of))  # each token takes a process
    listed = try_it(lists)
    assert listed.startswith("HTTP/1.1 200")
    assert "Order fulfilment" in listed
    assert try_it(resolves.replace("-X DELETE ", "")).startswith("HTTP/1.1 200")
    resolved = try_it(resolves)
    assert resolved.startswith("HTTP/1.1 200")
    assert '"resolved_by":"Ada Admin"' in resolved
    reader = lists[lists.index("-H ") :]
    assert "role_missing" in try_it(f"{resolves[: resolves.index('-H ')]}{reader}")
    response = try_it(refused)
    assert response.startswith("HTTP/1.1 401")
    assert '"code":"audience_mismatch"' in response
    assert try_it(exports).startswith("HTTP/1.1 200")
    assert "eyJ" not in printed


def test_what_it_prints_works_when_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables are the six, and each curl line does what is said of it; Ctrl-C is success."""
    runner = CliRunner()
    printed: list[str] = []

    def interrupted(service: Service) -> None:
        written: Any = sys.stdout.buffer
        printed.append(written.getvalue().decode())
        try_instructions(printed[0])
        assert f"\n{service.url}/docs\n" in printed[0]
        assert httpx.get(f"{service.url}/docs").status_code == 200
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Service, "wait", interrupted)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    result = runner.invoke(commands, ["demo", "--port", "0", "--emulator-port", "0"])
    assert (result.exit_code, result.output) == (0, printed[0])
    names = [line.partition("=")[0] for line in result.output.splitlines() if line.startswith("CAMUNDA_")]
    assert names == VARIABLES
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_quietly_and_takes_the_sample_with_it(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM: exit 0, nothing more on the screen, no file left, and nobody listens any longer."""
    command = "from camunda_entra_fastapi.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", command, "demo", "--port", "0", "--emulator-port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "80", "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        printed = ""
        while "Ctrl-C ends the demo." not in printed:
            line = process.stdout.readline()
            assert line, f"It ended too early, after: {printed}"
            printed += line
        assert paste(first_curl(printed)).startswith("HTTP/1.1 200")
        assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["service.log"]
        process.send_signal(number)
        rest, complaints = process.communicate(timeout=PATIENCE)
    assert (process.returncode, rest, complaints) == (0, "", "")
    assert list(tmp_path.iterdir()) == []
    assert "\x1b" not in printed
    root = next(line for line in printed.splitlines() if line.endswith("/docs"))
    with pytest.raises(httpx.ConnectError):
        httpx.get(root)


@pytest.mark.parametrize("option", ["--port", "--emulator-port"])
@pytest.mark.parametrize("check", [[], ["--check"]])
def test_a_taken_port_is_reported_with_its_option(option: str, check: list[str], taken_port: int) -> None:
    """One sentence on what to do, and exit 1; another server is not taken for ours."""
    other = "--emulator-port" if option == "--port" else "--port"
    result = CliRunner().invoke(commands, ["demo", option, str(taken_port), other, "0", *check])
    assert result.exit_code == 1
    assert result.output == (
        f"Port {taken_port} cannot be used: Address already in use. "
        f"Choose another one with {option}, or {option} 0 for any that is free.\n"
    )


def test_the_default_ports_are_8000_and_8400(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without options, the ports are those that the documentation names, if they are free."""
    calls: list[tuple[int, int]] = []

    @contextmanager
    def serve_both(port: int, emulator_port: int) -> Iterator[tuple[EntraEmulator, Service]]:
        calls.append((port, emulator_port))
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("camunda_entra_fastapi.cli.demo._serve_both", serve_both)
    monkeypatch.setattr("camunda_entra_fastapi.cli.demo.check_port", lambda *_: None)
    assert CliRunner().invoke(commands, ["demo"]).exit_code == 0
    assert calls == [(8000, 8400)]


def test_usual_ports_that_are_in_use_give_way(monkeypatch: pytest.MonkeyPatch, taken_port: int) -> None:
    """Others are taken, and that is said first; what is printed works all the same, on one screen."""
    monkeypatch.setattr("camunda_entra_fastapi.cli.demo.PORT", taken_port)
    monkeypatch.setattr("camunda_entra_fastapi.cli.demo.EMULATOR_PORT", taken_port)
    printed: list[str] = []

    def interrupted(_: Service) -> None:
        written: Any = sys.stdout.buffer
        printed.append(written.getvalue().decode())
        assert paste(first_curl(printed[0])).startswith("HTTP/1.1 200")
        raise KeyboardInterrupt

    monkeypatch.setattr(Service, "wait", interrupted)
    monkeypatch.setenv("COLUMNS", "80")
    assert CliRunner().invoke(commands, ["demo"]).exit_code == 0
    lines = printed[0].splitlines()
    assert lines[:2] == [
        f"Port {taken_port} is in use, so the local Entra has another one.",
        f"Port {taken_port} is in use, so the sample has another one.",
    ]
    assert f":{taken_port}" not in printed[0]


@pytest.mark.parametrize("command", ["camunda-entra", ".venv/bin/camunda-entra"])
def test_it_fits_a_screen_of_thirty_rows(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns, with ports of five digits; the address to open is the last one."""
    monkeypatch.setattr("camunda_entra_fastapi.cli.instructions.invocation", lambda: command)
    file = StringIO()
    emulator = EntraEmulator(base_url="http://127.0.0.1:58400")
    print_instructions(Console(file=file, width=80), emulator, "http://localhost:58000")
    lines = file.getvalue().splitlines()
    assert sum(max(1, -(-len(line) // 80)) for line in lines) <= 30
    assert lines[-2:] == ["http://localhost:58000", "Ctrl-C ends the demo."]


def test_check_is_not_misled_by_the_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Variables of the shell, a .env of the folder and a proxy belong to other work."""
    monkeypatch.setenv("CAMUNDA_ENTRA_CLOCK_SKEW", "nonsense")
    monkeypatch.setenv("CAMUNDA_IDENTITY_CLIENTID", "somebody-else")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    (tmp_path / ".env").write_text("CAMUNDA_IDENTITY_CLIENTSECRET=other\n", encoding="utf-8")
    result = CliRunner().invoke(commands, ["demo", "--check"])
    assert result.exit_code == 0
    assert result.output.endswith("All 11 checks passed.\n")


def test_check_fails_when_something_is_not_as_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory in which nobody is administrator: the cross says what was seen and expected, exit 1."""
    default = Directory.default()
    tenant = default.tenants[0]
    nobody = [dataclasses.replace(user, roles={}) for user in tenant.users]
    changed = Directory((dataclasses.replace(tenant, users=tuple(nobody)),))
    monkeypatch.setattr(
        "camunda_entra_fastapi.cli.demo.EntraEmulator", lambda: EntraEmulator(directory=changed)
    )
    result = CliRunner().invoke(commands, ["demo", "--check"])
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert "\u2717 DELETE /incidents/2251799813685301 by Ada Admin: 403 role_missing (expected: 200)" in lines
    assert lines[-1] == "1 of 11 checks failed."


def test_check_needs_no_unicode() -> None:
    """Where the terminal is ASCII only, words stand for the symbols."""
    result = CliRunner(charset="ascii").invoke(commands, ["demo", "--check"])
    assert result.exit_code == 0
    assert result.output.isascii()
    assert "ok     GET /incidents by Ben Reader: 200\n" in result.output
