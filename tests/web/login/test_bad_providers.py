"""Identity providers that misbehave: nobody is signed in, nothing breaks, and nothing secret is told."""

import base64
import gzip
import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from camunda_entra_fastapi.sign_in.exchange import RETRY_AFTER
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE
from camunda_entra_fastapi.testing.protocol.keys import base64url
from tests.site import (
    ADA,
    BEN,
    MakeSite,
    Site,
    Store,
    code_of,
    kept_cookies,
    logged_under,
    query_of,
    reference_in,
    signing_key,
    texts_in,
)
from tests.testing.browsing import claims_of

SCRIPT: Final = "<script>alert(1)</script>"
EVIL: Final = "https://login.evil.example"


@dataclass
class Answers:
    """The callback's response for a program and for a browser."""

    program: httpx.Response
    person: httpx.Response

    @property
    def outcome(self) -> tuple[int, str]:
        """Status and code; the person's page has the same status."""
        assert self.program.status_code == self.person.status_code
        assert self.person.headers["content-type"].startswith("text/html")
        return self.program.status_code, code_of(self.program)


async def come_back(site: Site) -> Answers:
    """Come back from Entra twice; whatever the answers are, they must be harmless."""
    browser = site.browser()
    states = []
    answers = []
    for headers in ({}, {"Sec-Fetch-Mode": "navigate"}):
        address = await browser.depart("/incidents/7")
        states += [query_of(address)["state"], query_of(address)["nonce"]]
        answers.append(await browser.http.get(await browser.at_entra(address, ADA), headers=headers))
    secrets = site.wire.secrets() | set(states)
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert not kept_cookies(answer)
        assert "alert(1)" not in answer.text
        assert not [secret for secret in secrets if secret in answer.text]
        assert not [secret for secret in secrets for value in answer.headers.values() if secret in value]
    assert not browser.cookies  # the attempts are used up
    assert await browser.status() == 401
    assert 'href="/auth/login?return_to=/incidents/7' in answers[1].text
    return Answers(*answers)


