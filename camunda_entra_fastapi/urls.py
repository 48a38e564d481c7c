"""Which addresses may be called: encrypted ones, and plain ones on this machine."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_usable(url: object, *, allow_http: bool) -> bool:
    """Whether it is an absolute https URL, or a plain http one of this machine or by permission."""
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # the port is looked at because a wrong one raises
    except ValueError:
        return False
    if not host:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and (allow_http or is_loopback(host)))


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine (RFC 6761, 6.3; RFC 1122, 3.2.1.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
