"""Signed identities: from the verify endpoint to the backend that believes them."""

import base64
import hmac
import json
from collections.abc import Callable
from typing import Annotated, Any, Final

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from fastapi import Depends, FastAPI, WebSocket
from joserfc import jwt as other_jwt
from joserfc.jwk import ECKey, KeySet
from starlette.testclient import TestClient

from camunda_entra_fastapi import CamundaEntra, EntraUser, GatewayIdentity
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.validation.identity import IdentitySigner, parse_identity_keys
from tests.conftest import FakeClock

KEYS_URL: Final = "https://gate.example.com/auth/identity-keys"
GATE: Final = "https://gate.example.com"
SECRETS: Final = ("new-secret-of-32-characters-or-so", "old-secret-of-32-characters-or-so")
DEPLOYMENT: Final = "https://issuer.example.com c1"
CLAIMS: Final = {"sub": "s", "oid": "o", "tid": "t", "name": "Ada", "roles": ["Operate.Admin"], "scp": "A B"}


class Gateway(httpx.AsyncBaseTransport):
    """Publishes keys, and counts who asks."""

    def __init__(self, signer: IdentitySigner) -> None:
        self.document: object = signer.jwks()
        self.count = 0
        self.is_away = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The keys."""
        self.count += 1
        assert str(request.url) == KEYS_URL
        if self.is_away:
            raise httpx.ConnectError("away")
        return httpx.Response(200, json=self.document)


class Backend:
    """A backend that trusts the gateway."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.signer = IdentitySigner(SECRETS, DEPLOYMENT)
        self.gateway = Gateway(self.signer)
        client = httpx.AsyncClient(transport=self.gateway)
        identity = GatewayIdentity(KEYS_URL, "orders", http_client=client, clock=clock)
        self.app = FastAPI()
        user = Annotated[EntraUser, Depends(identity)]

        @self.app.get("/me")
        async def me(who: user) -> dict[str, Any]:
            return {"name": who.name, "oid": who.oid, "roles": who.roles, "scopes": who.scopes}

        @self.app.websocket("/ws")
        async def ws(socket: WebSocket, who: user) -> None:
            await socket.accept()
            await socket.send_text(str(who.name))

    def sign(self, audience: str = "orders", **claims: Any) -> str:
        """An identity that the gateway signs now."""
        now = self.clock.time()
        return self.signer.sign(CLAIMS | claims, audience, now, now + 3600)

    def handmade(
        self, header: dict[str, Any] | None = None, payload: bytes | None = None, **claims: Any
    ) -> str:
        """An identity with a good signature, whatever else is wrong with it."""
        now = int(self.clock.time())
        kid = self.signer.jwks()["keys"][0]["kid"]
        header = {"alg": "ES256", "typ": "entra-identity+jwt", "kid": kid} if header is None else header
        body: dict[str, Any] = CLAIMS | {
            "aud": "orders",
            "iat": now,
            "nbf": now,
            "exp": now + 60,
            "iss": "c1",
        }
        text = json.dumps({k: v for k, v in (body | claims).items() if v is not None}).encode()
        parts = [b64(json.dumps(header).encode()), b64(text if payload is None else payload)]
        return ".".join((*parts, b64(self.signature(".".join(parts).encode()))))

    def signature(self, data: bytes) -> bytes:
        """Ours, over anything."""
        r, s = decode_dss_signature(private_key().sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    async def get(self, *identities: str) -> httpx.Response:
        """A request that has these headers."""
        headers = [(b"X-Entra-Identity", each.encode("latin-1")) for each in identities]
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://b") as http:
            return await http.get("/me", headers=headers)

    async def refusal(self, *identities: str) -> tuple[int, str]:
        """Status and code of a request that must be refused."""
        answer = await self.get(*identities)
        return answer.status_code, answer.json()["detail"]["code"]


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def private_key(secret: str = SECRETS[0]) -> ec.EllipticCurvePrivateKey:
    """The key that is derived from a secret, made anew by what the documentation says."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = f"camunda_entra identity 1 {DEPLOYMENT}".encode()
    material = HKDF(hashes.SHA256(), 48, None, info).derive(secret.encode())
    return ec.derive_private_key(int.from_bytes(material) % (order - 1) + 1, ec.SECP256R1())


@pytest.fixture
def emulator(clock: FakeClock) -> EntraEmulator:
    """An emulator on the test's clock."""
    return EntraEmulator(clock=clock.time)


@pytest.fixture
def backend(clock: FakeClock) -> Backend:
    """A backend that has not fetched any keys yet."""
    return Backend(clock)


async def test_the_user_is_whom_the_gateway_vouches_for(backend: Backend) -> None:
    """With what the token said of them; the keys are fetched once."""
    for _ in range(3):
        answer = await backend.get(backend.sign())
        assert answer.status_code == 200
        assert answer.json() == {
            "name": "Ada",
            "oid": "o",
            "roles": ["Operate.Admin"],
            "scopes": ["A", "B"],
        }
    assert backend.gateway.count == 1


async def test_what_the_verify_endpoint_signs_is_believed_by_the_backend_it_names(
    emulator: EntraEmulator, clock: FakeClock
) -> None:
    """From a token to a backend that never saw it, over the published keys."""
    async with emulator.http_client() as client:
        entra = CamundaEntra(emulator.settings(), http_client=client, clock=clock)
        gate = FastAPI()
        gate.include_router(entra.forward_auth_router())
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(gate), base_url="https://gate.example.com"
        ) as http:
            token = emulator.token(roles=["Operate.Admin"], groups=["g"] * 3)
            bearer = {"Authorization": f"Bearer {token}"}
            answer = await http.get(f"{GATE}/auth/verify?identity=orders", headers=bearer)
            header = answer.headers["x-entra-identity"]
            again = await http.get(f"{GATE}/auth/verify?identity=orders", headers=bearer)
            assert again.headers["x-entra-identity"] == header
            clock.advance(30)
            later = await http.get(f"{GATE}/auth/verify?identity=orders", headers=bearer)
            assert later.headers["x-entra-identity"] != header
            assert "x-entra-identity" not in (await http.get(f"{GATE}/auth/verify", headers=bearer)).headers
            keys = await http.get(KEYS_URL)
            assert keys.headers["cache-control"] == "public, max-age=300"
            identity = GatewayIdentity(KEYS_URL, "orders", http_client=http, clock=clock)
            app = FastAPI()

            @app.get("/me")
            async def me(who: Annotated[EntraUser, Depends(identity)]) -> dict[str, Any]:
                return {"oid": who.oid, "roles": who.roles, "token": who.access_token, "groups": who.groups}

            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://b") as inner:
                described = (await inner.get("/me", headers={"X-Entra-Identity": header})).json()
    assert described["oid"] == answer.headers["x-auth-request-user"]
    assert (described["roles"], described["token"], described["groups"]) == (["Operate.Admin"], "", ["g"] * 3)


