"""What browsers, a Redis and gateways bring back: cookies and their chunks, records, signed identities."""

import asyncio
import base64
import json
import zlib
from collections.abc import Iterator
from contextlib import AsyncExitStack
from random import Random
from typing import Any, Final, cast

import httpx
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fastapi import HTTPException
from hypothesis import strategies as st
from starlette.requests import Request

from camunda_entra_fastapi import GatewayIdentity
from camunda_entra_fastapi.downstream.shared import CachedToken, SharedTokens
from camunda_entra_fastapi.sessions import redis as redis_module
from camunda_entra_fastapi.sessions.asker import Asker
from camunda_entra_fastapi.sessions.cookie import CookieStore
from camunda_entra_fastapi.sessions.redis import RedisStore
from camunda_entra_fastapi.sessions.redis_client import ConnectedClient
from camunda_entra_fastapi.sessions.sealing import MAX_SEALED, Sealer
from camunda_entra_fastapi.sessions.store import Session
from camunda_entra_fastapi.validation.identity import IdentitySigner
from camunda_entra_fastapi.web.cookies import Cookies
from camunda_entra_fastapi.web.public_url import PublicUrl
from tests.conftest import FakeClock
from tests.fuzz.engine import Fuzzer
from tests.fuzz.growth import steps_of
from tests.fuzz.material import changed, header_value, mutated, mutated_text, written
from tests.fuzz.second_verifier import base64url as canonical
from tests.fuzz.second_verifier import verified_identity
from tests.fuzz.silence import REFRESH_TOKEN, SESSION_SECRET, assert_silent, recorded
from tests.sessions.conftest import make_session
from tests.tokens import base64url

PURPOSE: Final = "session here"
OLD_SECRET: Final = "planted-older-session-secret-of-34"
KEYS_URL: Final = "https://gate.example.com/auth/identity-keys"
MOST_STEPS: Final = 1_000
"""Lines of Python for the few chunks that a session may have."""
PLANTED: Final = "planted-claim-x7x7x7x7x7"
CLOCK: Final = FakeClock()


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """An event loop for all inputs."""
    with asyncio.Runner() as runner:
        yield runner


def sealer() -> Sealer:
    """Seals as a service does whose secret was changed lately."""
    return Sealer((SESSION_SECRET, OLD_SECRET), PURPOSE, compress=True)


def opened_again(sealed: str, salt: bytes = b"") -> bytes | None:
    """What a text was sealed from, opened by ``cryptography`` alone (RFC 7516, 5.2; RFC 5869)."""
    version, *encoded = sealed.split(".")
    assert version == "1"
    nonce, ciphertext, tag = (canonical(each.encode()) for each in encoded)
    header = base64url(b'{"alg":"dir","enc":"A256GCM","zip":"DEF"}')
    for secret in (SESSION_SECRET, OLD_SECRET):
        key = HKDF(SHA256(), 32, salt or None, f"camunda_entra {PURPOSE}".encode()).derive(secret.encode())
        try:
            data = AESGCM(key).decrypt(nonce, ciphertext + tag, header.encode())
        except InvalidTag:
            continue
        return zlib.decompress(data)  # python-jose compresses by RFC 1950, not by RFC 1951 as JWE has it
    return None


def respelled(sealed: bytes) -> bytes:
    """The same bytes, spelled otherwise: the last letter has bits that are left out (RFC 4648, 3.5)."""
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return sealed[:-1] + bytes([letters[letters.index(sealed[-1]) ^ 1]])


def request_with(*headers: tuple[bytes, bytes]) -> Request:
    """A request with these headers."""
    return Request(
        {"type": "http", "scheme": "https", "method": "GET", "path": "/", "headers": list(headers)}
    )


