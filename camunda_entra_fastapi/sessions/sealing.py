"""Authenticated encryption: JWE (RFC 7516) with a shared key and AES-256-GCM, by python-jose.

Each purpose, issuer and client has keys of its own, so that nothing opens for another one. They are
derived by HKDF (RFC 5869). The header is always the same, so it is not sent: no sender
chooses how a cookie is read, and it is 60 bytes shorter.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jose import jwe
from jose.exceptions import JOSEError
from jose.utils import base64url_encode

MAX_SEALED: Final = 64 * 1024
"""Characters up to which something is opened. A session with the largest tokens has 54 thousand."""

_VERSION: Final = b"1"
_HEADERS: Final = {
    compressed: base64url_encode(
        b'{"alg":"dir","enc":"A256GCM"%b}' % (b',"zip":"DEF"' if compressed else b"")
    )
    for compressed in (False, True)
}
"""The headers that python-jose writes, which ``seal`` checks."""
_SEALED: Final = re.compile(
    r"1\.([\w-]{16})"
    r"\.((?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?)"
    r"\.([\w-]{21}[AQgw])",
    re.ASCII,
)
"""Version, 96 bits of nonce, ciphertext, 128 bits of tag; in base64url without bits left over."""


def derive_key(secret: bytes, purpose: str, salt: bytes = b"") -> bytes:
    """A key of 256 bits, from which neither the secret nor other keys can be derived."""
    return HKDF(SHA256(), 32, salt or None, purpose.encode()).derive(secret)


class Sealer:
    """Seals with the newest secret and opens with all of them.

    Args:
        secrets: The newest first; at least one.
        purpose: What is sealed, and for which deployment. Data for another purpose does not open.
        compress: Whether to compress. Not for data that holds a secret beside text that others choose.
    """

    def __init__(self, secrets: Sequence[str], purpose: str, *, compress: bool = False) -> None:
        self._secrets = [secret.encode() for secret in secrets]
        self._purpose = f"camunda_entra {purpose}"
        self._zip = "DEF" if compress else None
        self._header = _HEADERS[compress]
        self._unsalted = self._keys(b"")

    def seal(self, plaintext: bytes, salt: bytes = b"") -> str:
        """The sealed plaintext, which opens with the same salt only."""
        key = (self._keys(salt) if salt else self._unsalted)[0]
        sealed = jwe.encrypt(plaintext, key, encryption="A256GCM", algorithm="dir", zip=self._zip)
        header, _, nonce, ciphertext, tag = sealed.split(b".")
        assert header == self._header, "python-jose writes another header than before"  # noqa: S101
        return b".".join((_VERSION, nonce, ciphertext, tag)).decode()

    def open(self, sealed: str, salt: bytes = b"") -> bytes | None:
        """The plaintext; None for text that was not sealed with this purpose and salt, or was changed.

        Whoever has none of the secrets makes it look at ``MAX_SEALED`` characters at most. What they sealed
        is decompressed to 250 KiB at most, by python-jose.
        """
        match = _SEALED.fullmatch(sealed) if len(sealed) <= MAX_SEALED else None
        if match is None:
            return None
        token = b"%b..%b.%b.%b" % (self._header, *(part.encode() for part in match.groups()))
        for key in self._keys(salt) if salt else self._unsalted:
            with suppress(JOSEError):
                return jwe.decrypt(token, key)
        return None

    def _keys(self, salt: bytes) -> list[bytes]:
        return [derive_key(secret, self._purpose, salt) for secret in self._secrets]
