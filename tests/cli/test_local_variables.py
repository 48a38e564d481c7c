"""``camunda-entra emulator --env-file``: a service in that folder starts with it, and no secret is lost."""

import os
import shlex
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from dotenv import dotenv_values
from typer.testing import CliRunner

from camunda_entra_fastapi import EntraSettings
from camunda_entra_fastapi.cli.commands import commands
from camunda_entra_fastapi.cli.register.env_file import LOCAL_HEAD, open_env_file
from camunda_entra_fastapi.testing import Directory
from camunda_entra_fastapi.testing.directory import CONTOSO
from camunda_entra_fastapi.testing.directory.file import dump_directory
from tests.cli.conftest import run_command
from tests.cli.test_emulator import run_until_ready, started, variables_in
from tests.ports import free_port

FILE = Path(".env")


def refused(*options: str) -> str:
    """The words of a refusal; the file is as it was."""
    before = FILE.read_bytes() if FILE.is_file() else b""
    ran = run_command("emulator", "--port", "0", "--env-file", str(FILE), *options)
    assert (ran.code, ran.output) == (1, "")
    assert (FILE.read_bytes() if FILE.is_file() else b"") == before
    return ran.error


def directory_with_secret(secret: str) -> str:
    """The name of a file with the default directory, in which Operate's secret is that."""
    home, *others = Directory.default().tenants
    operate = replace(home.applications[0], secrets=(secret,))
    changed = replace(home, applications=(operate, *home.applications[1:]))
    path = Path("directory.yaml")
    path.write_text(dump_directory(Directory((changed, *others))), encoding="utf-8")
    return str(path)


def test_a_service_in_the_folder_starts_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mode 600; what was written is told, and is what is printed."""
    monkeypatch.setenv("COLUMNS", "80")
    printed = run_until_ready(monkeypatch, "--env-file", ".env")
    assert "\nThey were written to .env. A service that is started there takes them.\n" in printed
    assert FILE.lstat().st_mode == stat.S_IFREG | 0o600
    assert variables_in(FILE.read_text("utf-8").removeprefix(LOCAL_HEAD)) == variables_in(printed)
    assert EntraSettings().issuer == variables_in(printed)["CAMUNDA_IDENTITY_ISSUER"]


def test_a_token_is_one_line_away() -> None:
    """The line that the log ends with is short, and its command finds the local Entra by the file."""
    with started("--env-file", ".env") as (_, printed):
        (line,) = [line for line in printed.splitlines() if line.startswith("curl ")]
        command = line[line.index("$(") + 2 : line.index(")")]
        assert command.endswith("camunda-entra token --as ben")
        token = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        assert (token.stdout.count("."), token.stderr) == (2, "")


def test_its_own_file_is_replaced_and_the_same_one_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another port the next time; the same port with what somebody wrote beside it."""
    run_until_ready(monkeypatch, "--env-file", ".env")
    first = FILE.read_text("utf-8")
    port = str(free_port())
    assert "They were written to" in run_until_ready(monkeypatch, "--env-file", ".env", "--port", port)
    second = FILE.read_text("utf-8")
    assert first != second
    assert "They are already in .env." in run_until_ready(monkeypatch, "--env-file", ".env", "--port", port)
    FILE.write_text(f"{second}ORDERS=1\n", encoding="utf-8")
    assert "They are already in .env." in run_until_ready(monkeypatch, "--env-file", ".env", "--port", port)
    assert FILE.read_text("utf-8") == f"{second}ORDERS=1\n"
    assert "with something else in it" in refused()


