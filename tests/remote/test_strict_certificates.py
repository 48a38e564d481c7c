"""Servers with certificates that Python refuses since 3.13."""

import ssl
from pathlib import Path

import httpx
import pytest
from cryptography.x509.oid import ExtensionOID
from fastapi import Depends, FastAPI

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.remote.http import EntraHttp, tls_context
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.serving.certificates import Tls
from camunda_entra_fastapi.testing.serving.server import serving
from tests.remote.faulty_certificates import (
    Fault,
    both,
    expired,
    faulty_tls,
    none,
    not_critical,
    strict,
    without,
)
from tests.remote.servers import answering, served

__all__ = ["strict"]

GOOD = answering(b'{"a": 1}')
NO_KEY_IDENTIFIER = without(ExtensionOID.AUTHORITY_KEY_IDENTIFIER, of_authority=False)
FAULTS = [NO_KEY_IDENTIFIER, not_critical(ExtensionOID.BASIC_CONSTRAINTS)]


async def fetch(
    tls: Tls, folder: Path, *, trusted: Tls | None = None, lax: bool, host: str = "127.0.0.1"
) -> str:
    """What comes of a request to a server with that certificate: ``fetched``, or why not."""
    bundle = folder / "ca.pem"
    bundle.write_bytes((trusted or tls).authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tls.files() as (certificate, key):
        context.load_cert_chain(certificate, key, tls.password)
    http = EntraHttp(ca_bundle=bundle, allow_lax_certificates=lax)
    async with served(GOOD, context) as server:
        try:
            await http.get_json(f"https://{host}:{server.port}/document")
        except FetchFailed as failure:
            return failure.message
    return "fetched"


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("fault", FAULTS, ids=["Authority Key Identifier", "Basic Constraints"])
async def test_certificates_that_break_rfc_5280_are_taken_where_that_is_set(
    fault: Fault, tmp_path: Path
) -> None:
    """As reported of proxies that read TLS.

    Public reports: python/cpython#138193, of August 2025, and
    python-poetry/install.python-poetry.org#145, of October 2024.
    """
    tls = faulty_tls(fault)
    assert "CERTIFICATE_VERIFY_FAILED" in await fetch(tls, tmp_path, lax=False)
    assert await fetch(tls, tmp_path, lax=True) == "fetched"


@pytest.mark.usefixtures("strict")
async def test_everything_else_is_still_verified(tmp_path: Path) -> None:
    """Unknown authorities, other names and expired certificates are refused with the setting, too."""
    tls = faulty_tls(NO_KEY_IDENTIFIER)
    unknown = await fetch(tls, tmp_path, trusted=faulty_tls(none), lax=True)
    assert "CERTIFICATE_VERIFY_FAILED" in unknown
    assert "Key Identifier" not in unknown
    assert "mismatch" in await fetch(tls, tmp_path, lax=True, host="localhost")
    over = faulty_tls(both(NO_KEY_IDENTIFIER, expired))
    assert "has expired" in await fetch(over, tmp_path, lax=True)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("has_bundle", [True, False])
def test_one_flag_is_dropped_and_no_other(has_bundle: bool, tmp_path: Path) -> None:
    """``VERIFY_X509_STRICT`` alone, whichever authorities are trusted."""
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(faulty_tls(none).authority)
    usual, lax = (
        tls_context(bundle if has_bundle else None, allow_lax_certificates=allowed)
        for allowed in (False, True)
    )
    assert usual.verify_flags & ssl.VERIFY_X509_STRICT
    assert lax.verify_flags == usual.verify_flags & ~ssl.VERIFY_X509_STRICT
    assert (lax.verify_mode, lax.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize(("lax", "status"), [(False, 503), (True, 200)])
async def test_a_service_behind_such_a_proxy_works_with_the_setting(
    lax: bool, status: int, tmp_path: Path
) -> None:
    """Keys are fetched, and tokens are accepted; without it there are none."""
    emulator, tls, bundle = EntraEmulator(), faulty_tls(NO_KEY_IDENTIFIER), tmp_path / "ca.pem"
    bundle.write_bytes(tls.authority)
    with serving(emulator, tls=tls) as url:
        entra = CamundaEntra(
            emulator.settings(
                issuer_backend_url=f"{url}/{emulator.tenant.id}/v2.0",
                ca_bundle=bundle,
                allow_lax_certificates=lax,
            )
        )
        app = FastAPI(dependencies=[Depends(entra.current_user)])
        app.get("/")(lambda: None)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            token = emulator.token()
            response = await client.get("/", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == status
