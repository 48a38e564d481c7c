"""Client assertions: only a registered certificate or a trusted issuer authenticates a client."""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx2
import msal  # type: ignore[import-untyped]
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from camunda_entra_fastapi.testing.clients.assertions import check_assertion
from camunda_entra_fastapi.testing.clients.issuers import Issuers
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE, Application, FederatedCredential
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError
from camunda_entra_fastapi.testing.protocol.keys import SigningKey, base64url

NOW = 1_795_000_000.0
ENTRA = "https://login.entra.localhost/c0de0000-1111-4222-8333-444455556666"
TOKEN_ENDPOINT = f"{ENTRA}/oauth2/v2.0/token"
ISSUER = "https://cluster.example/oidc/"
SUBJECT = "system:serviceaccount:billing:job"
EXCHANGE = "api://AzureADTokenExchange"
TRUST = FederatedCredential(issuer=ISSUER, subject=SUBJECT)
OWN_TRUST = FederatedCredential(issuer=f"{ENTRA}/v2.0", subject="0b1ec700-0000-4000-8000-000000000001")


def certified(
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, *, begin: float = NOW - 86400, days: int = 90
) -> x509.Certificate:
    """A self-signed certificate for a key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Billing job")])
    start = datetime.fromtimestamp(begin, UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .sign(private, hashes.SHA256())
    )


def pem(certificate: x509.Certificate) -> str:
    """As a directory has it."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def billing(**registered: Any) -> Application:
    """The application that authenticates."""
    return Application(BILLING, "Billing job", **registered)


class Signer:
    """An application with a certificate of its own."""

    def __init__(self, private: rsa.RSAPrivateKey) -> None:
        self.private = private
        self.certificate = certified(private)
        self.sha1 = self.certificate.fingerprint(hashes.SHA1())
        self.sha256 = self.certificate.fingerprint(hashes.SHA256())
        self.application = billing(certificates=(pem(self.certificate),))

    def assertion(self, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """An assertion as Learn's page on certificate credentials describes it; None leaves a member out."""
        claims = {
            "aud": TOKEN_ENDPOINT,
            "iss": BILLING,
            "sub": BILLING,
            "jti": "22b3bb26-e046-42df-9c96-65dbd72c1c81",
            "nbf": NOW,
            "iat": NOW,
            "exp": NOW + 600,
        } | changes
        members = {"alg": "PS256", "typ": "JWT", "x5t#S256": base64url(self.sha256)} | dict(header or {})
        return self.signed(members, claims)

    def signed(self, members: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """A token with PS256 if the header names it, otherwise with RS256."""
        parts = (
            {name: value for name, value in part.items() if value is not None} for part in (members, claims)
        )
        signed = ".".join(base64url(json.dumps(part).encode()) for part in parts)
        salted = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size)
        scheme = salted if members["alg"] == "PS256" else padding.PKCS1v15()
        return f"{signed}.{base64url(self.private.sign(signed.encode(), scheme, hashes.SHA256()))}"


@pytest.fixture(scope="module")
def private() -> rsa.RSAPrivateKey:
    """One key for all tests, as making one takes its time."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def other() -> SigningKey:
    """The key of an issuer, or of another application."""
    return SigningKey.generate()


@pytest.fixture(scope="module")
def signer(private: rsa.RSAPrivateKey) -> Signer:
    """An application with a certificate."""
    return Signer(private)


def cluster(key: SigningKey) -> Issuers:
    """A Kubernetes cluster that publishes a key, beside the emulator that publishes the same."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        documents = {
            "/oidc/.well-known/openid-configuration": {"issuer": ISSUER, "jwks_uri": f"{ISSUER}jwks"},
            "/oidc/jwks": {"keys": [key.jwk(None)]},
        }
        return httpx2.Response(200, json=documents[request.url.path])

    return Issuers(
        own=(f"{ENTRA}/v2.0",),
        own_keys=(key,),
        new_client=lambda: httpx2.AsyncClient(transport=httpx2.MockTransport(answer)),
    )


