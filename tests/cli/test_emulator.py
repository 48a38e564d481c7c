"""``camunda-entra emulator``: what it prints is true, and each request has a line that can be followed."""

import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from camunda_entra_fastapi import EntraSettings
from camunda_entra_fastapi.cli.commands import commands
from camunda_entra_fastapi.cli.request_log import RequestLog
from camunda_entra_fastapi.testing import Directory, EntraEmulator, RecordedRequest
from camunda_entra_fastapi.testing.directory import BILLING, CONTOSO, OPERATE
from camunda_entra_fastapi.testing.directory.file import load_directory
from tests.waiting import PATIENCE

TOKEN_PATH = f"/{CONTOSO}/oauth2/v2.0/token"
SECRET = "local-emulator-secret-of-billing"


@contextmanager
def started(*options: str, **variables: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process of its own, and what it printed until it was ready."""
    command = "from camunda_entra_fastapi.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", command, "emulator", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "80"} | variables,
    ) as process:
        assert process.stdout is not None
        printed = ""
        try:
            while "Ctrl-C ends it." not in printed:
                line = process.stdout.readline()
                assert line, f"It ended too early, after: {printed}"
                printed += line
            assert process.stdout.readline() == "\n"
            yield process, printed
        finally:
            process.kill()


def variables_in(printed: str) -> dict[str, str]:
    """The variables that are printed to be pasted."""
    pairs = (line.partition("=") for line in printed.splitlines() if " " not in line and "=" in line)
    return {name: value for name, _, value in pairs}


def form(secret: str = SECRET) -> dict[str, str]:
    """The form of a client credentials grant."""
    return {
        "grant_type": "client_credentials",
        "client_id": BILLING,
        "client_secret": secret,
        "scope": f"{OPERATE}/.default",
    }


def run_until_ready(
    monkeypatch: pytest.MonkeyPatch, *options: str, meanwhile: Callable[[str], object] = len
) -> str:
    """What the command prints until it waits, run in this process."""

    def interrupted(_: float) -> None:
        written: Any = sys.stdout.buffer
        meanwhile(written.getvalue().decode())
        raise KeyboardInterrupt

    monkeypatch.setattr("camunda_entra_fastapi.cli.interrupts.sleep", interrupted)
    result = CliRunner().invoke(commands, ["emulator", "--port", "0", *options])
    assert result.exit_code == 0, result.output
    return result.output


def lines_of(*requests: RecordedRequest, width: int = 120, **options: Any) -> list[str]:
    """The lines that are printed for requests, at noon."""
    file = StringIO()
    options = {"force_terminal": True, "color_system": None} | options
    request_log = RequestLog(
        Console(file=file, width=width, **options),
        Directory.default(),
        lambda: datetime(2026, 1, 1, 12, 0, 1),  # noqa: DTZ001 - the time of day
    )
    for request in requests:
        request_log(request)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_serves_tells_and_ends_quietly(number: signal.Signals) -> None:
    """The variables are good, each request has a line without secrets, and Ctrl-C or SIGTERM end it."""
    with started() as (process, printed):
        variables = variables_in(printed)
        issuer = EntraSettings(_env_file=None, **without_prefix(variables)).issuer
        assert httpx.get(f"{issuer}/.well-known/openid-configuration").json()["issuer"] == issuer
        url = variables["CAMUNDA_IDENTITY_ISSUER"].replace("v2.0", "oauth2/v2.0/token")
        token = httpx.post(url, params={"secret": "query"}, data=form()).json()["access_token"]
        assert httpx.post(url, data=form("hunter2")).status_code == 401
        process.send_signal(number)
        rest, complaints = process.communicate(timeout=PATIENCE)
    assert (process.returncode, complaints) == (0, "")
    fetched, granted, refused, below = rest.splitlines()
    assert fetched[8:].split() == ["GET", "contoso/\u2026/openid-configuration", "200"]
    assert granted[8:] == "  POST     contoso/oauth2/v2.0/token         200  client credentials  Billing job"
    assert "  401  client credentials  Billing job  AADSTS7000215: The client secret is not" in refused
    assert below == "          Send the secret's value, not its ID."
    for secret in ("hunter2", token, SECRET, "query", "\x1b"):
        assert secret not in rest
    with pytest.raises(httpx.ConnectError):
        httpx.get(issuer)


def without_prefix(variables: dict[str, str]) -> dict[str, Any]:
    """Variables as arguments of settings."""
    return {name.removeprefix("CAMUNDA_IDENTITY_").lower(): value for name, value in variables.items()}


def test_it_goes_on_when_nobody_reads_any_longer() -> None:
    """``| head`` closes the pipe; requests are served all the same."""
    with started() as (process, printed):
        assert process.stdout is not None
        process.stdout.close()
        issuer = variables_in(printed)["CAMUNDA_IDENTITY_ISSUER"]
        for _ in range(3):
            assert httpx.get(f"{issuer}/.well-known/openid-configuration").status_code == 200
        process.terminate()
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert not process.stderr.read()


def test_it_prints_variables_people_and_applications(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is needed to wire a service and to sign in, in 80 columns; IDs to copy are in one piece."""
    monkeypatch.setenv("COLUMNS", "80")
    printed = run_until_ready(monkeypatch)
    assert list(variables_in(printed)) == list(EntraEmulator().environment())
    lines = [line.rstrip() for line in printed.splitlines()]
    assert "The variables of Operate:" in lines
    assert "Ben Reader   ben@contoso.example          contoso" in lines
    assert "Ada Admin    ada@contoso.example          contoso    Operate.Admin," in lines
    assert any(line.startswith("Gabi Guest") and line.endswith("guest") for line in lines)
    assert f"Billing job     {BILLING}   contoso   secret" in lines
    assert not any(len(line) > 80 for line in lines if not line.startswith(("CAMUNDA_", "http", "curl ")))


def test_long_lists_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant of thousands would push the variables off the screen; the other kind of names is no markup."""
    people = ", ".join(f"{{username: '[red]u{n}', administrator: true}}" for n in range(25))
    path = Path("d.yaml")
    path.write_text(f"tenants: [{{id: {CONTOSO}, name: One, domain: one.example, users: [{people}]}}]")
    printed = run_until_ready(monkeypatch, "--directory", str(path))
    assert printed.count("administrator") == 20
    assert "[red]u19" in printed
    assert "\nand 5 more\n" in printed
    assert "The tenant One has no application, so there are no variables to set." in printed


def test_with_tls_it_prints_what_makes_clients_trust_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same file for OpenSSL, requests, Node.js and our own settings; it is there as long as it runs."""
    files: list[str] = []

    def meanwhile(printed: str) -> None:
        variables = variables_in(printed)
        names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CAMUNDA_ENTRA_CA_BUNDLE")
        files.extend({variables.pop(name) for name in names})
        settings = EntraSettings(_env_file=None, ca_bundle=files[0], **without_prefix(variables))
        context = ssl.create_default_context(cafile=str(settings.ca_bundle))
        assert settings.issuer.startswith("https://127.0.0.1:")
        answer = httpx.get(f"{settings.issuer}/.well-known/openid-configuration", verify=context)
        assert answer.status_code == 200

    run_until_ready(monkeypatch, "--tls", meanwhile=meanwhile)
    assert [Path(file).exists() for file in files] == [False]


@pytest.mark.parametrize(
    ("host", "warned"),
    [("127.0.0.1", False), ("localhost", False), ("127.0.0.2", False), ("0.0.0.0", True)],
)
def test_an_address_that_others_reach_is_warned_of(
    host: str, warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line; nobody asks for a password here."""
    printed = run_until_ready(monkeypatch, "--host", host)
    warning = f"Whoever reaches {host} is let in as anybody: the emulator asks for no password.\n"
    assert printed.count(warning) == warned
    for name in ("CAMUNDA_ENTRA_ALLOW_LOCAL_ENTRA", "CAMUNDA_ENTRA_ALLOW_HTTP"):
        assert variables_in(printed).get(name) == ("true" if warned else None)


def test_a_directory_file_is_what_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """People start from the example, which is the default directory."""
    example = CliRunner().invoke(commands, ["emulator", "--example"])
    assert example.exit_code == 0
    path = Path("mine.yaml")
    path.write_text(example.output, encoding="utf-8")
    assert load_directory(path) == Directory.default()
    path.write_text(example.output.replace("name: Operate\n", "name: Mine\n"), encoding="utf-8")
    assert "The variables of Mine:" in run_until_ready(monkeypatch, "--directory", str(path))


def test_a_taken_port_is_reported_with_its_option() -> None:
    """One sentence on stderr, and exit 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(commands, ["emulator", "--port", str(port)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"Port {port} cannot be used: Address already in use. "
        "Choose another one with --port, or --port 0 for any that is free.\n"
    )


@pytest.mark.parametrize("host", ["", "192.0.2.1", "::ffff:192.0.2.1", "x" * 70, "-"])
def test_a_host_that_is_not_ours_is_reported_with_its_option(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with it."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no such address")

    if host == "-":  # a name, for which no test asks the network
        monkeypatch.setattr("camunda_entra_fastapi.cli.emulator.socket.create_server", refuse)
    result = CliRunner().invoke(commands, ["emulator", f"--host={host}", "--port", "0"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"Cannot listen on {host!r}, which is no address of this machine. "
        "Give --host 127.0.0.1 for this machine alone, or --host 0.0.0.0 for everybody.\n"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        ("tenants: [", "line 1, column 11: while parsing a flow node"),
        ("tenants: [{naem: '[red]'}]", "tenants[0].naem: is unknown; did you mean name? (line 1)"),
    ],
)
def test_a_directory_file_that_cannot_be_used_is_reported(content: str | None, message: str) -> None:
    """What is wrong and where, on stderr, exit 1."""
    if content is not None:
        Path("d.yaml").write_text(content, encoding="utf-8")
    result = CliRunner().invoke(commands, ["emulator", "--directory", "d.yaml"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("The directory file d.yaml cannot be used:\n  - ")
    assert message in result.stderr


def test_the_default_port_is_8400(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without options: on this machine alone, as the documentation says."""
    calls: list[dict[str, object]] = []
    monkeypatch.setattr(
        "camunda_entra_fastapi.cli.commands.run_emulator", lambda *_, **options: calls.append(options)
    )
    assert CliRunner().invoke(commands, ["emulator"]).exit_code == 0
    file = {"directory_file": None, "env_file": None, "force": False}
    assert calls == [{"host": "127.0.0.1", "port": 8400, "tls": False, **file}]


FAILED = RecordedRequest(
    *("POST", TOKEN_PATH, "client_secret=hunter2", 401),
    did="client credentials",
    client="Billing job",
    error="AADSTS7000215: The client secret is not one of 'Billing job'. Send the value, not the ID.",
)


def test_lines_are_aligned() -> None:
    """Whatever the requests are, their statuses are below each other."""
    found = lines_of(
        RecordedRequest("GET", f"/{CONTOSO}/v2.0/.well-known/openid-configuration", "", 200),
        RecordedRequest("OPTIONS", TOKEN_PATH, "", 204),
        RecordedRequest(
            "POST", TOKEN_PATH, "", 200, did="authorization_code", client="Operate", user="Ada Admin"
        ),
    )
    assert found == [
        "12:00:01  GET      contoso/\u2026/openid-configuration    200",
        "12:00:01  OPTIONS  contoso/oauth2/v2.0/token         204",
        "12:00:01  POST     contoso/oauth2/v2.0/token         200  authorization_code  Operate  Ada Admin",
    ]


def test_what_has_no_room_on_a_terminal_is_below() -> None:
    """Broken between words, a little to the right; in a file each request stays on one line."""
    assert lines_of(FAILED, width=80) == [
        "12:00:01  POST     contoso/oauth2/v2.0/token         401  client credentials",
        "          Billing job",
        "          AADSTS7000215: The client secret is not one of 'Billing job'.",
        "          Send the value, not the ID.",
    ]
    assert lines_of(FAILED, width=120) == [
        "12:00:01  POST     contoso/oauth2/v2.0/token         401  client credentials  Billing job",
        "          AADSTS7000215: The client secret is not one of 'Billing job'.",
        "          Send the value, not the ID.",
    ]
    line, below = lines_of(FAILED, width=40, force_terminal=False)
    assert line.endswith("  Billing job  AADSTS7000215: The client secret is not one of 'Billing job'.")
    assert below == "          Send the value, not the ID."


UNREGISTERED = (
    "AADSTS50011: The redirect URI '{uri}' is not registered for the application 'Operate' "
    "(0be7a7e0-1111-4222-8333-444455556666). Registered are: a, b."
)


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        (
            "http://127.0.0.1:8001/auth/login-callback",
            "open the service as http://localhost:8001, or add the URI",
        ),
        (
            "http://[::1]:8001/docs/oauth2-redirect",
            "open the service as http://localhost:8001, or add the URI",
        ),
        ("http://127.0.0.1:8001/elsewhere", "Add the URI to the application in the directory"),
        ("http://127.0.0.1/auth/login-callback", "Add the URI to the application in the directory"),
        ("https://orders.example.com/auth/login-callback", "Add the URI to the application in the directory"),
        ("http://[127.0.0.1:8001/auth/login-callback", "Add the URI to the application in the directory"),
        ("", "Add the URI to the application in the directory"),
    ],
)
def test_a_redirect_uri_that_is_not_registered_has_its_remedy(uri: str, hint: str) -> None:
    """Its code is on the line, as the cause is long; below are the cause, and what can be opened instead."""
    error = UNREGISTERED.format(uri=uri)
    query = httpx.QueryParams({"redirect_uri": uri, "state": "hunter2"} if uri else {})
    request = RecordedRequest(
        *("GET", f"/{CONTOSO}/oauth2/v2.0/authorize", str(query), 200),
        did="sign in",
        client="Operate",
        error=error,
    )
    line, cause, remedy = lines_of(request, width=40, force_terminal=False)
    assert line.endswith("  200  sign in  Operate  AADSTS50011")
    assert cause == f"          {error.removeprefix('AADSTS50011: ')}"
    assert remedy.startswith("          ")
    assert hint in remedy
    assert not any(len(each) > 80 for each in lines_of(request, width=80))


@pytest.mark.parametrize(
    ("path", "printed_path"),
    [
        ("/", "/"),
        ("", "/"),
        ("/common/discovery/v2.0/keys", "common/discovery/v2.0/keys"),
        ("/CONTOSO.onmicrosoft.com/v2.0", "contoso/v2.0"),
        (f"/{CONTOSO.upper()}", "contoso"),
        (f"/{BILLING}/oauth2/v2.0/token", "b1111109\u2026/oauth2/v2.0/token"),
        ("/a/b/" + "c" * 100, "a/\u2026" + "c" * 29),
        (
            "/contoso.onmicrosoft.com/oauth2/v2.0/a/very/long/way",
            "contoso/\u2026/v2.0/a/very/long/way",
        ),
        ("/\u4e16\u754c", "\u4e16\u754c"),
        ("/a\x1b[31m\n\u202eb[red]c[/]:smile:", "a?[31m??b[red]c[/]:smile:"),
    ],
)
def test_paths_name_the_tenant_and_hold_nothing_harmful(path: str, printed_path: str) -> None:
    """IDs are printed as domains; control characters and markup of a request have no effect."""
    (line,) = lines_of(RecordedRequest("GET", path, "code=hunter2", 200))
    head, tail = "12:00:01  GET      ", "  200"
    assert line.startswith(head)
    assert line.endswith(tail)
    assert line.removeprefix(head).removesuffix(tail).rstrip() == printed_path


def test_what_a_request_brings_is_printed_as_it_is_and_not_endlessly() -> None:
    """A request cannot print colours, lines or pages."""
    line, below = lines_of(
        RecordedRequest(
            "\x1b]0;x", "/x", "", 0, did="a\nb", client="[bold]c", user="d\x9b", error="e\x1b" * 1000
        ),
        force_terminal=False,
    )
    assert "  ?]0;x    x " in line
    assert line.endswith("  -    a?b  [bold]c  d?")
    assert below == f"          {'e?' * 500}..."


def test_colours_are_for_terminals() -> None:
    """Green is well, yellow refused, red broken; ASCII alone where nothing else is known."""
    statuses = (200, 302, 401, 503)
    coloured = lines_of(
        *(RecordedRequest("GET", "/x", "", status) for status in statuses),
        color_system="standard",
    )
    for line, status, colour in zip(coloured, statuses, ("32", "36", "33", "31"), strict=True):
        assert f"\x1b[{colour}m{status}\x1b[0m" in line
    assert "\x1b" not in lines_of(FAILED, force_terminal=False)[0]


def test_ascii_alone_where_nothing_else_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some terminals and log files know no dots in one character."""
    monkeypatch.setattr("rich.console.Console.encoding", "ascii")
    (line,) = lines_of(RecordedRequest("GET", f"/{BILLING}/v2.0", "", 200))
    assert "b1111109.../v2.0" in line