def assert_discreet(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing secret was logged, but that something went wrong was."""
    log = "\n".join(texts_in(caplog))
    assert "Sign-in refused" in log or "Answered 50" in log
    assert not [secret for secret in site.wire.secrets() if secret in log]


async def assert_works_again(site: Site) -> None:
    """Once Entra behaves, people sign in."""
    site.wire.heal()
    site.clock.advance(60)
    assert await (await site.browser().signed_in()).status() == 200


ABSENT = None
CLAIMS: Final[list[tuple[str, dict[str, Any], str]]] = [
    ("issuer of somebody else", {"iss": f"{EVIL}/v2.0"}, "issuer is"),
    ("issuer with a slash too many", {"iss": "{issuer}/"}, "issuer is"),
    ("issuer of version 1.0", {"iss": "https://sts.windows.net/{tid}/"}, "version 1.0"),
    ("issuer that is a list", {"iss": ["{issuer}"]}, "iss claim"),
    ("no issuer", {"iss": ABSENT}, "no iss"),
    ("audience of another application", {"aud": BILLING}, "not for"),
    ("one more audience", {"aud": [OPERATE, BILLING]}, "not for"),
    ("one more audience before ours", {"aud": [BILLING, OPERATE]}, "not for"),
    ("our App ID URI as audience", {"aud": f"api://{OPERATE}"}, "not for"),
    ("no audiences", {"aud": []}, "aud claim"),
    ("no audience", {"aud": ABSENT}, "no aud"),
    ("another authorized party", {"azp": BILLING}, "not for"),
    ("nonce of another sign-in", {"nonce": "n" * 43}, "another sign-in"),
    ("no nonce", {"nonce": ABSENT}, "no nonce"),
    ("an empty nonce", {"nonce": ""}, "nonce claim"),
    ("nonce that is a number", {"nonce": 1}, "nonce claim"),
    ("wrong at_hash", {"at_hash": "A" * 22}, "another access token"),
    ("empty at_hash", {"at_hash": ""}, "at_hash claim"),
    ("at_hash that is a number", {"at_hash": 7}, "at_hash claim"),
    ("expired", {"exp": 1_795_000_000 - 60}, "expired"),
    ("no expiry", {"exp": ABSENT}, "no exp"),
    ("expiry that is a text", {"exp": "1895000000"}, "exp claim"),
    ("not yet valid", {"nbf": 1_795_000_000 + 61}, "valid only in"),
    ("issued in the future", {"iat": 1_795_000_000 + 61}, "valid only in"),
    ("no subject", {"sub": ABSENT}, "no sub"),
    ("an empty subject", {"sub": ""}, "sub claim"),
    ("subject that is a number", {"sub": 1}, "sub claim"),
    ("subject of somebody else", {"sub": "somebody-else"}, "different people"),
    ("object ID of somebody else", {"oid": "be110000-0000-4000-8000-000000000002"}, "different people"),
]


def change_claims(site: Site, changes: dict[str, Any]) -> None:
    """Let Entra sign other claims in ID tokens; None leaves one out."""
    issuer, tenant = site.entra.settings.issuer, site.emulator.tenant.id

    def fill(value: Any) -> Any:
        if isinstance(value, list):
            return [fill(one) for one in value]
        return value.format(issuer=issuer, tid=tenant) if isinstance(value, str) else value

    def change(document: dict[str, Any]) -> None:
        claims = claims_of(document["id_token"]) | {name: fill(value) for name, value in changes.items()}
        document["id_token"] = site.emulator.sign(claims, v1=False)

    site.wire.change("/token", change)


@pytest.mark.parametrize(
    ("changes", "words"), [case[1:] for case in CLAIMS], ids=[case[0] for case in CLAIMS]
)
async def test_id_tokens_that_prove_nothing_are_refused(
    site: Site, caplog: pytest.LogCaptureFixture, changes: dict[str, Any], words: str
) -> None:
    """502: Entra's fault, whatever it may be; the log says what is wrong with the token, and nothing else."""
    caplog.set_level(logging.DEBUG)
    change_claims(site, changes)
    answers = await come_back(site)
    assert answers.outcome == (502, "id_token_invalid")
    message = answers.program.json()["detail"]["message"]
    assert message.startswith("Entra's answer proves nothing about who signs in.")
    assert words not in message
    assert words in logged_under(reference_in(message), caplog)
    assert answers.program.headers["retry-after"] == str(int(RETRY_AFTER))
    assert_discreet(site, caplog)
    await assert_works_again(site)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": [OPERATE]},
        {"azp": OPERATE},
        {"exp": 1_795_000_000 - 59},
        {"nbf": 1_795_000_000 + 60, "iat": 1_795_000_000 + 60},
        {"oid": "ada00000-0000-4000-8000-000000000001"},
        {"name": 7, "login_hint": 7, "sid": ["x"], "email": {}},
        {"login_hint": "x" * 2049, "sid": "s" * 2049},
    ],
    ids=str,
)
@Store
async def test_id_tokens_that_are_good_in_other_ways_are_accepted(
    make_site: MakeSite, changes: dict[str, Any], store: str
) -> None:
    """The clock skew counts, and claims that no check needs may be anything."""
    site = make_site(session_store=store)
    change_claims(site, changes)
    assert await (await site.browser().signed_in()).status() == 200


async def test_a_right_at_hash_is_accepted(site: Site) -> None:
    """OpenID Connect Core 1.0, 3.1.3.8, computed here by hand; that of another token is refused."""

    def change(document: dict[str, Any]) -> None:
        half = hashlib.sha256(document[hashed].encode()).digest()[:16]
        claims = claims_of(document["id_token"]) | {"at_hash": base64url(half)}
        document["id_token"] = site.emulator.sign(claims, v1=False)

    site.wire.change("/token", change)
    hashed = "access_token"
    assert await (await site.browser().signed_in()).status() == 200
    hashed = "refresh_token"
    assert (await come_back(site)).outcome == (502, "id_token_invalid")


