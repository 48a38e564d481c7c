"""Tokens and keys made with ``cryptography`` alone, so that nothing under test helps to make them."""

import base64
import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

NOW: Final = 1_760_000_000
"""When all tokens of these tests are looked at, in seconds since 1970."""

TENANT: Final = "1a2b3c4d-2222-4333-8444-5e5e5e5e5e5e"
OTHER_TENANT: Final = "99999999-8888-4777-8666-aaaaaaaaaaaa"
PERSONAL_TENANT: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all personal Microsoft accounts."""

CLIENT_ID: Final = "aaaaaaaa-1111-4222-8333-444444444444"
"""This API."""
CALLER: Final = "bbbbbbbb-1111-4222-8333-444444444444"
"""The application that asked for the token."""

ISSUER: Final = f"https://login.microsoftonline.com/{TENANT}/v2.0"
V1_ISSUER: Final = f"https://sts.windows.net/{TENANT}/"
KEY_ID: Final = "current-key"
HEADER: Final[Mapping[str, Any]] = {"typ": "JWT", "alg": "RS256", "kid": KEY_ID}

ABSENT: Final = object()
"""As a claim's value: leave the claim out."""


def private_key(name: str = KEY_ID, bits: int = 2048) -> rsa.RSAPrivateKey:
    """An RSA key of that name, the same for the whole run."""
    return _generated(name, bits)


@cache
def _generated(_name: str, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def jwk(name: str = KEY_ID, bits: int = 2048, **members: Any) -> dict[str, Any]:
    """The public JWK of the key of that name, as Entra publishes it; ABSENT leaves a member out."""
    numbers = private_key(name, bits).public_key().public_numbers()
    entry = {"kty": "RSA", "use": "sig", "kid": name, "n": number(numbers.n), "e": number(numbers.e)}
    return {member: value for member, value in (entry | members).items() if value is not ABSENT}


def number(value: int) -> str:
    """A whole number as JWKs have it."""
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def base64url(data: bytes) -> str:
    """The canonical base64url text of the bytes."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(content: object) -> str:
    """One part of a token: bytes as they are, texts in UTF-8, all else as JSON."""
    if isinstance(content, str):
        content = content.encode()
    return base64url(content if isinstance(content, bytes) else json.dumps(content).encode())


def signed(header: str, payload: str, name: str = KEY_ID) -> str:
    """A token of two encoded parts with the RS256 signature of the key of that name over them."""
    signing_input = f"{header}.{payload}"
    signature = private_key(name).sign(signing_input.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signing_input}.{base64url(signature)}"


def token(claims: object, header: object = HEADER, name: str = KEY_ID) -> str:
    """A token with a right signature, whatever its header and payload are."""
    return signed(part(header), part(claims), name)


def user_claims(**changes: Any) -> dict[str, Any]:
    """The claims of an access token with a user; ABSENT leaves a claim out."""
    claims = {
        "aud": CLIENT_ID,
        "iss": ISSUER,
        "iat": NOW - 300,
        "nbf": NOW - 300,
        "exp": NOW + 3600,
        "azp": CALLER,
        "azpacr": "1",
        "name": "Ada Example",
        "oid": "cccccccc-1111-4222-8333-444444444444",
        "preferred_username": "ada@contoso.example",
        "scp": "Incidents.Read access_as_user",
        "sub": "pairwise-subject",
        "tid": TENANT,
        "ver": "2.0",
    } | changes
    return {name: value for name, value in claims.items() if value is not ABSENT}


def app_claims(**changes: Any) -> dict[str, Any]:
    """The claims of an application's own access token."""
    return user_claims(
        **{
            "name": ABSENT,
            "preferred_username": ABSENT,
            "scp": ABSENT,
            "roles": ["Incidents.Read.All"],
            "sub": "cccccccc-1111-4222-8333-444444444444",
        }
        | changes
    )


class PublicKey:
    """The public half of a key, verifying with ``cryptography`` alone; it counts how often it is asked."""

    def __init__(self, name: str = KEY_ID) -> None:
        self._key = private_key(name).public_key()
        self.verifications = 0

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        """Whether the signature was made over the input with the key's private half."""
        self.verifications += 1
        try:
            self._key.verify(signature, signing_input, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True
