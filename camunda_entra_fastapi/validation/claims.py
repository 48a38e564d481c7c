"""The rules of RFC 7519 and RFC 7800 for verified claims, one function each.

Entra's own rules are in ``entra``.
"""

from collections.abc import Mapping
from typing import Any, Final

from camunda_entra_fastapi.errors import InvalidToken, quoted
from camunda_entra_fastapi.validation.policy import Policy

Claims = Mapping[str, Any]

END_OF_TIME: Final = 253_402_300_800
"""1 January 10000 UTC in seconds: the first moment that no datetime can hold."""


def text_of(claims: Claims, name: str) -> str:
    """A required claim that is a text and not empty.

    Raises:
        InvalidToken: ``claim_missing`` or ``claim_malformed``.
    """
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise _refusal(value, name, "a text that is not empty")
    return value


def time_of(claims: Claims, name: str) -> float:
    """A required claim that is a NumericDate (RFC 7519, 2): seconds, perhaps with a fraction.

    Raises:
        InvalidToken: ``claim_missing`` or ``claim_malformed``.
    """
    value = claims.get(name)
    kind = type(value)  # and no isinstance, as a bool is an int to that
    if (kind is int or kind is float) and 0 <= value < END_OF_TIME:  # type: ignore[operator]  # a number
        return value  # type: ignore[return-value]
    raise _refusal(value, name, "a time in seconds since 1970")


def audiences_of(claims: Claims) -> tuple[str, ...]:
    """The audiences of the token: one text, or several (RFC 7519, 4.1.3).

    Raises:
        InvalidToken: ``claim_missing`` or ``claim_malformed``.
    """
    value = claims.get("aud")
    if isinstance(value, str) and value:
        return (value,)
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, str) and one for one in values):
        raise _refusal(value, "aud", "a text, or a list of texts")
    return tuple(values)


def check_audience(claims: Claims, policy: Policy) -> None:
    """The token is for this API (RFC 7519, 4.1.3).

    Raises:
        InvalidToken: ``audience_mismatch``, saying what to request instead.
    """
    audience = claims.get("aud")
    if type(audience) is str and audience in policy.audiences:  # nearly always
        return
    audiences = audiences_of(claims)
    if policy.audiences.isdisjoint(audiences):
        expected = " or ".join(quoted(one) for one in sorted(policy.audiences))
        raise InvalidToken(
            "audience_mismatch",
            f"The token's audience is {quoted(audiences[0])}; this API expects {expected}. "
            f"Request the scope {policy.client_id}/.default, or one that this API exposes.",
        )


def check_times(claims: Claims, policy: Policy, now: float) -> None:
    """The token is valid now (RFC 7519, 4.1.4 to 4.1.6), within the clock skew.

    Raises:
        InvalidToken: ``token_expired`` or ``token_not_yet_valid``.
    """
    expires, begins, issued = time_of(claims, "exp"), time_of(claims, "nbf"), time_of(claims, "iat")
    skew = policy.clock_skew
    if now >= expires + skew:
        raise InvalidToken(
            "token_expired", f"The token expired {now - expires:.0f} seconds ago. Request a new one."
        )
    if begins - now > skew or issued - now > skew:
        raise InvalidToken(
            "token_not_yet_valid",
            f"The token is valid only in {max(begins, issued) - now:.0f} seconds. "
            "If it was just issued, the clocks of Entra and this API differ.",
        )


def refuse_bound(claims: Claims) -> None:
    """Refuse a token that is bound to a key or certificate, whatever ``cnf`` says (RFC 7800, 3.1).

    Only who holds that key may use it. This API sees neither the client's certificate (RFC 8705, 3) nor a
    DPoP proof (RFC 9449, 7), and without such a check a stolen token would be as good as any.

    Raises:
        InvalidToken: ``bound_token``.
    """
    if claims.get("cnf") is not None:
        raise InvalidToken(
            "bound_token",
            "The token is bound to a key or certificate (cnf), and this API cannot check who holds that. "
            "Request a bearer token instead, without DPoP, mutual TLS or another proof of possession.",
        )


def _refusal(value: object, name: str, expected: str) -> InvalidToken:
    if value is None:
        return InvalidToken("claim_missing", f"The token has no {name} claim.")
    return InvalidToken("claim_malformed", f"The token's {name} claim is not {expected}.")