def federated(key: SigningKey, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """A projected service account token, as Kubernetes makes it; None leaves a member out."""
    claims = {
        "aud": [EXCHANGE],
        "exp": int(NOW) + 3600,
        "iat": int(NOW),
        "iss": ISSUER,
        "kubernetes.io": {"namespace": "billing"},
        "nbf": int(NOW),
        "sub": SUBJECT,
    } | changes
    members = {"alg": "RS256", "kid": key.key_id} | dict(header or {})
    return key.sign(
        {name: value for name, value in members.items() if value is not None},
        {name: value for name, value in claims.items() if value is not None},
    )


def own_token(key: SigningKey, **changes: Any) -> str:
    """An application's own token for the exchange, as the emulator issues it."""
    claims = {
        "aud": "fb60f99c-7a34-4190-8149-302f77469936",
        "iss": OWN_TRUST.issuer,
        "oid": OWN_TRUST.subject,
        "sub": OWN_TRUST.subject,
    }
    return federated(key, **claims | changes)


async def check(
    assertion: str, client: Application, *, issuers: Issuers | None = None, now: float = NOW
) -> None:
    """The check of the token endpoint."""
    audiences = {TOKEN_ENDPOINT, f"{ENTRA}/oauth2/token", f"{ENTRA}/v2.0"}
    await check_assertion(
        assertion, client=client, audiences=audiences, issuers=issuers or Issuers(), now=now
    )


async def refusal(assertion: str, client: Application, **about: Any) -> AadstsError:
    """How it is refused; no refusal repeats the assertion."""
    with pytest.raises(AadstsError) as caught:
        await check(assertion, client, **about)
    problem = caught.value
    assert problem.status == (401 if problem.error == "invalid_client" else 400)
    assert not any(part in problem.message for part in assertion.split(".") if len(part) > 20)
    return problem


async def test_a_certificate_named_by_its_sha_256_is_accepted(signer: Signer) -> None:
    """PS256 with ``x5t#S256``, as Learn documents it; the same assertion may come again."""
    assertion = signer.assertion()
    await check(assertion, signer.application)
    await check(assertion, signer.application)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
@pytest.mark.parametrize("name", ["x5t#S256", "x5t", "kid"])
async def test_a_certificate_has_several_names(signer: Signer, name: str, algorithm: str) -> None:
    """Padding and, for ``kid``, both hashes and hexadecimal form are read, with either algorithm."""
    sha1, sha256 = signer.sha1, signer.sha256
    spellings = {
        "x5t#S256": [base64url(sha256), f"{base64url(sha256)}="],
        "x5t": [base64url(sha1), f"{base64url(sha1)}="],
        "kid": [base64url(sha1), base64url(sha256), sha1.hex().upper(), sha256.hex()],
    }
    for spelling in spellings[name]:
        header = {"x5t#S256": None, "alg": algorithm, name: spelling}
        await check(signer.assertion(header), signer.application)


async def test_the_right_one_of_several_certificates_is_found(signer: Signer, other: SigningKey) -> None:
    """Old and new ones stand beside each other while they are exchanged."""
    both = billing(certificates=(pem(certified(other.private)), pem(signer.certificate)))
    await check(signer.assertion(), both)


@pytest.mark.parametrize("audience", [TOKEN_ENDPOINT, f"{ENTRA}/oauth2/token", f"{ENTRA}/v2.0"])
async def test_all_names_of_the_token_endpoint_are_audiences(signer: Signer, audience: str) -> None:
    """Those that the emulator gives."""
    await check(signer.assertion(aud=audience), signer.application)


async def test_client_ids_are_compared_as_guids(signer: Signer) -> None:
    """Their letters may be large."""
    await check(signer.assertion(iss=BILLING.upper(), sub=BILLING.upper()), signer.application)


def msal_assertion(credential: dict[str, Any]) -> str:
    """The assertion that msal sends, captured by a transport in the emulator's place."""
    sent: list[str] = []

    class Answer:
        """The part of a response that msal reads."""

        status_code = 200
        headers: Mapping[str, str] = {}

        def __init__(self, document: dict[str, Any]) -> None:
            self.text = json.dumps(document)

        def raise_for_status(self) -> None: ...

    class Transport:
        """The part of an HTTP client that msal uses."""

        def get(self, _url: str, **_options: Any) -> Answer:
            root = f"{ENTRA}/oauth2/v2.0"
            return Answer(
                {
                    "issuer": f"{ENTRA}/v2.0",
                    "authorization_endpoint": f"{root}/authorize",
                    "token_endpoint": f"{root}/token",
                }
            )

        def post(self, _url: str, *, data: Mapping[str, str], **_options: Any) -> Answer:
            sent.extend(parse_qs(urlencode(data))["client_assertion"])
            return Answer({"error": "invalid_client"})

        def close(self) -> None: ...

    application = msal.ConfidentialClientApplication(
        BILLING,
        client_credential=credential,
        authority=ENTRA,
        instance_discovery=False,
        http_client=Transport(),
    )
    application.acquire_token_for_client([f"{OPERATE}/.default"])
    return sent[0]


@pytest.mark.parametrize("by_thumbprint", [False, True], ids=["certificate", "thumbprint"])
async def test_assertions_of_microsofts_client_are_accepted(
    private: rsa.RSAPrivateKey, by_thumbprint: bool
) -> None:
    """Times are fractions, ``nbf`` is missing, thumbprints are padded and ``x5c`` may have line breaks."""
    now = time.time()
    certificate = certified(private, begin=now - 86400)
    key = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    credential: dict[str, Any] = {"private_key": key.decode(), "public_certificate": pem(certificate)}
    if by_thumbprint:  # as azure-identity passes it
        credential["thumbprint"] = certificate.fingerprint(hashes.SHA1()).hex()
    assertion = msal_assertion(credential)
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in assertion.split(".")[:2])
    assert header["alg"] == ("RS256" if by_thumbprint else "PS256")
    assert header["x5t" if by_thumbprint else "x5t#S256"].endswith("=")
    assert isinstance(claims["exp"], float)
    assert "nbf" not in claims
    await check(assertion, billing(certificates=(pem(certificate),)), now=now)


