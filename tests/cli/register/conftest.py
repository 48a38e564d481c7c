"""The command with a user who signs in while it waits, and a Microsoft Graph with scripted responses."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from camunda_entra_fastapi.cli.browser import press_button
from camunda_entra_fastapi.cli.register.graph import GraphClient
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import CONTOSO
from tests.cli.conftest import Ran, run_command
from tests.waiting import PATIENCE

BASE = "https://operate.example.com"
MODULE = "camunda_entra_fastapi.cli.register"


def enter_code(emulator: EntraEmulator, user: str, code: str) -> None:
    """Open the address, enter the code, sign in as the user and consent."""
    with httpx2.Client(base_url=emulator.base_url, trust_env=False, timeout=PATIENCE) as client:
        page = client.post("/common/oauth2/deviceauth", data={"user_code": code})
        page = press_button(client, page, user)
        if "Accept" in page.text:
            page = press_button(client, page, "Accept")
        assert "Signed in" in page.text, page.text


@pytest.fixture
def register(emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Runs the command; the user signs in while it waits."""

    def run(*arguments: str, user: str = "Ada Admin", stdin: str | None = None, tenant: str = CONTOSO) -> Ran:
        printed: list[str] = []

        def pause(_: float) -> None:
            if codes := re.findall(r"enter the code (\S+)", "".join(printed)):
                printed.clear()
                enter_code(emulator, user, codes[-1])

        def print_line(_: object, text: str, style: str = "") -> None:
            printed.append(text)
            print(text)

        monkeypatch.setattr(f"{MODULE}.run.pause", pause)
        monkeypatch.setattr(f"{MODULE}.run.print_line", print_line)
        options = ("--emulator", emulator.base_url, *(("--tenant", tenant) if tenant else ()))
        return run_command("register", *arguments, *options, stdin=stdin)

    return run


def variables_in(text: str) -> dict[str, str]:
    """The variables that are printed or written."""
    pairs = (line.partition("=") for line in text.splitlines() if line.startswith("CAMUNDA_"))
    return {name: value for name, _, value in pairs}


@contextmanager
def signed_in_with_az(emulator: EntraEmulator, user: str, *permissions: str) -> Iterator[None]:
    """The user is signed in with the Azure CLI."""
    scopes = permissions or ("Application.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All")
    token = emulator.token(application="https://graph.microsoft.com", user=user, scopes=scopes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{MODULE}.run.azure_cli_token", lambda tenant: token)
        yield


def graph_token(emulator: EntraEmulator) -> str:
    """Ada's access token for Graph."""
    scopes = ("Application.ReadWrite.All",)
    return emulator.token(application="https://graph.microsoft.com", user="Ada Admin", scopes=scopes)


def graph_with(*responses: httpx2.Response | Exception) -> tuple[GraphClient, list[float]]:
    """Graph with these responses, and the delays between requests."""
    remaining = list(responses)
    waited: list[float] = []

    def respond(_: httpx2.Request) -> httpx2.Response:
        response = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        if isinstance(response, Exception):
            raise response
        return httpx2.Response(response.status_code, headers=response.headers, content=response.content)

    client = httpx2.Client(transport=httpx2.MockTransport(respond), base_url="https://graph.example")
    return GraphClient(client, waited.append), waited


def install_az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a script in place of the Azure CLI."""
    az = tmp_path / "az"
    az.write_text(script)
    az.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


def create_application(emulator: EntraEmulator, name: str) -> None:
    """Create an application as the Graph API does, without anything besides."""
    httpx2.post(
        f"{emulator.base_url}/v1.0/applications",
        json={"displayName": name},
        headers={"Authorization": f"Bearer {graph_token(emulator)}"},
        trust_env=False,
    ).raise_for_status()
