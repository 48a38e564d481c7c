"""A certificate for TLS on this machine, made on the spot and signed by an authority of its own."""

import ipaddress
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME: Final = timedelta(days=90)
_ALWAYS: Final = ("localhost", "127.0.0.1", "::1")
_PREFIX: Final = "entra-emulator-"


@dataclass(frozen=True, slots=True)
class Tls:
    """In PEM: what a server shows, its key, and the authority that clients must trust.

    The key is encrypted with a password that no file ever has. So a process that is killed in whatever moment
    leaves nothing that anybody could use.
    """

    certificate: bytes
    key: bytes = field(repr=False)
    password: str = field(repr=False)
    authority: bytes

    @contextmanager
    def files(self) -> Iterator[tuple[Path, Path]]:
        """Certificate and key, as long as a server reads them."""
        with TemporaryDirectory(prefix=_PREFIX) as folder:
            certificate, key = Path(folder, "server.pem"), Path(folder, "server.key")
            certificate.write_bytes(self.certificate)
            key.touch(mode=0o600)
            key.write_bytes(self.key)
            yield certificate, key

    @contextmanager
    def authority_file(self) -> Iterator[Path]:
        """What clients read."""
        with TemporaryDirectory(prefix=_PREFIX) as folder:
            path = Path(folder, "ca.pem")
            path.write_bytes(self.authority)
            yield path


def make_tls(host: str) -> Tls:
    """A certificate for that host and for localhost.

    The authority's key is forgotten at once, so nobody can sign anything else with it.
    """
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name = _name("Local emulator's authority, not Microsoft")
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    names = dict.fromkeys((host, *_ALWAYS))
    certificate = (
        _builder(_name("Local emulator, not Microsoft"), authority_name, key.public_key())
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    pem, password = serialization.Encoding.PEM, secrets.token_urlsafe(32)
    encryption = serialization.BestAvailableEncryption(password.encode())
    return Tls(
        certificate=certificate.public_bytes(pem),
        key=key.private_bytes(pem, serialization.PrivateFormat.PKCS8, encryption),
        password=password,
        authority=authority.public_bytes(pem),
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    begin = datetime.now(UTC) - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + _LIFETIME)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