@pytest.mark.parametrize(
    ("assertion", "complaint"),
    [
        ("not a token", "three parts"),
        ("a" * 70_000, "longer than 65536"),
        ("e30.e30.", "'iss' is not a text"),
    ],
)
async def test_a_malformed_assertion_is_refused(signer: Signer, assertion: str, complaint: str) -> None:
    """AADSTS50027 says what is wrong with it."""
    problem = await refusal(assertion, signer.application)
    assert (problem.code, problem.error) == (50027, "invalid_request")
    assert complaint in problem.message


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"iss": None}, "'iss'"),
        ({"iss": ""}, "'iss'"),
        ({"sub": 5}, "'sub'"),
        ({"aud": None}, "'aud'"),
        ({"aud": [TOKEN_ENDPOINT]}, "'aud'"),
        ({"exp": None}, "'exp'"),
        ({"exp": "1795000600"}, "'exp'"),
        ({"exp": True}, "'exp'"),
        ({"exp": NOW * 1000}, "'exp'"),
        ({"exp": 10**400}, "'exp'"),
        ({"exp": -1}, "'exp'"),
        ({"nbf": "now"}, "'nbf'"),
    ],
    ids=str,
)
async def test_a_claim_of_another_kind_is_refused(
    signer: Signer, changes: dict[str, Any], complaint: str
) -> None:
    """AADSTS50027 names it; milliseconds are no seconds."""
    problem = await refusal(signer.assertion(**changes), signer.application)
    assert problem.code == 50027
    assert complaint in problem.message


@pytest.mark.parametrize("thumbprint", [None, 5, ["a"]])
async def test_an_assertion_must_name_a_certificate(signer: Signer, thumbprint: Any) -> None:
    """AADSTS50027 names the three header members that do."""
    problem = await refusal(signer.assertion({"x5t#S256": thumbprint}), signer.application)
    assert problem.code == 50027
    assert "'x5t#S256', 'x5t' and 'kid'" in problem.message


async def test_subject_and_issuer_must_be_the_same(signer: Signer) -> None:
    """AADSTS50048."""
    problem = await refusal(signer.assertion(sub=OPERATE), signer.application)
    assert (problem.code, problem.error) == (50048, "invalid_client")
    assert OPERATE in problem.message
    assert BILLING in problem.message


async def test_the_assertion_of_another_application_is_refused(signer: Signer) -> None:
    """AADSTS700021, even when that has the same certificate."""
    problem = await refusal(signer.assertion(iss=OPERATE, sub=OPERATE), signer.application)
    assert (problem.code, problem.error) == (700021, "invalid_client")
    assert OPERATE in problem.message


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS512", None])
async def test_other_algorithms_are_refused(signer: Signer, algorithm: str | None) -> None:
    """AADSTS5002730 names those that are right."""
    problem = await refusal(signer.assertion({"alg": algorithm}), signer.application)
    assert (problem.code, problem.error) == (5002730, "invalid_request")
    assert "RS256 or PS256" in problem.message


