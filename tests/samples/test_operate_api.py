"""The sample API, driven through HTTP in front of the emulator."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from camunda_entra_fastapi.testing import EntraEmulator

FOLDER = Path(__file__).parents[2] / "samples" / "operate_api"
KEY = 2251799813685301
SCOPES = ["Incidents.Read"]


@pytest.fixture
def emulator() -> Iterator[EntraEmulator]:
    """A local Entra that is served, for the sample calls it by HTTP."""
    emulator = EntraEmulator()
    with emulator.serve():
        yield emulator


@pytest.fixture
def client(emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A client of a sample of the test's own, which was given the six variables and nothing else."""
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    spec = importlib.util.spec_from_file_location("operate_api_sample", FOLDER / "main.py")
    assert spec is not None
    assert spec.loader is not None
    sample = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sample)
    with TestClient(sample.app) as client:
        yield client


def ask(client: TestClient, method: str, path: str, token: str | None = None) -> tuple[int, str | None]:
    """The status, and the code of a refusal."""
    answer = client.request(method, path, headers={"Authorization": f"Bearer {token}"} if token else {})
    detail = answer.json().get("detail") if answer.is_error else None
    return answer.status_code, detail["code"] if isinstance(detail, dict) else detail


def test_health_is_open(client: TestClient) -> None:
    """A probe brings no token."""
    assert client.get("/health").json() == {"status": "UP"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/me"),
        ("GET", "/incidents"),
        ("GET", f"/incidents/{KEY}"),
        ("DELETE", f"/incidents/{KEY}"),
        ("GET", "/export"),
    ],
)
def test_everything_else_needs_a_token(client: TestClient, method: str, path: str) -> None:
    """Who says nothing of themselves gets 401 everywhere."""
    assert ask(client, method, path) == (401, "credentials_missing")


def test_me_says_who_is_asking(client: TestClient, emulator: EntraEmulator) -> None:
    """Name, roles and scopes come from the token."""
    token = emulator.token(user="Ada Admin", scopes=SCOPES)
    me = client.get("/me", headers={"Authorization": f"Bearer {token}"}).json()
    assert me == {"name": "Ada Admin", "is_app": False, "roles": ["Operate.Admin"], "scopes": SCOPES}


def test_the_scope_opens_the_incidents(client: TestClient, emulator: EntraEmulator) -> None:
    """A person with the scope reads the list and one incident; an unknown key is 404."""
    reader = emulator.token(user="Ben Reader", scopes=SCOPES)
    listed = client.get("/incidents", headers={"Authorization": f"Bearer {reader}"}).json()
    assert [incident["process"] for incident in listed] == [
        "Order fulfilment",
        "Loan application",
        "Employee onboarding",
    ]
    one = client.get(f"/incidents/{KEY}", headers={"Authorization": f"Bearer {reader}"})
    assert (one.status_code, one.json()) == (200, listed[0])
    assert ask(client, "GET", "/incidents/1", reader) == (404, "There is no incident 1.")


def test_without_the_scope_the_incidents_stay_closed(client: TestClient, emulator: EntraEmulator) -> None:
    """Another scope is not enough, and for one incident no more than for all."""
    token = emulator.token(user="Ben Reader", scopes=["access_as_user"])
    assert ask(client, "GET", "/incidents", token) == (403, "scope_missing")
    assert ask(client, "GET", f"/incidents/{KEY}", token) == (403, "scope_missing")


def test_the_role_resolves_incidents(client: TestClient, emulator: EntraEmulator) -> None:
    """What an administrator resolves leaves the list, is remembered with the name, and stays resolved."""
    admin = {"Authorization": f"Bearer {emulator.token(user='Ada Admin', scopes=SCOPES)}"}
    other = {"Authorization": f"Bearer {emulator.token(user='Ben Reader', roles=['Operate.Admin'])}"}
    assert client.delete(f"/incidents/{KEY}", headers=admin).json()["resolved_by"] == "Ada Admin"
    assert client.delete(f"/incidents/{KEY}", headers=other).json()["resolved_by"] == "Ada Admin"
    assert KEY not in [incident["key"] for incident in client.get("/incidents", headers=admin).json()]
    assert client.get(f"/incidents/{KEY}", headers=admin).json()["resolved_by"] == "Ada Admin"


def test_without_the_role_nothing_is_resolved(client: TestClient, emulator: EntraEmulator) -> None:
    """A reader is refused before the key is looked at; an administrator learns that there is none."""
    reader = emulator.token(user="Ben Reader", scopes=SCOPES)
    admin = emulator.token(user="Ada Admin", scopes=SCOPES)
    assert ask(client, "DELETE", f"/incidents/{KEY}", reader) == (403, "role_missing")
    assert ask(client, "DELETE", "/incidents/1", reader) == (403, "role_missing")
    assert ask(client, "DELETE", "/incidents/1", admin) == (404, "There is no incident 1.")
    assert ask(client, "GET", "/incidents", reader)[0] == 200
    assert len(client.get("/incidents", headers={"Authorization": f"Bearer {reader}"}).json()) == 3


def test_people_and_applications_export(client: TestClient, emulator: EntraEmulator) -> None:
    """A person by the scope, an application by the role; nobody with neither."""
    assert ask(client, "GET", "/export", emulator.token(scopes=SCOPES)) == (200, None)
    assert ask(client, "GET", "/export", emulator.token(app_only=True)) == (200, None)
    without = emulator.token(user="Ben Reader", scopes=["access_as_user"])
    assert ask(client, "GET", "/export", without) == (403, "permission_missing")


def test_the_export_has_the_resolved_ones_too(client: TestClient, emulator: EntraEmulator) -> None:
    """Nothing is lost by being resolved."""
    admin = {"Authorization": f"Bearer {emulator.token(user='Ada Admin', scopes=SCOPES)}"}
    client.delete(f"/incidents/{KEY}", headers=admin)
    exported = client.get("/export", headers=admin).json()
    assert [incident["resolved_by"] for incident in exported] == ["Ada Admin", None, None]


def test_the_page_names_the_routes_and_the_variables(emulator: EntraEmulator) -> None:
    """README's table lists the routes that there are, and its commands set the six variables."""
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    source = (FOLDER / "main.py").read_text(encoding="utf-8")
    routes = {
        (verb.upper(), path) for verb, path in re.findall(r'^@app\.(\w+)\("([^"]+)"', source, re.MULTILINE)
    }
    assert set(re.findall(r"`(GET|DELETE) (/[^`]*)`", page)) == routes
    assert set(re.findall(r"export (CAMUNDA_IDENTITY_\w+)=", page)) == set(emulator.environment())
