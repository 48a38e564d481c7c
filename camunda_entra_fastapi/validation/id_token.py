"""The rules for ID tokens (OpenID Connect Core 1.0, 3.1.3.7), in the order in which they are checked."""

from hashlib import sha256
from hmac import compare_digest
from typing import Any

from jose.jwt import calculate_at_hash  # type: ignore[attr-defined]  # its stubs forgot it

from camunda_entra_fastapi.errors import AccessDenied, InvalidToken, quoted
from camunda_entra_fastapi.validation.claims import audiences_of, check_times, text_of
from camunda_entra_fastapi.validation.compact import UnverifiedToken
from camunda_entra_fastapi.validation.entra import check_issuer, is_guest
from camunda_entra_fastapi.validation.keys import SigningKey
from camunda_entra_fastapi.validation.policy import Policy


def verify_id_token(
    token: UnverifiedToken,
    key: SigningKey,
    policy: Policy,
    now: float,
    *,
    nonce: str | None,
    access_token: str,
) -> dict[str, Any]:
    """The claims of an ID token for this application, which came together with the access token.

    ``nonce`` is that of the authorization request; None when a session is renewed, where there
    need not be any (OpenID Connect Core 1.0, 12.2). ``now`` is in seconds since 1970.

    Raises:
        InvalidToken: The token is not valid, or not for this application.
        AccessDenied: The user is a guest, and guests are not allowed.
    """
    claims = token.verified_claims(key)
    text_of(claims, "sub")
    check_issuer(claims, policy, key.issuer)
    check_own_audience(claims, policy.client_id)
    check_times(claims, policy, now)
    if nonce is not None:
        check_nonce(claims, nonce)
    check_at_hash(claims, access_token)
    if not policy.allow_guests and is_guest(claims, has_customers=policy.has_customers):
        raise AccessDenied("guest_not_allowed", "Guest users of the tenant may not sign in here.")
    return claims


def check_own_audience(claims: dict[str, Any], client_id: str) -> None:
    """The token is for this application alone; ``azp``, if there is one, names it, too.

    Raises:
        InvalidToken: ``audience_mismatch``.
    """
    audiences = audiences_of(claims)
    if audiences != (client_id,) or claims.get("azp", client_id) != client_id:
        raise InvalidToken(
            "audience_mismatch", f"The ID token is for {quoted(audiences[0])}, not for {quoted(client_id)}."
        )


def check_nonce(claims: dict[str, Any], nonce: str) -> None:
    """The token belongs to the sign-in with that nonce (OpenID Connect Core 1.0, 3.1.3.7, 11).

    Raises:
        InvalidToken: ``nonce_mismatch``.
    """
    if not compare_digest(text_of(claims, "nonce").encode(), nonce.encode()):
        raise InvalidToken("nonce_mismatch", "The ID token belongs to another sign-in: its nonce differs.")


def check_at_hash(claims: dict[str, Any], access_token: str) -> None:
    """``at_hash``, if there is one, fits the access token (OpenID Connect Core 1.0, 3.1.3.8).

    Raises:
        InvalidToken: ``at_hash_mismatch``.
    """
    if "at_hash" not in claims:
        return
    expected = calculate_at_hash(access_token, sha256)
    if not compare_digest(text_of(claims, "at_hash").encode(), str(expected).encode()):
        raise InvalidToken(
            "at_hash_mismatch", "The ID token came with another access token: its at_hash differs."
        )
