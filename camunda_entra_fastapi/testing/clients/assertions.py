"""Client assertions (RFC 7523): a token in place of a secret, signed by a certificate's key or an issuer."""

import base64
from collections.abc import Collection, Iterable
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from camunda_entra_fastapi.testing.clients.issuers import Issuers
from camunda_entra_fastapi.testing.directory import Application
from camunda_entra_fastapi.testing.directory.names import comma_separated
from camunda_entra_fastapi.testing.directory.shapes import is_guid
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError, timestamp
from camunda_entra_fastapi.testing.protocol.jws import Jws, parse_jws
from camunda_entra_fastapi.testing.protocol.keys import base64url

CLOCK_SKEW: Final = 300
"""Seconds by which the clocks of issuer and emulator may differ."""

_THUMBPRINTS: Final[dict[str, tuple[hashes.HashAlgorithm, ...]]] = {
    "x5t#S256": (hashes.SHA256(),),
    "x5t": (hashes.SHA1(),),  # noqa: S303 - names a certificate, proves nothing
    "kid": (hashes.SHA1(), hashes.SHA256()),  # noqa: S303 - as above
}
"""Header members that name a certificate (RFC 7515, 4.1.4 to 4.1.8); the first that is present decides."""

_EXCHANGE_AUDIENCE: Final = "api://AzureADTokenExchange"
_EXCHANGE_AUDIENCE_ID: Final = "fb60f99c-7a34-4190-8149-302f77469936"
"""The client ID of that audience, which version 2.0 tokens of Entra name instead."""

_YEAR_10000: Final = 253_402_300_800


async def check_assertion(
    assertion: str, *, client: Application, audiences: Collection[str], issuers: Issuers, now: float
) -> None:
    """Authenticate a client by its assertion (RFC 7523, 3).

    The assertion is signed by the application, with the key of a certificate (Learn: certificate
    credentials), or by an issuer that its registration names (Learn: workload identity federation). An
    assertion may be replayed: Entra does not look at ``jti``.

    Args:
        assertion: The parameter ``client_assertion``.
        client: The client that the request names.
        audiences: The accepted audiences of the application's own assertion: all names of the token endpoint.
        issuers: Fetches the keys of issuers.
        now: Seconds since 1970.

    Raises:
        AadstsError: For both kinds 50027, 5002730, 700024 and 700027; with a certificate 50048, 700021,
            700023 and 1000502; from an issuer 70021, 700211, 700212, 700213, 700229 and those of
            ``Issuers.keys_of``.
    """
    try:
        token = parse_jws(assertion, padded=True)
    except ValueError as error:
        raise _malformed(str(error)) from None
    issuer, subject = _string_claim(token, "iss"), _string_claim(token, "sub")
    if is_guid(issuer):
        _check_issuer_and_subject(issuer, subject, client)
        _check_certificate(token, client, now)
        _check_own_audience(token, audiences)
    else:
        _check_federated_credential(token, issuer, subject, client, is_own=issuer in issuers.own)
        await _check_issuer_signature(token, issuer, issuers)
    _check_time(token, now)


def _check_issuer_and_subject(issuer: str, subject: str, client: Application) -> None:
    if subject.lower() != issuer.lower():
        raise AadstsError(
            50048,
            "invalid_client",
            f"The client assertion's 'sub' {subject!r:.200} differs from its 'iss' {issuer!r:.200}. "
            f"Both must be the client ID {client.client_id}.",
        )
    if issuer.lower() != client.client_id:
        raise AadstsError(
            700021,
            "invalid_client",
            f"The client assertion is of the application {issuer!r:.200}, and the parameter 'client_id' is "
            f"{client.client_id}. Sign with the client ID that the request names.",
        )


