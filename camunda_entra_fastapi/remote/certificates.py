"""A client certificate with its private key from a file, and the assertions that it signs (RFC 7523, 3)."""

import base64
import hashlib
import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from camunda_entra_fastapi.telemetry import logger

Algorithm = Literal["PS256", "RS256"]

LIFETIME: Final = 300
"""Seconds for which an assertion is valid; Entra recommends five to ten minutes."""
CLOCK_SKEW: Final = 60
"""Seconds by which ``nbf`` is earlier, in case Entra's clock is behind."""
MAX_FILE_BYTES: Final = 256 * 1024
_PRIVATE_KEY: Final = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_KINDS: Final = "PEM with the certificate and its private key, or PKCS#12 (.pfx, .p12)"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate, its private key, and the signature algorithm."""

    key: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate
    algorithm: Algorithm

    def assertion(self, client_id: str, audience: str, now: float) -> str:
        """A signed client assertion for that audience (RFC 7523, 3)."""
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        header: dict[str, Any] = {"alg": self.algorithm, "typ": "JWT"}
        # Entra finds the certificate by its thumbprint. For PS256 it documents SHA-256; the older pair is
        # for tenants and clouds that do not know it yet.
        if self.algorithm == "PS256":
            header["x5t#S256"] = _encode(hashlib.sha256(der).digest())
        else:
            header["x5t"] = _encode(hashlib.sha1(der, usedforsecurity=False).digest())
        claims = {
            "aud": audience,
            "iss": client_id,
            "sub": client_id,
            "jti": str(uuid.uuid4()),
            "iat": int(now),
            "nbf": int(now) - CLOCK_SKEW,
            "exp": int(now) + LIFETIME,
        }
        signed = f"{_encode(_json(header))}.{_encode(_json(claims))}"
        return f"{signed}.{_encode(self._sign(signed.encode()))}"

    def _sign(self, content: bytes) -> bytes:
        if self.algorithm == "PS256":
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
            return self.key.sign(content, pss, hashes.SHA256())
        return self.key.sign(content, padding.PKCS1v15(), hashes.SHA256())


class CertificateFile:
    """A file with a client certificate, which may be replaced while the service runs.

    Args:
        path: The file, PEM or PKCS#12.
        password: The password of the private key; None without one.
        algorithm: The signature algorithm of assertions.

    Raises:
        ValueError: The file is missing or not usable. The message says what is wrong, in
            words that can follow the name of a setting.
    """

    def __init__(self, path: Path, password: str | None, algorithm: Algorithm) -> None:
        self._path = path
        self._password = password
        self._algorithm = algorithm
        self._version = self._version_now()
        self._certificate = self._read()

    def current(self) -> Certificate:
        """The certificate in the file now; the last good one while the file is missing or not usable."""
        version = self._version_now()
        if version != self._version:
            self._version = version
            try:
                self._certificate = self._read()
            except ValueError as error:
                logger.warning("The client certificate changed, and the last one stays in use: it %s", error)
            else:
                logger.info("The client certificate was read again, as its file changed")
        return self._certificate

    def _version_now(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> Certificate:
        try:
            with self._path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise ValueError(
                f"names {str(self._path)!r}, which cannot be read: {type(error).__name__}."
            ) from None
        if len(content) > MAX_FILE_BYTES:
            raise ValueError(f"names {str(self._path)!r}, which is too large. Give a file in {_KINDS}.")
        key, certificates = self._parse(content)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError(f"names {str(self._path)!r}, whose key is no RSA key. Entra accepts RSA alone.")
        public = key.public_key()
        certificate = next((each for each in certificates if each.public_key() == public), None)
        if certificate is None:
            raise ValueError(f"names {str(self._path)!r}, which has no certificate for its private key.")
        _warn_of_expiry(certificate)
        return Certificate(key, certificate, self._algorithm)

    def _parse(self, content: bytes) -> tuple[object, list[x509.Certificate]]:
        password = None if self._password is None else self._password.encode()
        try:
            if b"-----BEGIN" in content:
                return _parse_pem(content, password)
            key, certificate, _ = pkcs12.load_key_and_certificates(content, password)
        except (ValueError, TypeError) as error:
            if "assword" in str(error) or "decrypt" in str(error):
                raise ValueError(
                    f"names {str(self._path)!r}, whose private key CAMUNDA_ENTRA_CLIENT_CERTIFICATE_PASSWORD "
                    "does not open. Set it to the password of the file, and leave it out if there is none."
                ) from None
            raise ValueError(f"names {str(self._path)!r}, which is not in {_KINDS}.") from None
        return key, [] if certificate is None else [certificate]


def _parse_pem(content: bytes, password: bytes | None) -> tuple[object, list[x509.Certificate]]:
    match = _PRIVATE_KEY.search(content)
    if match is None:
        raise ValueError("There is no private key.")
    block = match[0]
    if b"ENCRYPTED" not in block:
        return serialization.load_pem_private_key(block, None), x509.load_pem_x509_certificates(content)
    try:
        key = serialization.load_pem_private_key(block, password)
    except ValueError as error:
        # One wrong password in 256 deciphers to something with right padding; the error is about that then.
        raise ValueError("The password does not open it.") from error
    return key, x509.load_pem_x509_certificates(content)


def _warn_of_expiry(certificate: x509.Certificate) -> None:
    ends = certificate.not_valid_after_utc
    if ends <= datetime.now(UTC):
        logger.warning("The client certificate expired on %s; Entra will refuse it", ends.date())


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
