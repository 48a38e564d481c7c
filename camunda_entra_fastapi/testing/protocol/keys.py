"""Signing keys like Entra's: RSA with a self-signed certificate, whose hash is the key ID."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

_LIFETIME: Final = timedelta(days=5 * 365)


def base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value is not None}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A signing key of the emulator, with its certificate and its JWK."""

    private: rsa.RSAPrivateKey
    certificate: bytes
    """DER."""

    @classmethod
    def generate(cls) -> "SigningKey":
        """A new key of 2048 bits, with a certificate good for five years."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "accounts.accesscontrol.windows.net")])
        begin = datetime.now(UTC) - timedelta(days=1)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + _LIFETIME)
            .sign(private, hashes.SHA256())
        )
        return cls(private, certificate.public_bytes(serialization.Encoding.DER))

    @property
    def key_id(self) -> str:
        """The SHA-1 of the certificate, as in Entra's key IDs."""
        return base64url(hashlib.sha1(self.certificate, usedforsecurity=False).digest())

    def header(self, *, v1: bool) -> dict[str, Any]:
        """The header of a token that it signs; version 1.0 has ``x5t`` besides ``kid``."""
        header = {"typ": "JWT", "alg": "RS256"}
        return header | ({"x5t": self.key_id} if v1 else {}) | {"kid": self.key_id}

    def sign(self, header: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
        """A JWS in compact serialization (RFC 7515, 7.1) with RS256 (RFC 7518, 3.3)."""
        parts = [base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, payload)]
        signing_input = ".".join(parts)
        return f"{signing_input}.{self.signature(signing_input.encode())}"

    def signature(self, signing_input: bytes) -> str:
        """The third part of a JWS over the other two (RFC 7515, 5.1)."""
        return base64url(self.private.sign(signing_input, padding.PKCS1v15(), hashes.SHA256()))

    def jwk(self, issuer: str | None) -> dict[str, Any]:
        """The public key with members and order as in Entra's documents; only version 2.0 has ``issuer``."""
        numbers = self.private.public_key().public_numbers()
        jwk: dict[str, Any] = {
            "kty": "RSA",
            "use": "sig",
            "kid": self.key_id,
            "x5t": self.key_id,
            "n": base64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
            "e": base64url(numbers.e.to_bytes(3, "big")),
            "x5c": [base64.b64encode(self.certificate).decode()],
            "cloud_instance_name": "microsoftonline.com",
        }
        return jwk if issuer is None else jwk | {"issuer": issuer}