def _check_certificate(token: Jws, client: Application, now: float) -> None:
    """Check that a registered certificate signed the assertion, and that it is valid now."""
    _check_algorithm(token, "RS256", "PS256")
    member, received = _thumbprint(token)
    certificate, thumbprint = _find_certificate(member, received, client)
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise AadstsError(
            5002730,
            "invalid_request",
            f"The certificate {thumbprint} has a key that cannot sign with RS256 or PS256. Register one with "
            "an RSA key.",
        )
    if not token.is_signed_by(key):
        raise AadstsError(
            700027,
            "invalid_client",
            f"The client assertion names the certificate {thumbprint}, but its signature is of another key. "
            "Sign with the private key that belongs to it.",
        )
    begin, end = (
        at.timestamp() for at in (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    )
    if not begin <= now <= end:
        raise AadstsError(
            1000502,
            "invalid_client",
            f"The certificate {thumbprint} is valid from {timestamp(begin)} to {timestamp(end)}, and now is "
            f"{timestamp(now)}. Register another one, and sign with its key.",
        )


def _thumbprint(token: Jws) -> tuple[str, str]:
    """The header member that names the certificate, and its value."""
    for name in _THUMBPRINTS:
        received = token.header.get(name)
        if isinstance(received, str):
            return name, received
    raise _malformed("Its header has none of 'x5t#S256', 'x5t' and 'kid', which name the certificate.")


def _find_certificate(member: str, received: str, client: Application) -> tuple[x509.Certificate, str]:
    """The certificate, and its thumbprint in hexadecimal as the admin center shows it."""
    certificates = [x509.load_pem_x509_certificate(pem.encode()) for pem in client.certificates]
    for certificate in certificates:
        for algorithm in _THUMBPRINTS[member]:
            fingerprint = certificate.fingerprint(algorithm)
            if received.rstrip("=") == base64url(fingerprint) or (
                member == "kid" and received.lower() == fingerprint.hex()
            ):
                return certificate, fingerprint.hex().upper()
    registered = (
        certificate.fingerprint(_THUMBPRINTS[member][0]).hex().upper() for certificate in certificates
    )
    raise AadstsError(
        700027,
        "invalid_client",
        f"The client assertion's '{member}' names a certificate that '{client.name}' does not have: "
        f"{_hex_thumbprint(received)}. Registered are: {comma_separated(registered)}. Sign with the key of "
        "one of these, or register the certificate.",
    )


def _check_own_audience(token: Jws, audiences: Collection[str]) -> None:
    audience = _string_claim(token, "aud")
    if audience not in audiences:
        raise AadstsError(
            700023,
            "invalid_client",
            f"The client assertion is for {audience!r:.200}. It must be for the token endpoint that it is "
            f"sent to, by one of its names: {comma_separated(sorted(audiences))}.",
        )


def _check_federated_credential(
    token: Jws, issuer: str, subject: str, client: Application, *, is_own: bool
) -> None:
    """Check that a federated credential of the client has exactly this issuer, subject and audience."""
    registered = client.federated_credentials
    if not registered:
        raise AadstsError(
            70021,
            "invalid_client",
            f"'{client.name}' has no federated credential, and the client assertion is of the issuer "
            f"{issuer!r:.200}. Register one; or, to sign with a certificate, let 'iss' and 'sub' be the "
            f"client ID {client.client_id}.",
        )
    same_issuer = [each for each in registered if each.issuer == issuer]
    if not same_issuer:
        raise _no_federated_credential(700211, "issuer", issuer, (each.issuer for each in registered))
    if is_own and not _is_app_only(token.claims):
        raise AadstsError(
            700229,
            "invalid_client",
            "The client assertion is a token of Entra's that is not an application's own. Send one that the "
            "client credentials flow or a managed identity gave, not one of a person.",
        )
    same_subject = [each for each in same_issuer if each.subject == subject]
    if not same_subject:
        raise _no_federated_credential(700213, "subject", subject, (each.subject for each in same_issuer))
    audiences = _audiences(token)
    if is_own and _EXCHANGE_AUDIENCE_ID in audiences:
        audiences = (*audiences, _EXCHANGE_AUDIENCE)
    if not any(each.audience in audiences for each in same_subject):
        raise _no_federated_credential(
            700212, "audience", ", ".join(audiences), (each.audience for each in same_subject)
        )


def _no_federated_credential(code: int, what: str, received: str, registered: Iterable[str]) -> AadstsError:
    return AadstsError(
        code,
        "invalid_client",
        f"No federated credential has the client assertion's {what} {received!r:.200}. Registered are: "
        f"{comma_separated(registered)}. They are compared exactly, letter case and slashes at the end "
        "included.",
    )


async def _check_issuer_signature(token: Jws, issuer: str, issuers: Issuers) -> None:
    _check_algorithm(token, "RS256")
    key_id = token.header.get("kid")
    if not isinstance(key_id, str):
        raise _malformed("Its header has no 'kid', which names the issuer's key.")
    keys = await issuers.keys_of(issuer)
    if key_id not in keys:
        raise AadstsError(
            700027,
            "invalid_client",
            f"The client assertion names the key {key_id!r:.200}, which its issuer {issuer!r:.200} does not "
            f"publish. Published for RS256 are: {comma_separated(keys)}. Send a fresh token of it.",
        )
    if not token.is_signed_by(keys[key_id]):
        raise AadstsError(
            700027,
            "invalid_client",
            f"The client assertion's signature is not of the key {key_id!r:.200} of its issuer "
            f"{issuer!r:.200}. Send the token as the issuer gave it.",
        )


def _check_algorithm(token: Jws, *accepted: str) -> None:
    algorithm = token.header.get("alg")
    if algorithm not in accepted:
        raise AadstsError(
            5002730,
            "invalid_request",
            f"The client assertion's 'alg' is {algorithm!r:.50}; it must be {' or '.join(accepted)}.",
        )


def _check_time(token: Jws, now: float) -> None:
    """Check ``exp``, which is required, and ``nbf``, which is not. Both may be fractions (RFC 7519, 2)."""
    begin, end = _time_claim(token, "nbf", 0), _time_claim(token, "exp")
    if not begin - CLOCK_SKEW <= now < end + CLOCK_SKEW:
        raise AadstsError(
            700024,
            "invalid_client",
            f"The client assertion is valid from {timestamp(begin)} to {timestamp(end)}, and now is "
            f"{timestamp(now)}. Make a new one shortly before it is sent, and compare the clocks.",
        )


def _time_claim(token: Jws, name: str, default: float | None = None) -> float:
    value = token.claims.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _YEAR_10000:
        raise _malformed(f"Its '{name}' is not a time in seconds since 1970.")
    return value


def _string_claim(token: Jws, name: str) -> str:
    value = token.claims.get(name)
    if not isinstance(value, str) or not value:
        raise _malformed(f"Its '{name}' is not a text.")
    return value


def _audiences(token: Jws) -> tuple[str, ...]:
    """The audiences, one or several; Kubernetes always sends a list."""
    value = token.claims.get("aud")
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(isinstance(each, str) for each in listed):
        raise _malformed("Its 'aud' is neither a text nor a list of texts.")
    return tuple(listed)


def _malformed(what: str) -> AadstsError:
    return AadstsError(50027, "invalid_request", f"The client assertion is no token that can be used. {what}")


def _is_app_only(claims: dict[str, Any]) -> bool:
    """Whether there is no ``scp``, and ``oid`` and ``sub`` are the same (Learn: access token claims)."""
    return "scp" not in claims and claims.get("oid") == claims.get("sub")


def _hex_thumbprint(received: str) -> str:
    try:
        octets = base64.b64decode(received + "=" * (-len(received) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return repr(received[:100])
    return octets[:64].hex().upper()
