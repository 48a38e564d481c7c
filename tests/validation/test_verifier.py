"""The order of the checks, and that nothing is said before the signature is verified."""

from dataclasses import replace
from typing import Any

import pytest

from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.validation.compact import parse
from camunda_entra_fastapi.validation.verifier import verify_access_token
from tests.tokens import (
    ABSENT,
    CALLER,
    CLIENT_ID,
    HEADER,
    ISSUER,
    NOW,
    OTHER_TENANT,
    TENANT,
    app_claims,
    token,
    user_claims,
)
from tests.validation.conftest import ANY_TENANT, POLICY, signing_key, verify_claims


@pytest.mark.parametrize("claims", [user_claims(), app_claims()])
def test_good_token_gives_its_claims(claims: dict[str, Any]) -> None:
    """The claims of an accepted token are returned as they were signed."""
    assert verify_claims(claims) == claims


@pytest.mark.parametrize(
    "claims",
    [
        user_claims(),
        user_claims(exp=1),
        user_claims(aud="api://other"),
        user_claims(iss="https://attacker.example"),
        user_claims(aud="https://graph.microsoft.com"),
        user_claims(acct=1),
        user_claims(azp="not-listed"),
        {},
        [],
        b"\xff",
    ],
)
def test_strangers_learn_nothing_but_that_the_signature_is_wrong(claims: object) -> None:
    """Whatever a wrongly signed token says, it is refused for its signature, never with a 403."""
    policy = replace(POLICY, allow_guests=False, allowed_clients=frozenset({CALLER}))
    with pytest.raises(EntraError) as caught:
        verify_access_token(parse(token(claims, name="another-key")), signing_key(), policy, NOW)
    assert caught.value.code == "signature_invalid"


def test_checks_come_in_a_fixed_order() -> None:
    """A token that is wrong in everything is refused for one thing after another as each is mended."""
    policy = replace(
        ANY_TENANT,
        allowed_tenants=frozenset({TENANT}),
        allowed_clients=frozenset({CALLER}),
        allow_guests=False,
    )
    header: dict[str, Any] = {"alg": "none", "crit": ["exp"], "typ": "JWT"}
    claims: dict[str, Any] = {"padding": "x" * 20_000}
    options: dict[str, Any] = {"parts": 5, "name": "another-key", "key": {"issuer": "https://other.example"}}
    mendings: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("token_too_large", claims, {"padding": ABSENT}),
        ("token_encrypted", options, {"parts": 4}),
        ("token_malformed", options, {"parts": 3}),
        ("algorithm_not_allowed", header, {"alg": "RS256"}),
        ("header_not_allowed", header, {"crit": ABSENT}),
        ("key_missing", header, {"kid": HEADER["kid"]}),
        ("signature_invalid", options, {"name": HEADER["kid"]}),
        ("claim_missing", claims, {"sub": "subject"}),
        ("claim_missing", claims, {"aud": ["https://graph.microsoft.com"]}),
        ("graph_token", claims, {"aud": "api://other"}),
        ("claim_missing", claims, {"iss": f"https://sts.windows.net/{OTHER_TENANT}/"}),
        ("claim_missing", claims, {"tid": "contoso.example"}),
        ("claim_malformed", claims, {"tid": OTHER_TENANT}),
        ("v1_token", claims, {"iss": ISSUER}),
        ("issuer_mismatch", claims, {"iss": ISSUER.replace(TENANT, OTHER_TENANT)}),
        ("issuer_mismatch", options, {"key": {"issuer": ANY_TENANT.issuer}}),
        ("tenant_mismatch", claims, {"tid": TENANT, "iss": ISSUER}),
        ("audience_mismatch", claims, {"aud": CLIENT_ID}),
        ("claim_missing", claims, {"exp": NOW - 60}),
        ("claim_missing", claims, {"nbf": NOW + 61}),
        ("claim_missing", claims, {"iat": NOW + 61}),
        ("token_expired", claims, {"exp": NOW + 3600}),
        ("token_not_yet_valid", claims, {"nbf": NOW, "iat": NOW}),
        ("id_token", claims, {"azp": "not-listed", "acct": 1}),
        ("app_without_permissions", claims, {"roles": ["Operate.Admin"]}),
        ("client_not_allowed", claims, {"azp": CALLER}),
        ("guest_not_allowed", claims, {"acct": 0}),
    ]

    def outcome() -> str:
        payload = {name: value for name, value in claims.items() if value is not ABSENT}
        head = {name: value for name, value in header.items() if value is not ABSENT}
        text = ".".join([token(payload, head, options["name"]), *["AAAA"] * (options["parts"] - 3)])
        try:
            verify_access_token(parse(text), signing_key(**options["key"]), policy, NOW)
        except EntraError as error:
            return error.code
        return "accepted"

    seen = []
    for _, place, mending in mendings:
        seen.append(outcome())
        place.update(mending)
    assert seen == [code for code, _, _ in mendings]
    assert outcome() == "accepted"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"exp": NOW - 60}, "token_expired"),
        ({"azp": ABSENT, "scp": ABSENT}, "bound_token"),
        ({"acct": 1}, "bound_token"),
    ],
)
def test_binding_is_looked_at_once_the_token_is_for_us_and_now(
    changes: dict[str, Any], expected: str
) -> None:
    """Whoever may not use it as a bearer token learns that before what its user lacks."""
    with pytest.raises(EntraError) as caught:
        verify_claims(user_claims(cnf={"jkt": "x"}, **changes), replace(POLICY, allow_guests=False))
    assert caught.value.code == expected
