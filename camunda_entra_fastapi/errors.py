"""Every way it can fail, each with a stable code.

    EntraError
    ├── SettingsError         the configuration is wrong; raised when it is read
    ├── CredentialsMissing    nobody said who they are
    ├── InvalidRequest        the Authorization header can be read in more than one way
    ├── InvalidToken          the token is not one that this API accepts
    ├── AccessDenied          the token is good, but its bearer may not do this
    ├── InsufficientClaims    the token is good, but a stronger or fresher one is needed
    ├── EntraUnavailable      Entra cannot be asked, so nobody can be judged
    └── FetchFailed           one exchange with Entra went wrong; never reaches a client

These are errors of the domain. What a client is told of them (status, headers, body, close code)
is decided in ``web.challenges`` and nowhere else.

Messages say what was expected and what to change. They never hold a token, a key or a secret;
what they quote of a verified token is short and printable (see ``quoted``).
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "settings_invalid": "A setting is missing or wrong; the message lists all of them.",
        "credentials_missing": "The request carries no bearer token.",
        "authorization_repeated": "The request has more than one Authorization header.",
        "authorization_malformed": "The Authorization header holds control characters.",
        "token_too_large": "The token is larger than 16 KiB.",
        "token_malformed": "The token is not a JSON Web Token in compact form.",
        "token_encrypted": "The token is encrypted (JWE); a signed one is expected.",
        "algorithm_not_allowed": "The token is not signed with RS256.",
        "header_not_allowed": "The token's header brings a key of its own or an extension.",
        "key_missing": "The token's header names no key (kid).",
        "key_unknown": "The key that the token names is none of the tenant's current keys.",
        "signature_invalid": "The signature does not fit the token.",
        "graph_token": "The token is meant for Microsoft Graph, not for this API.",
        "v1_token": "The token is of version 1.0; this API accepts version 2.0.",
        "id_token": "The token is an ID token; APIs accept access tokens.",
        "claim_missing": "A claim that every token must have is missing.",
        "claim_malformed": "A claim that is needed has a value of the wrong kind.",
        "issuer_mismatch": "The token was issued by somebody else.",
        "tenant_mismatch": "The token is of a tenant that is not let in.",
        "audience_mismatch": "The token is meant for another API.",
        "token_expired": "The token has expired.",
        "token_not_yet_valid": "The token is not valid yet, or was issued in the future.",
        "app_without_permissions": "An application's token with neither roles nor scopes.",
        "guest_not_allowed": "Guest users are not let in.",
        "client_not_allowed": "The application that asked for the token is not let in.",
        "scope_missing": "The token lacks a scope.",
        "role_missing": "The token lacks a role.",
        "group_missing": "The user is not in a group.",
        "groups_not_listed": "The user has too many groups for the token to list them.",
        "permission_missing": "The token has none of the scopes, roles and groups of which one is needed.",
        "insufficient_claims": "A stronger or fresher sign-in is needed.",
        "keys_unavailable": "Entra's signing keys have not been fetched yet.",
        "issuer_unexpected": "Entra's discovery document names another issuer than the settings do.",
        "fetch_failed": "One exchange with Entra failed.",
    }
)
"""Every code there is and what it means, for clients and operators to rely on."""


class EntraError(Exception):
    """The root of everything that this package raises on purpose.

    ``code`` is one of ``CODES`` and stays the same over releases; ``message`` is for people
    and may be worded better any day.
    """

    def __init__(self, code: str, message: str) -> None:
        assert code in CODES, f"{code} is not in errors.CODES"  # noqa: S101 - guards ourselves
        super().__init__(message)
        self.code = code
        self.message = message


class SettingsError(EntraError, ValueError):
    """The settings cannot be used. ``problems`` holds one sentence for each mistake."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"{count} setting{'s' if count != 1 else ''} of camunda_entra_fastapi cannot be used:"
        super().__init__("settings_invalid", "\n  - ".join((head, *self.problems)))


class CredentialsMissing(EntraError):
    """The request carries no credentials of a kind that is understood."""

    def __init__(self, message: str = "This needs a bearer token from Microsoft Entra ID.") -> None:
        super().__init__("credentials_missing", message)


class InvalidRequest(EntraError):
    """The request can be read in more than one way (RFC 6750, 3.1 ``invalid_request``)."""


class InvalidToken(EntraError):
    """The token is refused (RFC 6750, 3.1 ``invalid_token``)."""


class AccessDenied(EntraError):
    """The token is good, but not enough (RFC 6750, 3.1 ``insufficient_scope``).

    ``scopes`` are those that the route asks for; None where no other token would help.
    """

    def __init__(self, code: str, message: str, scopes: Iterable[str] | None = None) -> None:
        super().__init__(code, message)
        self.scopes = None if scopes is None else tuple(scopes)


class InsufficientClaims(EntraError):
    """A stronger or fresher sign-in is needed; ``claims`` is what the client must ask for.

    See https://learn.microsoft.com/entra/identity-platform/claims-challenge.
    """

    def __init__(self, message: str, claims: Mapping[str, Any]) -> None:
        super().__init__("insufficient_claims", message)
        self.claims = dict(claims)


class EntraUnavailable(EntraError):
    """Entra cannot be asked. ``retry_after`` is in seconds. Never the caller's fault."""

    def __init__(self, code: str, message: str, retry_after: float) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after


class FetchFailed(EntraError):
    """One exchange with Entra failed; the message says how, in words for the operator's log.

    The code is ``fetch_failed``, or ``issuer_unexpected`` for an answer that fits other settings.
    """

    def __init__(self, message: str, code: str = "fetch_failed") -> None:
        super().__init__(code, message)


def quoted(value: object, limit: int = 200) -> str:
    """A claim's value for a message: printable ASCII in single quotes, cut at ``limit``."""
    text = value if isinstance(value, str) else repr(value)
    shown = "".join(char if " " <= char <= "~" and char not in "\"'\\" else "?" for char in text[:limit])
    return f"'{shown}...'" if len(text) > limit else f"'{shown}'"
