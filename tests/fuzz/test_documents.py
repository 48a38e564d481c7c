"""What Entra answers: key sets, discovery documents, tokens, refusals; and challenges of other services."""

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import strategies as st

from camunda_entra_fastapi.downstream.claims_challenge import challenged_claims
from camunda_entra_fastapi.errors import EntraError, EntraRefused, FetchFailed, Refusal
from camunda_entra_fastapi.remote.aadsts import explain, is_consent, read_refusal, trouble_of
from camunda_entra_fastapi.remote.claims_request import claims_parameter
from camunda_entra_fastapi.remote.credentials import Client, ClientSecret
from camunda_entra_fastapi.remote.discovery import Provider, read_discovery
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.token_endpoint import redeem_refresh_token
from camunda_entra_fastapi.sign_in.step_up import decode_claims
from camunda_entra_fastapi.validation.identity import IdentitySigner, parse_identity_keys
from camunda_entra_fastapi.validation.keys import SigningKey, parse_keys
from tests.fuzz.engine import Fuzzer
from tests.fuzz.material import changed, json_bodies, json_values, mutated_text, written
from tests.fuzz.silence import CLIENT_SECRET, REFRESH_TOKEN, SESSION_SECRET, assert_silent, recorded
from tests.tokens import CLIENT_ID, ISSUER, jwk, token, user_claims

ENDPOINT: Final = "https://login.microsoftonline.com/t/oauth2/v2.0/token"
PROVIDERS: Final = (
    Provider(ISSUER, ISSUER),
    Provider(ISSUER, "http://proxy:8080/entra/t/v2.0", allow_http=True),
    Provider(
        "https://login.microsoftonline.com/{tenantid}/v2.0", "https://login.microsoftonline.com/common/v2.0"
    ),
)
DISCOVERY: Final[dict[str, Any]] = {
    "issuer": ISSUER,
    "jwks_uri": ISSUER.replace("v2.0", "discovery/v2.0/keys"),
    "token_endpoint": ENDPOINT,
    "authorization_endpoint": ISSUER.replace("v2.0", "oauth2/v2.0/authorize"),
    "end_session_endpoint": ISSUER.replace("v2.0", "oauth2/v2.0/logout"),
    "authorization_response_iss_parameter_supported": True,
}
TOKENS: Final[dict[str, Any]] = {
    "token_type": "Bearer",
    "expires_in": 3599,
    "refresh_in": "1800",
    "access_token": token(user_claims()),
    "refresh_token": REFRESH_TOKEN,
    "id_token": token(user_claims(nonce="n")),
}
GUID: Final = "0d2f4a9c-8c86-4e7f-93f2-c2a7a1aabbcc"
DESCRIPTION: Final = (
    f"AADSTS50105: Your administrator has configured the application. Trace ID: {GUID} "
    f"Correlation ID: {GUID} Timestamp: 2026-11-28 23:00:00Z"
)
REFUSAL: Final[dict[str, Any]] = {
    "error": "interaction_required",
    "error_description": DESCRIPTION,
    "error_codes": [50105],
    "suberror": "basic_action",
    "trace_id": GUID,
    "correlation_id": GUID,
    "timestamp": "2026-11-28 23:00:00Z",
    "claims": '{"access_token":{"capolids":{"essential":true,"values":["' + GUID + '"]}}}',
}
CHALLENGED: Final = base64.b64encode(b'{"access_token":{"acrs":{"essential":true,"value":"c1"}}}').decode()
CHALLENGES: Final = (
    f'Bearer realm="", authorization_uri="{ISSUER}", error="insufficient_claims", claims="{CHALLENGED}"',
    f"Bearer claims={CHALLENGED}, error=insufficient_claims",
    'Basic realm="x", Bearer error="insufficient_claims", claims="e30="',
)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """An event loop for all inputs."""
    with asyncio.Runner() as runner:
        yield runner


def answering(status: int, body: bytes, headers: dict[str, str]) -> EntraHttp:
    """An Entra that answers all requests like this."""
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=body, headers=headers))
    return EntraHttp(client=httpx.AsyncClient(transport=transport))


