"""The keys of other issuers: fetched with care from where their documents say."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from camunda_entra_fastapi.testing.clients.issuers import Issuers
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError
from camunda_entra_fastapi.testing.protocol.keys import SigningKey, base64url
from tests.waiting import PATIENCE

ISSUER = "https://issuer.example/path"
DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"
KEYS = "https://keys.example/jwks"
DOCUMENT = {"issuer": ISSUER, "jwks_uri": KEYS}

Answer = Callable[[httpx2.Request], Any]


@pytest.fixture(scope="module")
def key() -> SigningKey:
    """One key for all tests, as making one takes its time."""
    return SigningKey.generate()


class Network:
    """Answers by address, and records the requests."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {DISCOVERY: DOCUMENT, KEYS: {"keys": []}} | answers
        self.requests: list[httpx2.Request] = []

    def issuers(self, timeout: float = 5.0) -> Issuers:
        """Issuers whose documents come from this network."""
        return Issuers(
            new_client=lambda: httpx2.AsyncClient(
                transport=httpx2.MockTransport(self._answer), follow_redirects=True
            ),
            timeout=timeout,
        )

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers[str(request.url)]
        if callable(answer):
            answer = answer(request)
        if asyncio.iscoroutine(answer):
            answer = await answer
        return answer if isinstance(answer, httpx2.Response) else httpx2.Response(200, json=answer)


async def complaint(network: Network, issuer: str = ISSUER, within: float = 5.0) -> str:
    """The message about keys that cannot be fetched."""
    with pytest.raises(AadstsError) as caught:
        await network.issuers(within).keys_of(issuer)
    assert (caught.value.code, caught.value.error, caught.value.status) == (50166, "invalid_request", 400)
    assert issuer[:100] in caught.value.message
    assert "https, or over http on this machine" in caught.value.message
    return caught.value.message


async def test_keys_are_fetched_from_where_the_issuer_says(key: SigningKey) -> None:
    """Two plain requests, at each call anew, so that a new key is known at once."""
    network = Network(**{KEYS: {"keys": [key.jwk(None)]}})
    issuers = network.issuers()
    for _ in range(2):
        found = await issuers.keys_of(ISSUER)
        assert {kid: each.public_numbers() for kid, each in found.items()} == {
            key.key_id: key.private.public_key().public_numbers()
        }
    assert [str(request.url) for request in network.requests] == [DISCOVERY, KEYS] * 2
    assert {request.headers["Accept-Encoding"] for request in network.requests} == {"identity"}


async def test_a_slash_at_the_issuers_end_is_not_doubled() -> None:
    """OpenID Connect Discovery, 4.1; its document still names it with the slash."""
    network = Network(**{DISCOVERY: DOCUMENT | {"issuer": f"{ISSUER}/"}})
    assert await network.issuers().keys_of(f"{ISSUER}/") == {}
    assert str(network.requests[0].url) == DISCOVERY
    assert f"names the issuer '{ISSUER}/'" in await complaint(network)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
async def test_http_is_for_this_machine(host: str) -> None:
    """Another emulator or a cluster beside it needs no certificate."""
    local = f"http://{host}:8443"
    document = {"issuer": local, "jwks_uri": f"{local}/keys"}
    network = Network(
        **{f"{local}/.well-known/openid-configuration": document, f"{local}/keys": {"keys": []}}
    )
    assert await network.issuers().keys_of(local) == {}


@pytest.mark.parametrize(
    "address",
    ["http://issuer.example", "ftp://localhost", "file:///etc/passwd", "issuer.example", "", "https//x"],
)
async def test_other_addresses_are_not_fetched(address: str) -> None:
    """Neither an issuer's nor that of its keys."""
    network = Network(**{DISCOVERY: DOCUMENT | {"jwks_uri": address}})
    assert "is neither https, nor http" in await complaint(network, address)
    assert network.requests == []
    assert "is neither https, nor http" in await complaint(network)
    assert len(network.requests) == 1


@pytest.mark.parametrize("address", ["https://[", "https://a b\x00"])
async def test_an_invalid_address_is_reported(address: str) -> None:
    """However it is broken."""
    await complaint(Network(**{DISCOVERY: DOCUMENT | {"jwks_uri": address}}))


async def test_redirects_are_not_followed() -> None:
    """Even by a client that follows them."""
    moved = httpx2.Response(302, headers={"Location": KEYS})
    network = Network(**{DISCOVERY: moved})
    assert "answered 302" in await complaint(network)
    assert len(network.requests) == 1


async def test_compressed_answers_are_not_unpacked() -> None:
    """Compression was not requested, and a small answer can be very large."""
    packed = gzip.compress(json.dumps(DOCUMENT).encode())
    answer = httpx2.Response(200, content=packed, headers={"Content-Encoding": "gzip"})
    assert "compression" in await complaint(Network(**{DISCOVERY: answer}))