async def test_a_person_of_another_tenant_is_not_let_in(site: Site) -> None:
    """By a good ID token of the right issuer: that is the settings' decision, not Entra's fault."""
    change_claims(site, {"tid": "fab00000-1111-4222-8333-444455556666"})
    assert (await come_back(site)).outcome == (403, "tenant_mismatch")


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Header, payload and signature."""
    header, payload, signature = token.split(".")
    return _read(header), _read(payload), signature


def _read(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return found


def put_together(header: object, payload: object, signature: str | None = None) -> str:
    """A token of those parts, without a signature if there is none."""
    texts = [base64url(json.dumps(part).encode()) for part in (header, payload)]
    return ".".join([*texts, signature or ""])


def hashed_with(key: bytes) -> Callable[[str], str]:
    """Signs by HMAC with what everybody knows."""

    def sign(token: str) -> str:
        header, payload, _ = parts_of(token)
        unsigned = put_together(header | {"alg": "HS256"}, payload)[:-1]
        return f"{unsigned}.{base64url(hmac.digest(key, unsigned.encode(), 'sha256'))}"

    return sign


def other_key(token: str) -> str:
    """Signed by somebody else who uses the key ID of Entra."""
    header, payload, _ = parts_of(token)
    return signing_key("somebody else's").sign(header, payload)


def unknown_key(token: str) -> str:
    """Signed by somebody else under a key ID of their own."""
    header, payload, _ = parts_of(token)
    key = signing_key("somebody else's")
    return key.sign(header | {"kid": key.key_id}, payload)


def own_key(token: str) -> str:
    """Signed by somebody else, with the key in the header."""
    header, payload, _ = parts_of(token)
    key = signing_key("somebody else's")
    return key.sign(header | {"jwk": key.jwk(None)}, payload)


def other_claims(token: str) -> str:
    """The signature over something else."""
    header, payload, signature = parts_of(token)
    return put_together(header, payload | {"name": BEN}, signature)


PEM = signing_key().private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = signing_key().private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
SIGNATURES: Final[dict[str, Callable[[str], object]]] = {
    "another key": other_key,
    "an unknown key": unknown_key,
    "a key of its own": own_key,
    "another payload": other_claims,
    "a bit flipped": lambda token: token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:],
    "no signature": lambda token: token.rpartition(".")[0] + ".",
    "algorithm none": lambda token: put_together(parts_of(token)[0] | {"alg": "none"}, parts_of(token)[1]),
    "algorithm None": lambda token: put_together(parts_of(token)[0] | {"alg": "None"}, parts_of(token)[1]),
    "no algorithm": lambda token: put_together({"kid": parts_of(token)[0]["kid"]}, parts_of(token)[1]),
    "HS256 with the public key in PEM": hashed_with(PEM),
    "HS256 with the public key in DER": hashed_with(DER),
    "HS256 with the client secret": hashed_with(b"local-emulator-secret-of-operate"),
    "no key ID": lambda token: signing_key().sign({"alg": "RS256"}, parts_of(token)[1]),
    "crit": lambda token: signing_key().sign(
        parts_of(token)[0] | {"crit": ["x"], "x": 1}, parts_of(token)[1]
    ),
    "two parts": lambda token: token.rpartition(".")[0],
    "four parts": lambda token: token + ".x",
    "five parts": lambda token: token + ".x.y",
    "no JSON": lambda _: "bm8.bm8.bm8",
    "one word": lambda _: "x",
    "nothing": lambda _: "",
    "null": lambda _: None,
}


@pytest.mark.parametrize("forge", SIGNATURES.values(), ids=SIGNATURES.keys())
async def test_id_tokens_that_entra_did_not_sign_are_refused(
    site: Site, caplog: pytest.LogCaptureFixture, forge: Callable[[str], object]
) -> None:
    """Whatever they say, and however they say that they are signed."""
    caplog.set_level(logging.DEBUG)
    site.wire.change("/token", lambda document: document | {"id_token": forge(document["id_token"])})
    assert (await come_back(site)).outcome == (502, "id_token_invalid")
    assert_discreet(site, caplog)
    await assert_works_again(site)


async def test_an_id_token_must_be_there(site: Site) -> None:
    """Even though the access token alone would say who it is."""
    site.wire.change("/token", lambda document: {n: v for n, v in document.items() if n != "id_token"})
    assert (await come_back(site)).outcome == (502, "id_token_invalid")


@pytest.mark.parametrize("profile", [False, True])
@Store
async def test_an_access_token_of_somebody_else_is_refused(
    make_site: MakeSite, store: str, *, profile: bool
) -> None:
    """Whether or not the ID token has an object ID to compare."""
    scopes = f"openid {'profile ' * profile}offline_access {OPERATE}/.default"
    site = make_site(session_store=store, scopes=scopes)
    token = site.emulator.token(user=BEN)
    site.wire.change("/token", lambda document: document | {"access_token": token})
    answers = await come_back(site)
    assert answers.outcome == (502, "id_token_invalid")
    assert token not in answers.program.text


@pytest.mark.parametrize(
    "token",
    [
        lambda entra: "opaque",
        lambda entra: entra.token(aud=BILLING),
        lambda entra: entra.token(user=ADA, lifetime=-3600),
        lambda entra: entra.id_token(user=ADA),
    ],
    ids=["opaque", "for another API", "expired", "an ID token"],
)
async def test_an_access_token_that_is_not_for_us_says_nothing_of_who_it_is(
    site: Site, token: Callable[[EntraEmulator], str]
) -> None:
    """The ID token does."""
    given = token(site.emulator)
    site.wire.change("/token", lambda document: document | {"access_token": given})
    browser = await site.browser().signed_in()
    described = (await browser.http.get("/auth/me")).json()
    assert (described["roles"], described["scopes"]) == (["Operate.Admin"], [])


async def test_an_access_token_of_a_guest_is_refused_where_guests_are(make_site: MakeSite) -> None:
    """Though the ID token does not say that it is one."""
    site = make_site(allow_guests=False)
    claims = {"acct": 1}
    site.wire.change(
        "/token",
        lambda document: (
            document
            | {"access_token": site.emulator.sign(claims_of(document["access_token"]) | claims, v1=False)}
        ),
    )
    assert (await come_back(site)).outcome == (403, "guest_not_allowed")


GARBLED: Final = [
    {"access_token": None},
    {"access_token": ""},
    {"access_token": 1},
    {"access_token": ["x"]},
    {"access_token": "a" * 16_385},
    {"access_token": "a\nb"},
    {"access_token": "ü"},
    {"id_token": 1},
    {"id_token": {}},
    {"id_token": "a" * 16_385},
    {"id_token": "a\x00b"},
    {"refresh_token": 1},
    {"refresh_token": ["x"]},
    {"refresh_token": "a" * 16_385},
    {"refresh_token": "a\r\nSet-Cookie: x=y"},
    {"token_type": "pop"},
    {"token_type": None},
    {"token_type": 1},
    {"token_type": ["Bearer"]},
    {"token_type": SCRIPT},
    {"expires_in": None},
    {"expires_in": "soon"},
    {"expires_in": "-1"},
    {"expires_in": "1.5"},
    {"expires_in": "9" * 5000},
    {"expires_in": 0},
    {"expires_in": -3600},
    {"expires_in": True},
    {"expires_in": [3600]},
    {"expires_in": 10**10},
    {"expires_in": 10**400},
    {"expires_in": float("inf")},
    {"expires_in": float("nan")},
]


@pytest.mark.parametrize("members", GARBLED, ids=lambda each: json.dumps(each)[:40])
async def test_answers_with_members_of_the_wrong_kind_are_refused(
    site: Site, caplog: pytest.LogCaptureFixture, members: dict[str, Any]
) -> None:
    """502 for what cannot be right, before any of it is used."""
    caplog.set_level(logging.DEBUG)

    async def answer(request: httpx.Request) -> httpx.Response:
        genuine = (await site.wire.pass_on(request)).json()
        return httpx.Response(200, content=json.dumps(genuine | members).encode())

    site.wire.handle("/token", answer)
    assert (await come_back(site)).outcome == (502, "entra_failed")
    assert_discreet(site, caplog)
    await assert_works_again(site)


@pytest.mark.parametrize(
    "members",
    [
        {"token_type": "bearer"},
        {"token_type": "BEARER"},
        {"expires_in": "3599"},
        {"expires_in": 3599.5},
        {"expires_in": 60},
        {"refresh_token": None},
        {"refresh_token": ""},
        {"scope": 7, "foci": [], "more": {"a": None}},
    ],
    ids=str,
)
async def test_answers_that_are_unusual_but_right_are_accepted(site: Site, members: dict[str, Any]) -> None:
    """RFC 6749, 5.1: types in any case, and members that nobody knows."""
    site.wire.change("/token", lambda document: document | members)
    assert await (await site.browser().signed_in()).status() == 200


def refusal(error: str, *codes: int, **members: Any) -> dict[str, Any]:
    """A refusal as Entra sends it, with words that must not be repeated."""
    return {
        "json": {
            "error": error,
            "error_description": f"AADSTS{codes[0] if codes else 'x'}: {SCRIPT} client_secret_hint",
            "error_codes": list(codes),
            "error_uri": f"{EVIL}/{SCRIPT}",
        }
        | members
    }


STATUSES: Final[list[tuple[str, int, dict[str, Any], int, str]]] = [
    ("code expired", 400, refusal("invalid_grant", 70008), 400, "login_refused"),
    ("code redeemed before", 400, refusal("invalid_grant", 54005), 400, "login_refused"),
    ("no consent", 400, refusal("invalid_grant", 65001), 403, "consent_required"),
    ("second factor", 400, refusal("interaction_required", 50076), 400, "login_refused"),
    ("policy", 400, refusal("interaction_required", 53003, claims='{"a":1}'), 400, "login_refused"),
    ("wrong secret", 401, refusal("invalid_client", 7000215), 400, "login_refused"),
    ("secret expired", 401, refusal("invalid_client", 7000222), 400, "login_refused"),
    ("unknown client", 400, refusal("unauthorized_client", 700016), 400, "login_refused"),
    ("forbidden", 403, refusal("access_denied"), 403, "consent_required"),
    ("unknown error", 400, refusal("something_new"), 400, "login_refused"),
    ("error with script", 400, refusal(SCRIPT), 400, "login_refused"),
    ("server error", 400, refusal("server_error"), 502, "entra_failed"),
    ("temporarily unavailable", 400, refusal("temporarily_unavailable", 90033), 503, "entra_throttled"),
    ("400 in HTML", 400, {"html": SCRIPT}, 502, "entra_failed"),
    ("400 without error", 400, {"json": {"message": SCRIPT}}, 502, "entra_failed"),
    ("400 with an error that is a number", 400, {"json": {"error": 7}}, 502, "entra_failed"),
    ("401 empty", 401, {}, 502, "entra_failed"),
    ("404", 404, {"text": "Not found"}, 502, "entra_failed"),
    ("429", 429, {"text": "Slow down"}, 503, "entra_throttled"),
    ("500", 500, {"text": SCRIPT}, 502, "entra_failed"),
    ("500 with a refusal", 500, refusal("invalid_grant", 70008), 502, "entra_failed"),
    ("503", 503, {"html": SCRIPT, "headers": {"Retry-After": "60"}}, 502, "entra_failed"),
    ("302", 302, {"headers": {"Location": EVIL}}, 502, "entra_failed"),
    ("307", 307, {"headers": {"Location": f"{EVIL}/token"}}, 502, "entra_failed"),
    ("201", 201, {"json": {}}, 502, "entra_failed"),
    ("empty", 200, {}, 502, "entra_failed"),
    ("empty object", 200, {"json": {}}, 502, "entra_failed"),
    ("a refusal as a success", 200, refusal("invalid_grant", 70008), 502, "entra_failed"),
    ("HTML", 200, {"html": f"<!doctype html>{SCRIPT}"}, 502, "entra_failed"),
    ("a list", 200, {"json": [1]}, 502, "entra_failed"),
    ("a number", 200, {"json": 1}, 502, "entra_failed"),
    ("null", 200, {"json": None}, 502, "entra_failed"),
    ("no UTF-8", 200, {"content": b'{"access_token": "\xff"}'}, 502, "entra_failed"),
    ("half an answer", 200, {"content": b'{"access_token": "ey'}, 502, "entra_failed"),
    ("nested deeply", 200, {"content": b"[" * 100_000}, 502, "entra_failed"),
    ("a huge body", 200, {"content": b" " * (1024 * 1024) + b"{}"}, 502, "entra_failed"),
    (
        "compressed",
        200,
        {"content": gzip.compress(b"{}"), "headers": {"Content-Encoding": "gzip"}},
        502,
        "entra_failed",
    ),
]


@pytest.mark.parametrize(
    ("given", "content", "status", "code"),
    [case[1:] for case in STATUSES],
    ids=[case[0] for case in STATUSES],
)
async def test_the_token_endpoint_may_answer_anything(
    site: Site,
    caplog: pytest.LogCaptureFixture,
    given: int,
    content: dict[str, Any],
    status: int,
    code: str,
) -> None:
    """4xx for what the person or the registration caused, 5xx for Entra's own faults; never 500."""
    caplog.set_level(logging.DEBUG)
    site.wire.answer("/token", given, **content)
    answers = await come_back(site)
    assert answers.outcome == (status, code)
    assert ("retry-after" in answers.program.headers) is (status >= 500)
    for text in (answers.program.text, answers.person.text):
        assert "client_secret_hint" not in text
        assert "evil.example" not in text
    assert len(site.wire.forms) == 2  # once each: no redirect is followed, and nothing is tried again
    assert_discreet(site, caplog)
    await assert_works_again(site)


