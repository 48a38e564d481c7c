"""Microsoft Graph, as far as registering needs it: bounded, and patient where Graph is slow to know."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from camunda_entra_fastapi.cli.findings import printable

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
"""Graph's own service principal has some hundred permissions with long descriptions."""
PATIENCE: Final = 60.0
"""Seconds that new objects may take until all of Graph knows them."""

_SLOW: Final = frozenset({429, 503})
"""Nothing was done, and it may be asked for again."""
_UNSURE: Final = 504
"""It may have been done, so that only what can be done twice is asked for again."""
_UNKNOWN: Final = frozenset({400, 404})
"""As Graph says of what is too new to be known everywhere."""
_FIRST_PAUSE: Final = 1.0
_TIMEOUT: Final = 30


UNREACHABLE: Final = (httpx.HTTPError, httpx.InvalidURL)


class GraphRefused(Exception):
    """Graph said no, or nothing that makes sense; the message says what and what to do."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def open_client(base_url: str = "", token: str = "") -> httpx.Client:
    """A client with the proxy and the certificates that the environment names.

    Raises:
        GraphRefused: The environment names some that cannot be.
    """
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        return httpx.Client(base_url=base_url, headers=headers, timeout=_TIMEOUT)
    except (ValueError, OSError, ImportError, httpx.InvalidURL):
        # Their message may hold a proxy's password.
        raise GraphRefused(
            "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY is no URL of a proxy, or SSL_CERT_FILE no file of "
            "certificates. Correct or unset it; a proxy is written as in http://proxy.example.com:3128."
        ) from None


@dataclass(slots=True)
class Graph:
    """Graph with a token.

    Attributes:
        client: Its base URL is Graph's, and it bears the token.
        sleep: Waits so many seconds.
    """

    client: httpx.Client
    sleep: Callable[[float], object] = time.sleep

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """The members of an object or a list.

        Raises:
            GraphRefused: There is none.
        """
        return self._ask("GET", path, params=query)

    def first(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The objects of a list; of the first page, which is more than enough here.

        Raises:
            GraphRefused: There is none.
        """
        found = self.get(path, **query).get("value")
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    def send(
        self, method: str, path: str, members: Mapping[str, Any], *, patient: bool = False
    ) -> dict[str, Any]:
        """Write something; what comes back.

        Args:
            method: POST or PATCH.
            path: Below ``/v1.0``.
            members: The body.
            patient: Whether it builds upon something so new that Graph may not know it everywhere.

        Raises:
            GraphRefused: It was not written.
        """
        return self._ask(method, path, patient=patient, json=members)

    def _ask(self, method: str, path: str, *, patient: bool = False, **content: Any) -> dict[str, Any]:
        waited, pause = 0.0, _FIRST_PAUSE
        while True:
            answer = self._exchange(method, path, **content)
            if answer.is_success:
                return _members(answer)
            asked = answer.headers.get("Retry-After", "")
            again = _SLOW | (_UNKNOWN if patient else set()) | ({_UNSURE} if method != "POST" else set())
            if answer.status_code not in again or waited >= PATIENCE:
                raise _refused(answer)
            pause = (
                max(min(float(asked), PATIENCE), 1) if asked.isdecimal() else min(pause, PATIENCE - waited)
            )
            self.sleep(pause)
            waited, pause = waited + pause, pause * 2

    def _exchange(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            with self.client.stream(method, f"/v1.0{path}", **content) as answer:
                body = read_bounded(answer)
        except UNREACHABLE as error:
            raise GraphRefused(
                f"Microsoft Graph cannot be reached: {type(error).__name__}: {printable(error, 200)}. "
                "Check the network, and HTTPS_PROXY if there is a proxy; running this again goes on."
            ) from None
        return httpx.Response(answer.status_code, headers=_plain(answer.headers), content=body)


def read_bounded(answer: httpx.Response) -> bytes:
    """The body of an answer that is being read.

    Raises:
        GraphRefused: It is longer than any that is meant.
    """
    body = bytearray()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise GraphRefused(f"{answer.url.host} answered with more than can be right.")
    return bytes(body)


def _plain(headers: httpx.Headers) -> dict[str, str]:
    """The headers without what tells how the body travelled."""
    return {name: headers[name] for name in ("Retry-After", "request-id") if name in headers}


def _members(answer: httpx.Response) -> dict[str, Any]:
    if not answer.content:
        return {}
    try:
        members = json.loads(answer.content)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise GraphRefused("Microsoft Graph answered with something that is not a JSON object.")
    return members


def _refused(answer: httpx.Response) -> GraphRefused:
    try:
        error = json.loads(answer.content)["error"]
        code, message = printable(error["code"], 80), printable(error["message"], 300)
    except (ValueError, LookupError, TypeError, RecursionError):
        code, message = "", f"it answers with status {answer.status_code}"
    request_id = printable(answer.headers.get("request-id", ""), 60)
    where = f" (request ID {request_id})" if request_id else ""
    return GraphRefused(f"Microsoft Graph refuses: {code}: {message}{where}".replace(": : ", ": "), code)
