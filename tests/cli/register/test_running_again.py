"""``camunda-entra register`` a second time: after success, after failures, and with a file that is there."""

import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from camunda_entra_fastapi.cli.register.apply import apply_plan
from camunda_entra_fastapi.cli.register.current import CurrentRegistration, has_valid_secret, read_current
from camunda_entra_fastapi.cli.register.env_file import EnvFile
from camunda_entra_fastapi.cli.register.graph import GraphClient, GraphError
from camunda_entra_fastapi.cli.register.plan import Plan
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import CONTOSO
from tests.cli.conftest import Ran, run_command
from tests.cli.register.conftest import BASE, MODULE, graph_token, graph_with, signed_in_with_az, variables_in

SECRET = "CAMUNDA_IDENTITY_CLIENT_SECRET"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_the_same_command_again_leaves_the_file_as_it_is(
    register: Callable[..., Ran], emulator: EntraEmulator, tmp_path: Path
) -> None:
    """Nothing is made anew, and the secret, which nobody can read again, stays in the file."""
    path = tmp_path / "operate.env"
    arguments = ("Operate 2", "--base-url", BASE, "--env-file", str(path), "--yes")
    assert register(*arguments).code == 0
    before, directory = (path.read_text(), path.stat().st_mtime_ns), emulator.directory
    ran = register(*arguments)
    assert ran.code == 0, ran.output
    assert "  nothing to do" in ran.output
    assert f"The variables are as before in {path}" in ran.output
    assert (path.read_text(), path.stat().st_mtime_ns) == before
    assert emulator.directory == directory
    path.chmod(0o644)
    register(*arguments)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    register(*arguments, "--new-secret")
    assert variables_in(path.read_text()).keys() == variables_in(before[0]).keys()
    assert variables_in(path.read_text())[SECRET] != variables_in(before[0])[SECRET]


def test_an_administrator_finishes_what_was_not_consented_to(
    register: Callable[..., Ran], emulator: EntraEmulator, tmp_path: Path
) -> None:
    """The same command again, as the output says; the file with its secret stays valid."""
    path = tmp_path / "operate.env"
    arguments = ("Operate 2", "--base-url", BASE, "--env-file", str(path), "--yes")
    with signed_in_with_az(emulator, "Ada Admin", "Application.ReadWrite.All", "Directory.Read.All"):
        ran = register(*arguments, "--sign-in", "az")
    assert ran.code == 1
    assert "run this again as one" in " ".join(ran.output.split())
    before = path.read_text()
    assert variables_in(before)[SECRET]
    ran = register(*arguments)
    assert (ran.code, path.read_text()) == (0, before)
    assert "  consented for everybody" in ran.output
    assert "  created a client secret" not in ran.output