async def test_the_user_of_a_signed_identity_has_its_tenant(
    emulator: EntraEmulator, clock: FakeClock
) -> None:
    """``tid`` and ``oid`` together are the key (Learn: secure applications and APIs by validating claims)."""
    issuer = f"{emulator.base_url}/common/v2.0"
    several = emulator.settings(issuer=issuer, issuer_backend_url=issuer, allowed_tenants="*")
    identities = []
    tenants = (emulator.tenant.id, "fab00000-1111-4222-8333-444455556666")
    async with emulator.http_client() as client:
        gate = FastAPI()
        gate.include_router(
            CamundaEntra(several, http_client=client, clock=clock).forward_auth_router(identity="orders")
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url=GATE) as http:
            identity = GatewayIdentity(KEYS_URL, "orders", http_client=http, clock=clock)
            app = FastAPI()

            @app.get("/me")
            async def me(who: Annotated[EntraUser, Depends(identity)]) -> list[str | None]:
                return [who.tid, who.oid]

            for tenant in tenants:
                token = emulator.token(user="Ada Admin", tid=tenant, iss=f"{emulator.base_url}/{tenant}/v2.0")
                answer = await http.get("/auth/verify", headers={"Authorization": f"Bearer {token}"})
                assert answer.headers["x-auth-request-tenant"] == tenant
                header = {"X-Entra-Identity": answer.headers["x-entra-identity"]}
                async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=GATE) as backend:
                    forged = header | {"X-Auth-Request-Tenant": "Forged"}
                    identities.append((await backend.get("/me", headers=forged)).json())
    assert [tenant for tenant, _ in identities] == list(tenants)
    assert len({oid for _, oid in identities}) == 1


