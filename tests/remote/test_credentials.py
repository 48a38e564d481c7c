"""How a service proves to the emulator who it is, without a secret."""

import asyncio
import base64
import hashlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from camunda_entra_fastapi import CamundaEntra, EntraRefused, EntraSettings, EntraUnavailable, SettingsError
from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.directory import FederatedCredential
from tests.conftest import FakeClock
from tests.site import Wire

NOW: Final = FakeClock().now
KEY: Final = SigningKey.generate()
SUBJECT: Final = "system:serviceaccount:camunda:operate"
PASSWORD: Final = "a-password-of-the-file"


class Certified:
    """A private key with a certificate that Entra may be told of."""

    def __init__(self, days: int = 30, key: Any = None) -> None:
        self.key = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "operate")])
        begin = datetime.fromtimestamp(NOW, UTC) - timedelta(days=400)
        builder = x509.CertificateBuilder(name, name, self.key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(begin).not_valid_after(begin + timedelta(days=400 + days))
        self.certificate = builder.sign(self.key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self, password: str | None = None, traditional: bool = False) -> bytes:
        """The key."""
        encryption: Any = serialization.NoEncryption()
        if password:
            encryption = serialization.BestAvailableEncryption(password.encode())
        form = serialization.PrivateFormat.PKCS8
        if traditional:
            form = serialization.PrivateFormat.TraditionalOpenSSL
        return bytes(self.key.private_bytes(serialization.Encoding.PEM, form, encryption))

    def pkcs12(self, password: str | None = None) -> bytes:
        """Both in one file."""
        encryption: Any = serialization.NoEncryption()
        if password:
            encryption = serialization.BestAvailableEncryption(password.encode())
        return pkcs12.serialize_key_and_certificates(b"x", self.key, self.certificate, None, encryption)


CERTIFIED: Final = Certified()
OTHER: Final = Certified()


@pytest.fixture
def emulator(clock: FakeClock) -> EntraEmulator:
    """An emulator that knows the certificate, and a Kubernetes cluster of the same Entra's kind."""
    emulator = EntraEmulator(clock=clock.time, new_key=lambda: KEY)
    tenant = emulator.tenant
    operate = replace(
        emulator.application, secrets=(), certificates=(CERTIFIED.pem.decode(), OTHER.pem.decode())
    )
    applications = (operate, *tenant.applications[1:])
    emulator.directory = emulator.directory.with_tenant(replace(tenant, applications=applications))
    return emulator


class Service:
    """A service of the application, over a wire."""

    def __init__(self, emulator: EntraEmulator, clock: FakeClock) -> None:
        self.emulator, self.clock = emulator, clock
        self.wire = Wire(emulator)
        self.entra: CamundaEntra

    def set_up(self, client_assertion: Any = None, **settings: Any) -> CamundaEntra:
        """With these settings, and no secret."""
        self.entra = CamundaEntra(
            self.emulator.settings(client_secret=None, **settings),
            http_client=httpx.AsyncClient(transport=self.wire),
            clock=self.clock,
            client_assertion=client_assertion,
        )
        return self.entra

    async def token(self) -> str:
        """A token of its own."""
        return await self.entra.client_credentials(f"{self.entra.settings.client_id}/.default").token()

    def assertion(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and claims of the last one that was sent."""
        form = self.wire.forms[-1]
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        assert "client_secret" not in form
        header, claims, _ = form["client_assertion"].split(".")
        return decode(header), decode(claims)


def decode(part: str) -> dict[str, Any]:
    """A part of a token."""
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


@pytest.fixture
def service(emulator: EntraEmulator, clock: FakeClock) -> Service:
    """A service that has no secret."""
    return Service(emulator, clock)


FILES: Final[dict[str, tuple[Callable[[], bytes], str | None]]] = {
    "PEM, certificate first": (lambda: CERTIFIED.pem + CERTIFIED.key_pem(), None),
    "PEM, key first": (lambda: CERTIFIED.key_pem() + CERTIFIED.pem, None),
    "PEM with a chain in the wrong order": (lambda: OTHER.pem + CERTIFIED.pem + CERTIFIED.key_pem(), None),
    "PEM, encrypted": (lambda: CERTIFIED.pem + CERTIFIED.key_pem(PASSWORD), PASSWORD),
    "PEM, PKCS#1": (lambda: CERTIFIED.key_pem(traditional=True) + CERTIFIED.pem, None),
    "PEM, a password too many": (lambda: CERTIFIED.pem + CERTIFIED.key_pem(), PASSWORD),
    "PKCS#12": (CERTIFIED.pkcs12, None),
    "PKCS#12, encrypted": (lambda: CERTIFIED.pkcs12(PASSWORD), PASSWORD),
}


@pytest.mark.parametrize("name", FILES)
async def test_a_certificate_takes_the_secrets_place(service: Service, tmp_path: Path, name: str) -> None:
    """In whatever form it comes; the emulator finds it by its thumbprint and checks what it signed."""
    content, password = FILES[name]
    path = tmp_path / "operate.pem"
    path.write_bytes(content())
    service.set_up(client_certificate=path, client_certificate_password=password)
    assert await service.token()
    header, claims = service.assertion()
    der = CERTIFIED.certificate.public_bytes(serialization.Encoding.DER)
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    assert header == {"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint}
    client_id = service.entra.settings.client_id
    assert (claims["iss"], claims["sub"]) == (client_id, client_id)
    assert claims["aud"] == service.entra.settings.token_url
    assert (claims["iat"], claims["nbf"], claims["exp"]) == (NOW, NOW - 60, NOW + 300)


async def test_no_assertion_is_like_another(service: Service, tmp_path: Path) -> None:
    """Each has an ID of its own (RFC 7523, 3)."""
    path = tmp_path / "operate.pem"
    path.write_bytes(CERTIFIED.pem + CERTIFIED.key_pem())
    service.set_up(client_certificate=path)
    ids = set()
    for _ in range(3):
        service.clock.advance(6000)
        await service.token()
        ids.add(service.assertion()[1]["jti"])
    assert len(ids) == 3


async def test_rs256_is_there_for_who_needs_it(service: Service, tmp_path: Path) -> None:
    """With the older thumbprint."""
    path = tmp_path / "operate.pem"
    path.write_bytes(CERTIFIED.pem + CERTIFIED.key_pem())
    service.set_up(client_certificate=path, client_assertion_algorithm="rs256")
    assert await service.token()
    der = CERTIFIED.certificate.public_bytes(serialization.Encoding.DER)
    thumbprint = base64.urlsafe_b64encode(hashlib.sha1(der).digest()).rstrip(b"=").decode()
    assert service.assertion()[0] == {"alg": "RS256", "typ": "JWT", "x5t": thumbprint}


async def test_a_file_that_changes_is_read_again(
    service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """While it is missing or wrong, the last good certificate stays in use."""
    path = tmp_path / "operate.pem"
    path.write_bytes(CERTIFIED.pem + CERTIFIED.key_pem())
    service.set_up(client_certificate=path)

    async def thumbprint() -> str:
        service.clock.advance(6000)
        await service.token()
        return str(service.assertion()[0]["x5t#S256"])

    first = await thumbprint()
    for content in (b"rubbish", None):
        path.unlink() if content is None else path.write_bytes(content)
        with caplog.at_level(logging.WARNING):
            caplog.clear()
            assert await thumbprint() == await thumbprint() == first
        assert caplog.text.count("the last one stays in use") == 1
    path.write_bytes(OTHER.pem + OTHER.key_pem())
    assert await thumbprint() != first


async def test_a_certificate_that_entra_does_not_know_is_told(service: Service, tmp_path: Path) -> None:
    """With Entra's code."""
    stranger = Certified()
    path = tmp_path / "operate.pem"
    path.write_bytes(stranger.pem + stranger.key_pem())
    service.set_up(client_certificate=path)
    with pytest.raises(EntraRefused) as error:
        await service.token()
    assert error.value.refusal.aadsts == 700027


def test_a_certificate_that_expired_is_told_at_start(
    service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As a warning, as Entra decides."""
    expired = Certified(days=-365)
    path = tmp_path / "operate.pem"
    path.write_bytes(expired.pem + expired.key_pem())
    service.set_up(client_certificate=path)
    assert "The client certificate expired on" in caplog.text


NONSENSE: Final = (
    b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    + base64.b64encode(b"no key, as one wrong password in 256 has it")
    + b"\n-----END ENCRYPTED PRIVATE KEY-----\n"
)
WRONG: Final[dict[str, tuple[bytes | None, str | None, str]]] = {
    "no file": (None, None, "which cannot be read: FileNotFoundError"),
    "rubbish": (b"rubbish", None, "which is not in PEM with the certificate and its private key"),
    "no key": (CERTIFIED.pem, None, "which is not in PEM with the certificate and its private key"),
    "no certificate": (
        CERTIFIED.key_pem(),
        None,
        "which is not in PEM with the certificate and its private key",
    ),
    "another's certificate": (OTHER.pem + CERTIFIED.key_pem(), None, "no certificate for its private key"),
    "PEM, no password": (
        CERTIFIED.pem + CERTIFIED.key_pem(PASSWORD),
        None,
        "CERTIFICATE_PASSWORD does not open",
    ),
    "PEM, wrong password": (
        CERTIFIED.pem + CERTIFIED.key_pem(PASSWORD),
        "x",
        "CERTIFICATE_PASSWORD does not open",
    ),
    "PEM, deciphered to nonsense": (
        CERTIFIED.pem + NONSENSE,
        "x",
        "CERTIFICATE_PASSWORD does not open",
    ),
    "PKCS#12, no password": (CERTIFIED.pkcs12(PASSWORD), None, "CERTIFICATE_PASSWORD does not open"),
    "PKCS#12, wrong password": (CERTIFIED.pkcs12(PASSWORD), "x", "CERTIFICATE_PASSWORD does not open"),
    "PKCS#12, no key": (
        pkcs12.serialize_key_and_certificates(
            b"x", None, CERTIFIED.certificate, None, serialization.NoEncryption()
        ),
        None,
        "whose key is no RSA key",
    ),
    "an elliptic key": (
        (elliptic := Certified(key=ec.generate_private_key(ec.SECP256R1()))).pem + elliptic.key_pem(),
        None,
        "whose key is no RSA key",
    ),
    "too large": (b"x" * 300_000, None, "which is too large"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_is_wrong_is_told_at_start(service: Service, tmp_path: Path, name: str) -> None:
    """By the setting's name, with what is wrong; nothing secret is in it."""
    content, password, words = WRONG[name]
    path = tmp_path / "operate.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=words) as error:
        service.set_up(client_certificate=path, client_certificate_password=password)
    assert str(error.value).count("CAMUNDA_ENTRA_CLIENT_CERTIFICATE names") == 1
    assert PASSWORD not in str(error.value)


def federate(emulator: EntraEmulator, issuer: str) -> None:
    """Let the application trust the tokens of another identity provider."""
    operate = replace(emulator.application, federated_credentials=(FederatedCredential(issuer, SUBJECT),))
    tenant = emulator.tenant
    applications = (operate, *tenant.applications[1:])
    emulator.directory = emulator.directory.with_tenant(replace(tenant, applications=applications))


@pytest.mark.parametrize("by_azure", [False, True])
async def test_a_federated_token_takes_the_secrets_place(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_azure: bool
) -> None:
    """Read anew each time, from the file that the setting or Azure's own variable names."""
    path = tmp_path / "token"
    if by_azure:
        monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(path))
        service.set_up()
    else:
        service.set_up(federated_token_file=str(path))
    service.wire.answer("/token", 200, json={"token_type": "Bearer", "expires_in": 60, "access_token": "a"})
    for token in ("a.b.c", "d.e.f"):
        path.write_text(f"{token}\n")
        service.clock.advance(100)
        await service.token()
        assert service.wire.forms[-1]["client_assertion"] == token
        assert "client_secret" not in service.wire.forms[-1]


@pytest.mark.parametrize(
    "content", [None, "", "a.b", "a b.c.d", "ä.b.c", "a.b.c\nd", "a." + "b" * 20_000 + ".c"]
)
async def test_a_federated_token_that_is_none_is_told(
    service: Service, tmp_path: Path, content: str | None
) -> None:
    """By the file's name; nothing of it is sent or shown."""
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    service.set_up(federated_token_file=path)
    with pytest.raises(EntraUnavailable, match=r"token file|is no signed JSON Web Token") as error:
        await service.token()
    assert str(path) in str(error.value)
    assert service.wire.forms == []


async def test_a_federated_token_is_exchanged_for_real(
    emulator: EntraEmulator, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workload of another Entra, which stands for a cluster; Azure's variables say all there is to say."""
    provider = EntraEmulator(new_key=lambda: KEY)
    emulator = EntraEmulator(new_key=lambda: KEY, outgoing=httpx.AsyncClient)
    with provider.serve(), emulator.serve():
        issuer = f"{provider.base_url}/{provider.tenant.id}/v2.0"
        operate = replace(emulator.application, secrets=())
        tenant = emulator.tenant
        emulator.directory = emulator.directory.with_tenant(
            replace(tenant, applications=(operate, *tenant.applications[1:]))
        )
        federate(emulator, issuer)
        path = tmp_path / "token"
        path.write_text(
            provider.token(app_only=True, sub=SUBJECT, aud="api://AzureADTokenExchange", roles=["x"])
        )
        for name, value in {
            "AZURE_CLIENT_ID": operate.client_id,
            "AZURE_TENANT_ID": tenant.id,
            "AZURE_AUTHORITY_HOST": f"{emulator.base_url}/",
            "AZURE_FEDERATED_TOKEN_FILE": str(path),
        }.items():
            monkeypatch.setenv(name, value)
        entra = CamundaEntra(EntraSettings(type="AZUREAD"))
        assert entra.settings.issuer == f"{emulator.base_url}/{tenant.id}/v2.0"
        assert await entra.client_credentials(f"{operate.client_id}/.default").token()


async def test_a_function_may_give_assertions(service: Service) -> None:
    """With a coroutine or without, asked for each time."""
    service.wire.answer("/token", 200, json={"token_type": "Bearer", "expires_in": 60, "access_token": "a"})

    async def later() -> str:
        await asyncio.sleep(0)
        return "d.e.f"

    for source, expected in ((lambda: "a.b.c", "a.b.c"), (later, "d.e.f")):
        service.set_up(client_assertion=source)
        service.clock.advance(100)
        await service.token()
        assert service.wire.forms[-1]["client_assertion"] == expected


async def test_a_function_that_fails_is_told(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """By what it raised or gave; the log has the rest."""

    def broken() -> str:
        raise RuntimeError("the vault is sealed")

    for source, words in ((broken, "raised RuntimeError"), (lambda: 7, "no signed JSON Web Token")):
        service.set_up(client_assertion=source)
        with pytest.raises(EntraUnavailable, match=words) as error:
            await service.token()
        assert "sealed" not in str(error.value)
    assert "the vault is sealed" in caplog.text
    assert service.wire.forms == []


def test_azures_variables_count_for_workloads_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tools of Azure's read them, too."""
    monkeypatch.setenv("AZURE_CLIENT_ID", "0be7a7e0-1111-4222-8333-444455556666")
    monkeypatch.setenv("AZURE_TENANT_ID", "c0de0000-1111-4222-8333-444455556666")
    with pytest.raises(SettingsError, match="CAMUNDA_IDENTITY_CLIENT_ID is not set"):
        EntraSettings(type="AZUREAD")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", "token")
    settings = EntraSettings(type="AZUREAD")
    assert settings.issuer == "https://login.microsoftonline.com/c0de0000-1111-4222-8333-444455556666/v2.0"
    assert (
        EntraSettings(type="AZUREAD", client_id="0ddba110-1111-4222-8333-444455556666").client_id[0:4]
        == "0ddb"
    )


def test_one_proof_is_enough(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them are a mistake; but what Kubernetes sets for every process stands back."""
    path = tmp_path / "file"
    path.write_text("x")
    settings = service.emulator.settings
    for arguments in (
        {"client_secret": "secret", "client_certificate": path},
        {"client_secret": "secret", "federated_token_file": path},
        {"client_secret": None, "client_certificate": path, "federated_token_file": path},
    ):
        with pytest.raises(SettingsError, match=r"one proof of who this service is must be enough"):
            settings(**arguments)
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(path))
    assert settings(client_secret="secret").federated_token_file is None
    assert settings(client_secret=None, client_certificate=path).federated_token_file is None
    assert settings(client_secret=None).federated_token_file == path
    assert os.environ["AZURE_FEDERATED_TOKEN_FILE"]
