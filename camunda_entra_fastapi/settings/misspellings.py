"""Variables that are no settings, but near to one that was probably meant; and placeholders for secrets."""

from collections.abc import Collection, Iterable
from difflib import SequenceMatcher
from typing import Final

from camunda_entra_fastapi.errors import quoted

OWN_PREFIX: Final = "CAMUNDA_ENTRA_"
CAMUNDA_PREFIX: Final = "CAMUNDA_IDENTITY_"

_NEAR: Final = 0.7
"""The likeness from which on a setting is suggested, where the prefix says that one was meant."""
_VERY_NEAR: Final = 0.85
"""The same where it may be a variable of Camunda's, which this service has nothing to do with."""
_ALIASES: Final = {
    f"{CAMUNDA_PREFIX}{alias}": f"{CAMUNDA_PREFIX}{name}"
    for alias, name in {
        "APP_ID": "CLIENT_ID",
        "APPLICATION_ID": "CLIENT_ID",
        "AUDIENCES": "AUDIENCE",
        "BACKEND_URL": "ISSUER_BACKEND_URL",
        "BACKENDURL": "ISSUER_BACKEND_URL",
        "ISSUER_URI": "ISSUER",
        "ISSUER_URL": "ISSUER",
        "SECRET": "CLIENT_SECRET",
        "TENANT": "ISSUER",
        "TENANT_ID": "ISSUER",
    }.items()
} | {
    f"{OWN_PREFIX}{alias}": name
    for alias, name in {
        "AUDIENCE": f"{CAMUNDA_PREFIX}AUDIENCE",
        "CA_FILE": f"{OWN_PREFIX}CA_BUNDLE",
        "CERTIFICATE": f"{OWN_PREFIX}CLIENT_CERTIFICATE",
        "CLIENT_ID": f"{CAMUNDA_PREFIX}CLIENT_ID",
        "CLIENT_SECRET": f"{CAMUNDA_PREFIX}CLIENT_SECRET",
        "COOKIE_SECRET": f"{OWN_PREFIX}SESSION_SECRET",
        "ISSUER": f"{CAMUNDA_PREFIX}ISSUER",
        "LEEWAY": f"{OWN_PREFIX}CLOCK_SKEW",
        "PROXY": f"{OWN_PREFIX}HTTP_PROXY",
        "PUBLIC_URL": f"{OWN_PREFIX}BASE_URL",
        "REDIS": f"{OWN_PREFIX}SESSION_STORE",
        "REDIS_URL": f"{OWN_PREFIX}SESSION_STORE",
        "SECRET": f"{OWN_PREFIX}SESSION_SECRET",
        "TENANT_ID": f"{CAMUNDA_PREFIX}ISSUER",
        "TIMEOUT": f"{OWN_PREFIX}HTTP_TIMEOUT",
        "TYPE": f"{CAMUNDA_PREFIX}TYPE",
    }.items()
}
"""Names that somebody may guess, and the setting that they would mean."""
SETTINGS_PAGE: Final = "All settings are in the documentation, under Reference, Settings."


def warnings_of(variables: Iterable[str], known: Collection[str]) -> list[str]:
    """A sentence for each variable that has no effect and probably should; values are in none of them.

    Args:
        variables: The names of all variables, in upper case.
        known: The names of all settings.
    """
    return [
        f"{quoted(name, 80)} is not a setting and has no effect. {suggestion}"
        for name in sorted(set(variables) - set(known))
        if (suggestion := _suggestion(name, known))
    ]


def _suggestion(name: str, known: Collection[str]) -> str:
    """The setting that was probably meant, in a sentence; empty for a variable of somebody else's."""
    if name.startswith(OWN_PREFIX):
        nearest = _ALIASES.get(name) or nearest_of(name, known, _NEAR, OWN_PREFIX)
        return f"Did you mean {nearest}?" if nearest else SETTINGS_PAGE
    if name.startswith(CAMUNDA_PREFIX):
        nearest = _ALIASES.get(name) or nearest_of(name, known, _VERY_NEAR, CAMUNDA_PREFIX)
        return f"Did you mean {nearest}?" if nearest else ""
    return ""


def nearest_of(name: str, known: Iterable[str], likeness: float = _NEAR, prefix: str = "") -> str | None:
    """The known name that is most like it; None where none is that much. A common prefix does not count."""
    rest = name.removeprefix(prefix)[:80]
    best = max(
        (
            (SequenceMatcher(None, rest, other.removeprefix(prefix)).ratio(), other)
            for other in sorted(known)
            if other.startswith(prefix)
        ),
        default=(0.0, ""),
    )
    return best[1] if best[0] >= likeness else None


def refuse_brackets(text: str, value: str) -> None:
    """Refuse ``<secret>`` and the like. Other forms of placeholders may be secrets.

    Raises:
        ValueError: The text is one; ``value`` says what belongs there.
    """
    if text.startswith("<") and text.endswith(">"):
        raise ValueError(f"still holds a placeholder. Put {value} there.")