def test_session_cookies(fuzzer: Fuzzer, runner: asyncio.Runner) -> None:
    """Cookies, joined from their chunks, are the very session that was sealed, or none."""
    cookies = Cookies("entra_session", None, PublicUrl("https://operate.example"))
    random = Random(1)
    long = make_session(
        CLOCK, claims={"oid": "5a1f", "wids": [f"{random.getrandbits(128):x}" for _ in range(300)]}
    )
    short = make_session(CLOCK)
    valid: list[bytes] = []
    for secret, session in ((SESSION_SECRET, short), (OLD_SECRET, short), (SESSION_SECRET, long)):
        handle = runner.run(
            CookieStore(Sealer((secret,), PURPOSE, compress=True), CLOCK.time).create(session)
        )
        lines = cookies.set_session(request_with(), handle, 60)
        valid.append("; ".join(line.partition(";")[0] for line in lines).encode())
    assert valid[-1].count(b";") == 2  # it is cut in three
    valid += [respelled(each) for each in valid]

    def judge(header: bytes) -> None:
        with recorded() as logged:
            handle = cookies.session(request_with((b"cookie", header_value(header))))
            found = None if handle is None else runner.run(CookieStore(sealer(), CLOCK.time).read(handle))
        if found is not None:
            assert handle is not None
            assert opened_again(handle) is not None
            assert found in (short, long)
        assert_silent([*logged, *([found] if found else [])], (REFRESH_TOKEN, SESSION_SECRET, handle or ""))

    fuzzer.run_with_mutants(mutated(*valid), judge)


def test_cookie_parts(fuzzer: Fuzzer) -> None:
    """However a session is cut into chunks and comes back, it is the text that was cut, or opens no more."""
    cookies = Cookies("entra_session", None, PublicUrl("https://operate.example"))

    def judge(drawn: tuple[int, dict[int, str], str]) -> None:
        size, parts, count = drawn
        handle = "1." + "a" * size
        lines = cookies.set_session(request_with(), handle, 60)
        pairs = [line.partition(";")[0] for line in lines]
        assert all(len(line) <= 4096 for line in lines)
        assert cookies.session(request_with((b"cookie", "; ".join(pairs).encode()))) == handle
        odd = [
            f"__Host-entra_session={count}",
            *(f"__Host-entra_session-{n}={text}" for n, text in parts.items()),
        ]
        request = request_with((b"cookie", "; ".join(odd).encode("latin-1", "replace")))
        assert steps_of(lambda _: cookies.session(request), "") < MOST_STEPS, count
        found = cookies.session(request)
        assert found is None or len(found) <= len(count) + sum(map(len, parts.values()))

    counts = st.one_of(
        mutated_text("3:1.abc", "13:", "2:", "14:x", "9999:x", "0:", "-1:", "٣:1.a", "03:x"),
        st.text(max_size=9),
    )
    parts = st.dictionaries(st.integers(-1, 15), st.text("abc.:-_=", max_size=8), max_size=5)
    fuzzer.run(st.tuples(st.integers(1, 40_000), parts, counts), judge)


class FakeRedis:
    """Gives one record, whatever is asked for."""

    def __init__(self) -> None:
        self.record: bytes | None = None

    async def get(self, _: bytes) -> bytes | None:
        """The record; none where it is longer than any of ours, as the reader of answers refuses it."""
        return self.record if self.record is not None and len(self.record) <= MAX_SEALED else None

    async def set(self, _: str, value: str, **__: Any) -> bool:
        """Keep it."""
        self.record = value.encode()
        return True

    async def zremrangebyscore(self, *_: Any) -> None:
        """Nothing is there."""

    async def zadd(self, *_: Any) -> None:
        """Nothing is kept."""

    async def zrange(self, *_: Any, **__: Any) -> list[Any]:
        """Nothing is there."""
        return []

    async def pexpire(self, *_: Any) -> None:
        """Nothing expires."""


