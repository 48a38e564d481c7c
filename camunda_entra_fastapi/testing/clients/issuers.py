"""The issuers of client assertions, and their signing keys."""

import asyncio
import base64
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from camunda_entra_fastapi.http_library import AsyncHttpClient, errors_named, httpx
from camunda_entra_fastapi.testing.directory.shapes import LOOPBACK
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError
from camunda_entra_fastapi.testing.protocol.keys import SigningKey

TIMEOUT: Final = 5.0
"""Seconds in which both documents of an issuer must be fetched."""

MAX_DOCUMENT_BYTES: Final = 1024 * 1024
MAX_KEYS: Final = 100
"""Entra stores the first hundred (Learn: considerations for federated identity credentials)."""

_KEY_BITS: Final = range(2048, 16384 + 1)


@dataclass(frozen=True, slots=True)
class Issuers:
    """The emulator's own issuers, and all others whose keys can be fetched.

    Attributes:
        own: The emulator's own issuers.
        own_keys: The keys that these publish.
        new_client: Makes the HTTP client that fetches the documents of others; closed after each fetch.
        timeout: Seconds in which the documents of an issuer must be fetched.
    """

    own: Collection[str] = ()
    own_keys: Collection[SigningKey] = ()
    new_client: Callable[[], AsyncHttpClient] = httpx.AsyncClient
    timeout: float = TIMEOUT

    async def keys_of(self, issuer: str) -> Mapping[str, RSAPublicKey]:
        """An issuer's keys for RS256 by their IDs, fetched at each call (OpenID Connect Discovery, 4).

        The caller passes issuers of the directory only, because the issuer is the address of the fetch.

        Raises:
            AadstsError: 50166, they cannot be fetched.
        """
        if issuer in self.own:
            return {key.key_id: key.private.public_key() for key in self.own_keys}
        try:
            async with asyncio.timeout(self.timeout), self.new_client() as http:
                discovery = await _fetch_document(
                    http, f"{issuer.removesuffix('/')}/.well-known/openid-configuration"
                )
                if discovery.get("issuer") != issuer:
                    raise ValueError(f"its document names the issuer {discovery.get('issuer')!r:.200}")
                return _signing_keys(await _fetch_document(http, discovery.get("jwks_uri")))
        except TimeoutError:
            raise _unreachable(issuer, f"no answer within {self.timeout:g} seconds") from None
        except errors_named("HTTPError", "InvalidURL") as error:
            raise _unreachable(issuer, f"{type(error).__name__} {error}".rstrip()) from error
        except ValueError as error:
            raise _unreachable(issuer, str(error)) from error


def _unreachable(issuer: str, reason: str) -> AadstsError:
    return AadstsError(
        50166,
        "invalid_request",
        f"The keys of the issuer {issuer!r:.200} cannot be fetched: {reason}. This emulator must reach "
        "<issuer>/.well-known/openid-configuration and the 'jwks_uri' that it names: over https, or over "
        "http on this machine.",
    )


async def _fetch_document(http: AsyncHttpClient, url: object) -> dict[str, Any]:
    """Fetch a JSON object. Redirects and compression, which could make a small answer large, are refused.

    Raises:
        ValueError: The answer is none.
    """
    address = _checked_url(url)
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


def _checked_url(url: object) -> str:
    if not isinstance(url, str):
        raise ValueError("its document has no 'jwks_uri'")
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError(f"{url!r:.200} is neither https, nor http on this machine")
    return url


def _signing_keys(document: dict[str, Any]) -> dict[str, RSAPublicKey]:
    """The keys of a JWK Set (RFC 7517, 5) that can verify RS256; others are ignored."""
    jwks = document.get("keys")
    if not isinstance(jwks, list):
        raise ValueError("its key set has no list 'keys'")
    found: dict[str, RSAPublicKey] = {}
    for jwk in jwks[:MAX_KEYS]:
        key = _public_key(jwk) if isinstance(jwk, dict) else None
        if key is not None and isinstance(jwk.get("kid"), str):
            found.setdefault(jwk["kid"], key)
    return found


def _public_key(jwk: dict[str, Any]) -> RSAPublicKey | None:
    """An RSA public key (RFC 7518, 6.3.1), if it can verify RS256."""
    if jwk.get("kty") != "RSA" or jwk.get("use", "sig") != "sig" or jwk.get("alg", "RS256") != "RS256":
        return None
    try:
        key = RSAPublicNumbers(_decode_integer(jwk["e"]), _decode_integer(jwk["n"])).public_key()
    except (KeyError, TypeError, ValueError):
        return None
    return key if key.key_size in _KEY_BITS else None


def _decode_integer(text: str) -> int:
    octets = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    return int.from_bytes(octets, "big")
