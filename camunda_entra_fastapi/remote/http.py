"""Requests to Entra: bounded in time and size, without redirects and compression."""

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import certifi

from camunda_entra_fastapi.errors import FetchFailed, Refusal
from camunda_entra_fastapi.http_library import AsyncHttpClient, errors_named, httpx
from camunda_entra_fastapi.remote.aadsts import explain, read_refusal
from camunda_entra_fastapi.telemetry import mark_failed, span_of_request
from camunda_entra_fastapi.untrusted_json import parse_json, parse_object

MAX_BODY_BYTES: Final = 1024 * 1024
"""Entra's largest document, the common key set, is below 30 KiB."""

_REFUSALS: Final = (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
_SECONDS: Final = re.compile("[0-9]{1,5}")


class EntraHttp:
    """Sends forms to Entra and reads JSON documents from it.

    Each exchange opens a client and closes it: exchanges are rare (a few an hour),
    and a kept connection would belong to one event loop and time out between two of them.

    Args:
        timeout: Seconds for one exchange from first to last byte.
        proxy: URL of an HTTP proxy; None for that of the environment (``HTTPS_PROXY``).
        ca_bundle: PEM file with the certificates to trust instead of certifi's.
        allow_lax_certificates: As for ``tls_context``.
        client: Used for all requests instead, and never closed; for tests and special networks.
    """

    def __init__(
        self,
        *,
        timeout: float = 5,
        proxy: str | None = None,
        ca_bundle: Path | None = None,
        allow_lax_certificates: bool = False,
        client: AsyncHttpClient | None = None,
    ) -> None:
        self._timeout = timeout
        self._proxy = proxy
        self._ca_bundle = ca_bundle
        self._allow_lax_certificates = allow_lax_certificates
        self._client = client

    async def get_json(self, url: str) -> dict[str, Any]:
        """The JSON object at the URL.

        Raises:
            FetchFailed: No response in time, another status than 200, a redirect, a body that is
                too large or compressed, or one that is not a JSON object.
        """
        answer = await self._exchange("GET", url)
        if answer.status != httpx.codes.OK:
            raise _bad_status(url, answer)
        return _document(url, answer)

    async def post_form(self, url: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of the response to a form.

        Raises:
            FetchFailed: As for ``get_json``; refusals (400, 401) are responses, and no failure.
        """
        answer = await self._exchange("POST", url, form)
        if answer.status not in _REFUSALS and answer.status != httpx.codes.OK:
            raise _bad_status(url, answer)
        return answer.status, _document(url, answer)

    async def call_api(
        self, method: str, url: str, token: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of an API's response to a request with an access token.

        Raises:
            FetchFailed: As for ``get_json``; refusals (400, 401, 403) are responses, and no failure.
        """
        headers = {"Authorization": f"Bearer {token}"}
        answer = await self._exchange(method, url, json=body, headers=headers)
        if answer.status not in _REFUSALS and answer.status != httpx.codes.OK:
            raise _bad_status(url, answer)
        return answer.status, _document(url, answer)

    async def _exchange(
        self, method: str, url: str, form: Mapping[str, str] | None = None, **content: Any
    ) -> "_Response":
        with span_of_request(method, url) as span:
            try:
                answer = await self._ask(method, url, form, **content)
            except FetchFailed as failure:
                mark_failed(span, failure.fault)
                raise
            span.set_attribute("http.response.status_code", answer.status)
            if answer.status >= httpx.codes.BAD_REQUEST:
                mark_failed(span, str(answer.status))
            return answer

    async def _ask(
        self, method: str, url: str, form: Mapping[str, str] | None = None, **content: Any
    ) -> "_Response":
        try:
            async with self._open() as client, asyncio.timeout(self._timeout):
                return await self._read(client, method, url, form, **content)
        except errors_named("TimeoutException", besides=(TimeoutError,)):  # whichever is first
            raise FetchFailed(
                f"{url} did not answer completely within {self._timeout:g} seconds.", fault="timeout"
            ) from None
        except errors_named("HTTPError", "InvalidURL", besides=(ssl.SSLError, OSError)) as error:
            raise FetchFailed(
                f"{url} cannot be reached: {type(error).__name__}: {error}", fault="unreachable"
            ) from error

    async def _read(
        self,
        client: AsyncHttpClient,
        method: str,
        url: str,
        form: Mapping[str, str] | None,
        *,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> "_Response":
        # Compression is neither requested nor accepted: a small body could decompress beyond any limit.
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        async with client.stream(
            method, url, data=form, json=json, headers=sent, follow_redirects=False
        ) as response:
            if response.is_redirect:
                raise FetchFailed(f"{url} answered with a redirect, which is not followed.")
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise FetchFailed(f"{url} answered with a compressed body, which was not asked for.")
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise FetchFailed(f"{url} answered with more than {MAX_BODY_BYTES} bytes.")
            return _Response(response.status_code, bytes(body), response.headers.get("Retry-After", ""))

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[AsyncHttpClient]:
        if self._client is not None:
            yield self._client
            return
        # A little earlier than the deadline of the whole: cancelled in a TLS handshake, httpx leaves
        # the socket to the garbage collector; by a timeout of its own it closes it.
        timeout = 0.9 * self._timeout
        async with httpx.AsyncClient(verify=self._tls, proxy=self._proxy, timeout=timeout) as client:
            yield client

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """The TLS context, created once: loading certificates takes longer than the exchange."""
        return tls_context(self._ca_bundle, allow_lax_certificates=self._allow_lax_certificates)


def tls_context(ca_bundle: Path | None, *, allow_lax_certificates: bool) -> ssl.SSLContext:
    """How servers' certificates are verified: as Python does by default.

    Args:
        ca_bundle: PEM file with the certificates to trust instead of certifi's.
        allow_lax_certificates: Whether ``VERIFY_X509_STRICT`` is dropped, and nothing else. It is a default
            since Python 3.13, and many proxies that read TLS have certificates that do not stand it.
    """
    if ca_bundle is not None:
        context = ssl.create_default_context(cafile=str(ca_bundle))
    else:
        context = _default_context()
    if allow_lax_certificates:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _default_context() -> ssl.SSLContext:
    """As of httpx: httpx2 trusts the system's certificates, and which library is there decides no trust."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file or folder:
        return ssl.create_default_context(cafile=file or None, capath=None if file else folder)
    return ssl.create_default_context(cafile=certifi.where())


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    body: bytes = field(repr=False)
    retry_after: str


def _bad_status(url: str, answer: _Response) -> FetchFailed:
    message = f"{url} answered with status {answer.status} instead of 200."
    refusal = _refusal_in(answer.body)
    if refusal is not None and refusal.code is not None:
        explanation = explain(refusal)
        message = (
            f"{url} answered {refusal.code}, with status {answer.status}: "
            f"{explanation.cause} {explanation.remedy}"
        )
    if answer.status != httpx.codes.TOO_MANY_REQUESTS:
        return FetchFailed(message, refusal=refusal)
    # A date is allowed too (RFC 9110, 10.2.3), but Entra sends seconds.
    retry_after = float(answer.retry_after) if _SECONDS.fullmatch(answer.retry_after) else None
    return FetchFailed(message, fault="throttled", retry_after=retry_after, refusal=refusal)


def _refusal_in(body: bytes) -> Refusal | None:
    """Entra's error response, which may come with any status; None where the body is none."""
    document = parse_object(body)
    return None if document is None or not isinstance(document.get("error"), str) else read_refusal(document)


def _document(url: str, answer: _Response) -> dict[str, Any]:
    try:
        document = parse_json(answer.body)
    except ValueError:
        raise FetchFailed(f"{url} answered with something that is not JSON.") from None
    if not isinstance(document, dict):
        raise FetchFailed(f"{url} answered with JSON that is not an object.")
    return document
