"""``camunda-entra register`` against the emulator's Graph: what it plans and applies, and what it keeps."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import CONTOSO
from tests.cli.conftest import Ran, run_command
from tests.cli.register.conftest import (
    BASE,
    create_application,
    graph_with,
    install_az,
    signed_in_with_az,
    variables_in,
)
from tests.testing.browsing import change_user

VARIABLES = [
    "CAMUNDA_IDENTITY_TYPE",
    "CAMUNDA_IDENTITY_ISSUER",
    "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL",
    "CAMUNDA_IDENTITY_CLIENT_ID",
    "CAMUNDA_IDENTITY_CLIENT_SECRET",
    "CAMUNDA_IDENTITY_AUDIENCE",
    "CAMUNDA_ENTRA_BASE_URL",
]


def test_a_new_application_works_at_once(
    register: Callable[..., Ran], emulator: EntraEmulator, tmp_path: Path
) -> None:
    """The doctor has nothing to say against what was registered, with the file that was written."""
    path = tmp_path / "operate.env"
    path.touch(0o644)
    ran = register(
        "Operate 2", "--base-url", BASE, "--role", "Operate.Admin", "--env-file", str(path), "--yes"
    )
    assert ran.code == 0, ran.output
    variables = variables_in(path.read_text())
    assert list(variables) == VARIABLES
    assert variables["CAMUNDA_IDENTITY_CLIENT_SECRET"] not in ran.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    application = emulator.tenant.application(variables["CAMUNDA_IDENTITY_CLIENT_ID"])
    assert application is not None
    assert dict(application.redirect_uris) == {
        f"{BASE}/auth/login-callback": "web",
        f"{BASE}/docs/oauth2-redirect": "web",
        f"{BASE}/auth/admin-consent-callback": "web",
    }
    assert application.identifier_uris == (f"api://{application.client_id}",)
    assert (application.app_roles, tuple(application.exposed)) == (("Operate.Admin",), ("access_as_user",))
    assert application.optional_claims.access_token == ("idtyp:include_user_token", "acct", "xms_cc", "acrs")
    assert application.logout_url == f"{BASE}/auth/front-channel-logout"
    checked = run_command("doctor", "--json", "--env-file", str(path))
    assert checked.code == 0, checked.output
    states = [(each["name"], each["state"]) for each in checked.json["findings"]]
    assert all(state == "ok" for name, state in states if name not in {"service", "local Entra"}), states


def test_the_plan_comes_first_and_nothing_is_done_without_a_yes(
    register: Callable[..., Ran], emulator: EntraEmulator
) -> None:
    """Each step has a line; no, and --dry-run, leave the tenant as it was."""
    before = emulator.directory
    for more, stdin in ((("--dry-run",), None), ((), "n\n")):
        ran = register("Operate 2", "--base-url", BASE, "--role", "A", *more, stdin=stdin)
        assert ran.code == 0
        for line in (
            "create the application Operate 2",
            f"add the redirect URI {BASE}/auth/login-callback (Web)",
            "have tokens of version 2.0 (requestedAccessTokenVersion 2)",
            "expose the scope access_as_user",
            "add the app role A",
            "list the permissions openid, profile, email, offline_access, User.Read, its own scope",
            "create its service principal (enterprise application)",
            "create a client secret",
            "consent for everybody to openid profile email offline_access User.Read of Microsoft Graph",
            "consent for everybody to access_as_user of itself",
        ):
            assert f"  {line}" in ran.output.splitlines(), ran.output
        assert "CAMUNDA_IDENTITY" not in ran.output
    assert emulator.directory == before


def test_a_second_time_there_is_nothing_to_do(register: Callable[..., Ran], emulator: EntraEmulator) -> None:
    """And what is missing later is all that is added; nothing is taken away."""
    first = register("Operate 2", "--base-url", BASE, "--yes")
    client_id = variables_in(first.output)["CAMUNDA_IDENTITY_CLIENT_ID"]
    before = emulator.directory
    ran = register("Operate 2", "--base-url", BASE, "--yes")
    assert "  nothing to do" in ran.output
    assert emulator.directory == before
    assert variables_in(ran.output)["CAMUNDA_IDENTITY_CLIENT_SECRET"] == "<the secret that was made before>"
    another = variables_in(register("Operate 2", "--base-url", BASE, "--yes", "--new-secret").output)
    assert (
        another["CAMUNDA_IDENTITY_CLIENT_SECRET"]
        != variables_in(first.output)["CAMUNDA_IDENTITY_CLIENT_SECRET"]
    )
    more = ("--redirect-uri", "http://localhost:9/x", "--role", "B", "--scope", "Read", "--new-secret")
    ran = register("Any name", "--client-id", client_id, *more, "--yes")
    lines = {line.strip() for line in ran.output.splitlines()}
    assert {
        "add the redirect URI http://localhost:9/x (Web)",
        "add the app role B",
        "expose the scope Read",
        "create a client secret",
        "consent for everybody to Read of itself",
        "changed the application",
    } <= lines
    application = emulator.tenant.application(client_id)
    assert application is not None
    assert len(application.redirect_uris) == 4
    assert len(application.secrets) == 3
    assert tuple(application.exposed) == ("access_as_user", "Read")
    grants = {each.resource: each.scopes for each in emulator.tenant.consents if each.client == client_id}
    assert grants[client_id] == ("access_as_user", "Read")


def test_an_application_that_was_made_by_hand_is_completed(
    register: Callable[..., Ran], emulator: EntraEmulator, tmp_path: Path
) -> None:
    """One of version 1.0 without secret, as the admin center makes them; without secret the file says so."""
    path = tmp_path / "x.env"
    ran = register("Unrelated API", "--base-url", BASE, "--component", "operate", "--yes")
    assert "  have tokens of version 2.0 (requestedAccessTokenVersion 2)" in ran.output
    assert f"  add the redirect URI {BASE}/identity-callback (Web)" in ran.output
    ran = register("Unrelated API", "--base-url", BASE, "--component", "operate", "--env-file", str(path))
    assert "  nothing to do" in ran.output
    assert "CAMUNDA_IDENTITY_CLIENT_SECRET is empty" in ran.output
    assert variables_in(path.read_text())["CAMUNDA_IDENTITY_CLIENT_SECRET"] == ""


def test_what_was_left_half_done_is_finished(register: Callable[..., Ran], emulator: EntraEmulator) -> None:
    """An application without its service principal, as after Ctrl-C in between."""
    with signed_in_with_az(emulator, "Ada Admin"):
        create_application(emulator, "Half")
        ran = register("Half", "--base-url", BASE, "--yes", "--sign-in", "az")
    assert ran.code == 0
    assert "  created its service principal" in ran.output.splitlines()
    assert "  create the application Half" not in ran.output.splitlines()


def test_redirect_uris_alone(register: Callable[..., Ran]) -> None:
    """Without a base URL there is no variable for it."""
    ran = register("Another", "--redirect-uri", "https://a.example/cb", "--yes")
    assert list(variables_in(ran.output)) == VARIABLES[:-1]


# Who may not


def test_people_who_are_no_administrators(register: Callable[..., Ran], emulator: EntraEmulator) -> None:
    """The error names the role that is needed; nothing was done."""
    before = emulator.directory
    change_user(emulator, "Ada Admin", administrator=True)
    with signed_in_with_az(emulator, "Ben Reader"):
        ran = register("Operate 2", "--base-url", BASE, "--yes", "--sign-in", "az")
    assert ran.code == 1
    assert "Authorization_RequestDenied" in ran.error
    assert "Application Developer" in ran.error
    assert emulator.directory == before


def test_consent_that_is_refused_leaves_the_rest_done(
    register: Callable[..., Ran], emulator: EntraEmulator
) -> None:
    """The variables are printed, and the address where an administrator consents; exit code 1."""
    permissions = ("Application.ReadWrite.All", "Directory.Read.All")
    with signed_in_with_az(emulator, "Ada Admin", *permissions):
        ran = register("Operate 2", "--base-url", BASE, "--yes", "--sign-in", "az")
    assert ran.code == 1
    client_id = variables_in(ran.output)["CAMUNDA_IDENTITY_CLIENT_ID"]
    assert f"{emulator.base_url}/{CONTOSO}/adminconsent?client_id={client_id}" in ran.output
    assert "Nobody consented yet" in ran.output


def test_several_of_one_name(register: Callable[..., Ran], emulator: EntraEmulator) -> None:
    """Their client IDs are listed to choose from; an unknown client ID is refused, too."""
    with signed_in_with_az(emulator, "Ada Admin"):
        for _ in range(2):
            create_application(emulator, "O'Twin")
        ran = register("O'Twin", "--base-url", BASE, "--yes", "--sign-in", "az")
        assert ran.code == 1
        assert "several applications of the name O'Twin" in ran.error
        ran = register(
            "x", "--client-id", "0be7a7e0-dead-4222-8333-444455556666", "--base-url", BASE, "--sign-in", "az"
        )
    assert "has no application 0be7a7e0-dead" in ran.error


# Signing in


def test_declining_and_waiting_too_long(
    emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch, register: Callable[..., Ran]
) -> None:
    """Each has a message of its own."""
    from camunda_entra_fastapi.cli.register.sign_in import NotSignedIn, device_code_token

    def sign_in(sleep: Callable[[str], None], tenant: str = CONTOSO, client_id: str = "") -> str:
        prompts: list[str] = []
        with httpx2.Client(trust_env=False) as client, pytest.raises(NotSignedIn) as refused:
            device_code_token(
                client,
                f"{emulator.base_url}/{tenant}",
                "https://graph.microsoft.com",
                client_id or "14d82eec-204b-4c2f-b7e8-296a70dab67e",
                prompts.append,
                lambda _: sleep(prompts[-1].rpartition(" ")[2]),
            )
        return str(refused.value)

    def declines(code: str) -> None:
        with httpx2.Client(base_url=emulator.base_url, trust_env=False) as client:
            client.post("/common/oauth2/deviceauth", data={"user_code": code, "cancel": "1"})

    assert "was declined" in sign_in(declines)
    unknown = sign_in(lambda _: None, client_id="0be7a7e0-dead-4222-8333-444455556666")
    assert "AADSTS700016" in unknown
    assert "--sign-in-client" in unknown
    assert "CAMUNDA_IDENTITY" not in unknown
    assert "AADSTS90002" in sign_in(lambda _: None, tenant="0be7a7e0-dead-4222-8333-444455556666")


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (["{}", "{}"], "is not known here"),
        (["[]"], "no JSON object"),
        (["<html>"], "no JSON object"),
        ([None], "Entra cannot be reached: ConnectError"),
        (
            ['{"device_code":"d","user_code":"u","verification_uri":"v","interval":true,"expires_in":"x"}'],
            "declined",
        ),
        (
            [
                '{"device_code":"d","user_code":"u","verification_uri":"v","interval":5,"expires_in":10}',
                '{"error":"authorization_pending"}',
                '{"error":"authorization_pending"}',
            ],
            "expired before somebody signed in",
        ),
    ],
)
def test_strange_answers_to_a_device(answers: list[str | None], words: str) -> None:
    """No traceback, whatever comes; slow_down is obeyed."""
    from camunda_entra_fastapi.cli.register.sign_in import NotSignedIn, device_code_token

    waited: list[float] = []
    more = ['{"error":"slow_down"}', '{"error":"authorization_declined"}']
    remaining = [*answers, *more]

    def answer(_: httpx2.Request) -> httpx2.Response:
        text = remaining.pop(0)
        if text is None:
            raise httpx2.ConnectError("nobody")
        return httpx2.Response(200, text=text)

    with (
        httpx2.Client(transport=httpx2.MockTransport(answer)) as client,
        pytest.raises(NotSignedIn, match=words),
    ):
        device_code_token(client, "https://e.example/t", "https://g", "c", lambda _: None, waited.append)
    assert waited in ([], [5, 5], [5, 10])


def test_the_azure_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs with arguments, never through a shell; missing, silent and signed out have a message each."""
    from camunda_entra_fastapi.cli.register import sign_in

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(sign_in.NotSignedIn, match="is not installed"):
        sign_in.azure_cli_token(CONTOSO)
    for script, words in (
        ("exit 1", "az login --tenant"),
        ("echo '{}'", "az login --tenant"),
        ("exec /bin/sleep 5", "did not answer within"),
    ):
        install_az(tmp_path, monkeypatch, f"#!/bin/sh\n{script}\n")
        monkeypatch.setattr(sign_in, "_AZ_TIMEOUT", 0.3 if "sleep" in script else 20)
        with pytest.raises(sign_in.NotSignedIn, match=words):
            sign_in.azure_cli_token(CONTOSO)
    install_az(
        tmp_path,
        monkeypatch,
        f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\necho \'{{"accessToken":"t"}}\'\n',
    )
    assert sign_in.azure_cli_token(CONTOSO) == "t"
    arguments = (tmp_path / "arguments").read_text()
    assert arguments == f"account get-access-token --resource-type ms-graph --tenant {CONTOSO} -o json\n"