async def test_an_unknown_certificate_is_refused(signer: Signer, other: SigningKey) -> None:
    """AADSTS700027 names the thumbprint received and those registered, as the admin center shows them."""
    registered = certified(other.private)
    problem = await refusal(
        signer.assertion({"x5t#S256": None, "x5t": base64url(signer.sha1)}),
        billing(certificates=(pem(registered),)),
    )
    assert (problem.code, problem.error) == (700027, "invalid_client")
    assert signer.sha1.hex().upper() in problem.message
    assert registered.fingerprint(hashes.SHA1()).hex().upper() in problem.message


async def test_an_application_without_certificates_is_told_so(signer: Signer) -> None:
    """AADSTS700027, with none registered."""
    problem = await refusal(signer.assertion(), billing(secrets=("a secret",)))
    assert problem.code == 700027
    assert "Registered are: none." in problem.message
    assert signer.sha256.hex().upper() in problem.message


@pytest.mark.parametrize("name", ["x5t#S256", "x5t"])
async def test_a_thumbprint_counts_for_its_own_hash(signer: Signer, name: str) -> None:
    """Neither the other hash nor the hexadecimal form is a name but in ``kid``."""
    wrong = signer.sha1 if name == "x5t#S256" else signer.sha256
    for spelling in (base64url(wrong), signer.sha1.hex(), signer.sha256.hex(), "neither!"):
        header = {"x5t#S256": None, name: spelling}
        assert (await refusal(signer.assertion(header), signer.application)).code == 700027


async def test_an_unreadable_thumbprint_is_shown_as_it_came(signer: Signer) -> None:
    """In quotation marks, and not all of it when it is long."""
    problem = await refusal(signer.assertion({"x5t#S256": "!\n" * 500}), signer.application)
    assert r"'!\n!\n" in problem.message
    assert len(problem.message) < 600


@pytest.mark.parametrize("at", [0, 1, 2])
async def test_a_changed_assertion_is_refused(signer: Signer, at: int) -> None:
    """AADSTS700027, whichever part was exchanged for that of another assertion."""
    parts = signer.assertion().split(".")
    parts[at] = signer.assertion({"cty": "other"}, jti="other").split(".")[at]
    problem = await refusal(".".join(parts), signer.application)
    assert problem.code == 700027
    assert "its signature is of another key" in problem.message


async def test_a_signature_of_another_key_is_refused(signer: Signer, other: SigningKey) -> None:
    """AADSTS700027 for who names a registered certificate without having its key, in ``x5c`` too."""
    thief = Signer(other.private)
    header = {"x5t#S256": base64url(signer.sha256), "x5c": [base64.b64encode(other.certificate).decode()]}
    problem = await refusal(thief.assertion(header), signer.application)
    assert (problem.code, problem.error) == (700027, "invalid_client")
    assert signer.sha256.hex().upper() in problem.message


async def test_a_certificate_of_another_kind_of_key_is_refused(signer: Signer) -> None:
    """AADSTS5002730, as RS256 and PS256 are all that Entra takes."""
    curved = certified(ec.generate_private_key(ec.SECP256R1()))
    thumbprint = base64url(curved.fingerprint(hashes.SHA256()))
    problem = await refusal(signer.assertion({"x5t#S256": thumbprint}), billing(certificates=(pem(curved),)))
    assert problem.code == 5002730
    assert "RSA key" in problem.message


@pytest.mark.parametrize(("begin", "days"), [(NOW - 30 * 86400, 29), (NOW + 60, 90)], ids=["over", "to come"])
async def test_a_certificate_out_of_its_validity_is_refused(
    private: rsa.RSAPrivateKey, begin: float, days: int
) -> None:
    """AADSTS1000502 names the times."""
    late = Signer(private)
    late.certificate = certified(private, begin=begin, days=days)
    late.sha256 = late.certificate.fingerprint(hashes.SHA256())
    problem = await refusal(late.assertion(), billing(certificates=(pem(late.certificate),)))
    assert (problem.code, problem.error) == (1000502, "invalid_client")
    assert f"{datetime.fromtimestamp(begin, UTC):%Y-%m-%d %H:%M:%SZ}" in problem.message


async def test_an_assertion_for_somebody_else_is_refused(signer: Signer) -> None:
    """AADSTS700023 names what it is for, and what it must be for."""
    problem = await refusal(signer.assertion(aud="https://other.example/token"), signer.application)
    assert (problem.code, problem.error) == (700023, "invalid_client")
    assert "'https://other.example/token'" in problem.message
    assert TOKEN_ENDPOINT in problem.message


