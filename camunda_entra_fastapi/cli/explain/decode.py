"""What is in a token, without believing any of it: header and claims for people to look at."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from camunda_entra_fastapi.cli.findings import printable

_TIMES: Final = ("iat", "nbf", "exp", "auth_time", "xms_st", "pwd_exp")
_JWE_PARTS: Final = 5
_MASKED: Final = "*** (not shown)"
_LONGEST_VALUE: Final = 400
_UNITS: Final = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A token's parts as they stand there.

    Attributes:
        header: The header's members.
        claims: The payload's members; empty where it cannot be read.
        is_encrypted: Whether it is a JWE, whose claims nobody sees without the key.
    """

    header: Mapping[str, Any] = field(default_factory=dict)
    claims: Mapping[str, Any] = field(default_factory=dict)
    is_encrypted: bool = False

    @classmethod
    def of(cls, token: str) -> "Anatomy":
        """What can be read of it, leniently: explaining goes on where validation stops."""
        parts = token.split(".")
        header = _object(parts[0])
        if len(parts) == _JWE_PARTS or "enc" in header:
            return cls(header, is_encrypted=True)
        return cls(header, _object(parts[1]))

    def text(self, name: str) -> str:
        """A claim that is a text; empty for any other."""
        value = self.claims.get(name)
        return value if isinstance(value, str) else ""


def _object(part: str) -> dict[str, Any]:
    try:
        value = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def shown(members: Mapping[str, Any]) -> dict[str, Any]:
    """Members as they may be printed: no control characters, nothing endless, no tokens within the token."""
    return {printable(name, 80): _shown(name, value) for name, value in members.items()}


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return shown(value)
    if isinstance(value, list):
        return [_shown(name, one) for one in value]
    if isinstance(value, str):
        holds_secret = "token" in name.lower() or "secret" in name.lower() or value.startswith("eyJ")
        return _MASKED if holds_secret else printable(value, _LONGEST_VALUE)
    return value


def times_in(claims: Mapping[str, Any], now: float) -> dict[str, str]:
    """The claims that are times: in this machine's time zone, and from now."""
    return {name: at(claims[name], now) for name in _TIMES if name in claims}


def at(value: object, now: float) -> str:
    """A time in seconds since 1970 for people: ``2026-11-23 18:40:12 +01:00, 41 minutes ago``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{printable(value, 40)}, which is no time in seconds since 1970"
    try:
        moment = datetime.fromtimestamp(value, UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return f"{printable(value, 40)}, which is no time that can be"
    zone = moment.strftime("%z")
    return f"{moment:%Y-%m-%d %H:%M:%S} {zone[:3]}:{zone[3:]}, {relative(value - now)}"


def relative(seconds: float) -> str:
    """From now: ``in 2 hours 5 minutes``, ``3 days ago``."""
    words: list[str] = []
    rest = abs(round(seconds))
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count and len(words) < 2:  # noqa: PLR2004 - two units say enough
            words.append(f"{count} {unit}{'s' if count > 1 else ''}")
        elif words:
            break
    span = " ".join(words)
    if not span:
        return "now"
    return f"in {span}" if seconds > 0 else f"{span} ago"
