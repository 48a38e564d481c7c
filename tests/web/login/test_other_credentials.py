"""Signing in with a browser where the application has no secret, but a certificate."""

from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI

from camunda_entra_fastapi import CamundaEntra, SettingsError
from camunda_entra_fastapi.testing import EntraEmulator
from tests.remote.test_credentials import CERTIFIED
from tests.site import MakeSite

SESSION_SECRET = "a-secret-for-sessions-of-this-service-alone"


@pytest.fixture
def certificate(emulator: EntraEmulator, tmp_path: Path) -> Path:
    """A certificate of the application, which has no secret any more."""
    tenant = emulator.tenant
    operate = replace(emulator.application, secrets=(), certificates=(CERTIFIED.pem.decode(),))
    emulator.directory = emulator.directory.with_tenant(
        replace(tenant, applications=(operate, *tenant.applications[1:]))
    )
    path = tmp_path / "operate.pem"
    path.write_bytes(CERTIFIED.pem + CERTIFIED.key_pem())
    return path


async def test_people_sign_in_and_stay_so(make_site: MakeSite, certificate: Path) -> None:
    """Codes and refresh tokens are redeemed by assertions."""
    site = make_site(client_secret=None, client_certificate=certificate, session_secret=SESSION_SECRET)
    browser = await site.browser().signed_in()
    site.clock.advance(6000)
    assert await browser.status() == 200
    assert [form["grant_type"] for form in site.wire.forms] == ["authorization_code", "refresh_token"]
    for form in site.wire.forms:
        assert "client_secret" not in form
        assert form["client_assertion"].count(".") == 2
    first, second = (form["client_assertion"] for form in site.wire.forms)
    assert first != second


def test_without_a_secret_for_sessions_it_is_said_what_is_missing(
    emulator: EntraEmulator, certificate: Path
) -> None:
    """Where the login pages are asked for; an API that only calls on needs none."""
    entra = CamundaEntra(emulator.settings(client_secret=None, client_certificate=certificate))
    entra.install(FastAPI())
    assert entra.client_credentials(f"{entra.settings.client_id}/.default")
    with pytest.raises(SettingsError, match="CAMUNDA_ENTRA_SESSION_SECRET"):
        entra.login_router()
