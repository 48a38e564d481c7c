"""README is true: its code runs, its tables are complete."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from camunda_entra_fastapi import CamundaEntra, EntraSettings
from camunda_entra_fastapi.errors import CODES
from camunda_entra_fastapi.testing import EntraEmulator

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def first_block(monkeypatch: pytest.MonkeyPatch) -> tuple[EntraEmulator, dict[str, Any]]:
    """The names of README's first block, with the six variables of an emulator."""
    emulator = EntraEmulator()
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(
        "camunda_entra_fastapi.CamundaEntra", lambda: CamundaEntra(http_client=emulator.http_client())
    )
    names: dict[str, Any] = {}
    exec(compile(BLOCKS[0], "README.md", "exec"), names)
    return emulator, names


def test_the_first_example_protects_its_routes(first_block: tuple[EntraEmulator, dict[str, Any]]) -> None:
    """A reader who copies it gets what its comments say."""
    emulator, names = first_block
    admin = emulator.token(scopes=["Incidents.Read"], roles=["Operate.Admin"])
    daemon = emulator.token(app_only=True, roles=["Incidents.Read.All"])
    with TestClient(names["app"]) as client:

        def status(method: str, path: str, token: str | None) -> int:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return client.request(method, path, headers=headers).status_code

        for method, path in (
            ("GET", "/me"),
            ("GET", "/incidents"),
            ("DELETE", "/incidents/1"),
            ("GET", "/export"),
        ):
            assert status(method, path, None) == 401
            assert status(method, path, admin) == 200
        assert status("GET", "/export", daemon) == 200
        assert status("GET", "/incidents", daemon) == 403
        assert status("DELETE", "/incidents/1", emulator.token()) == 403


def test_the_example_of_a_test_passes(first_block: tuple[EntraEmulator, dict[str, Any]]) -> None:
    """The test that README shows is a test that passes."""
    emulator, names = first_block
    (block,) = [block for block in BLOCKS if "entra_emulator" in block]
    exec(compile(block.replace("import CamundaEntra", "import EntraUser"), "README.md", "exec"), names)
    names["CamundaEntra"] = CamundaEntra
    example: Callable[[EntraEmulator], None] = names["test_only_administrators_resolve"]
    example(emulator)


def test_every_code_is_documented() -> None:
    """The table of codes is the one in ``errors``; what never reaches a client is left out."""
    table = dict(re.findall(r"^\| `([a-z0-9_]+)` \| (.+) \|$", README, re.MULTILINE))
    documented = {code: meaning for code, meaning in table.items() if code in CODES}
    inside = {"fetch_failed", "settings_invalid", "nonce_mismatch", "at_hash_mismatch"}
    assert documented == {code: meaning for code, meaning in CODES.items() if code not in inside}


def test_every_setting_is_documented() -> None:
    """The table of variables has a row for each field of the settings."""
    rows = set(re.findall(r"^\| `CAMUNDA_(?:IDENTITY|ENTRA)_([A-Z0-9_]+)` \|", README, re.MULTILINE))
    assert rows == {name.upper() for name in EntraSettings.model_fields}
