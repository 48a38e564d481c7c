"""JWS in compact serialization (RFC 7515, 7.1): parsing, and verifying the signature."""

import base64
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

MAX_TOKEN_CHARACTERS: Final = 64 * 1024

_PADDINGS: Final[dict[str, padding.AsymmetricPadding]] = {
    "RS256": padding.PKCS1v15(),
    "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size),
}
"""RFC 7518, 3.3 and 3.5."""


@dataclass(frozen=True, slots=True)
class Jws:
    """A parsed token. Its claims are unverified until ``is_signed_by`` returns true."""

    header: dict[str, Any]
    claims: dict[str, Any] = field(repr=False)
    signing_input: bytes = field(repr=False)
    """The first two parts with the dot between them (RFC 7515, 2: JWS signing input)."""
    signature: bytes = field(repr=False)

    def is_signed_by(self, key: RSAPublicKey) -> bool:
        """Whether that key made the signature with RS256 or PS256; no other algorithm is accepted.

        A header with ``crit`` names extensions that are not supported, so it is refused (RFC 7515, 4.1.11).
        """
        algorithm = self.header.get("alg")
        scheme = _PADDINGS.get(algorithm) if isinstance(algorithm, str) else None
        if scheme is None or "crit" in self.header:
            return False
        try:
            key.verify(self.signature, self.signing_input, scheme, hashes.SHA256())
        except InvalidSignature:
            return False
        return True


def parse_jws(token: str, *, padded: bool = False) -> Jws:
    """Parse a token. The messages repeat no part of it.

    Args:
        token: The token.
        padded: Whether its parts may have base64's padding, as those of Microsoft's ``azure-identity`` do.

    Raises:
        ValueError: It is too large, has not three parts of canonical base64url (RFC 7515, 2), or the
            first two are not JSON objects with every member once.
    """
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise ValueError(f"The token is longer than {MAX_TOKEN_CHARACTERS} characters.")
    parts = token.split(".", maxsplit=3)
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        raise ValueError("The token does not have three parts with dots between them.")
    header, claims, signature = (
        _decode(name, part.rstrip("=") if padded else part)
        for name, part in zip(("header", "claims", "signature"), parts, strict=True)
    )
    signing_input = f"{parts[0]}.{parts[1]}".encode("ascii")
    return Jws(_json_object("header", header), _json_object("claims", claims), signing_input, signature)


def _decode(name: str, part: str) -> bytes:
    """The bytes of a part in canonical base64url: no other text decodes to them."""
    try:
        octets = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise ValueError(f"The token's {name} is not base64url.") from None
    if base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii") != part:
        raise ValueError(f"The token's {name} is not base64url without padding.")
    return octets


def _json_object(name: str, octets: bytes) -> dict[str, Any]:
    try:
        value = json.loads(
            octets.decode("utf-8"),
            object_pairs_hook=_unique_members,
            parse_float=_parse_finite,
            parse_constant=_parse_finite,
        )
    except (ValueError, RecursionError):
        raise ValueError(f"The token's {name} is not JSON in UTF-8 with every member once.") from None
    if not isinstance(value, dict):
        raise ValueError(f"The token's {name} is not a JSON object.")
    return value


def _unique_members(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError
        found[name] = value
    return found


def _parse_finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number