async def test_a_refusal_says_what_to_change(site: Site) -> None:
    """An expired client secret is named as such, to programs; people learn that it is no fault of theirs."""
    site.wire.answer("/token", 401, **refusal("invalid_client", 7000222))
    answers = await come_back(site)
    detail = answers.program.json()["detail"]
    assert (detail["error"], detail["aadsts"]) == ("invalid_client", 7000222)
    assert "secret" in detail["message"]
    assert "CAMUNDA_IDENTITY_CLIENT_SECRET" in detail["remedy"]
    assert "AADSTS7000222" in answers.person.text
    assert "CAMUNDA_" not in answers.person.text
    assert "Sign-in is not possible right now" in answers.person.text


@pytest.mark.parametrize(
    ("header", "retry_after"),
    [
        ("7", "7"),
        ("0", "5"),
        (None, "5"),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "5"),
        ("-1", "5"),
        ("1" * 9, "5"),
    ],
)
async def test_being_throttled_is_passed_on(site: Site, header: str | None, retry_after: str) -> None:
    """Entra's wish counts where it is a number of seconds."""
    headers = {"Retry-After": header} if header else {}
    site.wire.answer("/token", 429, headers=headers)
    answers = await come_back(site)
    assert answers.outcome == (503, "entra_throttled")
    assert answers.program.headers["retry-after"] == answers.person.headers["retry-after"] == retry_after


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (httpx.ConnectError, 503, "entra_unreachable"),
        (httpx.RemoteProtocolError, 503, "entra_unreachable"),
        (httpx.ReadError, 503, "entra_unreachable"),
        (OSError, 503, "entra_unreachable"),
        (httpx.ReadTimeout, 504, "entra_timeout"),
        (httpx.ConnectTimeout, 504, "entra_timeout"),
    ],
)
async def test_connections_that_break_are_no_fault_of_the_persons(
    site: Site, caplog: pytest.LogCaptureFixture, error: type[Exception], status: int, code: str
) -> None:
    """The page says so; details are in the log alone."""
    caplog.set_level(logging.DEBUG)
    site.wire.fail("/token", error)
    answers = await come_back(site)
    assert answers.outcome == (status, code)
    assert "The fault is not in your request" in answers.program.json()["detail"]["message"]
    assert "Sign-in is not possible right now" in answers.person.text
    assert "No route" not in answers.program.text + answers.person.text
    assert_discreet(site, caplog)
    await assert_works_again(site)


