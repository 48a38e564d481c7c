"""The sample of two services: the second one sees the person who signed in to the first."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import httpx2
import pytest

from camunda_entra_fastapi.cli.browser import open_page
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE, UNRELATED
from camunda_entra_fastapi.testing.serving.server import serving

SAMPLES: Final = Path(__file__).parents[2] / "samples"


@pytest.fixture
def emulator() -> Iterator[EntraEmulator]:
    """A local Entra."""
    emulator = EntraEmulator()
    with emulator.serve():
        yield emulator


@pytest.fixture
def office(emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx2.Client]:
    """A browser before the office, which has the archive behind it."""

    def forget() -> None:
        for name in [name for name in sys.modules if name.startswith("call_on_behalf")]:
            monkeypatch.delitem(sys.modules, name)

    def load(name: str, **variables: str) -> ModuleType:
        for variable, value in {**emulator.environment(), **variables}.items():
            monkeypatch.setenv(variable, value)
        forget()
        return import_module(f"call_on_behalf.{name}")

    monkeypatch.syspath_prepend(str(SAMPLES))
    with ExitStack() as stack:
        archive = load(
            "archive",
            CAMUNDA_IDENTITY_CLIENT_ID=UNRELATED,
            CAMUNDA_IDENTITY_AUDIENCE=f"api://{UNRELATED}",
            CAMUNDA_IDENTITY_CLIENT_SECRET="",
            CAMUNDA_ENTRA_ACCEPT_V1_TOKENS="true",
        )
        behind = stack.enter_context(serving(archive.app))
        monkeypatch.delenv("CAMUNDA_ENTRA_ACCEPT_V1_TOKENS")
        app: Any = load("main", ARCHIVE_URL=behind, ARCHIVE_SCOPE=f"api://{UNRELATED}/access_as_user").app
        address = stack.enter_context(serving(app)).replace("127.0.0.1", "localhost")
        yield stack.enter_context(httpx2.Client(base_url=address, trust_env=False))
    forget()


def test_the_archive_sees_who_signed_in_to_the_office(office: httpx2.Client) -> None:
    """And that it was the office that asked."""
    page = open_page(office, "/documents", "Ben Reader")
    assert page.json() == {"for": "Ben Reader", "by": OPERATE, "document": "Delivery note 4711"}


def test_a_program_with_a_persons_token_is_acted_for_as_well(
    office: httpx2.Client, emulator: EntraEmulator
) -> None:
    """Its token is exchanged once; an application's own is refused."""

    def ask(token: str) -> httpx2.Response:
        return office.get("/documents", headers={"Authorization": f"Bearer {token}"})

    token = emulator.token(user="Ada Admin")
    for _ in range(3):
        assert ask(token).json()["for"] == "Ada Admin"
    assert emulator.count("/oauth2/v2.0/token") == 1
    refused = ask(emulator.token(app_only=True, roles=["Operate.Admin"]))
    assert (refused.status_code, refused.json()["detail"]["code"]) == (403, "user_required")


def test_while_the_archive_is_away_the_office_says_so(
    office: httpx2.Client, emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """502, and no trace (RFC 9110, 15.6.3)."""
    monkeypatch.setenv("ARCHIVE_URL", "http://127.0.0.1:1")
    answer = office.get("/documents", headers={"Authorization": f"Bearer {emulator.token(user='Ada Admin')}"})
    assert answer.status_code == 502
    assert "try again" in answer.json()["detail"]