async def test_lists_that_are_too_long_are_said_to_be_incomplete(
    emulator: EntraEmulator, clock: FakeClock
) -> None:
    """As in the plain headers, also where Entra listed none."""
    async with emulator.http_client() as client:
        entra = CamundaEntra(emulator.settings(), http_client=client, clock=clock)
        gate = FastAPI()
        gate.include_router(entra.forward_auth_router(identity="orders"))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url=KEYS_URL) as http:
            for claims, incomplete, count in (
                ({"groups": [f"{number:036}" for number in range(150)]}, ["groups"], 75),
                ({"hasgroups": True, "groups": None}, ["groups"], None),
                ({"groups": ["x" * 5000]}, ["groups"], None),
            ):
                bearer = {"Authorization": f"Bearer {emulator.token(**claims)}"}
                answer = await http.get(f"{GATE}/auth/verify", headers=bearer)
                payload = answer.headers["x-entra-identity"].split(".")[1]
                described = json.loads(base64.urlsafe_b64decode(payload + "=="))
                assert described["incomplete"] == incomplete
                assert (len(described["groups"]) if "groups" in described else None) == count


async def test_many_users_are_kept_within_bounds(
    emulator: EntraEmulator, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is signed for all the same."""
    monkeypatch.setattr("camunda_entra_fastapi.web.signed_identity.MAX_CACHED", 2)
    async with emulator.http_client() as client:
        entra = CamundaEntra(emulator.settings(), http_client=client, clock=clock)
        gate = FastAPI()
        gate.include_router(entra.forward_auth_router(identity="orders"))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url=KEYS_URL) as http:
            for number in range(5):
                bearer = {"Authorization": f"Bearer {emulator.token(roles=[f'R{number}'])}"}
                answer = await http.get(f"{GATE}/auth/verify", headers=bearer)
                payload = answer.headers["x-entra-identity"].split(".")[1]
                assert json.loads(base64.urlsafe_b64decode(payload + "=="))["roles"] == [f"R{number}"]


async def test_without_an_identity_nobody_is_let_in(backend: Backend) -> None:
    """Whatever else says who it is; no keys are fetched for it."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(backend.app), base_url="http://b") as http:
        answer = await http.get("/me", headers={"X-Auth-Request-User": "o", "Authorization": "Bearer a.b.c"})
    assert (answer.status_code, answer.json()["detail"]["code"]) == (401, "credentials_missing")
    assert answer.headers["www-authenticate"] == 'EntraIdentity realm="orders"'
    assert backend.gateway.count == 0


async def test_what_stands_around_a_value_is_no_part_of_it(backend: Backend) -> None:
    """RFC 9110, 5.5: tabs and blanks, which some servers leave there."""
    identity = backend.sign()
    for value in (f"{identity}\t", f" \t{identity} "):
        assert (await backend.get(value)).status_code == 200
    assert await backend.refusal(f"{identity[:9]}\t{identity[9:]}") == (401, "token_malformed")


async def test_two_identities_are_too_many(backend: Backend) -> None:
    """One of them came from the client."""
    assert await backend.refusal(backend.sign(), backend.sign()) == (400, "authorization_repeated")


def forged(backend: Backend, how: str) -> str:
    """An identity that must not be believed."""
    good = backend.sign()
    head, body, signature = good.split(".")
    key = backend.signer.jwks()["keys"][0]
    raw = base64.urlsafe_b64decode(signature + "==")
    typ = {"typ": "entra-identity+jwt", "kid": key["kid"]}
    secret = json.dumps(key).encode()
    hmac_head = b64(json.dumps(typ | {"alg": "HS256"}).encode())
    now = int(backend.clock.time())

    def with_signature(data: bytes) -> str:
        return f"{head}.{body}.{b64(data)}"

    made: dict[str, Callable[[], str]] = {
        "none": lambda: f"{b64(json.dumps(typ | {'alg': 'none'}).encode())}.{body}.",
        "hmac": lambda: (
            f"{hmac_head}.{body}.{b64(hmac.digest(secret, f'{hmac_head}.{body}'.encode(), 'sha256'))}"
        ),
        "rsa": lambda: backend.handmade(typ | {"alg": "RS256"}),
        "typ": lambda: backend.handmade(typ | {"alg": "ES256", "typ": "JWT"}),
        "untyped": lambda: backend.handmade({"alg": "ES256", "kid": key["kid"]}),
        "jwk": lambda: backend.handmade(typ | {"alg": "ES256", "jwk": key}),
        "crit": lambda: backend.handmade(typ | {"alg": "ES256", "crit": ["b64"]}),
        "kid": lambda: backend.handmade(typ | {"alg": "ES256", "kid": 1}),
        "stranger": lambda: IdentitySigner(["x" * 32], DEPLOYMENT).sign(CLAIMS, "orders", now, now + 60),
        "deployment": lambda: IdentitySigner(SECRETS, "https://other c2").sign(
            CLAIMS, "orders", now, now + 60
        ),
        "changed": lambda: f"{head}.{b64(json.dumps(CLAIMS | {'aud': 'orders'}).encode())}.{signature}",
        "der": lambda: with_signature(
            private_key().sign(f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
        ),
        "short": lambda: with_signature(raw[:-1]),
        "long": lambda: with_signature(raw + b"\0"),
        "zero": lambda: with_signature(bytes(64)),
        "huge": lambda: with_signature(b"\xff" * 64),
        "no signature": lambda: f"{head}.{body}.",
        "two parts": lambda: f"{head}.{body}",
        "five parts": lambda: f"{good}.a.b",
        "padding": lambda: f"{good}=",
        "umlaut": lambda: f"{good}\xe4",
        "large": lambda: "a" * (16 * 1024 + 1),
        "array": lambda: backend.handmade(payload=b"[]"),
        "duplicate": lambda: backend.handmade(payload=b'{"aud":"orders","aud":"orders"}'),
        "empty": lambda: "",
        "audience": lambda: backend.sign("billing"),
        "audiences": lambda: backend.handmade(aud=["orders", "billing"]),
        "no audience": lambda: backend.handmade(aud=None),
        "expired": lambda: backend.handmade(exp=now - 60),
        "no exp": lambda: backend.handmade(exp=None),
        "no nbf": lambda: backend.handmade(nbf=None),
        "text": lambda: backend.handmade(iat="now"),
        "future": lambda: backend.handmade(nbf=now + 61),
        "issued in the future": lambda: backend.handmade(iat=now + 61),
    }
    return made[how]()


@pytest.mark.parametrize(
    ("how", "code"),
    [
        *[(how, "algorithm_not_allowed") for how in ("none", "hmac", "rsa")],
        *[(how, "header_not_allowed") for how in ("typ", "untyped", "jwk", "crit", "kid")],
        *[(how, "key_unknown") for how in ("stranger", "deployment")],
        *[
            (how, "signature_invalid")
            for how in ("changed", "der", "short", "long", "zero", "huge", "no signature")
        ],
        *[(how, "token_malformed") for how in ("two parts", "five parts", "padding", "umlaut", "empty")],
        *[(how, "token_malformed") for how in ("array", "duplicate")],
        ("large", "token_too_large"),
        ("audience", "audience_mismatch"),
        *[(how, "claim_malformed") for how in ("audiences", "text")],
        *[(how, "claim_missing") for how in ("no audience", "no exp", "no nbf")],
        ("expired", "token_expired"),
        *[(how, "token_not_yet_valid") for how in ("future", "issued in the future")],
    ],
)
async def test_what_the_gateway_did_not_sign_for_this_backend_is_refused(
    backend: Backend, how: str, code: str
) -> None:
    """Each forgery by the check that is meant for it."""
    assert (await backend.get(backend.handmade())).status_code == 200  # what is forged is good otherwise
    answer = await backend.get(forged(backend, how))
    assert (answer.status_code, answer.json()["detail"]["code"]) == (401, code)
    assert answer.headers["www-authenticate"].startswith(
        'EntraIdentity realm="orders", error="invalid_token"'
    )


async def test_an_identity_lasts_a_minute_give_or_take_the_clocks(backend: Backend) -> None:
    """And no longer than the token that it was made from."""
    identity = backend.sign()
    backend.clock.advance(119)
    assert (await backend.get(identity)).status_code == 200
    backend.clock.advance(1)
    assert await backend.refusal(identity) == (401, "token_expired")
    now = backend.clock.time()
    short = backend.signer.sign(CLAIMS, "orders", now, now + 5)
    assert json.loads(base64.urlsafe_b64decode(short.split(".")[1] + "=="))["exp"] == int(now + 5)


async def test_keys_of_all_secrets_are_published_and_believed(backend: Backend) -> None:
    """So that a secret can be changed while replicas still sign with the old one."""
    now = backend.clock.time()
    old = IdentitySigner(SECRETS[1:], DEPLOYMENT).sign(CLAIMS, "orders", now, now + 60)
    assert (await backend.get(old)).status_code == 200
    published = backend.signer.jwks()["keys"]
    assert len({key["kid"] for key in published}) == 2
    assert {name for key in published for name in key} == {"kty", "crv", "x", "y", "use", "alg", "kid"}


async def test_a_new_key_is_fetched_at_once_but_not_for_every_stranger(
    backend: Backend,
) -> None:
    """Nobody has to wait for the next refresh, and nobody can make us ask without end."""
    assert (await backend.get(backend.sign())).status_code == 200
    newer = IdentitySigner(["x" * 32], DEPLOYMENT)
    backend.gateway.document = newer.jwks()
    now = backend.clock.time()
    assert (await backend.get(newer.sign(CLAIMS, "orders", now, now + 60))).status_code == 200
    assert await backend.refusal(backend.sign()) == (401, "key_unknown")
    for _ in range(20):
        assert await backend.refusal(backend.sign()) == (401, "key_unknown")
    assert backend.gateway.count <= 6


async def test_known_keys_are_enough_while_the_gateway_is_away(backend: Backend) -> None:
    """Without any, the fault is not the caller's."""
    backend.gateway.is_away = True
    answer = await backend.get(backend.sign())
    assert (answer.status_code, answer.json()["detail"]["code"]) == (503, "keys_unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    backend.gateway.is_away = False
    backend.clock.advance(60)
    assert (await backend.get(backend.sign())).status_code == 200
    backend.gateway.is_away = True
    backend.clock.advance(3600)
    assert (await backend.get(backend.sign())).status_code == 200


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"keys": {}},
        {"keys": []},
        {"keys": [1, {"kty": "RSA", "kid": "a"}]},
        {"keys": [{"kty": "EC", "crv": "P-256", "kid": "a", "x": "AA", "y": "AA"}]},
        {"keys": [{"kty": "EC", "crv": "P-256", "kid": "a"}]},
        {"keys": [{}] * 17},
    ],
)
async def test_unusable_keys_are_none(backend: Backend, document: object) -> None:
    """Nothing is believed by them."""
    backend.gateway.document = document
    assert await backend.refusal(backend.sign()) == (503, "keys_unavailable")


