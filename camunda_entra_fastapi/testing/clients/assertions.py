"""Client assertions: a token in place of a secret, signed by a certificate's key or by a trusted issuer."""

import base64
from collections.abc import Collection, Iterable
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from camunda_entra_fastapi.testing.clients.issuers import Issuers
from camunda_entra_fastapi.testing.directory import Application
from camunda_entra_fastapi.testing.directory.shapes import is_guid
from camunda_entra_fastapi.testing.protocol.aadsts import Aadsts, timestamp
from camunda_entra_fastapi.testing.protocol.jws import Jws, read_jws
from camunda_entra_fastapi.testing.protocol.keys import base64url

SKEW: Final = 300
"""Seconds by which two clocks may differ."""

_THUMBPRINTS: Final[dict[str, tuple[hashes.HashAlgorithm, ...]]] = {
    "x5t#S256": (hashes.SHA256(),),
    "x5t": (hashes.SHA1(),),  # noqa: S303 - names a certificate, proves nothing
    "kid": (hashes.SHA1(), hashes.SHA256()),  # noqa: S303 - as above
}
"""Header members that name a certificate (RFC 7515, 4.1.4 to 4.1.8); the first one that is there decides."""

_EXCHANGE: Final = "api://AzureADTokenExchange"
_EXCHANGE_ID: Final = "fb60f99c-7a34-4190-8149-302f77469936"
"""What version 2.0 tokens of Entra's own name that audience by."""

_YEAR_10000: Final = 253_402_300_800


async def check_assertion(
    assertion: str, *, client: Application, audiences: Collection[str], issuers: Issuers, now: float
) -> None:
    """Believe the client who it is by its assertion (RFC 7523, 3), or not.

    An application signs for itself, with the key of a certificate (Learn: certificate credentials), or an
    issuer that its registration names signs for it (Learn: workload identity federation). The same
    assertion may come again: Entra does not look at ``jti``.

    Args:
        assertion: As the request has it.
        client: Who the request says that it is.
        audiences: What an application's own assertion may be for: the token endpoint, by all its names.
        issuers: Where the keys of other issuers are.
        now: Seconds since 1970.

    Raises:
        Aadsts: For both kinds 50027, 5002730, 700024 and 700027; with a certificate 50048, 700021, 700023 and
            1000502; from an issuer 70021, 700211, 700212, 700213, 700229 and those of ``Issuers.keys_of``.
    """
    try:
        token = read_jws(assertion, padded=True)
    except ValueError as error:
        raise _malformed(str(error)) from None
    issuer, subject = _text(token, "iss"), _text(token, "sub")
    if is_guid(issuer):
        _check_names(issuer, subject, client)
        _check_certificate(token, client, now)
        _check_own_audience(token, audiences)
    else:
        _check_trust(token, issuer, subject, client, is_own=issuer in issuers.own)
        await _check_issuer_signature(token, issuer, issuers)
    _check_time(token, now)


def _check_names(issuer: str, subject: str, client: Application) -> None:
    if subject.lower() != issuer.lower():
        raise Aadsts(
            50048,
            "invalid_client",
            f"The client assertion's 'sub' {subject!r:.200} differs from its 'iss' {issuer!r:.200}. "
            f"Both must be the client ID {client.client_id}.",
        )
    if issuer.lower() != client.client_id:
        raise Aadsts(
            700021,
            "invalid_client",
            f"The client assertion is of the application {issuer!r:.200}, and the parameter 'client_id' is "
            f"{client.client_id}. Sign with the client ID that the request names.",
        )


