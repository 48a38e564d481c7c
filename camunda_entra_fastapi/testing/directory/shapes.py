"""The types of values: IDs, names, redirect URIs, certificates."""

import re
import uuid
from typing import Annotated, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pydantic import AfterValidator, ConfigDict, StringConstraints

STRICT: Final = ConfigDict(extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True)
"""For all parts of a directory: an unknown member is most likely misspelt, and errors do not repeat the
input, because there are secrets in it."""

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def _guid(value: str) -> str:
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise ValueError(f"must be a GUID like {uuid.UUID(int=0)}, not {value[:100]!r}") from None


def _optional_guid(value: str) -> str:
    return _guid(value) if value else ""


def _redirect_uri(value: str) -> str:
    """A redirect URI that the admin center accepts (Learn: redirect URI restrictions and limitations)."""
    parts = urlsplit(value)
    if not parts.scheme or "#" in value or "*" in value or any(character.isspace() for character in value):
        raise ValueError("must be an absolute URL without fragment, wildcard and spaces")
    if parts.scheme in ("http", "https") and not parts.hostname:
        raise ValueError("must name a host")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("must use https, because http is for localhost only")
    return value


def _authentication_context(value: str) -> str:
    """A name that the Entra admin center gives (Learn: Conditional Access authentication context)."""
    if not re.fullmatch(r"c[1-9][0-9]?", value):
        raise ValueError("must be one of c1 to c99")
    return value


def _certificate(value: str) -> str:
    """The certificate alone: a private key beside it is dropped."""
    try:
        certificate = x509.load_pem_x509_certificate(value.encode())
    except ValueError:
        raise ValueError(
            "must be a certificate in PEM, from -----BEGIN CERTIFICATE----- to its end"
        ) from None
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


Guid = Annotated[str, AfterValidator(_guid)]
"""In lower case, whatever the case of the input."""

DerivedGuid = Annotated[str, AfterValidator(_optional_guid)]
"""A GUID, or empty to derive it from the object that has it."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
RedirectUri = Annotated[Name, AfterValidator(_redirect_uri)]
CertificatePem = Annotated[str, AfterValidator(_certificate)]
AuthenticationContext = Annotated[str, AfterValidator(_authentication_context)]


def is_guid(text: str) -> bool:
    """Whether it can be read as a GUID."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def derived_guid(kind: str, name: str) -> str:
    """The same GUID for the same name, in each run and on each machine."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:local-emulator:{kind}:{name}"))