def test_one_bad_key_spoils_no_other(backend: Backend) -> None:
    """It is left out."""
    good = backend.signer.jwks()["keys"]
    assert parse_identity_keys({"keys": [{"kid": "a", "crv": "P-256"}, *good]}).keys() == {
        k["kid"] for k in good
    }


def test_another_library_reads_what_is_signed(backend: Backend) -> None:
    """By the published keys, whose IDs are their thumbprints (RFC 7638)."""
    keys = KeySet.import_key_set(backend.signer.jwks())  # type: ignore[arg-type]  # plain JSON
    decoded = other_jwt.decode(backend.sign(), keys, algorithms=["ES256"])
    assert decoded.header["typ"] == "entra-identity+jwt"
    assert (decoded.claims["oid"], decoded.claims["aud"], decoded.claims["iss"]) == ("o", "orders", "c1")
    for published in backend.signer.jwks()["keys"]:
        bare = {name: published[name] for name in ("kty", "crv", "x", "y")}
        assert ECKey.import_key(bare).thumbprint() == published["kid"]


def test_the_same_secret_makes_the_same_key() -> None:
    """On every replica; for another deployment it makes another one."""
    one, two = (IdentitySigner(SECRETS, DEPLOYMENT).jwks() for _ in range(2))
    assert one == two
    assert one != IdentitySigner(SECRETS, "https://issuer.example.com c2").jwks()
    assert "secret" not in repr(IdentitySigner(SECRETS, DEPLOYMENT)._keys)
    assert "PRIVATE" not in repr(IdentitySigner(SECRETS, DEPLOYMENT)._keys)


def test_websockets_are_refused_before_they_are_accepted(backend: Backend) -> None:
    """And served with an identity."""
    with TestClient(backend.app) as http:
        with http.websocket_connect("/ws", headers={"X-Entra-Identity": backend.sign()}) as socket:
            assert socket.receive_text() == "Ada"
        with pytest.raises(Exception) as refusal, http.websocket_connect("/ws"):
            raise AssertionError("it was accepted")
    assert "accepted" not in str(refusal.value)


@pytest.mark.parametrize("keys_url", ["", "gate/keys", "http://gate/keys", "ftp://gate/keys"])
def test_an_address_that_cannot_be_right_is_refused_at_once(keys_url: str) -> None:
    """By the name of the argument, with what a right one looks like."""
    with pytest.raises(ValueError, match="keys_url must be an https URL"):
        GatewayIdentity(keys_url, "orders")
    GatewayIdentity("http://gate/keys", "orders", allow_http=True)
    GatewayIdentity("http://localhost:8000/keys", "orders")


def test_a_backend_needs_a_name() -> None:
    """Or identities for anybody would be for it."""
    with pytest.raises(ValueError, match="audience"):
        GatewayIdentity(KEYS_URL, "")
