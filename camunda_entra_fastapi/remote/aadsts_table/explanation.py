"""What is said of a code: cause, remedy, and who can act."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Who can act on a refusal."""

    CONSENT = "consent"
    """An administrator or the user must consent."""
    PERSON = "person"
    """The user can act: choose another account, finish a step."""
    REGISTRATION = "registration"
    """The app registration or the settings are wrong."""
    POLICY = "policy"
    """An administrator of the tenant decides: Conditional Access, assignment, a disabled account."""
    SESSION = "session"
    """A new sign-in is needed: codes and tokens expire and are revoked."""
    ENTRA = "entra"
    """A fault of Entra's own, mostly a temporary one."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Cause and remedy of a refusal: one or two plain sentences each, for people and logs."""

    cause: str
    remedy: str
    kind: Kind


Texts = dict[tuple[int, ...], tuple[str, str]]
"""Codes to cause and remedy."""

PLACE: Final = "App registrations > this application > "
APP: Final = f"In the Entra admin center, {PLACE}"
ENTERPRISE: Final = "In the Entra admin center, Enterprise applications > this application > "
AGAIN: Final = "Sign in again."


def by_code(kinds: Mapping[Kind, Texts]) -> dict[int, Explanation]:
    """Each code and its explanation.

    Raises:
        ValueError: A code is there twice.
    """
    explanations: dict[int, Explanation] = {}
    for kind, texts in kinds.items():
        for codes, (cause, remedy) in texts.items():
            for code in codes:
                if code in explanations:
                    raise ValueError(f"{code} is explained twice.")
                explanations[code] = Explanation(cause, remedy, kind)
    return explanations
