"""``camunda-entra doctor`` where nothing is wrong, and the form of its findings."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE
from camunda_entra_fastapi.testing.endpoints import documents
from tests.cli.conftest import Ran, run_command
from tests.testing.browsing import change_application

BASE = "http://localhost:8000"
SECRET = "local-emulator-secret-of-operate"


def test_all_ticks_and_exit_code_0(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """Every step has a tick, but for the service, which does not run; that this is no real Entra is noted."""
    ran = run("doctor", "--json", CAMUNDA_ENTRA_BASE_URL=BASE)
    assert (ran.code, ran.json["ok"]) == (0, True)
    steps = [(each["name"], each["state"]) for each in ran.json["findings"]]
    assert [name for name, state in steps if state == "ok"] == [
        "settings",
        "DNS",
        "connection",
        "clock",
        "discovery",
        "keys",
        "credential",
        "own token",
        "scopes",
        "redirect URI",
        "redirect URI",
        "redirect URI",
        "session secret",
        "sessions",
    ]
    others = [(name, state) for name, state in steps if state != "ok"]
    assert others == [("local Entra", "note"), ("service", "skipped")]
    assert [each["uri"] for each in ran.json["redirect_uris"]] == [
        f"{BASE}/auth/login-callback",
        f"{BASE}/docs/oauth2-redirect",
        f"{BASE}/auth/admin-consent-callback",
    ]
    assert ran.json["front_channel_logout_url"] == f"{BASE}/auth/front-channel-logout"


def test_people_get_lines_and_addresses_to_copy(run: Callable[..., Ran]) -> None:
    """What must be registered stands on lines of its own, and the last line is the verdict."""
    ran = run("doctor", CAMUNDA_ENTRA_BASE_URL="https://orders.example.com")
    assert "  https://orders.example.com/auth/login-callback   (signing in)" in ran.output.splitlines()
    ran = run("doctor", CAMUNDA_ENTRA_BASE_URL=BASE)
    lines = ran.output.splitlines()
    assert f"  {BASE}/auth/front-channel-logout" in lines
    assert lines[-2] == "\u2500" * 40
    assert lines[-1] == "Nothing is wrong; 1 thing to know."
    assert "The issuer is the local Entra, which asks for no password" in " ".join(ran.output.split())
    assert "\x1b" not in ran.output


def test_only_what_is_not_registered_is_to_be_registered(
    emulator: EntraEmulator, run: Callable[..., Ran]
) -> None:
    """What Entra took is not asked for again; each other one is named, with what it is for."""
    listed = "To be registered under Authentication, platform Web, exactly so"
    assert listed not in run("doctor", CAMUNDA_ENTRA_BASE_URL=BASE).output
    assert listed in run("doctor").output  # where it is not known what to try
    change_application(emulator, OPERATE, redirect_uris={f"{BASE}/auth/login-callback": "web"})
    text = run("doctor", CAMUNDA_ENTRA_BASE_URL=BASE).output
    rest = text[text.index(listed) :].splitlines()
    assert rest[1:3] == [
        f"  {BASE}/docs/oauth2-redirect   (signing in from Swagger UI)",
        f"  {BASE}/auth/admin-consent-callback   (admin consent)",
    ]
    findings = " ".join(text[: text.index(listed)].split())
    assert (
        f"! redirect URI {BASE}/docs/oauth2-redirect, for signing in from Swagger UI: The redirect"
        in findings
    )
    assert f"! redirect URI {BASE}/auth/admin-consent-callback, for admin consent: The redirect" in findings
    found = run("doctor", "--json", CAMUNDA_ENTRA_BASE_URL=BASE).json["redirect_uris"]
    assert [each["registered"] for each in found] == [True, False, False]


def test_where_the_session_secret_is_from_is_told_with_what_follows(run: Callable[..., Ran]) -> None:
    """A new client secret signs everybody out, unless the old one is kept for sessions."""
    text = " ".join(run("doctor").output.split())
    assert "derived from the client secret, so that a new client secret signs everybody out" in text
    assert "CAMUNDA_ENTRA_SESSION_SECRET=<new secret>,<the client secret>." in text
    assert "session secret" not in run("doctor", CAMUNDA_ENTRA_SESSION_SECRET="x" * 40).output


@pytest.mark.parametrize(
    ("variables", "last"),
    [
        ({}, "Nothing is wrong; 2 things to know."),
        ({"CAMUNDA_ENTRA_SESSION_STORE": "memory"}, "Nothing is wrong; 3 things to know."),
        ({"CAMUNDA_IDENTITY_CLIENT_SECRET": "nope"}, "1 thing is wrong."),
        (
            {"CAMUNDA_IDENTITY_CLIENT_SECRET": "nope", "CAMUNDA_ENTRA_SESSION_STORE": "redis://127.0.0.1:1"},
            "2 things are wrong.",
        ),
    ],
)
def test_the_last_line_counts(variables: dict[str, str], last: str, run: Callable[..., Ran]) -> None:
    """Wrong things first, then those to know."""
    assert run("doctor", **variables).output.splitlines()[-1] == last


def test_where_there_is_nothing_to_know_the_last_line_says_no_more(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a real Entra, whose documents have no mark of the local one."""
    monkeypatch.setattr(documents, "MARK", {})
    assert run("doctor", CAMUNDA_ENTRA_BASE_URL=BASE).output.splitlines()[-1] == "Nothing is wrong."