async def test_an_entra_that_hangs_is_given_up(make_site: MakeSite) -> None:
    """After ``HTTP_TIMEOUT``."""
    site = make_site(http_timeout=0.5)
    site.wire.hang("/token")
    assert (await come_back(site)).outcome == (504, "entra_timeout")
    await assert_works_again(site)


async def refused_to_begin(site: Site) -> tuple[int, str]:
    """How the login page answers a program, and a person with the same status."""
    browser = site.browser()
    answer = await browser.http.get("/auth/login?return_to=/page")
    site.clock.advance(3600)
    page = await browser.open("/auth/login?return_to=/page")
    assert answer.status_code == page.status_code
    assert "Sign-in is not possible right now" in page.text
    assert 'href="/auth/login?return_to=/page"' in page.text
    assert "retry-after" in answer.headers
    assert not browser.cookies
    site.clock.advance(3600)
    return answer.status_code, code_of(answer)


DISCOVERY: Final = "/openid-configuration"


async def test_without_discovery_nobody_can_begin(make_site: MakeSite) -> None:
    """Unreachable, hanging or broken: the page says so, and all is well when Entra is back."""
    site = make_site(http_timeout=0.5)
    site.wire.fail(DISCOVERY)
    assert await refused_to_begin(site) == (503, "entra_unreachable")
    site.wire.hang(DISCOVERY)
    assert await refused_to_begin(site) == (504, "entra_timeout")
    site.wire.answer(DISCOVERY, 500)
    assert await refused_to_begin(site) == (502, "entra_failed")
    site.wire.answer(DISCOVERY, 429)
    assert await refused_to_begin(site) == (503, "entra_throttled")
    site.wire.answer(DISCOVERY, html=SCRIPT)
    assert await refused_to_begin(site) == (502, "entra_failed")
    await assert_works_again(site)


