"""A second verifier of access tokens and signed identities: small, strict, and with nothing of the package.

It knows one tenant, or any of them, and refuses by raising ``Refused``.
"""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.tokens import CLIENT_ID, ISSUER, NOW, TENANT

SKEW: Final = 60
_PART: Final = re.compile(rb"[A-Za-z0-9_-]*")
_EXTENSIONS: Final = {"crit", "b64", "jwk", "jku", "x5u", "x5c", "enc"}
"""Not ``zip``, which is a JWE's (RFC 7516, 4.1.3): what a JWS does not know is ignored (RFC 7515, 4)."""
_YEAR_10000: Final = 253_402_300_800
_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Refused(Exception):
    """The token is refused; the text says why."""


def _require(holds: object, otherwise: str) -> None:
    if not holds:
        raise Refused(otherwise)


def base64url(part: bytes) -> bytes:
    """The bytes of one part (RFC 7515, 2): no padding, and the one spelling that encoding gives back."""
    _require(_PART.fullmatch(part) and len(part) % 4 != 1, "not base64url")
    data = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    _require(base64.urlsafe_b64encode(data).rstrip(b"=") == part, "bits left over in base64url")
    return data


def json_object(data: bytes) -> dict[str, Any]:
    """A JSON object (RFC 8259, 8.1 and 4): UTF-8, each name once, no constants that JSON does not have."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        _require(len({name for name, _ in pairs}) == len(pairs), "a name is there twice")
        return dict(pairs)

    def never(name: str) -> Any:
        raise Refused(f"{name} is no JSON")

    try:
        value = json.loads(data.decode(), object_pairs_hook=once, parse_constant=never)
    except (ValueError, RecursionError):
        raise Refused("not JSON in UTF-8") from None
    _require(isinstance(value, dict), "not an object")
    members: dict[str, Any] = value
    return members


def verified_access_token(
    token: bytes, keys: Mapping[str, rsa.RSAPublicKey], *, any_tenant: bool = False
) -> dict[str, Any]:
    """The claims of an access token for ``CLIENT_ID`` (Learn: access tokens)."""
    claims = verified_token(token, keys, any_tenant=any_tenant)
    _require(claims.get("cnf") is None, "bound to a key")
    roles = claims.get("roles")
    permissions = [roles] if isinstance(roles, list) and any(isinstance(one, str) for one in roles) else []
    permissions += [claims["scp"]] if isinstance(claims.get("scp"), str) and claims["scp"].strip() else []
    _require(permissions, "without permissions")
    return claims


def verified_token(
    token: bytes, keys: Mapping[str, rsa.RSAPublicKey], *, any_tenant: bool = False, now: float = NOW
) -> dict[str, Any]:
    """The claims of a token of either kind (RFC 7515, 5.2; RFC 7519, 7.2)."""
    parts = token.split(b".")
    _require(len(parts) == 3, "not three parts")
    header, claims = json_object(base64url(parts[0])), json_object(base64url(parts[1]))
    _require(header.get("alg") == "RS256" and not _EXTENSIONS & header.keys(), "its header")
    _require(isinstance(header.get("kid"), str) and header["kid"] in keys, "its key")
    try:
        keys[header["kid"]].verify(
            base64url(parts[2]), parts[0] + b"." + parts[1], padding.PKCS1v15(), hashes.SHA256()
        )
    except InvalidSignature:
        raise Refused("its signature") from None
    _require(isinstance(claims.get("sub"), str) and claims["sub"], "nobody's")
    named = claims.get("tid")
    if any_tenant:
        _require(isinstance(named, str) and _GUID.fullmatch(named), "of no tenant")
        _require(claims.get("iss") == ISSUER.replace(TENANT, str(named)), "its issuer")
    else:  # the issuer names the tenant; GUIDs have no case (RFC 9562, 4)
        _require(claims.get("iss") == ISSUER, "its issuer")
        _require(not isinstance(named, str) or named.lower() == TENANT, "its tenant")
    audiences = claims.get("aud")
    audiences = audiences if isinstance(audiences, list) else [audiences]
    _require(audiences and all(isinstance(one, str) and one for one in audiences), "its audience's form")
    _require({CLIENT_ID, "api://incidents"} & set(audiences), "its audience")
    exp, nbf, iat = (_time(claims.get(name)) for name in ("exp", "nbf", "iat"))
    _require(now < exp + SKEW and max(nbf, iat) <= now + SKEW, "its times")
    return claims


def verified_identity(
    token: bytes, keys: Mapping[str, ec.EllipticCurvePublicKey], audience: str, now: float
) -> dict[str, Any]:
    """The claims of an identity that a gateway signed (RFC 7518, 3.4: two numbers of 32 bytes)."""
    parts = token.split(b".")
    _require(len(parts) == 3, "not three parts")
    header, claims = json_object(base64url(parts[0])), json_object(base64url(parts[1]))
    signature = base64url(parts[2])
    _require(header.keys() == {"alg", "typ", "kid"} and header["alg"] == "ES256", "its header")
    _require(header["typ"] == "entra-identity+jwt" and len(signature) == 64, "its type or signature")
    _require(isinstance(header["kid"], str) and header["kid"] in keys, "its key")
    encoded = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    try:
        keys[header["kid"]].verify(encoded, parts[0] + b"." + parts[1], ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise Refused("its signature") from None
    _require(claims.get("aud") == audience, "its audience")
    exp, nbf, iat = (_time(claims.get(name)) for name in ("exp", "nbf", "iat"))
    _require(now < exp + SKEW and max(nbf, iat) <= now + SKEW, "its times")
    return claims


def _time(value: object) -> float:
    _require(isinstance(value, int | float) and not isinstance(value, bool), "no time")
    assert isinstance(value, int | float)
    _require(0 <= value < _YEAR_10000, "no time that can be")
    return value
