"""The rules for ID tokens, each broken once."""

from base64 import urlsafe_b64encode
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from camunda_entra_fastapi.errors import AccessDenied, InvalidToken
from camunda_entra_fastapi.validation.compact import parse
from camunda_entra_fastapi.validation.id_token import verify_id_token
from camunda_entra_fastapi.validation.keys import parse_keys
from camunda_entra_fastapi.validation.policy import Policy
from tests.tokens import (
    ABSENT,
    CALLER,
    CLIENT_ID,
    ISSUER,
    KEY_ID,
    NOW,
    OTHER_TENANT,
    TENANT,
    V1_ISSUER,
    jwk,
    token,
    user_claims,
)

POLICY = Policy(
    issuer=ISSUER,
    audiences=frozenset({"api://operate"}),
    client_id=CLIENT_ID,
    tenant=TENANT,
    v1_issuer=V1_ISSUER,
    allowed_clients=frozenset({CALLER}),
)
"""The policy of an API with another audience and a list of clients, neither of which concerns ID tokens."""
ACCESS_TOKEN = "the.access.token"
AT_HASH = urlsafe_b64encode(sha256(ACCESS_TOKEN.encode()).digest()[:16]).rstrip(b"=").decode()


def id_claims(**changes: Any) -> dict[str, Any]:
    """The claims of Entra's ID token for an application."""
    return user_claims(**{"azp": ABSENT, "azpacr": ABSENT, "scp": ABSENT, "nonce": "n-0S6"} | changes)


def verify_claims(
    claims: dict[str, Any], policy: Policy = POLICY, nonce: str | None = "n-0S6", now: float = NOW
) -> dict[str, Any]:
    """The verified claims of an ID token with those claims."""
    key = parse_keys({"keys": [jwk()]}).find(KEY_ID)
    assert key is not None
    return verify_id_token(parse(token(claims)), key, policy, now, nonce=nonce, access_token=ACCESS_TOKEN)


@pytest.mark.parametrize(
    "changes", [{}, {"at_hash": AT_HASH}, {"azp": CLIENT_ID}, {"aud": [CLIENT_ID]}, {"roles": ["x"]}]
)
def test_a_right_id_token_gives_its_claims(changes: dict[str, Any]) -> None:
    """For this client, with this nonce, beside this access token."""
    assert verify_claims(id_claims(**changes)) == id_claims(**changes)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": CALLER}, "audience_mismatch"),
        ({"aud": "api://operate"}, "audience_mismatch"),
        ({"aud": [CLIENT_ID, CALLER]}, "audience_mismatch"),
        ({"aud": []}, "claim_malformed"),
        ({"aud": ABSENT}, "claim_missing"),
        ({"azp": CALLER}, "audience_mismatch"),
        ({"azp": None}, "audience_mismatch"),
        ({"iss": ISSUER.replace(TENANT, OTHER_TENANT)}, "issuer_mismatch"),
        ({"iss": V1_ISSUER}, "v1_token"),
        ({"iss": ABSENT}, "claim_missing"),
        ({"tid": OTHER_TENANT}, "tenant_mismatch"),
        ({"sub": ABSENT}, "claim_missing"),
        ({"sub": ""}, "claim_malformed"),
        ({"sub": 7}, "claim_malformed"),
        ({"nonce": "another"}, "nonce_mismatch"),
        ({"nonce": "n-0S6 "}, "nonce_mismatch"),
        ({"nonce": "né"}, "nonce_mismatch"),
        ({"nonce": ABSENT}, "claim_missing"),
        ({"nonce": ["n-0S6"]}, "claim_malformed"),
        ({"at_hash": AT_HASH[:-1]}, "at_hash_mismatch"),
        ({"at_hash": AT_HASH.swapcase()}, "at_hash_mismatch"),
        ({"at_hash": None}, "claim_missing"),
        ({"at_hash": 1}, "claim_malformed"),
        ({"exp": NOW - 61}, "token_expired"),
        ({"exp": ABSENT}, "claim_missing"),
        ({"nbf": NOW + 61}, "token_not_yet_valid"),
        ({"iat": "now"}, "claim_malformed"),
    ],
)
def test_every_rule_is_kept(changes: dict[str, Any], code: str) -> None:
    """A claim that is wrong, missing or of another kind proves nothing."""
    with pytest.raises(InvalidToken) as caught:
        verify_claims(id_claims(**changes))
    assert caught.value.code == code


def test_the_signature_comes_first() -> None:
    """Claims of a token that nobody signed are not looked at, however wrong they are."""
    key = parse_keys({"keys": [jwk()]}).find(KEY_ID)
    assert key is not None
    forged = parse(token(id_claims(aud=CALLER, nonce="x"), name="somebody's"))
    with pytest.raises(InvalidToken) as caught:
        verify_id_token(forged, key, POLICY, NOW, nonce="n-0S6", access_token=ACCESS_TOKEN)
    assert caught.value.code == "signature_invalid"


@pytest.mark.parametrize("nonce", [ABSENT, "whatever"])
def test_a_renewed_one_needs_no_nonce(nonce: object) -> None:
    """OpenID Connect Core, 12.2: there should not be any."""
    assert verify_claims(id_claims(nonce=nonce), nonce=None)


def test_guests_are_kept_out_where_the_settings_say_so() -> None:
    """By the same setting as for bearer tokens; that is no fault of the token's."""
    assert verify_claims(id_claims(acct=1))
    with pytest.raises(AccessDenied) as caught:
        verify_claims(id_claims(acct=1), replace(POLICY, allow_guests=False))
    assert caught.value.code == "guest_not_allowed"
    assert verify_claims(id_claims(acct=0), replace(POLICY, allow_guests=False))


def test_nothing_of_a_token_is_repeated_in_full() -> None:
    """Messages show what differs, shortened, and never a nonce."""
    with pytest.raises(InvalidToken) as caught:
        verify_claims(id_claims(nonce="attackers-nonce"))
    assert "nonce" in caught.value.message
    assert "attackers-nonce" not in caught.value.message
