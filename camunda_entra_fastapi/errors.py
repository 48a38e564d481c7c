"""All errors, each with a stable code.

    EntraError
    ├── SettingsError         the configuration is wrong; raised when it is read
    ├── CredentialsMissing    the request has no credentials
    ├── InvalidRequest        a header that counts can be read in more than one way, or not at all
    ├── InvalidToken          this API does not accept the token
    ├── AccessDenied          the token is valid, but its user may not do this
    ├── DelegationEnded       a job can act for its person no more; it is defined in ``downstream.delegation``
    ├── InsufficientClaims    the token is valid, but a stronger or fresher sign-in is needed
    ├── CrossOrigin           another site's page made a browser send its session cookie
    ├── SignInFailed          a sign-in failed, because of the user, the browser or the registration
    ├── EntraUnavailable      Entra cannot be asked, or its response is wrong; never the caller's fault
    ├── SessionsUnavailable   the session store cannot be asked
    ├── FetchFailed           one exchange with Entra failed; never reaches a client
    └── EntraRefused          Entra's token endpoint refused, for example a token for another service

These are errors of the domain. The response for a client (status, headers, body, close code)
is decided in ``web.challenges`` alone.
Messages say what was expected and what to change. They never hold a token, a key or a secret.
What they quote of a verified token is short and printable (see ``quoted``). Those of ``EntraUnavailable``,
``EntraRefused`` and ``SessionsUnavailable`` are for the log alone, addresses and systems' errors included.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "settings_invalid": "A setting is missing or wrong; the message lists all of them.",
        "credentials_missing": "The request carries neither a bearer token nor a session.",
        "authorization_repeated": "The request has more than one Authorization header or token.",
        "authorization_malformed": "The Authorization header holds control characters.",
        "host_malformed": "The request has no Host header, or several, or one that names no host.",
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
        "bound_token": "The token is bound to a key or certificate, and only bearer tokens are accepted.",
        "claim_missing": "A claim that every token must have is missing.",
        "claim_malformed": "A claim that is needed has a value of the wrong kind.",
        "issuer_mismatch": "The token was issued by somebody else.",
        "tenant_mismatch": "The token is of a tenant that is not let in.",
        "audience_mismatch": "The token is meant for another API.",
        "nonce_mismatch": "The ID token belongs to another sign-in.",
        "at_hash_mismatch": "The ID token came with another access token.",
        "token_expired": "The token has expired.",
        "token_not_yet_valid": "The token is not valid yet, or was issued in the future.",
        "app_without_permissions": "An application's token with neither roles nor scopes.",
        "person_without_permissions": "A person's token with neither roles nor scopes.",
        "guest_not_allowed": "Guest users are not let in.",
        "client_not_allowed": "The application that asked for the token is not let in.",
        "scope_missing": "The token lacks a scope.",
        "role_missing": "The token lacks a role.",
        "group_missing": "The user is not in a group.",
        "groups_not_listed": "The user has too many groups for the token to list them.",
        "permission_missing": "The token has none of the scopes, roles and groups of which one is needed.",
        "access_token_unavailable": "The session has no access token to hand on, and none can be had.",
        "delegation_ended": "A job can act for its person no more; the person has to come back.",
        "delegation_unreadable": "A job holds a text that is no delegation of this service.",
        "user_required": "Only a person can be acted for; the token is an application's.",
        "verify_request_invalid": "A gateway asks the verify endpoint for something that it does not know.",
        "insufficient_claims": "A stronger or fresher sign-in is needed.",
        "tenant_check_failed": "Whether the token's tenant is let in could not be found out.",
        "keys_unavailable": "Entra's signing keys have not been fetched yet.",
        "issuer_unexpected": "Entra's discovery document names another issuer than the settings do.",
        "local_entra": "An issuer beyond this machine is the local Entra, and no setting says it is meant.",
        "cross_origin": "A request with a session cookie came from a page of another site.",
        "login_expired": "The sign-in was not begun in this browser, took too long, or is over already.",
        "login_request_invalid": "A request to the sign-in has parameters missing, repeated or wrong.",
        "login_refused": "Entra refused the sign-in.",
        "id_token_invalid": "Entra's ID token proves nothing: it was not made for this sign-in.",
        "identity_missing": "Entra's tokens do not say who signed in: oid or tid is missing.",
        "consent_required": "Somebody has to consent before this person can sign in.",
        "entra_unreachable": "Entra cannot be reached.",
        "entra_timeout": "Entra did not answer in time.",
        "entra_throttled": "Entra asks to come back later.",
        "entra_failed": "Entra answered with an error of its own, or with something that cannot be right.",
        "sessions_unavailable": "The session store cannot be reached, or takes no writes.",
        "entra_refused": "Entra gives this service no token for another one.",
        "fetch_failed": "One exchange with Entra failed.",
    }
)
"""All codes and their meanings, for clients and operators to rely on."""


class EntraError(Exception):
    """The base class of all errors that this package raises on purpose.

    ``code`` is one of ``CODES`` and stays the same over releases. ``message`` is for people
    and may change.
    """

    remedy: str = ""
    """For whoever runs the service, where neither the code (see ``remedies``) nor the message decides it."""
    client_id: str | None = None
    """Of whom the refused token is, for the log; known where its signature holds."""

    def __init__(self, code: str, message: str) -> None:
        assert code in CODES, f"{code} is not in errors.CODES"  # noqa: S101 - guards ourselves
        super().__init__(message)
        self.code = code
        self.message = message


class SettingsError(EntraError, ValueError):
    """The settings are wrong. ``problems`` holds one sentence for each mistake."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"{count} setting{'s' if count != 1 else ''} of camunda_entra_fastapi cannot be used:"
        super().__init__("settings_invalid", "\n  - ".join((head, *self.problems)))