# Graph


def test_graph_is_waited_for() -> None:
    """What is new is not known everywhere at once, and Retry-After is obeyed."""
    ok, missing = httpx2.Response(201, json={"id": "x"}), httpx2.Response(404, json={"error": {}})
    graph, waited = graph_with(missing, httpx2.Response(400, json={}), ok)
    assert graph.send("POST", "/x", {}, retry_not_found=True) == {"id": "x"}
    assert waited == [1, 2]
    graph, waited = graph_with(httpx2.Response(429, headers={"Retry-After": "7"}), ok)
    assert graph.send("POST", "/x", {}) == {"id": "x"}
    assert waited == [7]
    graph, waited = graph_with(httpx2.Response(204))
    assert graph.send("PATCH", "/x", {}) == {}


@pytest.mark.parametrize(
    ("answer", "words", "pauses"),
    [
        (httpx2.Response(404, json={}), "answers with status 404", 6),
        (
            httpx2.Response(
                403, json={"error": {"code": "Nope", "message": "\x1b[2Jno"}}, headers={"request-id": "r"}
            ),
            r"Nope: \?\[2Jno \(request ID r\)",
            0,
        ),
        (httpx2.Response(200, text="[]"), "not a JSON object", 0),
        (httpx2.Response(200, text="<"), "not a JSON object", 0),
        (httpx2.Response(200, content=b" " * 5_000_000), "more than can be right", 0),
        (httpx2.ConnectError("nobody"), "cannot be reached: ConnectError: nobody", 0),
    ],
)
def test_what_graph_may_say_instead(answer: httpx2.Response | Exception, words: str, pauses: int) -> None:
    """In words, without control characters, and not for ever."""
    from camunda_entra_fastapi.cli.register.graph import GraphError

    graph, waited = graph_with(answer)
    with pytest.raises(GraphError, match=words):
        graph.send("POST", "/x", {}, retry_not_found=True)
    assert len(waited) == pauses