async def test_an_endless_answer_is_cut_off() -> None:
    """The limit is one megabyte, however much would come."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 64 * 1024
            yield b" " * 64 * 1024

    network = Network(**{KEYS: lambda _: httpx2.Response(200, content=endless())})
    assert "more than 1048576 bytes" in await complaint(network)
    assert sent < 2 * 1024 * 1024


async def test_a_slow_issuer_is_not_waited_for() -> None:
    """The time is for both documents together."""

    async def never(_: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with asyncio.timeout(PATIENCE):
        assert "no answer within 0.01 seconds" in await complaint(Network(**{KEYS: never}), within=0.01)


@pytest.mark.parametrize("status", [204, 404, 500])
async def test_other_statuses_are_reported(status: int) -> None:
    """The message has the address that answered so."""
    said = await complaint(Network(**{KEYS: httpx2.Response(status)}))
    assert f"{KEYS} answered {status}" in said


async def test_a_failing_connection_is_reported() -> None:
    """The message has the network's own."""

    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("nobody listens", request=request)

    assert "ConnectError nobody listens" in await complaint(Network(**{DISCOVERY: refuse}))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"[" * 100_000, b"\xff\xfe\xff"])
async def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    """A page of a proxy, for example."""
    network = Network(**{DISCOVERY: httpx2.Response(200, content=body)})
    assert "something else than a JSON object" in await complaint(network)


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ({DISCOVERY: {"jwks_uri": KEYS}}, "names the issuer None"),
        ({DISCOVERY: DOCUMENT | {"issuer": "https://other.example"}}, "'https://other.example'"),
        ({DISCOVERY: {"issuer": ISSUER}}, "no 'jwks_uri'"),
        ({DISCOVERY: {"issuer": ISSUER, "jwks_uri": [KEYS]}}, "no 'jwks_uri'"),
        ({KEYS: {}}, "no list 'keys'"),
        ({KEYS: {"keys": {}}}, "no list 'keys'"),
    ],
)
async def test_documents_that_lack_something_are_refused(documents: dict[str, Any], expected: str) -> None:
    """The issuer must be the one that was asked (OpenID Connect Discovery, 4.3)."""
    assert expected in await complaint(Network(**documents))


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "EC"},
        {"use": "enc"},
        {"alg": "PS256"},
        {"kid": None},
        {"kid": 5},
        {"n": "!"},
        {"n": 5},
        {"e": ""},
        {"n": None},
        {
            "n": base64url(
                rsa.generate_private_key(65537, 1024).public_key().public_numbers().n.to_bytes(128, "big")
            )
        },
        {"n": base64url(b"\xff" * 4096)},
    ],
    ids=range(11),
)
async def test_keys_that_cannot_be_used_are_passed_over(key: SigningKey, changes: dict[str, Any]) -> None:
    """Other kinds, other uses, broken ones, too short and too long ones; the good one beside them stays."""
    good = key.jwk(None)
    bad = {name: value for name, value in (good | {"kid": "bad"} | changes).items() if value is not None}
    network = Network(**{KEYS: {"keys": ["no key", bad, good]}})
    assert list(await network.issuers().keys_of(ISSUER)) == [key.key_id]


async def test_a_key_that_says_little_is_used(key: SigningKey) -> None:
    """``use`` and ``alg`` are optional (RFC 7517, 4.2 and 4.4)."""
    jwk = {name: value for name, value in key.jwk(None).items() if name in ("kty", "kid", "n", "e")}
    assert list(await Network(**{KEYS: {"keys": [jwk]}}).issuers().keys_of(ISSUER)) == [key.key_id]


async def test_the_first_hundred_keys_count(key: SigningKey) -> None:
    """As in Entra; of two with one ID, the first."""
    keys = [key.jwk(None) | {"kid": str(at)} for at in range(101)]
    shorter = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    keys[50] |= {"kid": "0", "n": base64url(shorter.to_bytes(256, "big"))}
    found = await Network(**{KEYS: {"keys": keys}}).issuers().keys_of(ISSUER)
    assert len(found) == 99
    assert "100" not in found
    assert found["0"].public_numbers() == key.private.public_key().public_numbers()


async def test_the_emulators_own_keys_are_at_hand(key: SigningKey) -> None:
    """Nothing is fetched for them."""
    network = Network()
    issuers = Issuers((ISSUER,), (key,), network.issuers().new_client)
    found = await issuers.keys_of(ISSUER)
    assert found[key.key_id].public_numbers() == key.private.public_key().public_numbers()
    assert network.requests == []