NO_CREDENTIALS: Final = "This needs a bearer token from Microsoft Entra ID."


class CredentialsMissing(EntraError):
    """The request has no credentials of a known kind."""

    def __init__(self, message: str = NO_CREDENTIALS) -> None:
        super().__init__("credentials_missing", message)


class InvalidRequest(EntraError):
    """The request can be read in more than one way (RFC 6750, 3.1 ``invalid_request``)."""


class InvalidToken(EntraError):
    """The token is refused (RFC 6750, 3.1 ``invalid_token``)."""


class AccessDenied(EntraError):
    """The token is valid, but lacks a permission (RFC 6750, 3.1 ``insufficient_scope``).

    ``scopes`` are those that the route requires; None where no other token would help. ``missing`` are kinds
    and names of permissions that the user lacks. ``of_session`` is the message for somebody with a session,
    who has no token to request.
    """

    def __init__(
        self,
        code: str,
        message: str,
        scopes: Iterable[str] | None = None,
        *,
        missing: Iterable[tuple[str, str]] = (),
        of_session: str = "",
    ) -> None:
        super().__init__(code, message)
        self.scopes = None if scopes is None else tuple(scopes)
        self.missing = tuple(missing)
        self.of_session = of_session or message


class InsufficientClaims(EntraError):
    """A stronger or fresher sign-in is needed; ``claims`` are those that the client must request.

    See https://learn.microsoft.com/entra/identity-platform/claims-challenge.
    """

    def __init__(self, message: str, claims: Mapping[str, Any]) -> None:
        super().__init__("insufficient_claims", message)
        self.claims = dict(claims)


