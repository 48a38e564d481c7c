"""A certificate and its key, made for this run."""

from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An example")])

CERTIFICATE: Final = (
    x509.CertificateBuilder(_NAME, _NAME, _KEY.public_key(), 1)
    .not_valid_before(datetime(2025, 1, 1, tzinfo=UTC))
    .not_valid_after(datetime(2125, 1, 1, tzinfo=UTC))
    .sign(_KEY, hashes.SHA256())
    .public_bytes(serialization.Encoding.PEM)
    .decode()
)
PRIVATE_KEY: Final = _KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
