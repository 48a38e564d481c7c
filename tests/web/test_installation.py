"""What ``install`` adds to every application, with login pages and without."""

from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest
from fastapi import FastAPI

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.testing import EntraEmulator

API_ALONE: Final[dict[str, str | None]] = {"client_secret": None}


@pytest.fixture
async def api_alone(entra_emulator: EntraEmulator) -> AsyncIterator[httpx.AsyncClient]:
    """A service without a client secret: an API, and no login pages."""
    settings = entra_emulator.settings(**API_ALONE)
    entra = CamundaEntra(settings, http_client=entra_emulator.http_client())
    app = FastAPI(lifespan=entra.lifespan)
    entra.install(app, prefix="/sso")
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as client:
        yield client


async def test_a_service_without_login_pages_has_a_health_endpoint(api_alone: httpx.AsyncClient) -> None:
    """Under the prefix, as newcomers to Kubernetes look for it; and nothing else of the login pages."""
    health = await api_alone.get("/sso/health")
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert (await api_alone.get("/sso/login")).status_code == 404