def test_ctrl_c_in_between(
    register: Callable[..., Ran], emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Completed steps are printed; the next run goes on, with one application and one secret in the end."""
    genuine = GraphClient.send

    def send(self: GraphClient, method: str, path: str, members: Any, **options: Any) -> dict[str, Any]:
        if path == "/servicePrincipals":
            raise KeyboardInterrupt
        return genuine(self, method, path, members, **options)

    monkeypatch.setattr(GraphClient, "send", send)
    ran = register("Operate 2", "--base-url", BASE, "--yes")
    assert ran.code == 1
    assert "created the application" in ran.output
    assert "Interrupted. What is told as done stays done" in ran.error
    monkeypatch.setattr(GraphClient, "send", genuine)
    ran = register("Operate 2", "--base-url", BASE, "--yes")
    assert ran.code == 0
    assert "create the application" not in ran.output
    made = [each for each in emulator.tenant.applications if each.name == "Operate 2"]
    assert [len(each.secrets) for each in made] == [1]


def test_no_secret_is_created_that_nobody_sees() -> None:
    """The secret comes last, so a failed consent leaves none behind."""
    paths: list[str] = []

    def respond(request: httpx2.Request) -> httpx2.Response:
        paths.append(request.url.path)
        return httpx2.Response(409, json={})

    client = httpx2.Client(transport=httpx2.MockTransport(respond), base_url="https://graph.example")
    current = CurrentRegistration({"id": "i", "appId": "a"}, {"id": "p"}, graph_principal={"id": "g"})
    desired: Any = None
    with pytest.raises(GraphError):
        apply_plan(
            GraphClient(client),
            desired,
            current,
            Plan({}, ("x",), False, True, (("openid",), ())),
            now=NOW,
            years=1,
            on_step=len,
        )
    assert paths == ["/v1.0/oauth2PermissionGrants"]


# The file


@pytest.mark.parametrize(
    "content",
    [
        b"PASSWORD=of-another-program\n",
        b"CAMUNDA_IDENTITY_TYPE=AZUREAD\n",
        b"CAMUNDA_IDENTITY_CLIENT_ID=a\nCAMUNDA_IDENTITY_CLIENT_ID=b\n",
        b"CAMUNDA_IDENTITY_CLIENT_ID=a\nOTHER=b\n",
        b"\xff\xfe",
        b"#" * 20_000,
    ],
)
def test_other_content_is_not_overwritten_unless_forced(
    register: Callable[..., Ran], tmp_path: Path, content: bytes
) -> None:
    """It is refused before the sign-in; --force overwrites it."""
    path = tmp_path / "x.env"
    path.write_bytes(content)
    arguments = ("Operate 2", "--base-url", BASE, "--env-file", str(path), "--yes")
    ran = run_command("register", *arguments, "--tenant", CONTOSO, "--emulator", "http://127.0.0.1:1")
    assert ran.code == 2
    assert "--force to overwrite it" in " ".join(ran.error.replace("\u2502", " ").split())
    assert path.read_bytes() == content
    if content.startswith((b"PASSWORD", b"#")):
        assert register(*arguments, "--force").code == 0
        assert len(variables_in(path.read_text())) == len(path.read_text().splitlines()) == 7


def test_a_file_of_another_application_is_left_alone(
    register: Callable[..., Ran], emulator: EntraEmulator, tmp_path: Path
) -> None:
    """Its secret would be lost; nothing is done in Entra either."""
    path = tmp_path / "operate.env"
    assert register("Operate 2", "--base-url", BASE, "--env-file", str(path), "--yes").code == 0
    before, directory = path.read_text(), emulator.directory
    ran = register("Tasklist", "--base-url", BASE, "--env-file", str(path), "--yes")
    assert ran.code == 1
    assert "which is not the one to be registered" in ran.error
    assert (path.read_text(), emulator.directory) == (before, directory)


def test_places_where_no_file_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are refused before the sign-in."""
    closed = tmp_path / "closed.env"
    closed.write_text("CAMUNDA_IDENTITY_CLIENT_ID=x\n")
    genuine = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != closed and genuine(path, mode))
    for path, words in (
        (tmp_path / "nowhere" / "x.env", "there is no directory"),
        (tmp_path, "is no file"),
        (closed, "may not be written by you"),
    ):
        arguments = (
            "Operate 2",
            "--base-url",
            BASE,
            "--env-file",
            str(path),
            "--emulator",
            "http://127.0.0.1:1",
        )
        ran = run_command("register", *arguments)
        assert ran.code == 2
        assert words in " ".join(ran.error.replace("\u2502", " ").split())


def test_a_file_that_cannot_be_read_is_another_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback where reading is forbidden."""
    path = tmp_path / "x.env"
    path.touch()

    def refuse(*_: object) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(Path, "open", refuse)
    ran = run_command("register", "X", "--base-url", BASE, "--env-file", str(path), "--tenant", CONTOSO)
    assert ran.code == 2
    assert "is there already" in " ".join(ran.error.replace("\u2502", " ").split())


def test_a_file_that_breaks_in_the_end_costs_no_secret(
    register: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables are printed then, and the exit code is 1."""

    def fail(*_: object) -> bool:
        raise OSError("No space left on device")

    monkeypatch.setattr(EnvFile, "write", fail)
    monkeypatch.setattr(f"{MODULE}.result.print_line", lambda _, text, style="": print(text))
    ran = register("Operate 2", "--base-url", BASE, "--env-file", str(tmp_path / "x"), "--yes")
    assert ran.code == 1
    assert "cannot be written: No space left on device" in ran.output
    secret = variables_in(ran.output)[SECRET]
    assert len(secret) > 20
    assert ran.output.count(secret) == 1


# What there is


@pytest.mark.parametrize(
    ("ends", "good"),
    [
        (["2026-05-31T23:59:59Z"], False),
        (["2026-06-01T00:00:01Z"], True),
        (["2026-05-01T00:00:00Z", "2027-01-01T00:00:00.1234567Z"], True),
        (["2026-05-01T00:00:00"], False),
        ([None], True),
        (["some day"], True),
        ([], False),
    ],
)
def test_secrets_that_have_expired_are_none(ends: list[str | None], good: bool) -> None:
    """A time that cannot be parsed counts as valid, so that no secret is created without need."""
    assert has_valid_secret({"passwordCredentials": [{"endDateTime": each} for each in ends]}, NOW) is good