@pytest.mark.parametrize(
    "content",
    [
        "CAMUNDA_IDENTITY_CLIENT_ID=x\nCAMUNDA_IDENTITY_CLIENT_SECRET=a tenant's\n",
        "DATABASE_URL=x\n",
        f"{LOCAL_HEAD}DATABASE_URL=x\n",
        "\xff" * 5,
        "X=1\n" * 10_000,
    ],
)
def test_another_file_is_kept_unless_force_says_so(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant's secret is in nobody else's hands: not even ``register`` could read it again."""
    FILE.write_text(content, encoding="latin-1")
    assert refused() == (
        "--env-file: .env is there already, with something else in it. "
        "Give another name, or --force to overwrite it.\n"
    )
    assert "They were written to" in run_until_ready(monkeypatch, "--env-file", ".env", "--force")
    assert FILE.read_text("utf-8").startswith(LOCAL_HEAD)


def test_an_empty_file_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``touch`` makes it."""
    FILE.touch()
    assert "They were written to" in run_until_ready(monkeypatch, "--env-file", ".env")


def test_links_and_folders_are_refused_before_anything_starts() -> None:
    """A secret is written by way of no link."""
    FILE.symlink_to("elsewhere")
    assert "is a symbolic link" in refused()
    assert "is a symbolic link" in refused("--force")
    FILE.unlink()
    FILE.mkdir()
    assert "is no file" in refused()
    FILE.rmdir()
    ran = run_command("emulator", "--env-file", "nowhere/.env")
    assert (ran.code, ran.error) == (
        1,
        "--env-file: there is no directory nowhere. Create it, or give another name.\n",
    )


def test_a_file_that_becomes_a_link_meanwhile_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at again when it is written."""
    FILE.symlink_to("elsewhere")
    monkeypatch.setattr("camunda_entra_fastapi.cli.emulator.check_file", lambda _: None)
    assert "is a symbolic link" in refused()


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's words."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    assert refused() == "--env-file: .env cannot be written: No space left on device.\n"


def test_with_tls_the_authority_is_among_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a service trusts it as long as it runs; the token command reads it from there, too."""
    printed = run_until_ready(monkeypatch, "--tls", "--env-file", "local.env")
    values = dotenv_values("local.env")
    assert values["CAMUNDA_ENTRA_CA_BUNDLE"] == variables_in(printed)["SSL_CERT_FILE"]
    assert "They were written to local.env.\n" in printed
    assert "token --as ben --env-file local.env)" in printed
    run_until_ready(monkeypatch, "--env-file", "local.env")
    assert "CAMUNDA_ENTRA_CA_BUNDLE" not in dotenv_values("local.env")


@pytest.mark.parametrize("secret", ["a b#c", "a #b", "x$y&z;", "plain"])
def test_shells_and_dotenv_read_the_same(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret with blanks and signs is quoted."""
    name = "CAMUNDA_IDENTITY_CLIENT_SECRET"
    run_until_ready(monkeypatch, "--directory", directory_with_secret(secret), "--env-file", ".env")
    assert dotenv_values(FILE)[name] == secret
    sourced = subprocess.run(
        ["sh", "-c", f'. ./.env; printf %s "${name}"'], capture_output=True, text=True, check=True
    )
    assert sourced.stdout == secret
    again = run_until_ready(monkeypatch, "--directory", "directory.yaml", "--env-file", ".env")
    assert "They were written to" in again  # another port, and still known as its own file


@pytest.mark.parametrize("secret", ["it's", "a\\b", "a${b}", "a\tb"])
def test_what_shells_and_dotenv_read_differently_is_refused(secret: str) -> None:
    """And nothing is written."""
    options = ("--directory", directory_with_secret(secret))
    assert "CAMUNDA_IDENTITY_CLIENT_SECRET has a sign that shells and .env files read differently" in refused(
        *options
    )


def test_without_an_application_there_is_nothing_to_write() -> None:
    """The remedy is in the directory file."""
    path = Path("d.yaml")
    path.write_text(f"tenants: [{{id: {CONTOSO}, name: One, domain: one.example}}]")
    assert refused("--directory", str(path)) == (
        "--env-file: the tenant One has no application, so there are no variables to write. "
        "Add one to the directory file.\n"
    )


def test_register_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the way to a tenant of one's own: nothing is lost, so nobody has to say --force."""
    run_until_ready(monkeypatch, "--env-file", ".env")
    assert open_env_file(FILE, force=False).variables == {}


def test_another_directory_has_its_variables_in_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command knows the secret of the default directory alone; names are quoted for the shell."""
    default = run_until_ready(monkeypatch)
    assert "token --as ben --emulator http://127.0.0.1:" in default
    printed = run_until_ready(monkeypatch, "--directory", directory_with_secret("mine"))
    assert "A route of your own, called by Ben Reader, with these variables in the shell:" in printed
    assert '(camunda-entra token --as ben)"' in printed.replace(_folder_of_the_command(printed), "(")


def _folder_of_the_command(printed: str) -> str:
    """What stands before the command's name, where it is not in the PATH."""
    start = printed.index("$(") + 1
    return printed[start : printed.index("camunda-entra token")]


def test_the_command_is_named_as_this_shell_finds_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By its name in an active environment, from a checkout by its path, as after ``make demo``."""
    from camunda_entra_fastapi.cli.invocation import invocation

    folder = tmp_path / "a b" / "bin"
    folder.mkdir(parents=True)
    monkeypatch.setattr("sys.executable", str(folder / "python"))
    assert invocation() == "camunda-entra"  # not there at all
    command = folder / "camunda-entra"
    command.touch(mode=0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    assert invocation() == shlex.quote(str(command.relative_to(Path.cwd())))
    monkeypatch.chdir(folder)
    assert invocation() == "./camunda-entra"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert invocation() == shlex.quote(str(command))
    monkeypatch.setenv("PATH", str(folder))
    assert invocation() == "camunda-entra"


def test_the_example_asks_for_no_file() -> None:
    """It is printed, and nothing else is done."""
    result = CliRunner().invoke(commands, ["emulator", "--example", "--env-file", ".env"])
    assert result.exit_code == 0
    assert not FILE.exists()
