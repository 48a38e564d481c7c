"""Authenticated encryption: JWE (RFC 7516) with a shared key and AES-256-GCM, by python-jose.

What is sealed for one purpose, issuer and client opens for no other: each has keys of its own,
derived by HKDF (RFC 5869). The header is always the same, so it is not sent: nobody who sends
something in chooses how it is read, and a cookie is 60 bytes shorter.
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

_VERSION: Final = b"1"
_HEADERS: Final = {
    compressed: base64url_encode(
        b'{"alg":"dir","enc":"A256GCM"%b}' % (b',"zip":"DEF"' if compressed else b"")
    )
    for compressed in (False, True)
}
"""As python-jose writes them, which is checked when something is sealed."""
_SEALED: Final = re.compile(
    r"1\.([\w-]{16})"
    r"\.((?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?)"
    r"\.([\w-]{21}[AQgw])",
    re.ASCII,
)
"""Version, 96 bits of nonce, ciphertext, 128 bits of tag; in base64url without bits left over."""


def derive_key(secret: bytes, purpose: str, salt: bytes = b"") -> bytes:
    """256 bits that tell nothing of the secret, and nothing of those for other purposes or salts."""
    return HKDF(SHA256(), 32, salt or None, purpose.encode()).derive(secret)


class Sealer:
    """Seals with the newest secret and opens with all.

    Args:
        secrets: The newest first; at least one.
        purpose: What is sealed, and for whom; whatever is in it keeps others' out.
        compress: Whether to compress. Not for what holds a secret beside something that others choose.
    """

    def __init__(self, secrets: Sequence[str], purpose: str, *, compress: bool = False) -> None:
        self._secrets = [secret.encode() for secret in secrets]
        self._purpose = f"camunda_entra {purpose}"
        self._zip = "DEF" if compress else None
        self._header = _HEADERS[compress]
        self._unsalted = self._keys(b"")

    def seal(self, plaintext: bytes, salt: bytes = b"") -> str:
        """The plaintext, sealed. Who opens it must bring the same salt, if there is one."""
        key = (self._keys(salt) if salt else self._unsalted)[0]
        sealed = jwe.encrypt(plaintext, key, encryption="A256GCM", algorithm="dir", zip=self._zip)
        header, _, nonce, ciphertext, tag = sealed.split(b".")
        assert header == self._header, "python-jose writes another header than before"  # noqa: S101
        return b".".join((_VERSION, nonce, ciphertext, tag)).decode()

    def open(self, sealed: str, salt: bytes = b"") -> bytes | None:
        """What was sealed; None when it was not sealed by us and for this purpose, or was changed."""
        match = _SEALED.fullmatch(sealed)
        if match is None:
            return None
        token = b"%b..%b.%b.%b" % (self._header, *(part.encode() for part in match.groups()))
        for key in self._keys(salt) if salt else self._unsalted:
            with suppress(JOSEError):
                return jwe.decrypt(token, key)
        return None

    def _keys(self, salt: bytes) -> list[bytes]:
        return [derive_key(secret, self._purpose, salt) for secret in self._secrets]