def test_key_sets(fuzzer: Fuzzer, runner: asyncio.Runner) -> None:
    """A key that is taken is an RSA key of 2048 bits or more, the very one of the document, with that kid."""
    keys: dict[str, Any] = {
        "keys": [jwk(), jwk("other-key", x5c=["MIIC"], x5t="x", issuer=ISSUER), {"kty": "EC"}]
    }
    entry = changed(jwk(), "kty", "alg", "use", "key_ops", "x5c", "issuer", "d", "p", "q", "oth")
    documents = st.one_of(
        json_bodies(keys),
        st.lists(st.one_of(entry, json_values), max_size=4).map(lambda entries: written({"keys": entries})),
    )

    def judge(body: bytes) -> int:
        try:
            document = runner.run(answering(200, body, {}).get_json(ISSUER))
            found = parse_keys(document)
        except (FetchFailed, ValueError):
            return 0
        for key_id, key in found.by_id.items():
            assert 0 < len(key_id) <= 256
            entries = [
                each for each in document["keys"] if isinstance(each, dict) and each.get("kid") == key_id
            ]
            assert any(same_key(each, key) for each in entries)
        return len(found.by_id)

    fuzzer.run_with_mutants(documents, judge)


def same_key(entry: dict[str, Any], key: SigningKey) -> bool:
    """Whether that entry has this key, read by RFC 7518, 6.3.1 with ``cryptography`` alone."""
    if entry.get("kty") != "RSA" or entry.get("use", "sig") != "sig" or entry.get("alg", "RS256") != "RS256":
        return False
    try:
        n, e = (int.from_bytes(base64.urlsafe_b64decode(str(entry[name]) + "==")) for name in ("n", "e"))
        public_key = rsa.RSAPublicNumbers(e, n).public_key()
    except (KeyError, ValueError):
        return False  # another entry with that kid
    return n.bit_length() >= 2048 and public_key.public_numbers() == key._key.public_numbers()


def test_identity_keys(fuzzer: Fuzzer, runner: asyncio.Runner) -> None:
    """A gateway's key document gives keys, or says in a sentence why not."""
    published = IdentitySigner([SESSION_SECRET], "https://issuer.example c1").jwks()

    def judge(body: bytes) -> None:
        try:
            keys = parse_identity_keys(runner.run(answering(200, body, {}).get_json(ISSUER)))
        except (FetchFailed, ValueError):
            return
        assert 0 < len(keys) <= 16

    fuzzer.run_with_mutants(json_bodies(published), judge)


def test_discovery_documents(fuzzer: Fuzzer, runner: asyncio.Runner) -> None:
    """Endpoints that are taken are https, or plain http where that is allowed, and the issuer is ours."""

    def judge(body: bytes) -> None:
        for provider in PROVIDERS:
            try:
                document = runner.run(answering(200, body, {}).get_json(ISSUER))
                found = read_discovery(document, provider)
            except FetchFailed as failure:
                assert_printable(failure)
                continue
            assert document["issuer"] == provider.issuer
            allowed = ("https", "http") if provider.allow_http else ("https",)
            for url in (
                found.authorization_endpoint,
                found.end_session_endpoint,
                found.browser_token_endpoint,
            ):
                assert url is None or (urlsplit(url).scheme in allowed and urlsplit(url).hostname)
            assert urlsplit(found.jwks_uri).hostname

    fuzzer.run_with_mutants(json_bodies(DISCOVERY, DISCOVERY | {"issuer": PROVIDERS[2].issuer}), judge)


def test_token_answers(fuzzer: Fuzzer, runner: asyncio.Runner) -> None:
    """An answer of the token endpoint gives tokens that fit a header, or documented errors, and no secret."""
    bodies = st.one_of(json_bodies(TOKENS), json_bodies(REFUSAL))
    client = Client(CLIENT_ID, ClientSecret(CLIENT_SECRET))
    secrets = (CLIENT_SECRET, REFRESH_TOKEN, TOKENS["access_token"], TOKENS["id_token"])

    def judge(body: bytes) -> None:
        for status in (200, 400):
            ask(status, body, "")

    def ask(status: int, body: bytes, retry_after: str) -> None:
        http = answering(status, body, {"Retry-After": retry_after})
        outputs: list[object] = []
        with recorded() as logged:
            try:
                tokens = runner.run(redeem_refresh_token(http, ENDPOINT, client, REFRESH_TOKEN, scope="x"))
            except (FetchFailed, EntraRefused) as error:
                outputs += [error, error.refusal or ""]
            else:
                assert status == 200
                assert 0 < tokens.expires_in < float("inf")
                for each in (tokens.access_token, tokens.refresh_token or "", tokens.id_token or ""):
                    assert re.fullmatch("[ -~]{0,16384}", each)
                outputs.append(tokens)
        assert_silent([*outputs, *logged], secrets)

    for status in (200, 302, 401, 403, 404, 429, 500, 503):
        for retry_after in ("", "5", "99999999", "-1", "1e9", "Sat, 28 Nov 2026 23:00:00 GMT"):
            ask(status, written(REFUSAL), retry_after)
    fuzzer.run_with_mutants(bodies, judge)