@pytest.mark.parametrize(
    ("changes", "is_good"),
    [
        ({"exp": NOW - 299.5}, True),
        ({"exp": NOW - 300}, False),
        ({"nbf": NOW + 300}, True),
        ({"nbf": NOW + 300.5}, False),
        ({"nbf": None}, True),
        ({"nbf": 0}, True),
        ({"exp": 253_402_300_799, "nbf": None}, True),
    ],
    ids=str,
)
async def test_clocks_may_differ_by_five_minutes(
    signer: Signer, changes: dict[str, Any], is_good: bool
) -> None:
    """AADSTS700024 beyond; Entra sets no limit to how long an assertion may be good."""
    assertion = signer.assertion(**changes)
    if is_good:
        await check(assertion, signer.application)
        return
    problem = await refusal(assertion, signer.application)
    assert (problem.code, problem.error) == (700024, "invalid_client")
    assert "now is 2026-11-18" in problem.message


async def test_a_trusted_issuers_token_is_believed(other: SigningKey) -> None:
    """A federated credential names issuer, subject and audience; the keys are fetched from the issuer."""
    client = billing(federated_credentials=(TRUST,))
    await check(federated(other), client, issuers=cluster(other))
    await check(federated(other, aud=EXCHANGE), client, issuers=cluster(other))


async def test_all_three_must_be_of_one_credential(other: SigningKey) -> None:
    """A second credential's subject does not go with the first one's audience."""
    second = replace(TRUST, subject="another", audience="api://another")
    client = billing(federated_credentials=(TRUST, second))
    await check(federated(other, sub="another", aud=["api://another"]), client, issuers=cluster(other))
    assert (
        await refusal(federated(other, aud="api://another"), client, issuers=cluster(other))
    ).code == 700212


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": ISSUER.removesuffix("/")}, 700211),
        ({"iss": ISSUER.upper()}, 700211),
        ({"sub": SUBJECT.upper()}, 700213),
        ({"sub": f"{SUBJECT}s"}, 700213),
        ({"aud": [EXCHANGE.lower()]}, 700212),
        ({"aud": "fb60f99c-7a34-4190-8149-302f77469936"}, 700212),
    ],
    ids=str,
)
async def test_what_no_credential_names_exactly_is_refused(
    other: SigningKey, changes: dict[str, Any], code: int
) -> None:
    """AADSTS700211, 700213 and 700212 name what came and what is registered; nothing is fetched for them."""
    client = billing(federated_credentials=(TRUST,))
    problem = await refusal(federated(other, **changes), client, issuers=Issuers(new_client=nothing_fetched))
    assert (problem.code, problem.error) == (code, "invalid_client")
    received = next(iter(changes.values()))
    assert repr(received[0] if isinstance(received, list) else received) in problem.message
    assert {700211: ISSUER, 700213: SUBJECT, 700212: EXCHANGE}[code] in problem.message


def nothing_fetched() -> httpx2.AsyncClient:
    """An HTTP client for tests in which no issuer is fetched."""
    raise AssertionError("An issuer was asked for its keys.")


async def test_without_any_credential_no_issuer_is_trusted(other: SigningKey, signer: Signer) -> None:
    """AADSTS70021 names both remedies, because the issuer may be a mistake in a certificate's assertion."""
    problem = await refusal(federated(other), signer.application, issuers=Issuers(new_client=nothing_fetched))
    assert (problem.code, problem.error) == (70021, "invalid_client")
    assert ISSUER in problem.message
    assert BILLING in problem.message


@pytest.mark.parametrize("audience", [None, 5, [], [5], [EXCHANGE, None], {}])
async def test_an_audience_of_another_kind_is_refused(other: SigningKey, audience: Any) -> None:
    """AADSTS50027: one text or several."""
    client = billing(federated_credentials=(TRUST,))
    problem = await refusal(federated(other, aud=audience), client)
    assert problem.code == 50027
    assert "'aud'" in problem.message


@pytest.mark.parametrize("algorithm", ["PS256", "none", "HS256"])
async def test_issuers_sign_with_rs256_alone(other: SigningKey, algorithm: str) -> None:
    """AADSTS5002730: PS256 is for certificates (Learn: workload identity federation)."""
    client = billing(federated_credentials=(TRUST,))
    problem = await refusal(federated(other, {"alg": algorithm}), client, issuers=cluster(other))
    assert problem.code == 5002730
    assert "must be RS256." in problem.message


