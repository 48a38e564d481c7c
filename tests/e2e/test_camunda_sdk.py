"""Camunda's SDK for Python at the local Entra, over TLS."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from camunda_orchestration_sdk import CamundaAsyncClient, CamundaClient
from camunda_orchestration_sdk.errors import ApiError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e.conftest import PORTAL, SECRET


@pytest.fixture
def asked() -> list[str]:
    """The paths that the cluster was asked for."""
    return []


@pytest.fixture
def configured(
    emulator: EntraEmulator, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[EntraEmulator]:
    """A local Entra and a cluster behind it, of which the SDK knows by its documented variables."""

    def answer(request: Request) -> JSONResponse:
        asked.append(request.url.path)
        return JSONResponse({})

    with serving(Starlette(routes=[Route("/{path:path}", answer)])) as address:
        variables = {
            "CAMUNDA_REST_ADDRESS": address,
            "CAMUNDA_AUTH_STRATEGY": "OAUTH",
            "CAMUNDA_OAUTH_URL": f"{emulator.base_url}/{emulator.tenant.id}/oauth2/v2.0/token",
            "CAMUNDA_CLIENT_ID": PORTAL,
            "CAMUNDA_CLIENT_SECRET": SECRET,
            "CAMUNDA_TOKEN_AUDIENCE": OPERATE,
            "CAMUNDA_MTLS_CA_PATH": str(emulator.ca_file),
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield emulator


def check_refusal(error: httpx.HTTPStatusError) -> None:
    """Entra wants a scope where the SDK has an audience (Learn: client credentials flow)."""
    refusal = error.response.json()
    assert error.response.status_code == 400
    assert (refusal["error"], refusal["error_codes"]) == ("invalid_request", [900144])
    assert refusal["error_description"].startswith("AADSTS900144: ")
    assert "'scope'" in refusal["error_description"]


def test_its_own_oauth_is_refused(configured: EntraEmulator, asked: list[str]) -> None:
    """The SDK sends an audience and no scope, which is AADSTS900144, and never calls the cluster."""
    with CamundaClient() as client, pytest.raises(httpx.HTTPStatusError) as error:
        client.get_topology()
    check_refusal(error.value)
    assert configured.count("/oauth2/v2.0/token") == 1
    assert not asked


async def test_its_own_asynchronous_oauth_is_refused(configured: EntraEmulator, asked: list[str]) -> None:
    """The asynchronous client is refused in the same way."""
    async with CamundaAsyncClient() as client:
        with pytest.raises(httpx.HTTPStatusError) as error:
            await client.get_topology()
    check_refusal(error.value)
    assert configured.count("/oauth2/v2.0/token") == 1
    assert not asked


def test_a_scope_is_all_that_is_missing(configured: EntraEmulator) -> None:
    """The same request with a scope is answered with a token."""
    form = {
        "grant_type": "client_credentials",
        "client_id": PORTAL,
        "client_secret": SECRET,
        "audience": OPERATE,
        "scope": f"{OPERATE}/.default",
    }
    address = f"{configured.base_url}/{configured.tenant.id}/oauth2/v2.0/token"
    trusting = ssl.create_default_context(cafile=str(configured.ca_file))
    answer = httpx.post(address, data=form, verify=trusting)
    assert answer.status_code == 200
    assert answer.json()["access_token"]


class Landscape:
    """A token endpoint that asks for no scope, and a cluster that refuses the first token of it."""

    def __init__(self) -> None:
        self.issued = 0
        self.sent: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``/token`` gives a new token for each request, all else looks at the token that came."""
        request = Request(scope, receive)
        if request.url.path == "/token":
            self.issued += 1
            answer = JSONResponse({"access_token": f"token-{self.issued}", "expires_in": 3599})
        else:
            self.sent.append(request.headers["authorization"])
            problem = {
                "type": "about:blank",
                "title": "Unauthorized",
                "status": 401,
                "detail": "",
                "instance": "/",
            }
            answer = JSONResponse(problem, 401) if self.sent[-1] == "Bearer token-1" else JSONResponse({})
        await answer(scope, receive, send)


@pytest.fixture
def landscape(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Landscape]:
    """Both, with the SDK's documented variables; tokens are cached on disk."""
    landscape = Landscape()
    with serving(landscape) as address:
        for name, value in {
            "CAMUNDA_REST_ADDRESS": address,
            "CAMUNDA_AUTH_STRATEGY": "OAUTH",
            "CAMUNDA_OAUTH_URL": f"{address}/token",
            "CAMUNDA_CLIENT_ID": PORTAL,
            "CAMUNDA_CLIENT_SECRET": SECRET,
            "CAMUNDA_TOKEN_AUDIENCE": OPERATE,
            "CAMUNDA_TOKEN_CACHE_DIR": str(tmp_path),
        }.items():
            monkeypatch.setenv(name, value)
        yield landscape


def test_its_own_oauth_keeps_a_refused_token(landscape: Landscape, tmp_path: Path) -> None:
    """SDK 10.0.1: after 401 the same token is sent until it expires, by the next process from the disk."""
    for _ in range(2):
        with CamundaClient() as client:
            for _ in range(2):
                with pytest.raises(ApiError) as error:
                    client.get_topology()
                assert error.value.status_code == 401
    assert landscape.sent == ["Bearer token-1"] * 4
    assert landscape.issued == 1
    (kept,) = tmp_path.iterdir()
    assert "token-1" in kept.read_text()


async def test_its_own_asynchronous_oauth_keeps_a_refused_token(landscape: Landscape) -> None:
    """SDK 10.0.1: the asynchronous client as well."""
    for _ in range(2):
        async with CamundaAsyncClient() as client:
            for _ in range(2):
                with pytest.raises(ApiError) as error:
                    await client.get_topology()
                assert error.value.status_code == 401
    assert landscape.sent == ["Bearer token-1"] * 4
    assert landscape.issued == 1
