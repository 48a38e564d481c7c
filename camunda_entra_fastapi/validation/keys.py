"""From a JWKS document (RFC 7517) to keys that verify signatures; a bad key does not affect the others."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from jose import jwk

from camunda_entra_fastapi.validation.compact import MAX_KEY_ID_CHARACTERS

MIN_RSA_BITS: Final = 2048
"""The minimum for RS256 (RFC 7518, 3.3)."""

MAX_KEYS: Final = 1000
"""Microsoft advises room for 10 to 1000 keys (Learn: signing key rollover)."""

MAX_ISSUER_CHARACTERS: Final = 1024
"""A kept key outlives its document, so that the bound of documents alone would not bound the keys."""

# RS256 (RFC 7518, 3.3).
_PADDING: Final = PKCS1v15()
_DIGEST: Final = SHA256()

_BASE64URL = re.compile(r"[A-Za-z0-9_-]{1,4096}={0,2}")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One of Entra's public keys, constructed once and used for every token that it signed."""

    key_id: str
    modulus: str
    """In base64url, as published; with ``exponent`` it tells two keys apart."""
    exponent: str
    issuer: str | None
    """The issuer that the key may sign for; may hold ``{tenantid}``. Entra's own member, not in RFC 7517."""
    _key: RSAPublicKey = field(compare=False, repr=False)

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        """Whether the signature is RS256 over the input, made with this key's private half."""
        try:
            self._key.verify(signature, signing_input, _PADDING, _DIGEST)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of one document by key ID, and those that are kept from earlier documents.

    Attributes:
        by_id: All usable keys, the kept ones included.
        skipped: Why others of the document were skipped.
        named: All key IDs of the document, those of skipped keys included.
        last_seen: For each kept key, when a document last had it, in seconds of the caller's clock.
    """

    by_id: Mapping[str, SigningKey]
    skipped: tuple[str, ...] = field(default=(), compare=False)
    named: frozenset[str] = field(default=frozenset(), compare=False)
    last_seen: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def find(self, key_id: str) -> SigningKey | None:
        """The key of that ID, or None."""
        return self.by_id.get(key_id)

    def keeping(self, known: "KeySet", seen_at: float) -> "KeySet":
        """This newer set, and the known keys that its document does not name, ``MAX_KEYS`` in all.

        What the document names counts as it stands there, even if it is unusable: another key or issuer
        replaces the known one. Of too many keys, those that were not seen for longest are dropped.

        Args:
            known: The set before, with what it kept.
            seen_at: When the document of that set was last seen.
        """
        missing = {
            key_id: known.last_seen.get(key_id, seen_at) for key_id in known.by_id if key_id not in self.named
        }
        latest_first = sorted(missing, key=missing.__getitem__, reverse=True)
        kept = latest_first[: MAX_KEYS - len(self.by_id)]
        return self._with_kept({key_id: known.by_id[key_id] for key_id in kept}, missing)

    def without_expired(self, retention: float, now: float) -> "KeySet":
        """This set without the kept keys that were last seen ``retention`` seconds ago, or earlier."""
        kept = {key_id for key_id, seen_at in self.last_seen.items() if seen_at + retention > now}
        if len(kept) == len(self.last_seen):
            return self
        published = {key_id: key for key_id, key in self.by_id.items() if key_id not in self.last_seen}
        own = KeySet(MappingProxyType(published), self.skipped, self.named)
        return own._with_kept({key_id: self.by_id[key_id] for key_id in kept}, self.last_seen)

    def _with_kept(self, kept: Mapping[str, SigningKey], last_seen: Mapping[str, float]) -> "KeySet":
        return KeySet(
            MappingProxyType({**self.by_id, **kept}),
            self.skipped,
            self.named,
            MappingProxyType({key_id: last_seen[key_id] for key_id in kept}),
        )


def parse_keys(document: Mapping[str, Any]) -> KeySet:
    """All keys of the document that can verify RS256 signatures.

    Two different keys with one ID are both skipped: a choice would be a guess.

    Raises:
        ValueError: The document is not a JWKS, has too many keys, or no usable one.
    """
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise ValueError("it is not a JSON Web Key Set: it has no list 'keys'")
    if len(entries) > MAX_KEYS:
        raise ValueError(f"it has {len(entries)} keys; at most {MAX_KEYS} are read")

    usable: dict[str, SigningKey] = {}
    ambiguous: set[str] = set()
    skipped: list[str] = []
    for position, entry in enumerate(entries):
        try:
            key = _parse_key(entry)
        except ValueError as error:
            skipped.append(f"key {position}: {error}")
            continue
        if usable.setdefault(key.key_id, key) != key:
            ambiguous.add(key.key_id)
    for key_id in ambiguous:
        del usable[key_id]
        skipped.append("two different keys share one kid")
    if not usable:
        reasons = "; ".join(skipped[:3]) or "it is empty"
        raise ValueError(f"none of its {len(entries)} keys can verify RS256 ({reasons})")
    named = frozenset(
        entry["kid"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("kid"), str)
    )
    return KeySet(MappingProxyType(usable), tuple(skipped), named)


def _parse_key(entry: object) -> SigningKey:
    """The key of one JWK, or ValueError with the reason to skip it (RFC 7517, 4; RFC 7518, 6.3)."""
    if not isinstance(entry, dict):
        raise ValueError("not an object")
    if entry.get("kty") != "RSA":
        raise ValueError("not an RSA key")
    if entry.get("use", "sig") != "sig":
        raise ValueError("not for signatures (use)")
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("not for verifying (key_ops)")
    if entry.get("alg", "RS256") != "RS256":
        raise ValueError("for another algorithm (alg)")
    key_id, modulus, exponent, issuer = (entry.get(name) for name in ("kid", "n", "e", "issuer"))
    if not isinstance(key_id, str) or not 0 < len(key_id) <= MAX_KEY_ID_CHARACTERS:
        raise ValueError("without a usable kid")
    if not (isinstance(modulus, str) and _BASE64URL.fullmatch(modulus)):
        raise ValueError("without a usable n")
    if not (isinstance(exponent, str) and _BASE64URL.fullmatch(exponent)):
        raise ValueError("without a usable e")
    if not isinstance(issuer, str | None):
        raise ValueError("with an issuer that is no text")
    if issuer is not None and len(issuer) > MAX_ISSUER_CHARACTERS:
        raise ValueError(f"with an issuer of more than {MAX_ISSUER_CHARACTERS} characters")
    return SigningKey(key_id, modulus, exponent, issuer, _construct(modulus, exponent))


def _construct(modulus: str, exponent: str) -> RSAPublicKey:
    """The key that python-jose constructs. Only the public members of the JWK are passed on.

    It is then used without python-jose, which constructs padding and digest for each signature.
    """
    try:
        jose_key = jwk.construct({"kty": "RSA", "n": modulus, "e": exponent}, "RS256")
        key: RSAPublicKey = jose_key.prepared_key  # type: ignore[attr-defined]  # its stubs do not know the backends
        bits = key.key_size
    except Exception as error:  # python-jose and cryptography raise many kinds for a bad key
        raise ValueError("not a valid RSA key") from error
    if bits < MIN_RSA_BITS:
        raise ValueError(f"of {bits} bits, fewer than {MIN_RSA_BITS}")
    return key