async def test_an_issuers_token_must_name_its_key(other: SigningKey) -> None:
    """AADSTS50027."""
    client = billing(federated_credentials=(TRUST,))
    problem = await refusal(federated(other, {"kid": None}), client, issuers=cluster(other))
    assert problem.code == 50027
    assert "'kid'" in problem.message


async def test_a_key_that_the_issuer_does_not_publish_is_refused(other: SigningKey) -> None:
    """AADSTS700027 names it, and those that are published."""
    client = billing(federated_credentials=(TRUST,))
    problem = await refusal(federated(other, {"kid": "unheard-of"}), client, issuers=cluster(other))
    assert (problem.code, problem.error) == (700027, "invalid_client")
    assert "'unheard-of'" in problem.message
    assert other.key_id in problem.message


async def test_a_forged_issuers_token_is_refused(other: SigningKey, private: rsa.RSAPrivateKey) -> None:
    """AADSTS700027 for who names a published key without having it."""
    client = billing(federated_credentials=(TRUST,))
    forged = SigningKey(private, other.certificate)
    assert forged.key_id == other.key_id
    problem = await refusal(federated(forged), client, issuers=cluster(other))
    assert (problem.code, problem.error) == (700027, "invalid_client")
    assert "signature is not of the key" in problem.message


@pytest.mark.parametrize("changes", [{"exp": NOW - 300}, {"nbf": NOW + 301}], ids=str)
async def test_an_issuers_token_out_of_its_time_is_refused(
    other: SigningKey, changes: dict[str, Any]
) -> None:
    """AADSTS700024, as for all assertions."""
    client = billing(federated_credentials=(TRUST,))
    problem = await refusal(federated(other, **changes), client, issuers=cluster(other))
    assert problem.code == 700024


async def test_an_issuer_out_of_reach_is_named(other: SigningKey) -> None:
    """AADSTS50166: without keys no assertion is trusted."""

    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("connection refused", request=request)

    issuers = Issuers(new_client=lambda: httpx2.AsyncClient(transport=httpx2.MockTransport(refuse)))
    client = billing(federated_credentials=(TRUST,))
    problem = await refusal(federated(other), client, issuers=issuers)
    assert (problem.code, problem.error) == (50166, "invalid_request")
    assert ISSUER in problem.message


@pytest.mark.parametrize("audience", ["fb60f99c-7a34-4190-8149-302f77469936", EXCHANGE])
async def test_the_emulators_own_tokens_stand_for_applications(other: SigningKey, audience: str) -> None:
    """A managed identity's or another application's; its audience is named by ID, and nothing is fetched."""
    client = billing(federated_credentials=(OWN_TRUST,))
    issuers = Issuers((OWN_TRUST.issuer,), (other,), nothing_fetched)
    await check(own_token(other, aud=audience), client, issuers=issuers)


@pytest.mark.parametrize(
    "changes",
    [
        {"scp": "access_as_user"},
        {"scp": "", "sub": "pairwise"},
        {"sub": "pairwise"},
        {"oid": None},
    ],
    ids=["access token of a person", "with a pairwise subject", "ID token", "ID token without oid"],
)
async def test_a_persons_token_stands_for_no_application(other: SigningKey, changes: dict[str, Any]) -> None:
    """AADSTS700229."""
    client = billing(federated_credentials=(OWN_TRUST,))
    problem = await refusal(own_token(other, **changes), client, issuers=cluster(other))
    assert (problem.code, problem.error) == (700229, "invalid_client")


async def test_a_persons_token_of_another_issuer_is_the_issuers_business(other: SigningKey) -> None:
    """Only Entra gives ``scp`` and ``oid`` their meaning."""
    client = billing(federated_credentials=(TRUST,))
    await check(federated(other, scp="anything", oid="other"), client, issuers=cluster(other))


async def test_a_forged_token_of_the_emulators_is_refused(
    other: SigningKey, private: rsa.RSAPrivateKey
) -> None:
    """Its own keys verify its own tokens, too."""
    client = billing(federated_credentials=(OWN_TRUST,))
    forged = SigningKey(private, other.certificate)
    assert (await refusal(own_token(forged), client, issuers=cluster(other))).code == 700027