def test_redis_records(fuzzer: Fuzzer, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can write to the Redis plants no session and no token, and breaks nothing."""
    fake = FakeRedis()
    monkeypatch.setattr(
        redis_module,
        "connect",
        lambda *_: ConnectedClient(fake, cast(Asker, fake), asyncio.Semaphore(1), AsyncExitStack()),
    )
    store = RedisStore("redis://fake", sealer(), "here", CLOCK.time)
    session = make_session(CLOCK)
    handle = runner.run(store.create(session))
    record = fake.record or b""
    key = handle.partition(".")[2].encode()
    shared = SharedTokens(store, sealer(), CLOCK.time)
    token = CachedToken("planted-shared-token-x7x7x7x7", CLOCK.now + 60, CLOCK.now + 120)
    runner.run(shared.put("api://other/.default", token))
    shared_record = fake.record or b""
    respellings = [respelled(record), respelled(shared_record)]

    def judge(data: bytes) -> None:
        fake.record = data
        outputs: list[object] = []
        with recorded() as logged:
            found = runner.run(store.read(handle))
            assert found is None or (found == session and opened_again(data.decode(), key))
            other = runner.run(shared.get("api://other/.default"))
            assert other is None or (other == token and data == shared_record)
            outputs += [found, other]
        assert_silent([*outputs, *logged], (REFRESH_TOKEN, SESSION_SECRET, handle, token.token))

    fuzzer.run_with_mutants(mutated(record, shared_record, *respellings), judge)


def test_signed_identities(fuzzer: Fuzzer, runner: asyncio.Runner) -> None:
    """An identity that a backend believes is signed by its gateway, for it, and now."""
    signer = IdentitySigner([SESSION_SECRET], "https://issuer.example c1")
    client = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json=signer.jwks()))
    )
    identity = GatewayIdentity(KEYS_URL, "orders", http_client=client, clock=CLOCK)
    (published,) = signer.jwks()["keys"]
    x, y = (int.from_bytes(base64.urlsafe_b64decode(published[name] + "==")) for name in ("x", "y"))
    public = {published["kid"]: ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()}
    claims = {
        "sub": "s",
        "oid": "o",
        "name": "Ada",
        "roles": ["Operate.Admin"],
        "xms": "planted-claim-x7x7x7x7x7",
    }
    valid = signer.sign(claims, "orders", CLOCK.now, CLOCK.now + 3600)
    other = signer.sign(claims, "billing", CLOCK.now, CLOCK.now + 3600)
    header, payload, _ = valid.split(".")
    full = json.loads(base64.urlsafe_b64decode(payload + "=="))

    def judge(text: bytes) -> None:
        value = header_value(text)
        with recorded() as logged:
            try:
                user = runner.run(identity(request_with((b"x-entra-identity", value))))
            except HTTPException as refusal:
                assert_client_error(refusal)
                assert_silent(
                    [refusal.detail, refusal.headers, *logged], (*value.decode("latin-1").split("."),)
                )
                return
        assert verified_identity(value, public, "orders", CLOCK.now) == user.claims
        assert_silent([user, *logged], (value.decode(), PLANTED))

    audiences = ("orders", "orders ", " orders", "Orders", "orders/", ["orders"], ["orders", "x"], "", None)
    seconds = [int(CLOCK.now) + more for more in (-121, -61, -60, -59, 0, 59, 60, 61, 121)]
    bodies = st.one_of(
        changed(full, "cnf", "scp"),
        st.sampled_from(audiences).map(lambda audience: full | {"aud": audience}),
        st.dictionaries(st.sampled_from(("exp", "nbf", "iat")), st.sampled_from(seconds)).map(full.__or__),
    )
    head = json.loads(base64.urlsafe_b64decode(header + "=="))
    heads = st.one_of(st.just(head), st.just(head), changed(head, "crit", "jwk", "x5u", "cty"))
    odd = st.builds(
        lambda first, second: resigned(
            signer, base64url(written(first)), base64url(written(second))
        ).encode(),
        heads,
        bodies,
    )
    inputs = st.one_of(mutated(valid.encode(), other.encode()), odd, st.just(valid.encode()))
    fuzzer.run_with_mutants(inputs, judge)


def assert_client_error(refusal: HTTPException) -> None:
    """The refusal is one that is documented for credentials."""
    assert refusal.status_code in (400, 401)


def resigned(signer: IdentitySigner, header: str, payload: str) -> str:
    """The parts with a right signature (RFC 7518, 3.4)."""
    key = load_pem_private_key(signer._keys[0].pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(key.sign(f"{header}.{payload}".encode(), ec.ECDSA(SHA256())))
    return f"{header}.{payload}.{base64url(r.to_bytes(32) + s.to_bytes(32))}"


def test_handles_are_not_confused(fuzzer: Fuzzer, runner: asyncio.Runner) -> None:
    """A handle of another purpose, or another deployment, opens nothing."""
    store = CookieStore(sealer(), CLOCK.time)
    session: Session = make_session(CLOCK)
    others = []
    for purpose, zipped in (("attempt 2 here", False), ("session there", True), ("session here ", True)):
        other = CookieStore(Sealer((SESSION_SECRET,), purpose, compress=zipped), CLOCK.time)
        others.append(runner.run(other.create(session)))

    def judge(handle: str) -> None:
        assert runner.run(store.read(handle)) is None

    fuzzer.run_with_mutants(mutated_text(*others), judge)