def test_a_refusal_of_entras_can_be_followed(run: Callable[..., Ran]) -> None:
    """Its code, its IDs, and the remedy of the same table that error pages and log lines use."""
    ran = run("doctor", CAMUNDA_IDENTITY_CLIENT_SECRET="nope")
    text = " ".join(ran.output.split())
    assert "(AADSTS7000215)" in text
    assert "Correlation ID" in text
    assert "Certificates & secrets, create one" in text


def test_another_post_logout_path_is_to_be_registered_too(run: Callable[..., Ran]) -> None:
    """Entra sends people back to registered addresses only."""
    ran = run("doctor", "--json", CAMUNDA_ENTRA_BASE_URL=BASE, CAMUNDA_ENTRA_POST_LOGOUT_PATH="/bye")
    assert f"{BASE}/bye" in [each["uri"] for each in ran.json["redirect_uris"]]


def test_several_keys_some_of_no_use(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """Keys that are left out are counted, with the first reason."""
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response

    from camunda_entra_fastapi.testing.endpoints.documents import key_set
    from tests.cli.doctor.test_misconfigurations import serving_responses

    issuer = emulator.environment()["CAMUNDA_IDENTITY_ISSUER"]
    emulator.rotate_keys()

    def respond(request: Request) -> Response:
        own = str(request.base_url).rstrip("/")
        if request.url.path.endswith("keys"):
            members = dict(key_set(emulator.keys, emulator.base_url, v1=False))
            return JSONResponse({"keys": [*members["keys"], {"kty": "EC"}]})
        return JSONResponse({"issuer": issuer, "jwks_uri": f"{own}/keys"})

    with serving_responses(respond) as url:
        ran = run("doctor", "--json", CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=url)
    (keys,) = [each["told"] for each in ran.json["findings"] if each["name"] == "keys"]
    assert keys == "2 keys to verify with, 1 left out (key 2: not an RSA key)"


def test_for_several_tenants(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """An issuer for several tenants has a document, too; there is no token of the application's own."""
    change_application(emulator, OPERATE, sign_in_audience="AzureADMultipleOrgs")
    common = f"{emulator.base_url}/organizations/v2.0"
    ran = run(
        "doctor",
        "--json",
        CAMUNDA_IDENTITY_ISSUER=common,
        CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=common,
        CAMUNDA_ENTRA_ALLOWED_TENANTS="*",
    )
    findings = {each["name"]: each for each in ran.json["findings"]}
    assert findings["settings"]["told"] == f"the application {OPERATE}, for several tenants"
    assert findings["discovery"]["state"] == "ok"
    assert "several tenants" in findings["credential"]["told"]
    assert ran.code == 0


# What counts as the service's variables


def test_a_file_says_all_variables(tmp_path: Path, emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """With a file, the shell's variables do not count; options take precedence over the file."""
    path = tmp_path / "operate.env"
    lines = [f"{name}='{value}'" for name, value in emulator.environment().items()]
    path.write_text("\ufeff# Operate\nexport IGNORED\nOTHER=${HOME}\n" + "\n".join(lines))
    assert run_command("doctor", "--env-file", str(path)).code == 0
    path.write_text("\n".join(line for line in lines if "CLIENT_ID" not in line))
    ran = run("doctor", "--json", "--env-file", str(path))
    assert [each["setting"] for each in ran.json["findings"]] == ["CAMUNDA_IDENTITY_CLIENT_ID"]
    options = ("--env", f"CAMUNDA_IDENTITY_CLIENT_ID={OPERATE}", "--env", f"CAMUNDA_ENTRA_BASE_URL={BASE}")
    ran = run_command("doctor", "--json", "--env-file", str(path), *options)
    assert (ran.code, len(ran.json["findings"])) == (0, 16)


def test_dotenv_counts_only_without_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, emulator: EntraEmulator
) -> None:
    """In the service's folder its .env is read, as the service does."""
    monkeypatch.chdir(tmp_path)
    values = "\n".join(f"{name}={value}" for name, value in emulator.environment().items())
    (tmp_path / ".env").write_text(values)
    (tmp_path / "empty.env").write_text("")
    assert run_command("doctor").code == 0
    assert run_command("doctor", "--env-file", "empty.env").code == 1


def test_the_environment_is_left_as_it_was(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """No variable of the command outlives it."""
    before = dict(os.environ)
    run("doctor", "--env", "CAMUNDA_ENTRA_BASE_URL=" + BASE)
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--env", "CAMUNDA_ENTRA_BASE_URL"), "Give NAME=VALUE"),
        (("--env", "=x"), "Give NAME=VALUE"),
        (("--url", "operate.example.com"), "--url is not https or http"),
        (("--env-file", "missing.env"), "missing.env"),
        (("--env-file", "binary.env"), "cannot be read as UTF-8"),
    ],
)
def test_wrong_calls_end_with_2(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    """And say which option is wrong."""
    (tmp_path / "binary.env").write_bytes(b"A=\xff\xfe")
    ran = run_command("doctor", *arguments)
    assert ran.code == 2
    assert words in " ".join(ran.error.replace("\u2502", " ").split())


def test_help_has_exit_codes_and_examples(run: Callable[..., Ran]) -> None:
    """For both commands."""
    for command in ("doctor", "explain"):
        text = run(command, "--help").output
        assert "Exit codes: 0" in text
        assert f"camunda-entra {command} --env-file orders.env" in text


# What is never printed


@pytest.mark.parametrize("arguments", [("doctor",), ("doctor", "--json")])
def test_no_secret_and_no_token_is_printed(
    arguments: tuple[str, ...], emulator: EntraEmulator, run: Callable[..., Ran]
) -> None:
    """Neither in findings nor in errors, whatever goes wrong."""
    secret = emulator.environment()["CAMUNDA_IDENTITY_CLIENT_SECRET"]
    for variables in (
        {},
        {"CAMUNDA_IDENTITY_CLIENT_SECRET": "hidden-word"},
        {"CAMUNDA_ENTRA_SESSION_SECRET": "hidden-word"},
        {"CAMUNDA_ENTRA_SESSION_STORE": "redis://:hidden-word@127.0.0.1:1"},
        {"CAMUNDA_ENTRA_HTTP_PROXY": "http://me:hidden-word@127.0.0.1:1"},
        {"CAMUNDA_IDENTITY_ISSUER_BACKEND_URL": "https://me:hidden-word@login.example/x"},
    ):
        ran = run(*arguments, **variables)
        for output in (ran.output, ran.error):
            assert secret not in output
            assert "hidden-word" not in output
            assert "eyJ" not in output


def test_as_a_process_without_utf_8(emulator: EntraEmulator) -> None:
    """Where the terminal has no ticks, words stand for them; without a terminal nothing moves."""
    command = "from camunda_entra_fastapi.cli import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", command, "doctor"],
        capture_output=True,
        env=os.environ | emulator.environment() | {"PYTHONIOENCODING": "ascii", "COLUMNS": "80"},
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert b"ok    settings" in ended.stdout
    assert b"note  redirect URI" in ended.stdout
    assert b"-> Set CAMUNDA_ENTRA_BASE_URL" in ended.stdout
    assert ended.stderr == b""


def test_a_cookie_domain_without_a_base_url_is_compared_with_the_address(run: Callable[..., Ran]) -> None:
    """The settings cannot know the host; whoever asks here does."""
    for host, is_told in (("orders.example.com.localhost", True), ("orders.apps.localhost", False)):
        ran = run("doctor", "--url", f"http://{host}:1", CAMUNDA_ENTRA_COOKIE_DOMAIN="apps.localhost")
        told = f"{host} is not in CAMUNDA_ENTRA_COOKIE_DOMAIN, so browsers refuse the cookies."
        assert (told in " ".join(ran.output.split())) is is_told
