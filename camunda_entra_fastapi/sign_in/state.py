"""What ``state`` holds: the attempt's secret and, sealed beside it, what is needed where the attempt is gone.

The secret alone proves that this browser began the sign-in, and only together with the attempt's cookie. What
is sealed proves nothing about the browser: whoever wants one begins a sign-in of their own. It is good for
telling where somebody wanted to go, as a link would.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

from camunda_entra_fastapi.sessions.sealing import Sealer
from camunda_entra_fastapi.sign_in.protocol import Attempt

MAX_URL: Final = 2_048
"""Characters of an authorization request with a place to return to in ``state``; else the cookie has it.

Microsoft documents no length of ``state``. It documents AADSTS90015, "QueryStringTooLong", and embedded
browsers that cut addresses at 2,083 characters, so that another state comes back (Learn: Understanding
StateMismatchError). Others were refused for states of 1,800 characters (aspnet/Security, issue 978).
Compressed, most places of 2,000 characters fit in, and so do Cyrillic ones, percent-encoded as they are.
"""
BEGINNING_LIFETIME: Final = 7 * 24 * 3600
"""Seconds for which the place is told: tabs wait at Entra's page for longer than an attempt lives."""
MAX_RESTARTS: Final = 3
"""Sign-ins that a browser begins anew by itself, one after another."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What ``state`` tells of an attempt.

    Attributes:
        kind: What was begun.
        began_at: When, in seconds since 1970.
        return_to: The place to return to; empty where it was too long for a ``state``.
        restarts: How many sign-ins before this one the browser has begun anew by itself.
        is_step_up: Whether it asked for claims.
    """

    kind: Literal["login", "admin-consent"]
    began_at: int
    return_to: str
    restarts: int = 0
    is_step_up: bool = False

    @classmethod
    def of(cls, attempt: Attempt, restarts: int = 0) -> "Beginning":
        """That of an attempt."""
        return cls(
            attempt.kind, int(attempt.began_at), attempt.return_to, restarts, bool(attempt.claims_digest)
        )

    def without_place(self) -> "Beginning":
        """The same, for an attempt that keeps the place itself."""
        return replace(self, return_to="")

    def pack(self) -> bytes:
        """It as text, as short as can be: it becomes a part of an address."""
        kind = "l" if self.kind == "login" else "c"
        return f"{kind}{self.restarts}{int(self.is_step_up)}{self.began_at:x} {self.return_to}".encode()

    @classmethod
    def unpack(cls, data: bytes) -> "Beginning":
        """The beginning from the text of ``pack``, which was authenticated before."""
        head, _, return_to = data.decode().partition(" ")
        kind: Literal["login", "admin-consent"] = "login" if head[0] == "l" else "admin-consent"
        return cls(kind, int(head[3:], 16), return_to, int(head[1]), head[2] == "1")


@dataclass(frozen=True, slots=True)
class States:
    """Writes and reads ``state``.

    Attributes:
        sealer: For this purpose alone; it should compress, as it seals no secrets.
        clock: Returns seconds since 1970.
    """

    sealer: Sealer
    clock: Callable[[], float]

    def write(self, secret: str, beginning: Beginning) -> str:
        """The ``state`` of an attempt. What is sealed opens beside that secret alone."""
        return f"{secret}.{self.sealer.seal(beginning.pack(), secret.encode())}"

    def read(self, state: str) -> tuple[str, Beginning | None]:
        """The secret, and what is sealed; None if that was changed, is of another service or too old."""
        secret, _, sealed = state[:MAX_URL].partition(".")
        data = self.sealer.open(sealed, secret.encode()) if sealed and secret else None
        beginning = None if data is None else Beginning.unpack(data)
        if beginning is None or not abs(self.clock() - beginning.began_at) < BEGINNING_LIFETIME:
            return secret, None
        return secret, beginning