async def test_discovery_of_another_issuer_is_not_believed(site: Site) -> None:
    """The message names both issuers: that is for whoever runs the service."""
    site.wire.change(DISCOVERY, lambda document: document | {"issuer": f"{EVIL}/v2.0"})
    assert await refused_to_begin(site) == (503, "issuer_unexpected")


async def test_nobody_signs_in_at_a_local_entra_that_is_not_meant(
    make_site: MakeSite, emulator: EntraEmulator
) -> None:
    """Beyond this machine, unless CAMUNDA_ENTRA_ALLOW_LOCAL_ENTRA says that it is."""
    emulator.base_url = "https://login.example.com"
    assert await refused_to_begin(make_site(allow_local_entra=False)) == (503, "local_entra")
    await assert_works_again(make_site())


@pytest.mark.parametrize("value", [None, "http://entra.example/authorize", "javascript:alert(1)", 7])
async def test_discovery_without_a_usable_authorization_endpoint_sends_nobody_anywhere(
    site: Site, value: object
) -> None:
    """Least of all back to the login page, for ever."""
    site.wire.change(DISCOVERY, lambda document: document | {"authorization_endpoint": value})
    assert await refused_to_begin(site) == (502, "entra_failed")


async def test_discovery_without_a_token_endpoint_redeems_nothing(site: Site) -> None:
    """The code goes nowhere."""
    site.wire.change(DISCOVERY, lambda document: document | {"token_endpoint": None})
    assert (await come_back(site)).outcome == (502, "entra_failed")
    assert not site.wire.forms


@pytest.mark.parametrize("document", [{"keys": []}, {}, {"keys": "x"}])
async def test_without_keys_no_id_token_is_believed(site: Site, document: dict[str, Any]) -> None:
    """503 until there are some."""
    site.wire.answer("/keys", json=document)
    assert (await come_back(site)).outcome == (503, "keys_unavailable")
    await assert_works_again(site)


async def test_keys_that_entra_has_just_changed_are_fetched(site: Site) -> None:
    """A sign-in does not fail because of a rollover."""
    await site.browser().signed_in()
    made = iter([signing_key("Entra's next")])
    site.emulator.world.new_key = lambda: next(made)
    site.emulator.rotate_keys(overlap=False)
    assert await (await site.browser().signed_in()).status() == 200
