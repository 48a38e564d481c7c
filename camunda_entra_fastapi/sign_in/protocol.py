"""What is sent to Entra and what comes back, as plain values. Pure but for the random numbers."""

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Final, Literal
from urllib.parse import quote, unquote, urlencode, urlsplit

from camunda_entra_fastapi.errors import SignInFailed

ATTEMPT_LIFETIME: Final = 600
"""Seconds that a person has from the first redirect to coming back."""
MAX_PARAMETER: Final = 8192
"""Characters. Entra's codes have 1 to 2 thousand."""
MAX_PARAMETERS: Final = 32
MAX_RETURN_TO: Final = 1024

# What a path and its query may be made of (RFC 3986, 3.3 and 3.4), without the backslash, which browsers
# read as a slash, and without an authority: a second slash at the beginning would start one.
_RETURN_TO: Final = re.compile(r"/(?!/)[A-Za-z0-9._~!$&'()*+,;=:@%/?#\[\]|{}^-]*")
_DOTS: Final = {".", ".."}

_EXPIRED: Final = (
    "This sign-in was not begun in this browser, took longer than ten minutes, or is over already. "
    "Sign in again."
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One person on the way to Entra and back; lives sealed in a cookie of its own.

    Who changes its fields counts up the sealer's purpose, so that cookies under way are no surprise.
    """

    kind: Literal["login", "admin-consent"]
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_uri: str
    return_to: str
    began_at: float
    step: str = ""
    """What claims it asks for, by their mark; empty for a usual sign-in."""

    @classmethod
    def begin(
        cls,
        kind: Literal["login", "admin-consent"],
        redirect_uri: str,
        return_to: str,
        now: float,
        step: str = "",
    ) -> "Attempt":
        """A new one, with 256 random bits each for state, nonce and verifier (RFC 7636, 4.1)."""
        state, nonce, verifier = (token_urlsafe(32) for _ in range(3))
        return cls(kind, state, nonce, verifier, redirect_uri, return_to, now, step)

    def pack(self) -> bytes:
        """As JSON."""
        return json.dumps(astuple(self)).encode()

    @classmethod
    def unpack(cls, data: bytes) -> "Attempt":
        """What ``pack`` wrote and nobody changed."""
        return cls(*json.loads(data))

    def is_alive(self, now: float) -> bool:
        """Whether there is time left."""
        return -ATTEMPT_LIFETIME < now - self.began_at < ATTEMPT_LIFETIME

    def mark(self) -> str:
        """What this attempt is known by where it must not be repeated; tells nothing of its secrets."""
        return attempt_id(self.state)


def attempt_id(state: str) -> str:
    """A name for the attempt with that state, of 16 characters."""
    return sha256(state.encode()).hexdigest()[:16]


def authorization_url(
    endpoint: str, client_id: str, scopes: Iterable[str], attempt: Attempt, more: Mapping[str, str]
) -> str:
    """Where the browser is sent (OpenID Connect Core 1.0, 3.1.2.1; RFC 7636, 4.3)."""
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
            **more,
        },
    )


def with_query(endpoint: str, parameters: Mapping[str, str]) -> str:
    """The address with the parameters added; B2C's have some already."""
    joint = "&" if urlsplit(endpoint).query else "?"
    return f"{endpoint}{joint}{urlencode(parameters, quote_via=quote)}"


def single_valued(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The parameters by name.

    Raises:
        SignInFailed: One is there twice (RFC 6749, 3.1), too long, or there are too many.
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
    """The attempt that the answer belongs to.

    Raises:
        SignInFailed: ``login_expired``: there is none, it is another one, or its time is over.
    """
    if (
        attempt is None
        or attempt.kind != kind
        or not compare_digest(attempt.state.encode(), state.encode())
        or not attempt.is_alive(now)
    ):
        raise expired()
    return attempt


def expired() -> SignInFailed:
    """For an answer that belongs to no sign-in under way."""
    return SignInFailed("login_expired", _EXPIRED)


def safe_return_to(value: str, forbidden: str) -> str:
    """The path to go to after signing in; ``/`` for whatever might lead elsewhere.

    Args:
        value: As somebody asked for it; non-ASCII characters are percent-encoded.
        forbidden: A path under which nothing is returned to: the login pages themselves.
    """
    encoded = quote(value[: MAX_RETURN_TO + 1], safe="/%?#[]@!$&'()*+,;=:|{}^~\\\t\r\n\x00")
    if len(encoded) > MAX_RETURN_TO or not _RETURN_TO.fullmatch(encoded):
        return "/"
    path = unquote(encoded.partition("?")[0].partition("#")[0])
    if "\\" in path or "//" in path or not path.isprintable() or _DOTS & set(path.split("/")):
        return "/"
    if path == forbidden or path.startswith(f"{forbidden}/"):
        return "/"
    return encoded
