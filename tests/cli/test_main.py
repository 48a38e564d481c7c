"""The command as a process."""

import socket
import subprocess
import sys

import pytest

from camunda_entra_fastapi.cli import main


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, without a terminal."""
    return subprocess.run(
        [sys.executable, "-c", "from camunda_entra_fastapi.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("missing", ["typer", "rich", "uvicorn"])
def test_says_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the extra, a sentence stands where a traceback would."""
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"camunda-entra needs packages that are not installed: {missing}.\n"
        'Install them with: pip install "camunda-entra-fastapi[cli]"\n'
    )


def test_help_names_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """However Python was started, the usage has the command's name."""
    monkeypatch.setattr(sys, "argv", ["__main__.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "Usage: camunda-entra" in said
    for command in ("demo", "emulator", "doctor", "explain", "register", "--install-completion"):
        assert command in said


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("demo", "--nonsense"), "--nonsense"),
        (("demo", "--port", "65536"), "--port"),
        (("demo", "--emulator-port", "http"), "--emulator-port"),
        (("nonsense",), "nonsense"),
    ],
)
def test_a_wrong_call_is_reported_in_words(
    arguments: tuple[str, ...],
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2, what was wrong by its name, and no traceback."""
    monkeypatch.setattr(sys, "argv", ["camunda-entra", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert named in said.err
    assert "Traceback" not in said.err


def test_what_went_wrong_goes_to_stderr() -> None:
    """A script that reads the output does not read the error."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run("demo", "--emulator-port", str(taken.getsockname()[1]))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("Port ")


def test_check_passes_in_a_process_of_its_own() -> None:
    """What CI and curious people run: every check with its tick, no colours without a terminal, exit 0."""
    ended = run("demo", "--check")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "\u2713 Ben Reader signs in as from the docs page: got a token",
        "\u2713 Ada Admin signs in as from the docs page: got a token",
        "\u2713 Billing job asks with its client secret: got a token",
        "\u2713 Ben Reader opens the page and signs in: greets Ben Reader with 3 incidents",
        "\u2713 Ben Reader signs out: asked to sign in again",
        "\u2713 GET /incidents by Ben Reader: 200",
        "\u2713 GET /incidents by nobody: 401 credentials_missing",
        "\u2713 GET /incidents by a token for another API: 401 audience_mismatch",
        "\u2713 DELETE /incidents/2251799813685301 by Ben Reader: 403 role_missing",
        "\u2713 DELETE /incidents/2251799813685301 by Ada Admin: 200",
        "\u2713 GET /export by Billing job: 200",
        "All 11 checks passed.",
    ]
