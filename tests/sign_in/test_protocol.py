"""The pure part: what is sent to Entra and read from it."""

import base64
import hashlib
import re
from dataclasses import replace
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import pytest

from camunda_entra_fastapi.errors import SignInFailed
from camunda_entra_fastapi.sign_in.protocol import (
    ATTEMPT_LIFETIME,
    MAX_PARAMETER,
    MAX_PARAMETERS,
    Attempt,
    attempt_id,
    authorization_url,
    check_attempt,
    single_valued,
    with_query,
)

SITE = "https://site.example"
NOW = 1_795_000_000.0


def test_parameters_are_read_by_name() -> None:
    """Each is there once, empty ones too."""
    assert single_valued([("code", "1.A"), ("state", "")]) == {"code": "1.A", "state": ""}


@pytest.mark.parametrize(
    "pairs",
    [
        [("code", "a"), ("code", "a")],
        [("state", "a"), ("code", "b"), ("state", "c")],
        [("code", "a" * (MAX_PARAMETER + 1))],
        [(f"p{number}", "") for number in range(MAX_PARAMETERS + 1)],
    ],
    ids=["twice", "twice-and-different", "long", "many"],
)
def test_parameters_that_can_be_read_in_two_ways_are_refused(pairs: list[tuple[str, str]]) -> None:
    """So are too many, and ones too long."""
    with pytest.raises(SignInFailed) as refused:
        single_valued(pairs)
    assert refused.value.code == "login_request_invalid"


def test_as_many_and_as_long_parameters_as_allowed_are_read() -> None:
    """The limits belong to what is allowed."""
    pairs = [(f"p{number}", "a" * MAX_PARAMETER) for number in range(MAX_PARAMETERS)]
    assert single_valued(pairs) == dict(pairs)


def attempt(kind: Literal["login", "admin-consent"] = "login", now: float = NOW) -> Attempt:
    """Somebody on the way."""
    return Attempt.begin(kind, "https://site.example/auth/login-callback", "/page?a=b", now)


def test_attempts_have_three_different_secrets_of_256_bits() -> None:
    """State, nonce and verifier; and no two attempts have one in common."""
    attempts = [attempt() for _ in range(50)]
    texts = [text for each in attempts for text in (each.state, each.nonce, each.verifier)]
    assert len(set(texts)) == 150
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", text) for text in texts)  # the verifier's, RFC 7636, 4.1
    assert {len(base64.urlsafe_b64decode(text + "=")) for text in texts} == {32}


def test_attempts_come_out_of_their_cookies_as_they_went_in() -> None:
    """Packing and unpacking changes nothing."""
    begun = attempt("admin-consent")
    assert Attempt.unpack(begun.pack()) == begun


def test_attempts_do_not_show_their_secrets() -> None:
    """Neither in a log nor by the name of their cookie."""
    begun = attempt()
    assert not any(secret in repr(begun) for secret in (begun.state, begun.nonce, begun.verifier))
    assert begun.identifier() == attempt_id(begun.state)
    assert re.fullmatch("[0-9a-f]{16}", begun.identifier())
    assert begun.identifier() != attempt().identifier()


def test_an_attempt_is_good_for_its_own_answer_in_time() -> None:
    """To the last second of ten minutes."""
    begun = attempt()
    assert check_attempt(begun, "login", begun.state, NOW + ATTEMPT_LIFETIME - 1) is begun
    assert ATTEMPT_LIFETIME == 600


@pytest.mark.parametrize("case", ["none", "kind", "state", "no state", "late", "future", "not ascii"])
def test_an_attempt_is_good_for_nothing_else(case: str) -> None:
    """All that is wrong looks the same to who brings it."""
    begun, state, now = attempt(), "", NOW
    presented: Attempt | None = begun
    match case:
        case "none":
            presented, state = None, begun.state
        case "kind":
            presented, state = replace(begun, kind="admin-consent"), begun.state
        case "state":
            state = attempt().state
        case "late":
            state, now = begun.state, NOW + ATTEMPT_LIFETIME
        case "future":
            state, now = begun.state, NOW - ATTEMPT_LIFETIME
        case "not ascii":
            state = "ü"
    with pytest.raises(SignInFailed) as refused:
        check_attempt(presented, "login", state, now)
    assert refused.value.code == "login_expired"
    assert begun.state not in refused.value.message


def test_the_authorization_url_has_exactly_what_the_flow_needs() -> None:
    """Code flow with PKCE S256, state, nonce and the scopes; the verifier stays here."""
    begun = attempt()
    scopes = ("openid", "email", "offline_access", "api-id/.default")
    url = authorization_url(
        "https://entra.example/authorize", "client", scopes, begun, {"login_hint": "a&b=c"}
    )
    assert url.startswith("https://entra.example/authorize?")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(begun.verifier.encode("ascii")).digest())
    assert parse_qs(urlsplit(url).query, strict_parsing=True) == {
        "client_id": ["client"],
        "response_type": ["code"],
        "response_mode": ["query"],
        "redirect_uri": ["https://site.example/auth/login-callback"],
        "scope": ["openid email offline_access api-id/.default"],
        "state": [begun.state],
        "nonce": [begun.nonce],
        "code_challenge": [challenge.decode().rstrip("=")],
        "code_challenge_method": ["S256"],
        "login_hint": ["a&b=c"],
    }
    assert begun.verifier not in url
    assert "+" not in url  # %20 is a space to everybody


@pytest.mark.parametrize(
    ("endpoint", "whole"),
    [
        ("https://e.example/a", "https://e.example/a?x=1%2F2"),
        ("https://e.example/a?p=b2c_1", "https://e.example/a?p=b2c_1&x=1%2F2"),
    ],
)
def test_parameters_join_those_that_an_endpoint_has(endpoint: str, whole: str) -> None:
    """Azure AD B2C's endpoints have their policy in the query."""
    assert with_query(endpoint, {"x": "1/2"}) == whole
