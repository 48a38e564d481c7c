"""Signed identities: a gateway's verify endpoint signs them for one backend, and that backend verifies them.

They are JSON Web Tokens with ES256 and a type of their own (RFC 8725, 3.11). The
private key is derived from the service's own secret, so that replicas agree on it without another setting.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jwk, jwt
from jose.backends.base import Key

from camunda_entra_fastapi.errors import InvalidToken, quoted
from camunda_entra_fastapi.validation.claims import text_of, time_of
from camunda_entra_fastapi.validation.compact import MAX_TOKEN_BYTES, decode, parse_object

LIFETIME: Final = 60
"""Seconds. The header is for one request, which may wait for a while."""
CLOCK_SKEW: Final = 60
"""Seconds that the clocks of gateway and backend may differ."""
TYPE: Final = "entra-identity+jwt"
MAX_KEYS: Final = 16

_ALGORITHM: Final = "ES256"
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of P-256 (FIPS 186-5; SP 800-186, 3.2.1.3). Private keys are 1 to this less 1."""
_HEADER_MEMBERS: Final = frozenset({"alg", "kid", "typ"})
_NOT_AN_IDENTITY: Final = "This is not an identity that the gateway signed"


@dataclass(frozen=True, slots=True)
class _KeyPair:
    """A key pair of this service."""

    pem: str = field(repr=False)
    public: Mapping[str, str]


class IdentitySigner:
    """Signs with the key of the newest secret, and publishes the public keys of all.

    Args:
        secrets: The newest first; at least one.
        deployment: Issuer and client ID: with the same secret, another deployment has other keys.
    """

    def __init__(self, secrets: Sequence[str], deployment: str) -> None:
        self._keys = [_derive_key_pair(secret, deployment) for secret in secrets]
        self._issuer = deployment.rpartition(" ")[2]

    def jwks(self) -> dict[str, Any]:
        """The public keys (RFC 7517, 5)."""
        return {"keys": [dict(key.public) for key in self._keys]}

    def sign(self, claims: Mapping[str, Any], audience: str, now: float, expires_at: float) -> str:
        """The claims as a signed identity for that backend: for a minute, and not after ``expires_at``."""
        key = self._keys[0]
        times = {"iat": int(now), "nbf": int(now), "exp": int(min(now + LIFETIME, expires_at))}
        return jwt.encode(
            {**claims, "iss": self._issuer, "aud": audience, **times},
            key.pem,
            _ALGORITHM,
            headers={"typ": TYPE, "kid": key.public["kid"]},
        )


def _derive_key_pair(secret: str, deployment: str) -> _KeyPair:
    """A key pair from a secret, with 128 random bits to spare (FIPS 186-5, A.2.1)."""
    material = HKDF(SHA256(), 48, None, f"camunda_entra identity 1 {deployment}".encode()).derive(
        secret.encode()
    )
    private = ec.derive_private_key(int.from_bytes(material) % (_P256_ORDER - 1) + 1, ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    x, y = (_base64url(number.to_bytes(32)) for number in (numbers.x, numbers.y))
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    thumbprint = sha256(f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'.encode()).digest()  # RFC 7638, 3
    public = {"kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": _ALGORITHM}
    return _KeyPair(pem, MappingProxyType(public | {"kid": _base64url(thumbprint)}))


def parse_identity_keys(document: Mapping[str, Any]) -> Mapping[str, Key]:
    """The usable keys of a gateway's JWKS by their IDs; others are left out.

    Raises:
        ValueError: There is none, or there are too many.
    """
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise ValueError(f"it is not a JSON Web Key Set of at most {MAX_KEYS} keys")
    keys = {}
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("kid"), str) and entry.get("crv") == "P-256":
            try:
                public = {name: entry[name] for name in ("kty", "crv", "x", "y")}
                keys[entry["kid"]] = jwk.construct(public, _ALGORITHM)
            except Exception:  # noqa: BLE001, S112 - python-jose and cryptography raise many kinds for a bad key
                continue
    if not keys:
        raise ValueError("it has no P-256 key with a kid")
    return MappingProxyType(keys)


@dataclass(frozen=True, slots=True)
class UnverifiedIdentity:
    """A well-formed identity whose signature is not verified yet. It has no claims, on purpose."""

    key_id: str
    _signing_input: bytes = field(repr=False)
    _signature: bytes = field(repr=False)
    _payload: bytes = field(repr=False)

    def verified_claims(self, key: Key, audience: str, now: float) -> dict[str, Any]:
        """The claims, after signature, audience and times are verified.

        Raises:
            InvalidToken: One of them does not fit.
        """
        if len(self._signature) != 64 or not key.verify(self._signing_input, self._signature):  # noqa: PLR2004 - RFC 7518, 3.4
            raise InvalidToken("signature_invalid", "The identity's signature does not fit its content.")
        claims = parse_object(self._payload, "payload")
        token_audience = text_of(claims, "aud")
        if token_audience != audience:
            raise InvalidToken(
                "audience_mismatch",
                f"The identity is for {quoted(token_audience)}; this backend is {quoted(audience)}. "
                "The gateway names it with identity= at its verify endpoint.",
            )
        expires, begins = time_of(claims, "exp"), max(time_of(claims, "nbf"), time_of(claims, "iat"))
        if now >= expires + CLOCK_SKEW:
            raise InvalidToken("token_expired", f"The identity expired {now - expires:.0f} seconds ago.")
        if begins - now > CLOCK_SKEW:
            raise InvalidToken(
                "token_not_yet_valid",
                "The identity is of the future: the clocks of gateway and backend differ.",
            )
        return claims


def parse_identity(text: str) -> UnverifiedIdentity:
    """Parse an identity (RFC 7515, 7.1); its header must be exactly as ``IdentitySigner`` writes it.

    Raises:
        InvalidToken: It is not a signed identity.
    """
    if len(text) > MAX_TOKEN_BYTES:
        raise InvalidToken("token_too_large", f"The identity is larger than {MAX_TOKEN_BYTES} bytes.")
    parts = text.encode("ascii", "replace").split(b".")
    if len(parts) != 3:  # noqa: PLR2004 - RFC 7515, 7.1
        raise InvalidToken("token_malformed", f"{_NOT_AN_IDENTITY}: it does not consist of three parts.")
    header = parse_object(decode(parts[0], "header"), "header")
    if header.get("alg") != _ALGORITHM:
        raise InvalidToken(
            "algorithm_not_allowed",
            f"{_NOT_AN_IDENTITY}: its algorithm is not {_ALGORITHM}, the only one accepted.",
        )
    if header.get("typ") != TYPE or header.keys() != _HEADER_MEMBERS or not isinstance(header["kid"], str):
        raise InvalidToken(
            "header_not_allowed", f"{_NOT_AN_IDENTITY}: its header has other members than typ, alg and kid."
        )
    payload, signature = decode(parts[1], "payload"), decode(parts[2], "signature")
    return UnverifiedIdentity(header["kid"], parts[0] + b"." + parts[1], signature, payload)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
