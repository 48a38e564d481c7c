"""An application protected in every way, and a site that people sign in to, in front of the emulator."""

from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Security, WebSocket
from fastapi.testclient import TestClient

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.validation.keys import SigningKey
from tests.conftest import FakeClock
from tests.site import emulator, make_site, site

__all__ = ["app", "bearer", "client", "emulator", "entra", "make_site", "site"]

GROUP = "99999999-0000-4000-8000-000000000001"


@pytest.fixture
def entra(emulator: EntraEmulator, clock: FakeClock) -> CamundaEntra:
    """A plugin that trusts the emulator."""
    return CamundaEntra(emulator.settings(), http_client=emulator.http_client(), clock=clock)


@pytest.fixture
def app(entra: CamundaEntra) -> FastAPI:
    """One route for each way to ask who is there."""
    app = FastAPI(lifespan=entra.lifespan)

    @app.get("/me")
    async def me(user: Annotated[EntraUser, Depends(entra.current_user)]) -> dict[str, object]:
        return {"name": user.name, "roles": user.roles}

    @app.get("/bearer")
    async def bearer(user: Annotated[EntraUser, Depends(entra.bearer)]) -> dict[str, object]:
        return {"name": user.name}

    @app.get("/optional")
    async def optional(user: Annotated[EntraUser | None, Depends(entra.optional_user)]) -> dict[str, object]:
        return {"name": user and user.name}

    @app.get(
        "/scoped", dependencies=[Security(entra.current_user, scopes=["Incidents.Read", "access_as_user"])]
    )
    async def scoped() -> dict[str, bool]:
        return {"ok": True}

    @app.get("/all")
    async def all_of_it(
        user: Annotated[
            EntraUser,
            Depends(entra.require(scopes=["Incidents.Read"], roles=["Operate.Admin"], groups=[GROUP])),
        ],
    ) -> dict[str, object]:
        return {"name": user.name}

    @app.get(
        "/any",
        dependencies=[
            Depends(
                entra.require_any(scopes=["Incidents.Read"], roles=["Incidents.Read.All"], groups=[GROUP])
            )
        ],
    )
    async def any_of_it() -> dict[str, bool]:
        return {"ok": True}

    @app.websocket("/ws")
    async def ws(
        websocket: WebSocket, user: Annotated[EntraUser, Depends(entra.require(roles=["Operate.Admin"]))]
    ) -> None:
        await websocket.accept()
        await websocket.send_json({"name": user.name})
        await websocket.close()

    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A client of the application, whose lifespan runs."""
    with TestClient(app) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    """The header that carries the token."""
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[SigningKey]:
    """The keys that verified a signature, one entry for each time."""
    keys: list[SigningKey] = []
    verifies = SigningKey.verifies

    def note(key: SigningKey, signing_input: bytes, signature: bytes) -> bool:
        keys.append(key)
        return verifies(key, signing_input, signature)

    monkeypatch.setattr(SigningKey, "verifies", note)
    return keys
