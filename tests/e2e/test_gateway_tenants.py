"""The tenant of whoever passes a gateway, in each real program with its recipe.

Learn, "Secure applications and APIs by validating claims": "Use immutable claim values ``tid`` and ``oid`` as
a combined key for uniquely identifying a user's data". An object ID alone is one tenant's.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from websockets.asyncio.client import connect

from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.directory import OPERATE
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e.gateways import EVERY_GATEWAY, Addresses, Upstream, load_service
from tests.e2e.test_gateways import ADA, Gateway, LateClock
from tests.ports import free_port

FABRIKAM: Final = "fab00000-1111-4222-8333-444455556666"
SPELLINGS: Final = (
    "X-Auth-Request-Tenant",
    "x-auth-request-tenant",
    "X_Auth_Request_Tenant",
    "X-Auth_Request-Tenant",
    "x_auth-request_TENANT",
)


@pytest.fixture(scope="module")
def entra_id() -> Iterator[EntraEmulator]:
    """A local Entra."""
    key = SigningKey.generate()
    emulator = EntraEmulator(new_key=lambda: key)
    with emulator.serve():
        yield emulator


@contextmanager
def running(name: str, emulator: EntraEmulator, folder: Path, **variables: str) -> Iterator[Gateway]:
    """That gateway before a service with these variables."""
    upstream, port = Upstream(), free_port()
    address = f"http://localhost:{port}"
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        variables = emulator.environment() | {"CAMUNDA_ENTRA_BASE_URL": address} | variables
        for variable, value in variables.items():
            patch.setenv(variable, value)
        addresses = Addresses(
            port,
            stack.enter_context(serving(load_service().app)),
            stack.enter_context(serving(upstream.app())),
        )
        stack.enter_context(EVERY_GATEWAY[name](addresses, folder))
        yield Gateway(address, upstream, emulator, LateClock(), name)


@pytest.fixture(scope="module", params=list(EVERY_GATEWAY))
def gateway(
    request: pytest.FixtureRequest, entra_id: EntraEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway before a service for all tenants."""
    issuer = f"{entra_id.base_url}/common/v2.0"
    with running(
        request.param,
        entra_id,
        tmp_path_factory.mktemp(request.param),
        CAMUNDA_IDENTITY_ISSUER=issuer,
        CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=issuer,
        CAMUNDA_ENTRA_ALLOWED_TENANTS="*",
    ) as started:
        yield started


def of_tenant(emulator: EntraEmulator, tenant: str, **claims: Any) -> str:
    """A token with Ada's object ID, which another tenant may have given to somebody else."""
    return emulator.token(user=ADA, tid=tenant, iss=f"{emulator.base_url}/{tenant}/v2.0", **claims)


async def test_the_upstream_is_told_object_id_and_tenant(gateway: Gateway) -> None:
    """Two people with one object ID are two to the upstream."""
    for tenant in (gateway.emulator.tenant.id, FABRIKAM):
        answer = await gateway.get("/orders", of_tenant(gateway.emulator, tenant))
        assert answer.status_code == 200, answer.text
        headers = gateway.upstream.headers
        assert (headers["x-auth-request-tenant"], headers["x-auth-request-user"]) == (tenant, ADA)


async def test_an_application_has_a_tenant_as_well(gateway: Gateway) -> None:
    """Each tenant has an object of its own for it."""
    answer = await gateway.get("/orders", gateway.emulator.token(application=OPERATE, app_only=True))
    assert answer.status_code == 200, answer.text
    assert gateway.upstream.headers["x-auth-request-tenant"] == gateway.emulator.tenant.id


@pytest.mark.parametrize("name", SPELLINGS)
async def test_a_forged_tenant_never_arrives(gateway: Gateway, name: str) -> None:
    """Under whatever spelling a client sends it, once or twice, and beside a right one."""
    token = of_tenant(gateway.emulator, FABRIKAM)
    forged = [(name, "Forged"), ("X-Auth-Request-Tenant", "Forged"), ("Authorization", f"Bearer {token}")]
    for headers in (forged[:1] + forged[2:], [*forged, (name, "Forged, too")]):
        async with gateway.browser() as program:
            answer = await program.get(f"{gateway.address}/orders", headers=headers)
        assert answer.status_code == 200, answer.text
        (request,) = gateway.upstream.requests[-1:]
        assert "Forged" not in str(request.headers.raw)
        assert request.headers.getlist("x-auth-request-tenant") == [FABRIKAM]


@pytest.mark.parametrize("name", EVERY_GATEWAY)
async def test_a_forged_tenant_does_not_take_the_place_of_none(
    entra_id: EntraEmulator, tmp_path: Path, name: str
) -> None:
    """A token need not say its tenant where the issuer is one tenant's; then there is nothing to copy."""
    with running(name, entra_id, tmp_path) as gateway:
        token = entra_id.token(user=ADA, tid=None)
        for spelling in SPELLINGS:
            answer = await gateway.get("/orders", token, **{spelling: "Forged"})
            assert answer.status_code == 200, answer.text
            (request,) = gateway.upstream.requests[-1:]
            assert "Forged" not in str(request.headers.raw)
            assert request.headers.get("x-auth-request-tenant", "") == ""
            assert request.headers["x-auth-request-user"] == ADA


async def test_a_forged_tenant_does_not_arrive_by_websocket(gateway: Gateway) -> None:
    """A handshake goes the same way."""
    headers = {"Authorization": f"Bearer {of_tenant(gateway.emulator, FABRIKAM)}"}
    address = gateway.address.replace("http", "ws") + "/socket"
    async with connect(address, additional_headers=headers | {"X-Auth-Request-Tenant": "Forged"}) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"
    assert gateway.upstream.handshakes[-1]["x-auth-request-tenant"] == FABRIKAM
    assert "Forged" not in str(gateway.upstream.handshakes)


async def test_the_right_tenant_says_nothing_for_whoever_has_no_token(gateway: Gateway) -> None:
    """Nobody is let in by what they say of themselves."""
    before = len(gateway.upstream.requests)
    claimed = {"X-Auth-Request-Tenant": FABRIKAM, "X-Auth-Request-User": ADA}
    answer: httpx.Response = await gateway.get("/orders", **claimed)
    assert (answer.status_code, len(gateway.upstream.requests)) == (401, before)
