"""Certificates that OpenSSL takes as they are, and refuses once it is told to be strict (RFC 5280)."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID

from camunda_entra_fastapi.testing.serving.certificates import Tls

PEM: Final = serialization.Encoding.PEM
Extensions = dict[x509.ObjectIdentifier, tuple[x509.ExtensionType, bool]]
"""By their OID: what they say, and whether they are critical."""


@dataclass
class Draft:
    """A certificate before it is signed; a fault changes it."""

    name: str
    extensions: Extensions
    days: tuple[int, int] = (-1, 30)


Fault = Callable[[Draft, Draft], None]
"""Changes the authority's draft, or the server's."""


def without(oid: x509.ObjectIdentifier, *, of_authority: bool) -> Fault:
    """An extension is missing."""

    def change(authority: Draft, server: Draft) -> None:
        del (authority if of_authority else server).extensions[oid]

    return change


def not_critical(oid: x509.ObjectIdentifier) -> Fault:
    """An extension of the authority is not marked critical."""

    def change(authority: Draft, _: Draft) -> None:
        authority.extensions[oid] = (authority.extensions[oid][0], False)

    return change


def saying(value: x509.ExtensionType) -> Fault:
    """An extension of the server says something else."""

    def change(_: Draft, server: Draft) -> None:
        server.extensions[value.oid] = (value, server.extensions[value.oid][1])

    return change


def nameless(*, of_authority: bool) -> Fault:
    """The subject is empty."""

    def change(authority: Draft, server: Draft) -> None:
        (authority if of_authority else server).name = ""

    return change


def both(first: Fault, second: Fault) -> Fault:
    """Two faults at once."""

    def change(authority: Draft, server: Draft) -> None:
        first(authority, server)
        second(authority, server)

    return change


def expired(_: Draft, server: Draft) -> None:
    """The server's time is over."""
    server.days = (-20, -10)


def none(_: Draft, __: Draft) -> None:
    """All is as it should be."""


def usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Key Usage of an authority, or of a server."""
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Default contexts are those of Python 3.13, whichever Python this is.

    Source: docs.python.org, "What's New In Python 3.13", ssl.
    """
    create = ssl.create_default_context

    def create_strict(*arguments: Any, **options: Any) -> ssl.SSLContext:
        context = create(*arguments, **options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
        return context

    monkeypatch.setattr(ssl, "create_default_context", create_strict)


def faulty_tls(fault: Fault, host: str = "127.0.0.1") -> Tls:
    """A server's certificate for that address, and its authority, changed by a fault."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = Draft(
        "A proxy's authority",
        {
            ExtensionOID.BASIC_CONSTRAINTS: (x509.BasicConstraints(ca=True, path_length=None), True),
            ExtensionOID.KEY_USAGE: (usage(signs_certificates=True), True),
            ExtensionOID.SUBJECT_KEY_IDENTIFIER: (
                x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()),
                False,
            ),
        },
    )
    server = Draft(
        "A proxy's server",
        {
            ExtensionOID.SUBJECT_ALTERNATIVE_NAME: (
                x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]),
                False,
            ),
            ExtensionOID.BASIC_CONSTRAINTS: (x509.BasicConstraints(ca=False, path_length=None), True),
            ExtensionOID.KEY_USAGE: (usage(signs_certificates=False), True),
            ExtensionOID.AUTHORITY_KEY_IDENTIFIER: (
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
                False,
            ),
        },
    )
    fault(authority, server)
    own = _signed(authority, authority, authority_key, authority_key)
    password = "of this test's key alone"
    encryption = serialization.BestAvailableEncryption(password.encode())
    return Tls(
        certificate=_signed(server, authority, key, authority_key),
        key=key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, encryption),
        password=password,
        authority=own,
    )


def _signed(
    draft: Draft, issuer: Draft, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey
) -> bytes:
    now = datetime.now(UTC)
    begin, end = (now + timedelta(days=each) for each in draft.days)
    builder = x509.CertificateBuilder(
        _name(issuer.name), _name(draft.name), key.public_key(), x509.random_serial_number(), begin, end
    )
    for extension, is_critical in draft.extensions.values():
        builder = builder.add_extension(extension, critical=is_critical)
    return builder.sign(by, hashes.SHA256()).public_bytes(PEM)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])
