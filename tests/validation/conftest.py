"""Validating a token as the service does, with the time and everything else given."""

from dataclasses import replace
from typing import Any, Final

from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.token_validator import TokenValidator
from camunda_entra_fastapi.validation.compact import parse
from camunda_entra_fastapi.validation.keys import SigningKey, parse_keys
from camunda_entra_fastapi.validation.policy import Policy
from camunda_entra_fastapi.validation.verifier import verify_access_token
from tests.tokens import CLIENT_ID, HEADER, ISSUER, KEY_ID, NOW, TENANT, V1_ISSUER, jwk, token

POLICY: Final = Policy(
    issuer=ISSUER,
    audiences=frozenset({CLIENT_ID, "api://incidents"}),
    client_id=CLIENT_ID,
    tenant=TENANT,
    v1_issuer=V1_ISSUER,
)
"""One tenant, with everything else as it is when nothing is set."""

ANY_TENANT: Final = replace(
    POLICY,
    issuer="https://login.microsoftonline.com/{tenantid}/v2.0",
    tenant=None,
    v1_issuer="https://sts.windows.net/{tenantid}/",
    allowed_tenants=None,
)
"""The ``common`` issuer, with every tenant let in."""


def signing_key(name: str = KEY_ID, **members: Any) -> SigningKey:
    """The key of that name as read from a JWKS document."""
    key = parse_keys({"keys": [jwk(name, **members)]}).find(name)
    assert key is not None
    return key


def verify_claims(
    claims: object,
    policy: Policy = POLICY,
    *,
    now: float = NOW,
    key: SigningKey | None = None,
    header: object = HEADER,
) -> dict[str, Any]:
    """The verified claims of a token that is signed rightly and says what is given."""
    return verify_access_token(parse(token(claims, header)), key or signing_key(), policy, now)


async def verdict(validator: TokenValidator, text: str) -> str:
    """The code of the refusal, or ``accepted``."""
    try:
        await validator.validate_text(text)
    except EntraError as error:
        return error.code
    return "accepted"
