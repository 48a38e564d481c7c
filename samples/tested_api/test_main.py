"""What the service lets whom do, by real tokens and without a network."""

from collections.abc import Callable

import pytest

from camunda_entra_fastapi.testing import AppClients, EntraEmulator
from tested_api.main import app, entra


def test_only_administrators_assign(entra_client: AppClients) -> None:
    """The role decides, whatever the scopes are."""
    admin = entra_client(app, entra, user="Ada Admin", roles=["Tasks.Admin"])
    reader = entra_client(app, entra, scopes=["Tasks.Read"], roles=[])
    assert admin.put("/tasks/1/assignee/Ben").json()["assigned_by"] == "Ada Admin"
    assert reader.put("/tasks/1/assignee/Ben").status_code == 403
    assert reader.get("/tasks").status_code == 200


def test_strangers_are_refused(entra_client: AppClients) -> None:
    """Nobody reads tasks without saying who they are."""
    answer = entra_client(app, entra, anonymous=True).get("/tasks")
    assert (answer.status_code, answer.json()["detail"]["code"]) == (401, "credentials_missing")


def test_an_expired_token_is_refused(entra_client: AppClients, entra_token: Callable[..., str]) -> None:
    """A header of the request's own counts instead of the client's."""
    expired = {"Authorization": f"Bearer {entra_token(lifetime=-3600)}"}
    answer = entra_client(app, entra).get("/me", headers=expired)
    assert (answer.status_code, answer.json()["detail"]["code"]) == (401, "token_expired")


def test_without_entra_nobody_can_be_judged(entra_client: AppClients, entra_emulator: EntraEmulator) -> None:
    """The answer is 503 as long as no keys were ever fetched: the fault is not the client's."""
    entra_emulator.down()
    assert entra_client(app, entra).get("/me").status_code == 503


@pytest.mark.asyncio
async def test_applications_are_known_as_such(entra_client: AppClients) -> None:
    """A daemon has no name but roles."""
    async with entra_client.asynchronous(app, entra, app_only=True, roles=["Tasks.Admin"]) as daemon:
        assert (await daemon.get("/me")).json() == {"name": None, "is_app": True}
        assert (await daemon.put("/tasks/2/assignee/Ben")).status_code == 200
