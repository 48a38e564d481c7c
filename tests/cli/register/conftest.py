"""The command with somebody who signs in while it waits, and a Microsoft Graph that answers as scripted."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from camunda_entra_fastapi.cli.browser import press_button
from camunda_entra_fastapi.cli.register.graph import GraphClient
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import CONTOSO
from tests.cli.conftest import Ran, run_command
from tests.waiting import PATIENCE

BASE = "https://operate.example.com"
MODULE = "camunda_entra_fastapi.cli.register"


def types_the_code(emulator: EntraEmulator, who: str, code: str) -> None:
    """Somebody opens the address, types the code, signs in and consents."""
    with httpx.Client(base_url=emulator.base_url, trust_env=False, timeout=PATIENCE) as client:
        page = client.post("/common/oauth2/deviceauth", data={"user_code": code})
        page = press_button(client, page, who)
        if "Accept" in page.text:
            page = press_button(client, page, "Accept")
        assert "Signed in" in page.text, page.text


@pytest.fixture
def register(emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Runs the command; whoever is named signs in while it waits."""

    def run(*arguments: str, who: str = "Ada Admin", stdin: str | None = None, tenant: str = CONTOSO) -> Ran:
        shown: list[str] = []

        def pause(_: float) -> None:
            if codes := re.findall(r"enter the code (\S+)", "".join(shown)):
                shown.clear()
                types_the_code(emulator, who, codes[-1])

        def print_line(_: object, text: str, style: str = "") -> None:
            shown.append(text)
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
def token_of(emulator: EntraEmulator, who: str, *permissions: str) -> Iterator[None]:
    """Somebody is signed in with the Azure CLI."""
    scopes = permissions or ("Application.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All")
    token = emulator.token(application="https://graph.microsoft.com", user=who, scopes=scopes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{MODULE}.run.azure_cli_token", lambda tenant: token)
        yield


def graph_token(emulator: EntraEmulator) -> str:
    """Ada's, for Graph."""
    scopes = ("Application.ReadWrite.All",)
    return emulator.token(application="https://graph.microsoft.com", user="Ada Admin", scopes=scopes)


def graph_that(*answers: httpx.Response | Exception) -> tuple[GraphClient, list[float]]:
    """Graph with these answers, and how long was waited."""
    left = list(answers)
    waited: list[float] = []

    def answer(_: httpx.Request) -> httpx.Response:
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, Exception):
            raise one
        return httpx.Response(one.status_code, headers=one.headers, content=one.content)

    client = httpx.Client(transport=httpx.MockTransport(answer), base_url="https://graph.example")
    return GraphClient(client, waited.append), waited