def _check_certificate(token: Jws, client: Application, now: float) -> None:
    """The signature is of a registered certificate, which is valid at this time."""
    _check_algorithm(token, "RS256", "PS256")
    name, received = _thumbprint(token)
    certificate, shown = _find_certificate(name, received, client)
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise Aadsts(
            5002730,
            "invalid_request",
            f"The certificate {shown} has a key that cannot sign with RS256 or PS256. Register one with an "
            "RSA key.",
        )
    if not token.is_signed_by(key):
        raise Aadsts(
            700027,
            "invalid_client",
            f"The client assertion names the certificate {shown}, but its signature is of another key. "
            "Sign with the private key that belongs to it.",
        )
    begin, end = (
        at.timestamp() for at in (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    )
    if not begin <= now <= end:
        raise Aadsts(
            1000502,
            "invalid_client",
            f"The certificate {shown} is valid from {timestamp(begin)} to {timestamp(end)}, and now is "
            f"{timestamp(now)}. Register another one, and sign with its key.",
        )


def _thumbprint(token: Jws) -> tuple[str, str]:
    """The header member that names the certificate, and its value."""
    for name in _THUMBPRINTS:
        received = token.header.get(name)
        if isinstance(received, str):
            return name, received
    raise _malformed("Its header has none of 'x5t#S256', 'x5t' and 'kid', which name the certificate.")


def _find_certificate(name: str, received: str, client: Application) -> tuple[x509.Certificate, str]:
    """The certificate with its thumbprint for people, in the hexadecimal form that the admin center has."""
    known = [x509.load_pem_x509_certificate(pem.encode()) for pem in client.certificates]
    for certificate in known:
        for algorithm in _THUMBPRINTS[name]:
            thumbprint = certificate.fingerprint(algorithm)
            if received.rstrip("=") == base64url(thumbprint) or (
                name == "kid" and received.lower() == thumbprint.hex()
            ):
                return certificate, thumbprint.hex().upper()
    shown = (certificate.fingerprint(_THUMBPRINTS[name][0]).hex().upper() for certificate in known)
    raise Aadsts(
        700027,
        "invalid_client",
        f"The client assertion's '{name}' names a certificate that '{client.name}' does not have: "
        f"{_hexadecimal(received)}. Registered are: {_listed(shown)}. Sign with the key of one of these, or "
        "register the certificate.",
    )


def _check_own_audience(token: Jws, audiences: Collection[str]) -> None:
    audience = _text(token, "aud")
    if audience not in audiences:
        raise Aadsts(
            700023,
            "invalid_client",
            f"The client assertion is for {audience!r:.200}. It must be for the token endpoint that it is "
            f"sent to, by one of its names: {_listed(sorted(audiences))}.",
        )


def _check_trust(token: Jws, issuer: str, subject: str, client: Application, *, is_own: bool) -> None:
    """A federated credential of the client names issuer, subject and audience exactly so."""
    trusted = client.federated_credentials
    if not trusted:
        raise Aadsts(
            70021,
            "invalid_client",
            f"'{client.name}' has no federated credential, and the client assertion is of the issuer "
            f"{issuer!r:.200}. Register one; or, to sign with a certificate, let 'iss' and 'sub' be the "
            f"client ID {client.client_id}.",
        )
    of_issuer = [each for each in trusted if each.issuer == issuer]
    if not of_issuer:
        raise _untrusted(700211, "issuer", issuer, (each.issuer for each in trusted))
    if is_own and not _is_app_only(token.claims):
        raise Aadsts(
            700229,
            "invalid_client",
            "The client assertion is a token of Entra's that is not an application's own. Send one that the "
            "client credentials flow or a managed identity gave, not one of a person.",
        )
    of_subject = [each for each in of_issuer if each.subject == subject]
    if not of_subject:
        raise _untrusted(700213, "subject", subject, (each.subject for each in of_issuer))
    audiences = _audiences(token)
    if is_own and _EXCHANGE_ID in audiences:
        audiences = (*audiences, _EXCHANGE)
    if not any(each.audience in audiences for each in of_subject):
        raise _untrusted(700212, "audience", ", ".join(audiences), (each.audience for each in of_subject))


def _untrusted(code: int, what: str, received: str, registered: Iterable[str]) -> Aadsts:
    return Aadsts(
        code,
        "invalid_client",
        f"No federated credential has the client assertion's {what} {received!r:.200}. Registered are: "
        f"{_listed(registered)}. They are compared exactly, letter case and slashes at the end included.",
    )


async def _check_issuer_signature(token: Jws, issuer: str, issuers: Issuers) -> None:
    _check_algorithm(token, "RS256")
    key_id = token.header.get("kid")
    if not isinstance(key_id, str):
        raise _malformed("Its header has no 'kid', which names the issuer's key.")
    keys = await issuers.keys_of(issuer)
    if key_id not in keys:
        raise Aadsts(
            700027,
            "invalid_client",
            f"The client assertion names the key {key_id!r:.200}, which its issuer {issuer!r:.200} does not "
            f"publish. Published for RS256 are: {_listed(keys)}. Send a fresh token of it.",
        )
    if not token.is_signed_by(keys[key_id]):
        raise Aadsts(
            700027,
            "invalid_client",
            f"The client assertion's signature is not of the key {key_id!r:.200} of its issuer "
            f"{issuer!r:.200}. Send the token as the issuer gave it.",
        )


def _check_algorithm(token: Jws, *accepted: str) -> None:
    algorithm = token.header.get("alg")
    if algorithm not in accepted:
        raise Aadsts(
            5002730,
            "invalid_request",
            f"The client assertion's 'alg' is {algorithm!r:.50}; it must be {' or '.join(accepted)}.",
        )


def _check_time(token: Jws, now: float) -> None:
    """``exp`` must be there and ``nbf`` may; both may be fractions (RFC 7519, 2)."""
    begin, end = _time(token, "nbf", 0), _time(token, "exp")
    if not begin - SKEW <= now < end + SKEW:
        raise Aadsts(
            700024,
            "invalid_client",
            f"The client assertion is valid from {timestamp(begin)} to {timestamp(end)}, and now is "
            f"{timestamp(now)}. Make a new one shortly before it is sent, and compare the clocks.",
        )


def _time(token: Jws, name: str, default: float | None = None) -> float:
    value = token.claims.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _YEAR_10000:
        raise _malformed(f"Its '{name}' is not a time in seconds since 1970.")
    return value


def _text(token: Jws, name: str) -> str:
    value = token.claims.get(name)
    if not isinstance(value, str) or not value:
        raise _malformed(f"Its '{name}' is not a text.")
    return value


def _audiences(token: Jws) -> tuple[str, ...]:
    """One or several; Kubernetes always writes a list."""
    value = token.claims.get("aud")
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(isinstance(each, str) for each in listed):
        raise _malformed("Its 'aud' is neither a text nor a list of texts.")
    return tuple(listed)


def _malformed(what: str) -> Aadsts:
    return Aadsts(50027, "invalid_request", f"The client assertion is no token that can be used. {what}")


def _is_app_only(claims: dict[str, Any]) -> bool:
    """Applications' own tokens have no ``scp``, and one ID twice (Learn: access token claims)."""
    return "scp" not in claims and claims.get("oid") == claims.get("sub")


def _hexadecimal(received: str) -> str:
    try:
        octets = base64.b64decode(received + "=" * (-len(received) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return repr(received[:100])
    return octets[:64].hex().upper()


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
