"""A local Entra over TLS, a portal and a command line registered in it, and an API that trusts it."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from jose import jwk, jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import Application, Directory, EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.directory import OPERATE, FederatedCredential, OptionalClaims
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e.browser_less import Person
from tests.sessions.conftest import RedisServer

PORTAL = "90a7a100-1111-4222-8333-444455556666"
COMMAND_LINE = "c1100000-1111-4222-8333-444455556666"
SECRET = "local-emulator-secret-of-portal"
SUBJECT = "system:serviceaccount:camunda:portal"
SIGNED_IN = "http://localhost:8080/signed-in"


@dataclass(frozen=True)
class Certified:
    """A private key with its certificate."""

    private: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def key_pem(self) -> str:
        """The key, as applications have it in a file."""
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    @property
    def pem(self) -> str:
        """The certificate, as administrators upload it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def pkcs12(self, password: str) -> bytes:
        """Both in a file with a password, as Windows and Java have them."""
        encryption = serialization.BestAvailableEncryption(password.encode())
        return pkcs12.serialize_key_and_certificates(
            b"portal", self.private, self.certificate, None, encryption
        )


def certify(name: str) -> Certified:
    """A new key, and a certificate of it that it signs itself."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.now(UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder(subject, subject, private.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(begin).not_valid_after(begin + timedelta(days=30))
    return Certified(private, builder.sign(private, hashes.SHA256()))


@dataclass(frozen=True)
class Cluster:
    """A Kubernetes cluster, as far as its tokens of service accounts go."""

    issuer: str
    key: Certified

    def token(self, subject: str = SUBJECT, audience: str = "api://AzureADTokenExchange") -> str:
        """What it mounts into a pod."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": subject,
            "aud": [audience],
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "jti": str(uuid.uuid4()),
        }
        return str(jwt.encode(claims, self.key.key_pem, algorithm="RS256", headers={"kid": "cluster"}))


@pytest.fixture(scope="session")
def certified() -> Certified:
    """The portal's key and certificate."""
    return certify("portal")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster that publishes its issuer's documents over HTTP."""
    key = certify("cluster")
    public = jwk.construct(key.key_pem, "RS256").public_key().to_dict() | {"kid": "cluster", "use": "sig"}

    def discovery(request: Request) -> JSONResponse:
        issuer = str(request.base_url).rstrip("/")
        return JSONResponse({"issuer": issuer, "jwks_uri": f"{issuer}/openid/v1/jwks"})

    def keys(request: Request) -> JSONResponse:
        return JSONResponse({"keys": [public]})

    routes = [Route("/.well-known/openid-configuration", discovery), Route("/openid/v1/jwks", keys)]
    with serving(Starlette(routes=routes)) as address:
        yield Cluster(address, key)


@pytest.fixture(scope="session")
def new_key() -> Callable[[], SigningKey]:
    """The same key for every local Entra, so that none has to make one."""
    key = SigningKey.generate()
    return lambda: key


@pytest.fixture
def no_trust_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine says whom clients trust; for requests they outweigh the program."""
    for name in ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def emulator(
    certified: Certified,
    cluster: Cluster,
    new_key: Callable[[], SigningKey],
    no_trust_of_the_machine: None,
) -> Iterator[EntraEmulator]:
    """A local Entra over TLS."""
    portal = Application(
        PORTAL,
        "Portal",
        secrets=(SECRET,),
        redirect_uris={SIGNED_IN: "web"},
        identifier_uris=(f"api://{PORTAL}",),
        scopes=("access_as_user",),
        granted_roles={OPERATE: ("Incidents.Read.All",)},
        certificates=(certified.pem,),
        federated_credentials=(FederatedCredential(cluster.issuer, SUBJECT),),
    )
    command_line = Application(COMMAND_LINE, "Command line", allow_public_client=True)
    directory = Directory.default()
    tenant = directory.tenants[0]
    applications = (*tenant.applications, portal, command_line)
    emulator = EntraEmulator(
        directory=directory.with_tenant(replace(tenant, applications=applications)), new_key=new_key
    )
    register(emulator, OPERATE, optional_claims=OptionalClaims(access_token=("acrs", "xms_cc")))
    with emulator.serve(tls=True):
        yield emulator


@pytest.fixture
def person(emulator: EntraEmulator) -> Iterator[Person]:
    """Somebody who trusts the local Entra's certificate."""
    assert emulator.ca_file
    with Person(emulator.ca_file) as person:
        yield person


def register(emulator: EntraEmulator, client_id: str, **changes: Any) -> None:
    """Change an application's registration."""
    tenant = emulator.tenant
    changed = tuple(
        replace(each, **changes) if each.client_id == client_id else each for each in tenant.applications
    )
    emulator.directory = emulator.directory.with_tenant(replace(tenant, applications=changed))


def call_operate(emulator: EntraEmulator, token: str) -> dict[str, Any]:
    """What Operate, guarded by this package, finds in an access token that it accepts."""
    entra = CamundaEntra(emulator.settings(ca_bundle=emulator.ca_file))
    app = FastAPI(lifespan=entra.lifespan)

    @app.get("/")
    async def me(user: Annotated[EntraUser, Depends(entra.current_user)]) -> dict[str, Any]:
        return {
            "name": user.name,
            "is_app": user.is_app,
            "client": user.client_id,
            "scopes": sorted(user.scopes),
            "roles": sorted(user.roles),
            "claims": dict(user.claims),
        }

    with TestClient(app) as client:
        answer = client.get("/", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """The URL of a Redis of the test's own."""
    server = RedisServer(tmp_path)
    server.start()
    yield server.url
    server.stop()
