"""URLs: which may be called, encrypted ones and plain ones on this machine; origins and path segments."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit


def is_usable(url: object, *, allow_http: bool) -> bool:
    """Whether it is an absolute https URL, or http to this machine or with ``allow_http``."""
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # reading a wrong port raises
    except ValueError:
        return False
    if not host:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and (allow_http or is_loopback(host)))


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's (RFC 6761, 6.3; RFC 1122, 3.2.1.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def origin_of(url: SplitResult) -> tuple[str, str | None, int | None]:
    """Scheme, host and port of a URL, with the default port of the scheme (RFC 6454, 4)."""
    return url.scheme, url.hostname, url.port or {"https": 443, "http": 80}.get(url.scheme)


def segments_of(path: str) -> list[str]:
    """The segments of a path, without empty ones."""
    return [segment for segment in path.split("/") if segment]
