"""Which host was asked for, as real gateways with their recipes tell the one service for sibling hosts."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e.gateways import EVERY_GATEWAY, Addresses, Upstream, load_service
from tests.ports import free_port
from tests.waiting import PATIENCE

LOGIN: Final = "https://login.apps.example.com"
ORDERS: Final = "https://orders.apps.example.com"
NAVIGATION: Final = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}


@pytest.fixture(scope="module")
def addresses() -> Iterator[Addresses]:
    """The service for ``login.apps.example.com``, and an upstream, for all gateways."""
    key = SigningKey.generate()
    emulator = EntraEmulator(new_key=lambda: key)
    with ExitStack() as stack:
        stack.enter_context(emulator.serve())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        settings = {"CAMUNDA_ENTRA_BASE_URL": LOGIN, "CAMUNDA_ENTRA_COOKIE_DOMAIN": "apps.example.com"}
        for name, value in (emulator.environment() | settings).items():
            patch.setenv(name, value)
        service = stack.enter_context(serving(load_service().app))
        yield Addresses(free_port(), service, stack.enter_context(serving(Upstream().app())))


@pytest.mark.parametrize("kind", list(EVERY_GATEWAY))
def test_people_come_back_to_the_host_that_they_asked_for(
    kind: str, addresses: Addresses, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """By its Host header, which is in the domain or not; what a client says in other headers is nothing."""
    forged = [{}, {"X-Forwarded-Host": "other.apps.example.com"}, {"X-Forwarded-Proto": "ftp"}]
    gateway = EVERY_GATEWAY[kind](addresses, tmp_path_factory.mktemp(kind))
    with gateway, httpx.Client(trust_env=False, timeout=PATIENCE) as client:
        for headers in forged:
            answer = client.get(
                f"http://127.0.0.1:{addresses.port}/reports?month=5&x=%2F",
                headers=NAVIGATION | {"Host": "orders.apps.example.com"} | headers,
            )
            there = urlsplit(answer.headers["Location"])
            assert f"{there.scheme}://{there.netloc}{there.path}" == f"{LOGIN}/auth/login"
            assert parse_qs(there.query) == {"return_to": [f"{ORDERS}/reports?month=5&x=%2F"]}
        answer = client.get(
            f"http://127.0.0.1:{addresses.port}/x", headers=NAVIGATION | {"Host": "evil.example"}
        )
        assert answer.headers["Location"] == f"{LOGIN}/auth/login?return_to=/x"