def test_odd_lists_and_secrets() -> None:
    """A malformed list is empty; a missing secret is a failure, and so is a failed consent."""
    from datetime import UTC, datetime

    from camunda_entra_fastapi.cli.register.apply import apply_plan
    from camunda_entra_fastapi.cli.register.current import CurrentRegistration
    from camunda_entra_fastapi.cli.register.graph import GraphError
    from camunda_entra_fastapi.cli.register.plan import Plan

    graph, _ = graph_with(httpx2.Response(200, json={"value": 3}))
    assert graph.first_page("/x") == []
    current = CurrentRegistration({"id": "i", "appId": "a"}, {"id": "p"}, graph_principal={"id": "g"})
    for plan, answer, words in (
        (Plan({}, ("x",), False, True, ((), ())), httpx2.Response(200, json={}), "--new-secret"),
        (Plan({}, ("x",), False, False, (("openid",), ())), httpx2.Response(409, json={}), "status 409"),
    ):
        graph, _ = graph_with(answer)
        desired: Any = None
        with pytest.raises(GraphError, match=words):
            apply_plan(graph, desired, current, plan, now=datetime.now(UTC), years=1, on_step=len)


# Wrong calls


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("x" * 200, "--base-url", BASE), "NAME must be one line"),
        (("Operate",), "--base-url is missing"),
        (
            ("Operate", "--base-url", "http://operate.example.com"),
            "--base-url is plain http, which is for localhost only. Use https",
        ),
        (("Operate", "--redirect-uri", "operate"), "--redirect-uri is not https or http"),
        (("Operate", "--base-url", BASE, "--role", "two words"), "--role takes names without blanks"),
        (("Operate", "--base-url", BASE, "--client-id", "api://x"), "--client-id is a URI"),
        (("Operate", "--base-url", BASE, "--sign-in-client", "a b"), "--sign-in-client is not an ID"),
        (("Operate", "--base-url", f"{BASE}?x"), "--base-url must have no query, fragment or wildcard"),
        (("Operate", "--base-url", f"{BASE}/a/../b"), "--base-url has a segment of dots"),
        (("Operate", "--redirect-uri", f"{BASE}/*"), "--redirect-uri must have no fragment or wildcard"),
        (("Operate", "--base-url", "https://a:b@operate.example.com"), "--base-url holds a user name"),
        (("Operate", "--redirect-uri", f"{BASE}/{'x' * 300}"), "longer than the 256 characters"),
        (
            (
                "Operate",
                "--base-url",
                BASE,
                "--docs",
                "spa",
                "--redirect-uri",
                f"{BASE}/docs/oauth2-redirect",
            ),
            "cannot be of platform Web and, by --docs, SPA",
        ),
        (("Operate", "--base-url", BASE, "--env-file", "/"), "is no file"),
        (("Operate", "--base-url", BASE, "--component", "zeebe"), "--component"),
    ],
)
def test_wrong_calls_ask_nobody(arguments: tuple[str, ...], words: str) -> None:
    """Exit code 2, and the option by its name."""
    ran = run_command("register", *arguments, "--tenant", CONTOSO, "--emulator", "http://127.0.0.1:1")
    assert ran.code == 2
    assert words in " ".join(ran.error.replace("\u2502", " ").split())


def test_nobody_answers(register: Callable[..., Ran]) -> None:
    """Exit code 1 and a sentence."""
    options = ("--tenant", CONTOSO, "--emulator", "http://127.0.0.1:1", "--base-url", BASE)
    ran = run_command("register", "Operate", *options)
    assert ran.code == 1
    assert "Entra cannot be reached" in ran.error


def test_help_has_examples() -> None:
    """As for the other commands."""
    text = run_command("register", "--help").output
    assert "camunda-entra register Orders --tenant contoso.onmicrosoft.com" in text
    assert "Exit codes: 0" in text


def test_waiting_for_entra_is_waiting() -> None:
    """As long as the interval says."""
    from camunda_entra_fastapi.cli.register.run import pause

    pause(0)
