"""Decoding a token without verifying it: header and claims for people to look at, never to be trusted."""

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final, Self

from camunda_entra_fastapi.cli.findings import printable
from camunda_entra_fastapi.untrusted_json import parse_object

_TIME_CLAIMS: Final = ("iat", "nbf", "exp", "auth_time", "xms_st", "pwd_exp")
_JWE_PARTS: Final = 5
_MASKED: Final = "*** (not shown)"
_MAX_VALUE_LENGTH: Final = 400
_UNITS: Final = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True, slots=True)
class DecodedToken:
    """A token's header and claims, unverified.

    Attributes:
        header: The header's members.
        claims: The payload's members; empty where it cannot be read.
        is_encrypted: Whether it is a JWE, whose claims are readable with its key only.
    """

    header: Mapping[str, Any] = field(default_factory=dict)
    claims: Mapping[str, Any] = field(default_factory=dict)
    is_encrypted: bool = False

    @classmethod
    def decode(cls, token: str) -> Self:
        """Decode what can be decoded. What cannot is empty: explaining goes on where validation stops."""
        parts = token.split(".")
        header = _decode_part(parts[0])
        if len(parts) == _JWE_PARTS or "enc" in header:
            return cls(header, is_encrypted=True)
        return cls(header, _decode_part(parts[1]))

    def text(self, name: str) -> str:
        """A claim that is a text; empty for any other."""
        value = self.claims.get(name)
        return value if isinstance(value, str) else ""


def _decode_part(part: str) -> dict[str, Any]:
    try:
        decoded = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return {}
    return parse_object(decoded) or {}


def redacted(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members for printing: without control characters, endless values and tokens within the token."""
    return {printable(name, 80): _redacted(name, value) for name, value in members.items()}


def _redacted(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return redacted(value)
    if isinstance(value, list):
        return [_redacted(name, item) for item in value]
    if isinstance(value, str):
        holds_secret = "token" in name.lower() or "secret" in name.lower() or value.startswith("eyJ")
        return _MASKED if holds_secret else printable(value, _MAX_VALUE_LENGTH)
    if isinstance(value, float) and not isfinite(value):
        return str(value)  # JSON has no number for it (RFC 8259, 6)
    return value


def times_of(claims: Mapping[str, Any], now: float) -> dict[str, str]:
    """The claims that are times, formatted: in this machine's time zone, and from now."""
    return {name: format_time(claims[name], now) for name in _TIME_CLAIMS if name in claims}


def format_time(value: object, now: float) -> str:
    """A time in seconds since 1970, for people: ``2026-11-23 18:40:12 +01:00, 41 minutes ago``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{printable(value, 40)}, which is no time in seconds since 1970"
    try:
        moment = datetime.fromtimestamp(value, UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return f"{printable(value, 40)}, which is no time that can be"
    zone = moment.strftime("%z")
    return f"{moment:%Y-%m-%d %H:%M:%S} {zone[:3]}:{zone[3:]}, {format_relative(value - now)}"


def format_relative(seconds: float) -> str:
    """A duration from now: ``in 2 hours 5 minutes``, ``3 days ago``."""
    parts: list[str] = []
    remaining = abs(round(seconds))
    for size, unit in _UNITS:
        count, remaining = divmod(remaining, size)
        if count and len(parts) < 2:  # noqa: PLR2004 - two units say enough
            parts.append(f"{count} {unit}{'s' if count > 1 else ''}")
        elif parts:
            break
    duration = " ".join(parts)
    if not duration:
        return "now"
    return f"in {duration}" if seconds > 0 else f"{duration} ago"