class CrossOrigin(EntraError):
    """A page of another site sent a request with the session cookie (Fetch Metadata, RFC 6454)."""

    def __init__(self, message: str) -> None:
        super().__init__("cross_origin", message)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Entra's error response, shortened and printable; it holds no secret.

    See https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
    """

    error: str
    """The OAuth 2.0 error, for example ``invalid_grant`` (RFC 6749, 4.1.2.1 and 5.2)."""
    suberror: str | None = None
    aadsts: int | None = None
    """The number of the AADSTS code, which names the cause."""
    trace_id: str | None = None
    correlation_id: str | None = None
    timestamp: str | None = None
    claims: str | None = None
    """JSON for the ``claims`` parameter of the next sign-in."""
    aadb2c: int | None = None
    """The number of the AADB2C code, which Azure AD B2C has instead; it means something else there."""

    @property
    def code(self) -> str | None:
        """The code as Entra or B2C writes it, for example ``AADSTS50011``."""
        if self.aadb2c is not None:
            return f"AADB2C{self.aadb2c}"
        return None if self.aadsts is None else f"AADSTS{self.aadsts}"


class SignInFailed(EntraError):
    """A sign-in failed, because of the user, the browser or the registration.

    ``refusal`` is Entra's error response, if there was one. ``remedy`` is for whoever runs the service,
    where neither that nor the code decides it.
    """

    def __init__(self, code: str, message: str, refusal: Refusal | None = None, *, remedy: str = "") -> None:
        super().__init__(code, message)
        self.refusal = refusal
        self.remedy = remedy


class EntraUnavailable(EntraError):
    """Entra cannot be asked, or its response is wrong: never the caller's fault.

    Nor can the application be, with ``tenant_check_failed``, whose function decides about tenants.
    ``retry_after`` is in seconds. ``refusal`` is Entra's error response, if it was one that can be read.
    """

    def __init__(self, code: str, message: str, retry_after: float, refusal: Refusal | None = None) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after
        self.refusal = refusal


class SessionsUnavailable(EntraError):
    """The session store cannot be asked, so no session can be read. ``retry_after`` is in seconds."""

    def __init__(self, message: str, retry_after: float = 1) -> None:
        super().__init__("sessions_unavailable", message)
        self.retry_after = retry_after


Fault = Literal["unreachable", "timeout", "throttled", "failed"]

UNAVAILABLE_CODES: Final[Mapping[Fault, str]] = MappingProxyType(
    {
        "unreachable": "entra_unreachable",
        "timeout": "entra_timeout",
        "throttled": "entra_throttled",
        "failed": "entra_failed",
    }
)
"""The code of ``EntraUnavailable`` for an exchange that failed in that way."""


class FetchFailed(EntraError):
    """One exchange with Entra failed; the message is for the operator's log.

    The code is ``fetch_failed``, or ``issuer_unexpected`` or ``local_entra`` for a response that fits other
    settings. ``fault`` is the kind of failure, ``is_logged`` whether the log has it, ``retry_after`` the
    seconds that Entra asked to wait, if it did, and ``refusal`` its error response, if that could be read.
    """

    def __init__(
        self,
        message: str,
        code: str = "fetch_failed",
        *,
        fault: Fault = "failed",
        retry_after: float | None = None,
        refusal: Refusal | None = None,
    ) -> None:
        super().__init__(code, message)
        self.fault = fault
        self.is_logged = False
        self.retry_after = retry_after
        self.refusal = refusal

    @property
    def unavailable_code(self) -> str:
        """The code of the ``EntraUnavailable`` that it becomes for clients."""
        return UNAVAILABLE_CODES[self.fault] if self.code == "fetch_failed" else self.code


class EntraRefused(EntraError):
    """Entra's token endpoint refused (RFC 6749, 5.2); ``refusal`` is its error response."""

    def __init__(self, message: str, refusal: Refusal) -> None:
        super().__init__("entra_refused", message)
        self.refusal = refusal


def quoted(value: object, limit: int = 200) -> str:
    """A value for a message: printable ASCII in single quotes, cut at ``limit``."""
    text = value if isinstance(value, str) else repr(value)
    printable = "".join(char if " " <= char <= "~" and char not in "\"'\\" else "?" for char in text[:limit])
    return f"'{printable}...'" if len(text) > limit else f"'{printable}'"
