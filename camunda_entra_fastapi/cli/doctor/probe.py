"""Requests as the service sends them: same proxy, same certificates, same deadline.

Unlike ``remote.http`` this keeps what a diagnosis needs: headers, TLS, times and bodies of error responses.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from camunda_entra_fastapi.cli.doctor.connection_errors import (
    Unreachable,
    refused_certificate,
    unknown_host,
    unreachable_by,
)
from camunda_entra_fastapi.cli.doctor.strict_certificates import nonconforming
from camunda_entra_fastapi.cli.findings import printable
from camunda_entra_fastapi.http_library import httpx
from camunda_entra_fastapi.remote.http import tls_context
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.settings.urls import masked

MAX_BODY_BYTES: Final = 1024 * 1024
_FAILURES: Final = (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class ProbeResponse:
    """A response."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    seconds: float
    tls: str
    """Version and issuer of the certificate, in words; empty without TLS."""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


class Probe:
    """Sends requests, one at a time.

    Args:
        settings: Proxy, certificates and deadline.
        client: Sends them.
        is_strict: Whether it holds certificates to all of RFC 5280.
    """

    def __init__(self, settings: EntraSettings, client: httpx.AsyncClient, *, is_strict: bool) -> None:
        self._settings = settings
        self._is_strict = is_strict
        self.client = client

    async def get(self, url: str) -> ProbeResponse:
        """Send a GET request; redirects are not followed.

        Raises:
            Unreachable: There was no response.
        """
        try:
            return await self._get(url, self.client)
        except _FAILURES as error:
            refusal = refused_certificate(error)
            if refusal is None or not self._is_strict:
                raise self._unreachable_by(error, url) from None
        # OpenSSL tells the first thing that is wrong, and strictness comes before name and dates: whether it
        # alone is in the way, only a second attempt shows.
        context = tls_context(self._settings.ca_bundle, allow_lax_certificates=True)
        try:
            async with _client(self._settings, context) as lax:
                await self._get(url, lax)
        except _FAILURES as error:
            raise self._unreachable_by(error, url) from None
        raise nonconforming(urlsplit(url).netloc, refusal)

    async def _get(self, url: str, client: httpx.AsyncClient) -> ProbeResponse:
        start = time.perf_counter()
        async with (
            asyncio.timeout(self._settings.http_timeout),
            client.stream("GET", url, headers={"Accept": "*/*"}, follow_redirects=False) as response,
        ):
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk[: MAX_BODY_BYTES - len(body)]
                if len(body) >= MAX_BODY_BYTES:
                    break
            tls = _describe_tls(response)
        return ProbeResponse(
            response.status_code, response.headers, bytes(body), time.perf_counter() - start, tls
        )

    def _unreachable_by(self, error: BaseException, url: str) -> Unreachable:
        settings = self._settings
        return unreachable_by(error, url, self.proxy_for(url), settings.http_timeout, settings.ca_bundle)

    async def addresses(self, host: str, port: int) -> list[str]:
        """The host's IP addresses.

        Raises:
            Unreachable: The name cannot be resolved.
        """
        try:
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(self._settings.http_timeout):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (TimeoutError, OSError, UnicodeError) as error:
            raise unknown_host(host, error) from None
        return list(dict.fromkeys(str(each[4][0]) for each in found))

    def proxy_for(self, url: str) -> str:
        """The proxy for the URL, without its password; empty for none."""
        parts = urlsplit(url)
        proxies = getproxies()
        proxy = self._settings.http_proxy
        if proxy is None and not proxy_bypass(parts.netloc):
            proxy = proxies.get(parts.scheme) or proxies.get("all")
        return masked(proxy) if proxy else ""


@asynccontextmanager
async def open_probe(settings: EntraSettings) -> AsyncIterator[Probe]:
    """A probe with a client of its own, closed at the end."""
    context = tls_context(settings.ca_bundle, allow_lax_certificates=settings.allow_lax_certificates)
    async with _client(settings, context) as client:
        yield Probe(settings, client, is_strict=bool(context.verify_flags & ssl.VERIFY_X509_STRICT))


def _client(settings: EntraSettings, context: ssl.SSLContext) -> httpx.AsyncClient:
    return httpx.AsyncClient(verify=context, proxy=settings.http_proxy, timeout=0.9 * settings.http_timeout)


def _describe_tls(response: httpx.Response) -> str:
    stream: Any = response.extensions.get("network_stream")
    connection = stream.get_extra_info("ssl_object") if stream is not None else None
    if connection is None:
        return ""
    issuer = dict(pair for part in (connection.getpeercert() or {}).get("issuer", ()) for pair in part)
    organization = issuer.get("organizationName") or issuer.get("commonName") or ""
    issued_by = f", certificate by {printable(organization, 60)}" if organization else ""
    return f"{connection.version()}{issued_by}"
