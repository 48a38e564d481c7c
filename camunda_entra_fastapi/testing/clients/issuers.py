"""Whose tokens stand for a secret, and the keys that they are signed with."""

import asyncio
import base64
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from camunda_entra_fastapi.testing.directory.shapes import LOOPBACK
from camunda_entra_fastapi.testing.protocol.aadsts import Aadsts
from camunda_entra_fastapi.testing.protocol.keys import SigningKey

TIMEOUT: Final = 5.0
"""Seconds for both documents of an issuer together."""

MAX_DOCUMENT_BYTES: Final = 1024 * 1024
MAX_KEYS: Final = 100
"""Entra keeps the first hundred (Learn: considerations for federated identity credentials)."""

_KEY_BITS: Final = range(2048, 16384 + 1)


@dataclass(frozen=True, slots=True)
class Issuers:
    """The emulator itself, and everybody whose keys can be fetched.

    Attributes:
        own: The issuers that are the emulator's own.
        own_keys: The keys that these publish.
        new_client: Makes what fetches the documents of all others; it is closed after each fetch.
        timeout: Seconds for the documents of one issuer.
    """

    own: Collection[str] = ()
    own_keys: Collection[SigningKey] = ()
    new_client: Callable[[], httpx.AsyncClient] = httpx.AsyncClient
    timeout: float = TIMEOUT

    async def keys_of(self, issuer: str) -> Mapping[str, RSAPublicKey]:
        """An issuer's keys for RS256 by their IDs, fetched anew each time (OpenID Connect Discovery, 4).

        Ask for issuers of the directory only: their documents are what it fetches.

        Raises:
            Aadsts: 50166, they cannot be had.
        """
        if issuer in self.own:
            return {key.key_id: key.private.public_key() for key in self.own_keys}
        try:
            async with asyncio.timeout(self.timeout), self.new_client() as http:
                found = await _document(http, f"{issuer.removesuffix('/')}/.well-known/openid-configuration")
                if found.get("issuer") != issuer:
                    raise ValueError(f"its document names the issuer {found.get('issuer')!r:.200}")
                return _usable(await _document(http, found.get("jwks_uri")))
        except TimeoutError:
            raise _unreachable(issuer, f"no answer within {self.timeout:g} seconds") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unreachable(issuer, f"{type(error).__name__} {error}".rstrip()) from error
        except ValueError as error:
            raise _unreachable(issuer, str(error)) from error


def _unreachable(issuer: str, reason: str) -> Aadsts:
    return Aadsts(
        50166,
        "invalid_request",
        f"The keys of the issuer {issuer!r:.200} cannot be fetched: {reason}. This emulator must reach "
        "<issuer>/.well-known/openid-configuration and the 'jwks_uri' that it names: over https, or over "
        "http on this machine.",
    )


async def _document(http: httpx.AsyncClient, url: object) -> dict[str, Any]:
    """A JSON object, without redirects and compression, which could make a small answer large.

    Raises:
        ValueError: There is none.
    """
    address = _checked(url)
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    body = bytearray()
    async with http.stream("GET", address, headers=headers, follow_redirects=False) as response:
        if response.status_code != HTTPStatus.OK:
            raise ValueError(f"{address} answered {response.status_code}")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise ValueError(f"{address} answered in a compression that nobody asked for")
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_DOCUMENT_BYTES:
                raise ValueError(f"{address} answered with more than {MAX_DOCUMENT_BYTES} bytes")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ValueError(f"{address} answered with something else than a JSON object")
    return document


def _checked(url: object) -> str:
    if not isinstance(url, str):
        raise ValueError("its document has no 'jwks_uri'")
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError(f"{url!r:.200} is neither https, nor http on this machine")
    return url


def _usable(document: dict[str, Any]) -> dict[str, RSAPublicKey]:
    """The keys of a set (RFC 7517, 5) that can verify RS256; others are passed over."""
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise ValueError("its key set has no list 'keys'")
    found: dict[str, RSAPublicKey] = {}
    for jwk in listed[:MAX_KEYS]:
        key = _key(jwk) if isinstance(jwk, dict) else None
        if key is not None and isinstance(jwk.get("kid"), str):
            found.setdefault(jwk["kid"], key)
    return found


def _key(jwk: dict[str, Any]) -> RSAPublicKey | None:
    """RFC 7518, 6.3.1."""
    if jwk.get("kty") != "RSA" or jwk.get("use", "sig") != "sig" or jwk.get("alg", "RS256") != "RS256":
        return None
    try:
        key = RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
    except (KeyError, TypeError, ValueError):
        return None
    return key if key.key_size in _KEY_BITS else None


def _number(text: str) -> int:
    octets = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    return int.from_bytes(octets, "big")
