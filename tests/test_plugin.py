"""``CamundaEntra``: what the settings make of it."""

import logging
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from camunda_entra_fastapi import CamundaEntra, SettingsError
from camunda_entra_fastapi.testing import EntraEmulator
from tests.web.conftest import bearer


@pytest.fixture
def emulator() -> EntraEmulator:
    """A local Entra of the test's own."""
    return EntraEmulator()


def client_of(emulator: EntraEmulator, **overrides: Any) -> TestClient:
    """A client of an application that trusts the emulator, with some settings changed."""
    entra = CamundaEntra(emulator.settings(**overrides), http_client=emulator.http_client())
    app = FastAPI(lifespan=entra.lifespan)

    @app.get("/", dependencies=[Depends(entra.current_user)])
    async def anything() -> None: ...

    return TestClient(app)


def code_of(client: TestClient, token: str) -> str:
    """The refusal's code, or "accepted"."""
    answer = client.get("/", headers=bearer(token))
    return "accepted" if answer.status_code == 200 else str(answer.json()["detail"]["code"])


def test_reads_the_six_variables(emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments, the environment decides."""
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    assert CamundaEntra().settings == emulator.settings()


def test_wrong_settings_are_told_at_construction() -> None:
    """No request has to fail first."""
    with pytest.raises(SettingsError, match="CAMUNDA_IDENTITY_ISSUER is not set"):
        CamundaEntra()


def test_an_issuer_by_domain_is_refused_with_the_right_one(
    emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Entra's own document gives the GUID form; client and operator are told it."""
    right = emulator.settings().issuer
    tenant = emulator.settings().tenant
    assert tenant
    wrong = right.replace(tenant, "contoso.onmicrosoft.com")
    with (
        caplog.at_level(logging.WARNING),
        client_of(emulator, issuer=wrong, issuer_backend_url=wrong) as client,
    ):
        answer = client.get("/", headers=bearer(emulator.token()))
    assert (answer.status_code, answer.json()["detail"]["code"]) == (503, "issuer_unexpected")
    assert right in answer.json()["detail"]["message"]
    assert right in caplog.text


def test_guests_are_let_in_unless_the_setting_says_no(emulator: EntraEmulator) -> None:
    """``CAMUNDA_ENTRA_ALLOW_GUESTS``."""
    guest = emulator.token(acct=1)
    with client_of(emulator) as client:
        assert code_of(client, guest) == "accepted"
    with client_of(emulator, allow_guests=False) as client:
        assert code_of(client, guest) == "guest_not_allowed"
        assert client.get("/", headers=bearer(guest)).status_code == 403
        assert code_of(client, emulator.token(acct=0)) == "accepted"


def test_allowed_clients_are_the_only_ones(emulator: EntraEmulator) -> None:
    """``CAMUNDA_ENTRA_ALLOWED_CLIENTS``; a listed application needs no role."""
    listed, other = "AAAAAAAA-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"
    with client_of(emulator, allowed_clients=[listed.lower()]) as client:
        assert code_of(client, emulator.token(azp=listed)) == "accepted"
        assert code_of(client, emulator.token(azp=other)) == "client_not_allowed"
        assert code_of(client, emulator.token(app_only=True, roles=[], azp=listed)) == "accepted"


def test_an_application_without_permissions_is_refused(emulator: EntraEmulator) -> None:
    """Any application of the tenant can get such a token."""
    with client_of(emulator) as client:
        assert code_of(client, emulator.token(app_only=True, roles=[])) == "app_without_permissions"


def test_v1_tokens_are_refused_with_the_remedy_or_accepted_by_setting(emulator: EntraEmulator) -> None:
    """``CAMUNDA_ENTRA_ACCEPT_V1_TOKENS``."""
    token = emulator.token(version=1, aud=emulator.settings().client_id)
    with client_of(emulator) as client:
        message = client.get("/", headers=bearer(token)).json()["detail"]["message"]
        assert code_of(client, token) == "v1_token"
        assert "requestedAccessTokenVersion" in message
    with client_of(emulator, accept_v1_tokens=True) as client:
        assert code_of(client, token) == "accepted"


def test_several_tenants_by_an_allow_list(emulator: EntraEmulator) -> None:
    """``CAMUNDA_ENTRA_ALLOWED_TENANTS`` with an issuer for more tenants than one."""
    settings = emulator.settings()
    assert settings.tenant
    other = "bbbbbbbb-0000-4000-8000-000000000001"
    issuer = settings.issuer.replace(settings.tenant, "{tenantid}")
    foreign = emulator.token(tid=other, iss=settings.issuer.replace(settings.tenant, other))
    common = settings.issuer.replace(settings.tenant, "common")
    for spelling in (issuer, common):
        options = {"issuer": spelling, "issuer_backend_url": common}
        with client_of(emulator, allowed_tenants=[settings.tenant], **options) as client:
            assert code_of(client, emulator.token()) == "accepted"
            assert code_of(client, foreign) == "tenant_mismatch"
        with client_of(emulator, allowed_tenants=["*"], **options) as client:
            assert code_of(client, foreign) == "accepted"


def test_other_audiences_are_a_setting(emulator: EntraEmulator) -> None:
    """``CAMUNDA_IDENTITY_AUDIENCE`` may list several."""
    with client_of(emulator, audience=["api://one", "two"]) as client:
        assert code_of(client, emulator.token(aud="api://one")) == "accepted"
        assert code_of(client, emulator.token(aud="two")) == "accepted"
        assert code_of(client, emulator.token()) == "audience_mismatch"


def test_custom_signing_keys_are_asked_for_by_client_id(emulator: EntraEmulator) -> None:
    """Applications with claims mapping have keys of their own, shown with ``?appid=``."""
    with client_of(emulator, custom_signing_keys=True) as client:
        assert code_of(client, emulator.token()) == "accepted"
    queries = {request.query for request in emulator.requests}
    assert queries == {f"appid={emulator.settings().client_id}"}


def test_a_token_cache_of_zero_remembers_nothing(emulator: EntraEmulator) -> None:
    """``CAMUNDA_ENTRA_TOKEN_CACHE_SIZE=0``; tokens are good all the same."""
    token = emulator.token()
    with client_of(emulator, token_cache_size=0) as client:
        assert [code_of(client, token) for _ in range(3)] == ["accepted"] * 3
