"""The sample that calls Camunda, by the released SDK and by other clients, at the local Entra."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import httpx
import pytest
from camunda_orchestration_sdk import CamundaAsyncClient
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE
from camunda_entra_fastapi.testing.serving.server import serving

SAMPLES: Final = Path(__file__).parents[2] / "samples"
BILLING: Final = "b1111109-1111-4222-8333-444455556666"
KEY: Final = "2251799813685301"
SCOPE: Final = f"{OPERATE}/.default"


class Cluster:
    """The stand-in, which may refuse the next requests first."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.to_refuse = 0
        self.tokens: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 401."""
        if scope["type"] == "http":
            self.tokens.append(dict(scope["headers"]).get(b"authorization", b""))
        if scope["type"] != "http" or self.to_refuse == 0:
            await self._app(scope, receive, send)
            return
        self.to_refuse -= 1
        headers = [(b"www-authenticate", b'Bearer error="invalid_token"'), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body"})


@dataclass
class Landscape:
    """Entra, a cluster, and a service that is about to call it."""

    emulator: EntraEmulator
    cluster: Cluster
    address: str
    load: Callable[[str], ModuleType]

    def fetched(self) -> int:
        """How many tokens Entra was asked for."""
        return self.emulator.count("/oauth2/v2.0/token")


@pytest.fixture
def landscape(monkeypatch: pytest.MonkeyPatch) -> Iterator[Landscape]:
    """All of it, with the environment of the service that calls."""
    emulator = EntraEmulator()

    def forget() -> None:
        for name in [name for name in sys.modules if name.startswith("call_camunda")]:
            monkeypatch.delitem(sys.modules, name)

    def load(name: str) -> ModuleType:
        forget()
        return import_module(f"call_camunda.{name}")

    monkeypatch.syspath_prepend(str(SAMPLES))
    with ExitStack() as stack:
        stack.enter_context(emulator.serve())
        for name, value in emulator.environment().items():
            monkeypatch.setenv(name, value)
        cluster = Cluster(load("stand_in").app)
        address = stack.enter_context(serving(cluster))
        for name, value in {
            "CAMUNDA_IDENTITY_CLIENT_ID": BILLING,
            "CAMUNDA_IDENTITY_CLIENT_SECRET": "local-emulator-secret-of-billing",
            "CAMUNDA_IDENTITY_AUDIENCE": BILLING,
            "CAMUNDA_REST_ADDRESS": address,
            "CAMUNDA_SCOPE": SCOPE,
        }.items():
            monkeypatch.setenv(name, value)
        yield Landscape(emulator, cluster, address, load)
    forget()


def test_the_service_lists_what_is_running(landscape: Landscape) -> None:
    """By Camunda's own SDK, as itself; with one token, and another one when that is refused."""
    app: FastAPI = landscape.load("main").app
    with serving(app) as address, httpx.Client(base_url=address, trust_env=False) as client:
        for _ in range(3):
            answer = client.get("/running")
            assert answer.json() == [{"key": KEY, "process": "order-fulfilment"}]
        assert landscape.fetched() == 1
        landscape.cluster.to_refuse = 1
        answer = client.get("/running")
        assert answer.json() == [{"key": KEY, "process": "order-fulfilment"}]
    assert landscape.fetched() == 2
    assert len(landscape.cluster.tokens) == 5


async def test_every_client_of_the_sample_finds_the_same(landscape: Landscape) -> None:
    """With one token, as they share the scope."""
    clients: Any = landscape.load("clients")
    entra = CamundaEntra()
    address = landscape.address
    found = [
        await asyncio.to_thread(clients.with_sdk, entra, SCOPE),
        await asyncio.to_thread(clients.with_httpx, entra, SCOPE, address),
        await clients.with_httpx_async(entra, SCOPE, address),
        await asyncio.to_thread(clients.with_httpx2, entra, SCOPE, address),
        await clients.with_httpx2_async(entra, SCOPE, address),
    ]
    assert found == [[KEY]] * 5
    assert landscape.fetched() == 1
    assert len(set(landscape.cluster.tokens)) == 1


@pytest.mark.parametrize("client", ["with_httpx", "with_httpx_async", "with_httpx2", "with_httpx2_async"])
async def test_a_refused_token_is_replaced_in_the_middle(landscape: Landscape, client: str) -> None:
    """By each of the HTTP clients."""
    call: Any = getattr(landscape.load("clients"), client)
    landscape.cluster.to_refuse = 1
    entra, address = CamundaEntra(), landscape.address
    if "async" in client:
        keys = await call(entra, SCOPE, address)
    else:
        keys = await asyncio.to_thread(call, entra, SCOPE, address)
    assert (keys, landscape.fetched()) == ([KEY], 2)
    assert len(set(landscape.cluster.tokens)) == 2


async def test_a_thousand_calls_of_the_sdk_fetch_one_token(landscape: Landscape) -> None:
    """All at once."""
    auth = CamundaEntra().client_credentials(SCOPE)
    async with CamundaAsyncClient(auth_provider=auth) as camunda:
        many = asyncio.Semaphore(50)  # connections, not tokens, are what is scarce

        async def call() -> str:
            headers = await auth.aget_headers()
            async with many:
                found = await camunda.search_process_instances()
            assert headers
            return str(found.items[0].process_instance_key)

        assert set(await asyncio.gather(*(call() for _ in range(1000)))) == {KEY}
    assert landscape.fetched() == 1
