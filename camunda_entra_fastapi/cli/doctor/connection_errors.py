"""Why there was no response: which part of the connection is broken, and the remedy."""

import errno
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from camunda_entra_fastapi.cli.findings import printable
from camunda_entra_fastapi.http_library import httpx

_NO_ROUTE: Final = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL)
_CA_REMEDY: Final = (
    "If a proxy of the company reads TLS, put its root certificate into a file and name that in "
    "CAMUNDA_ENTRA_CA_BUNDLE (the usual certificates besides, in the same file, where they are needed, too)."
)
_REFUSED_REMEDY: Final = (
    "Have the certificate made anew. If a proxy of the company reads TLS, it is the proxy's certificate; see "
    "that the file in CAMUNDA_ENTRA_CA_BUNDLE has the root certificate that the proxy uses today."
)
_UNTRUSTED: Final = frozenset({7, 18, 19, 20, 21})
"""OpenSSL: signed with another key than the authority's of that name, self-signed, self-signed in the chain,
no local issuer, no leaf signature."""
_EXPIRED: Final = 10
_NOT_YET_VALID: Final = 9
_NAME_MISMATCH: Final = frozenset({62, 64})


class Unreachable(Exception):
    """There was no response; the cause, and the remedy."""

    def __init__(self, code: str, cause: str, remedy: str) -> None:
        super().__init__(cause)
        self.code, self.cause, self.remedy = code, cause, remedy


def unreachable_by(
    error: BaseException, url: str, proxy: str, timeout: float, ca_bundle: Path | None
) -> Unreachable:
    """Which part of the connection an error is about.

    Args:
        error: The error.
        url: The requested URL.
        proxy: The proxy; empty for none.
        timeout: The deadline in seconds.
        ca_bundle: The file of trusted certificates; None for the usual ones.
    """
    host = urlsplit(url).netloc
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return Unreachable(
            "timeout",
            f"{host} did not answer within {timeout:g} seconds.",
            "Look for a firewall in between, or a proxy that must be used: set CAMUNDA_ENTRA_HTTP_PROXY, "
            "or a longer CAMUNDA_ENTRA_HTTP_TIMEOUT.",
        )
    if isinstance(error, httpx.ProxyError):
        return Unreachable(
            "proxy_refused",
            f"The proxy {proxy} does not let through to {host}: {printable(error, 100)}.",
            "Have it let this host through, correct user name and password in CAMUNDA_ENTRA_HTTP_PROXY "
            "or "
            "HTTPS_PROXY, or name the host in NO_PROXY.",
        )
    causes = list(_error_chain(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return _tls_error(host, cause, ca_bundle)
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return unknown_host(urlsplit(proxy or url).hostname or host, cause)
    return _connection_error(host, proxy, causes)


def refused_certificate(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """The refusal of a certificate, where that is among the causes of an error."""
    refusals = (cause for cause in _error_chain(error) if isinstance(cause, ssl.SSLCertVerificationError))
    return next(refusals, None)


def _error_chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, those of exception groups included."""
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        pending += [current.__cause__, current.__context__, *getattr(current, "exceptions", ())]


def _tls_error(host: str, error: ssl.SSLError, ca_bundle: Path | None) -> Unreachable:
    code = getattr(error, "verify_code", None)
    if code in _UNTRUSTED:
        told = f"Nobody who is trusted here vouches for {host}."
        if ca_bundle is None:
            return Unreachable("certificate_untrusted", told, _CA_REMEDY)
        return Unreachable(
            "certificate_untrusted",
            f"{told} CAMUNDA_ENTRA_CA_BUNDLE is set, but whoever issued the certificate is not in it.",
            f"Put the root certificate of who issued it into {ca_bundle}, beside those that are there. If a "
            "proxy of the company reads TLS, that is the proxy's of today.",
        )
    if code in (_EXPIRED, _NOT_YET_VALID):
        state = "has expired" if code == _EXPIRED else "is not valid yet"
        return Unreachable(
            "certificate_time",
            f"The certificate of {host} {state}.",
            "Set this machine's clock right; if it is right, have the certificate renewed.",
        )
    if code in _NAME_MISMATCH:
        return Unreachable(
            "certificate_name",
            f"The certificate of {host} is for another name.",
            "Use the name that the certificate has in the settings' URLs, or have one made for this name.",
        )
    if code is not None:
        reason = printable(getattr(error, "verify_message", ""), 100)
        return Unreachable(
            "certificate_refused", f"The certificate of {host} is refused: {reason}.", _REFUSED_REMEDY
        )
    return Unreachable(
        "no_tls",
        f"{host} does not speak TLS as it should: {printable(error.reason or 'the handshake failed', 100)}.",
        "If it is a server for plain http, write http in the URL (beyond this machine that needs "
        "CAMUNDA_ENTRA_ALLOW_HTTP=true), or give the port that speaks TLS.",
    )


def unknown_host(host: str, error: BaseException) -> Unreachable:
    """The host's name cannot be resolved."""
    reason = printable(getattr(error, "strerror", "") or type(error).__name__, 100)
    return Unreachable(
        "host_unknown",
        f"Nobody knows the host {host}: {reason}.",
        "Correct the host's name; if it is right, see that DNS works here, or name the proxy in "
        "CAMUNDA_ENTRA_HTTP_PROXY. Names of containers are known in their own network only: run this there, "
        "or let CAMUNDA_IDENTITY_ISSUER_BACKEND_URL name one that this machine knows.",
    )


def _connection_error(host: str, proxy: str, causes: list[BaseException]) -> Unreachable:
    target = f"the proxy {proxy}" if proxy else host
    numbers = {cause.errno for cause in causes if isinstance(cause, OSError) and cause.errno is not None}
    if errno.ECONNREFUSED in numbers:
        return Unreachable(
            "refused",
            f"Nothing listens at {target}.",
            "Correct host and port, or start what should listen there. In a container, localhost is the "
            "container itself.",
        )
    if numbers.intersection(_NO_ROUTE):
        return Unreachable(
            "no_route",
            f"There is no way to {target} in the network.",
            "Check the network and its firewall; a proxy is set with CAMUNDA_ENTRA_HTTP_PROXY.",
        )
    return Unreachable(
        "broken",
        f"The connection to {target} broke: {printable(causes[0], 100) or type(causes[0]).__name__}.",
        "See what stands in between: a proxy, a firewall, or a server for another protocol.",
    )
