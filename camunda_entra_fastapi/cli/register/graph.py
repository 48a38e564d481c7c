"""A client for Microsoft Graph, with bounded responses, and retries where Graph lags behind."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from camunda_entra_fastapi.cli.findings import printable
from camunda_entra_fastapi.http_library import httpx
from camunda_entra_fastapi.remote.http import tls_context
from camunda_entra_fastapi.untrusted_json import parse_json, parse_object

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
"""Graph's own service principal has some hundred permissions with long descriptions."""
MAX_WAIT: Final = 60.0
"""Seconds of waiting in all, for a request that is sent again."""

_RETRYABLE: Final = frozenset({429, 503})
"""Nothing was done, and the request may be sent again."""
_GATEWAY_TIMEOUT: Final = 504
"""It may have been done. So only requests that can be done twice are sent again."""
_NOT_FOUND: Final = frozenset({400, 404})
"""Graph's responses about objects so new that they are not replicated yet."""
_FIRST_DELAY: Final = 1.0
_TIMEOUT: Final = 30


TRANSPORT_ERRORS: Final = (httpx.HTTPError, httpx.InvalidURL)


class GraphError(Exception):
    """Graph refused, or its response makes no sense; the message says what to do."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def open_client(base_url: str = "", token: str = "") -> httpx.Client:
    """An HTTP client with the environment's proxy and certificates.

    Raises:
        GraphError: The environment's proxy or certificates cannot be used.
    """
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        tls = tls_context(None, allow_lax_certificates=False)
        return httpx.Client(base_url=base_url, headers=headers, timeout=_TIMEOUT, verify=tls)
    except (ValueError, OSError, ImportError, httpx.InvalidURL):
        # Their message may hold a proxy's password.
        raise GraphError(
            "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY is no URL of a proxy, or SSL_CERT_FILE no file of "
            "certificates. Correct or unset it; a proxy is written as in http://proxy.example.com:3128."
        ) from None


@dataclass(slots=True)
class GraphClient:
    """A client for Microsoft Graph.

    Attributes:
        client: The HTTP client, with Graph's base URL and the access token.
        sleep: Waits, a number of seconds.
    """

    client: httpx.Client
    sleep: Callable[[float], object] = time.sleep

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Read an object, or a list.

        Raises:
            GraphError: Graph refused.
        """
        return self._request("GET", path, params=query)

    def first_page(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Read the objects on a list's first page, which is enough here.

        Raises:
            GraphError: Graph refused.
        """
        objects = self.get(path, **query).get("value")
        return [item for item in objects if isinstance(item, dict)] if isinstance(objects, list) else []

    def send(
        self, method: str, path: str, body: Mapping[str, Any], *, retry_not_found: bool = False
    ) -> dict[str, Any]:
        """Write an object; the response's body.

        Args:
            method: POST or PATCH.
            path: The path below ``/v1.0``.
            body: The request's body.
            retry_not_found: Whether to send it again, where Graph does not know an object: it may be so new
                that it is not replicated yet.

        Raises:
            GraphError: Graph refused.
        """
        return self._request(method, path, retry_not_found=retry_not_found, json=body)

    def _request(
        self, method: str, path: str, *, retry_not_found: bool = False, **content: Any
    ) -> dict[str, Any]:
        waited, delay = 0.0, _FIRST_DELAY
        while True:
            response = self._send_once(method, path, **content)
            if response.is_success:
                return _body_of(response)
            retry_after = response.headers.get("Retry-After", "")
            retryable = (
                _RETRYABLE
                | (_NOT_FOUND if retry_not_found else set())
                | ({_GATEWAY_TIMEOUT} if method != "POST" else set())
            )
            if response.status_code not in retryable or waited >= MAX_WAIT:
                raise _error_of(response)
            delay = (
                max(min(float(retry_after), MAX_WAIT), 1)
                if retry_after.isdecimal()
                else min(delay, MAX_WAIT - waited)
            )
            self.sleep(delay)
            waited, delay = waited + delay, delay * 2

    def _send_once(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            with self.client.stream(method, f"/v1.0{path}", **content) as response:
                body = read_bounded(response)
        except TRANSPORT_ERRORS as error:
            raise GraphError(
                f"Microsoft Graph cannot be reached: {type(error).__name__}: {printable(error, 200)}. "
                "Check the network, and HTTPS_PROXY if there is a proxy; running this again goes on."
            ) from None
        return httpx.Response(response.status_code, headers=_kept_headers(response.headers), content=body)


def read_bounded(response: httpx.Response) -> bytes:
    """Read a streamed response's body.

    Raises:
        GraphError: It is longer than the limit.
    """
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise GraphError(f"{response.url.host} answered with more than can be right.")
    return bytes(body)


def _kept_headers(headers: httpx.Headers) -> dict[str, str]:
    """The headers that are used, without those about the body's encoding."""
    return {name: headers[name] for name in ("Retry-After", "request-id") if name in headers}


def _body_of(response: httpx.Response) -> dict[str, Any]:
    if not response.content:
        return {}
    body = parse_object(response.content)
    if body is None:
        raise GraphError("Microsoft Graph answered with something that is not a JSON object.")
    return body


def _error_of(response: httpx.Response) -> GraphError:
    try:
        error = parse_json(response.content)["error"]
        code, message = printable(error["code"], 80), printable(error["message"], 300)
    except (ValueError, LookupError, TypeError):
        code, message = "", f"it answers with status {response.status_code}"
    request_id = printable(response.headers.get("request-id", ""), 60)
    reference = f" (request ID {request_id})" if request_id else ""
    return GraphError(f"Microsoft Graph refuses: {code}: {message}{reference}".replace(": : ", ": "), code)