def test_an_expired_secret_is_followed_by_another(
    register: Callable[..., Ran], emulator: EntraEmulator
) -> None:
    """Otherwise nothing would be planned, and nobody could sign in."""
    first = register("Operate 2", "--base-url", BASE, "--yes")
    client_id = variables_in(first.output)["CAMUNDA_IDENTITY_CLIENT_ID"]
    registering = httpx2.get(
        f"{emulator.base_url}/v1.0/applications(appId='{client_id}')",
        headers={"Authorization": f"Bearer {graph_token(emulator)}"},
        trust_env=False,
    ).json()
    assert has_valid_secret(registering, datetime.now(UTC))
    ends = registering["passwordCredentials"][0]["endDateTime"]
    years_later = datetime.fromisoformat(ends).replace(year=2090)

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return years_later

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{MODULE}.run.datetime", Later)
        ran = register("Operate 2", "--base-url", BASE, "--dry-run")
    assert [line for line in ran.output.splitlines() if line.startswith("  ")] == ["  create a client secret"]


def test_a_redirect_uri_of_another_platform(register: Callable[..., Ran], emulator: EntraEmulator) -> None:
    """Entra takes each URI once, and a plan removes nothing: an error says what to do."""
    ran = register("Operate 2", "--base-url", BASE, "--docs", "spa", "--yes")
    assert f"  add the redirect URI {BASE}/docs/oauth2-redirect (Single-page application)" in ran.output
    client_id = variables_in(ran.output)["CAMUNDA_IDENTITY_CLIENT_ID"]
    application = emulator.tenant.application(client_id)
    assert application is not None
    assert application.redirect_uris[f"{BASE}/docs/oauth2-redirect"] == "spa"
    before = emulator.directory
    ran = register("Operate 2", "--base-url", BASE, "--yes")
    assert ran.code == 1
    assert "is registered under the platform Single-page application, but belongs under Web" in ran.error
    assert "--docs chooses the platform" in ran.error
    assert emulator.directory == before
    assert "  nothing to do" in register("Operate 2", "--base-url", BASE, "--docs", "spa", "--yes").output
    assert "  nothing to do" in register("Operate 2", "--base-url", BASE, "--docs", "none", "--yes").output


def test_several_base_urls(register: Callable[..., Ran], emulator: EntraEmulator) -> None:
    """Each has its redirect URIs; none is the one for the variable."""
    ran = register("Operate 2", "--base-url", BASE, "--base-url", "http://localhost:8000/", "--yes")
    variables = variables_in(ran.output)
    assert "CAMUNDA_ENTRA_BASE_URL" not in variables
    application = emulator.tenant.application(variables["CAMUNDA_IDENTITY_CLIENT_ID"])
    assert application is not None
    paths = ("/auth/login-callback", "/docs/oauth2-redirect", "/auth/admin-consent-callback")
    assert set(application.redirect_uris) == {
        base + path for base in (BASE, "http://localhost:8000") for path in paths
    }
    assert application.logout_url == f"{BASE}/auth/front-channel-logout"


def test_the_tenant_is_that_of_who_signs_in(register: Callable[..., Ran], emulator: EntraEmulator) -> None:
    """Without --tenant, the issuer has the tenant ID of Graph's organization."""
    with signed_in_with_az(emulator, "Ada Admin"):
        ran = register("Operate 2", "--base-url", BASE, "--yes", "--sign-in", "az", tenant="")
    assert ran.code == 0, ran.error
    assert variables_in(ran.output)["CAMUNDA_IDENTITY_ISSUER"] == f"{emulator.base_url}/{CONTOSO}/v2.0"


def test_graph_that_does_not_know_its_tenant(
    register: Callable[..., Ran], emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An issuer without a tenant would be no issuer, so nothing is done."""
    genuine = GraphClient.first_page
    monkeypatch.setattr(
        GraphClient,
        "first_page",
        lambda self, path, **query: [] if path == "/organization" else genuine(self, path, **query),
    )
    before = emulator.directory
    ran = register("Operate 2", "--base-url", BASE, "--yes")
    assert ran.code == 1
    assert "does not tell which tenant it is" in ran.error
    assert emulator.directory == before


def test_a_tenant_without_graph() -> None:
    """Consent is impossible there, so nothing is done."""
    graph, _ = graph_with(httpx2.Response(200, json={"value": []}))
    with pytest.raises(GraphError, match="no service principal of Microsoft Graph"):
        read_current(graph, "Operate", "")
