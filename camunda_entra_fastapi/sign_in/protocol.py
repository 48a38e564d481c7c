"""The authorization request and its response, as plain values. Pure but for the random numbers."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field, replace
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Final, Literal
from urllib.parse import quote, urlencode, urlsplit

from camunda_entra_fastapi.errors import SignInFailed, quoted
from camunda_entra_fastapi.sign_in.return_to import percent_encoded, readable
from camunda_entra_fastapi.validation.entra import is_tenant_id
from camunda_entra_fastapi.validation.policy import TENANT_PLACEHOLDER

ATTEMPT_LIFETIME: Final = 600
"""Seconds from the first redirect to the callback."""
MAX_PARAMETER: Final = 8192
"""Characters. Entra's codes have 1 to 2 thousand."""
MAX_PARAMETERS: Final = 32

_EXPIRED: Final = (
    "This sign-in was not begun in this browser, took longer than ten minutes, or is over already. "
    "Sign in again."
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in or admin consent, from the redirect to the callback; sealed in a cookie of its own.

    A change to its fields takes a new number in the sealer's purpose, so that older cookies are not read.
    """

    kind: Literal["login", "admin-consent"]
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_uri: str
    return_to: str
    began_at: float
    claims_digest: str = ""
    """The digest of the claims that a step-up asks for; empty for other sign-ins."""

    @classmethod
    def begin(
        cls,
        kind: Literal["login", "admin-consent"],
        redirect_uri: str,
        return_to: str,
        now: float,
        claims_digest: str = "",
    ) -> "Attempt":
        """A new attempt, with 256 random bits each for state, nonce and verifier (RFC 7636, 4.1)."""
        state, nonce, verifier = (token_urlsafe(32) for _ in range(3))
        return cls(kind, state, nonce, verifier, redirect_uri, return_to, now, claims_digest)

    def pack(self) -> bytes:
        """The attempt as JSON. Letters beyond ASCII take less room than their percent-encoding."""
        packed = astuple(replace(self, return_to=readable(self.return_to)))
        return json.dumps(packed, ensure_ascii=False).encode()

    @classmethod
    def unpack(cls, data: bytes) -> "Attempt":
        """The attempt from the JSON of ``pack``, which was authenticated before."""
        packed = cls(*json.loads(data))
        return replace(packed, return_to=percent_encoded(packed.return_to))

    def is_alive(self, now: float) -> bool:
        """Whether it has not expired."""
        return -ATTEMPT_LIFETIME < now - self.began_at < ATTEMPT_LIFETIME

    def identifier(self) -> str:
        """A name for the attempt that tells nothing of its secrets."""
        return attempt_id(self.state)


def attempt_id(state: str) -> str:
    """A name for the attempt with that state, of 16 characters. The secret in front of the state tells it."""
    return sha256(state.partition(".")[0].encode()).hexdigest()[:16]


def authorization_url(
    endpoint: str, client_id: str, scopes: Iterable[str], attempt: Attempt, extra: Mapping[str, str]
) -> str:
    """The authorization request (OpenID Connect Core 1.0, 3.1.2.1; RFC 7636, 4.3)."""
    challenge = urlsafe_b64encode(sha256(attempt.verifier.encode()).digest()).rstrip(b"=").decode()
    return with_query(
        endpoint,
        {
            "client_id": client_id,
            "response_type": "code",
            "response_mode": "query",
            "redirect_uri": attempt.redirect_uri,
            "scope": " ".join(scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **extra,
        },
    )


def with_query(endpoint: str, parameters: Mapping[str, str]) -> str:
    """The URL with the parameters added; URLs of B2C have some already."""
    separator = "&" if urlsplit(endpoint).query else "?"
    return f"{endpoint}{separator}{urlencode(parameters, quote_via=quote)}"


def single_valued(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The parameters by name.

    Raises:
        SignInFailed: A parameter is repeated (RFC 6749, 3.1) or too long, or there are too many.
    """
    parameters: dict[str, str] = {}
    for name, value in pairs:
        if name in parameters or len(value) > MAX_PARAMETER or len(parameters) >= MAX_PARAMETERS:
            raise SignInFailed(
                "login_request_invalid",
                f"Each parameter may be there once, with at most {MAX_PARAMETER} characters.",
            )
        parameters[name] = value
    return parameters


def check_attempt(
    attempt: Attempt | None, kind: Literal["login", "admin-consent"], state: str, now: float
) -> Attempt:
    """The attempt that the response belongs to.

    Raises:
        SignInFailed: ``login_expired``: there is no attempt, it is another one, or it has expired.
    """
    if (
        attempt is None
        or attempt.kind != kind
        or not compare_digest(attempt.state.encode(), state.encode())
        or not attempt.is_alive(now)
    ):
        raise attempt_expired()
    return attempt


def attempt_expired() -> SignInFailed:
    """The error for a response that belongs to no attempt of this browser."""
    return SignInFailed("login_expired", _EXPIRED)


def check_response_issuer(parameters: Mapping[str, str], issuer: str, *, required: bool) -> None:
    """The authorization response comes from where the browser was sent (RFC 9207, 2.4).

    Args:
        parameters: Those of the response.
        issuer: The provider's issuer; ``{tenantid}`` in it stands for any tenant.
        required: Whether the provider says that all of its responses have ``iss``.

    Raises:
        SignInFailed: ``iss`` names another issuer, or is missing.
    """
    actual = parameters.get("iss")
    if actual is None and required:
        raise SignInFailed(
            "login_request_invalid",
            "The answer does not say which issuer it is from (iss), although Entra's discovery document "
            "promises that. Sign in again; if it stays so, find out what changes answers on their way.",
        )
    if actual is not None and not _is_issuer(actual, issuer):
        raise SignInFailed(  # without what it says, which is shown to people and may be anybody's text
            "login_request_invalid",
            f"The answer's issuer (iss) is not {quoted(issuer)}, where this sign-in was begun. "
            "Sign in again; if it stays so, compare CAMUNDA_IDENTITY_ISSUER with the issuer in Entra's "
            "discovery document.",
        )


def _is_issuer(actual: str, issuer: str) -> bool:
    before, placeholder, after = issuer.partition(TENANT_PLACEHOLDER)
    if not placeholder:
        return actual == issuer
    tenant = actual.removeprefix(before).removesuffix(after)
    return is_tenant_id(tenant) and actual == before + tenant + after