def test_aadsts_texts(fuzzer: Fuzzer) -> None:
    """Of a refusal only codes, IDs and times are kept, each of its form; the explanation is one of ours."""
    texts = mutated_text(
        DESCRIPTION,
        "AADB2C90091: The user has cancelled entering self-asserted information. Correlation ID: " + GUID,
        "AADSTS700016: Application with identifier 'x' was not found.\r\nTrace ID: " + GUID,
    )
    documents = st.one_of(
        changed(REFUSAL, "error_subcode", "error_uri"),
        texts.map(lambda text: {"error": "invalid_grant", "error_description": text}),
        st.builds(lambda more, text: REFUSAL | more | {"error_description": text}, changed(REFUSAL), texts),
    )

    def judge(document: dict[str, Any]) -> None:
        refusal = read_refusal(document)
        explanation = explain(refusal)
        is_consent(refusal)
        trouble = trouble_of(refusal)
        assert trouble is None or trouble.message.isprintable()
        assert explanation.cause
        assert_well_formed(refusal)

    fuzzer.run(documents, judge)


def assert_printable(error: EntraError) -> None:
    """The message goes into a log as one line."""
    assert error.message.isprintable(), error.message


def assert_well_formed(refusal: Refusal) -> None:
    """Each member has its documented form, whatever was sent (Learn: AADSTS error codes)."""
    guid = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    for name, form in (
        ("error", "[a-z_]{1,64}"),
        ("suberror", "[a-z_]{1,64}"),
        ("trace_id", guid),
        ("correlation_id", guid),
        ("timestamp", r"[0-9T :.-]{19,27}Z"),
        ("claims", "[ -~]{2,4096}"),
        ("code", "AAD(STS|B2C)[0-9]{1,9}"),
    ):
        value = getattr(refusal, name)
        assert value is None or re.fullmatch(form, value), (name, value)


def test_challenges(fuzzer: Fuzzer) -> None:
    """Claims that are read from an API's challenge are a JSON object that stands in it, in Base64."""

    def judge(text: str) -> None:
        claims = challenged_claims([text, "Negotiate"])
        if claims is None:
            return
        found = json.loads(claims)
        assert isinstance(found, dict)
        readings = [read_base64(each) for each in re.findall(r"[A-Za-z0-9+/]+={0,2}", text.replace("\\", ""))]
        assert found in readings
        asked = json.loads(claims_parameter(claims))
        assert asked["access_token"]["xms_cc"] == {"values": ["cp1"]}

    fuzzer.run_with_mutants(mutated_text(*CHALLENGES), judge)


def read_base64(text: str) -> Any:
    """The JSON in a text in Base64; None where there is none."""
    try:
        return json.loads(base64.b64decode(text, validate=True))
    except ValueError:
        return None


def test_claims_in_addresses(fuzzer: Fuzzer) -> None:
    """Claims in the login page's address are a JSON object that goes into Entra's address, or nothing."""
    valid = base64.urlsafe_b64encode(b'{"access_token":{"acrs":{"essential":true,"value":"c1"}}}').decode()

    def judge(text: str) -> None:
        claims = decode_claims(text)
        if claims is not None:
            assert isinstance(json.loads(claims), dict)
            claims_parameter(claims).encode("ascii")

    odd = json_values.map(lambda value: base64.urlsafe_b64encode(written({"access_token": value})).decode())
    fuzzer.run_with_mutants(st.one_of(mutated_text(valid, valid.rstrip("=")), odd), judge)
