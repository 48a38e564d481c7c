"""A service that calls others, the emulator over a wire that can be looked at, and an API to call."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.testing import EntraEmulator
from tests.conftest import FakeClock
from tests.site import Wire, emulator, make_site, site

__all__ = ["SCOPE", "Api", "api", "emulator", "entra", "grants", "make_entra", "make_site", "site", "wire"]

SCOPE: Final = "0be7a7e0-1111-4222-8333-444455556666/.default"


@pytest.fixture
async def wire(emulator: EntraEmulator) -> AsyncIterator[Wire]:
    """The wire between the service and Entra."""
    wire = Wire(emulator)
    yield wire
    await wire.aclose()


@pytest.fixture
async def make_entra(
    emulator: EntraEmulator, wire: Wire, clock: FakeClock
) -> AsyncIterator[Callable[..., CamundaEntra]]:
    """Makes services; keyword arguments are settings."""
    async with httpx.AsyncClient(transport=wire) as client:
        yield lambda **settings: CamundaEntra(emulator.settings(**settings), http_client=client, clock=clock)


@pytest.fixture
def entra(make_entra: Callable[..., CamundaEntra]) -> CamundaEntra:
    """A service that calls others."""
    return make_entra()


def grants(wire: Wire) -> list[dict[str, str]]:
    """The requests to the token endpoint."""
    return [dict(form) for form in wire.forms]


@dataclass
class Api:
    """Another service: it keeps what it was sent, and refuses tokens that it is told to."""

    tokens: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    refused: Callable[[str], bool] = lambda _: False
    challenge: str = 'Bearer error="invalid_token"'

    def answer(self, request: Any) -> tuple[int, dict[str, str]]:
        """Status and headers for a request of either client."""
        self.tokens.append(request.headers["Authorization"].removeprefix("Bearer "))
        self.bodies.append(request.content)
        if self.refused(self.tokens[-1]):
            return 401, {"WWW-Authenticate": self.challenge}
        return 200, {}


@pytest.fixture
def api() -> Api:
    """Another service."""
    return Api()


def challenge(claims: object) -> str:
    """The response of an API that requires claims (Learn: claims challenges)."""
    encoded = base64.b64encode(json.dumps(claims).encode()).decode()
    return f'Bearer realm="", authorization_uri="https://x", error="insufficient_claims", claims="{encoded}"'
