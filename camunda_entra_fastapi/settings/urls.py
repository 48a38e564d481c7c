"""URLs among the settings: what is accepted, and how one that may hold a password is shown. Pure.

As in ``values``, mistakes are ``ValueError`` worded to follow the variable's name. What was
given is never repeated: a password may stand in any URL.
"""

import re
from collections.abc import Collection
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from camunda_entra_fastapi.urls import is_loopback

MAX_URL_CHARACTERS: Final = 2048
MAX_HOST_CHARACTERS: Final = 253

_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
"""RFC 3986, 2."""
_ESCAPES: Final = "In a password, percent-encode all but letters and digits."
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_PATH: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)+")


def split_url(value: object, example: str, schemes: Collection[str] = ("https", "http")) -> SplitResult:
    """The parts of an absolute URL of one of the schemes.

    Raises:
        ValueError: It is none.
    """
    shape = f"Give an absolute URL, for example {example}."
    if not isinstance(value, str) or len(value) > MAX_URL_CHARACTERS:
        raise ValueError(f"is not text, or is longer than {MAX_URL_CHARACTERS} characters. {shape}")
    if not _CHARACTERS.fullmatch(value):
        raise ValueError(f"holds a character that no URL has, such as a blank or a line break. {shape}")
    try:
        url = urlsplit(value)
        usable = _is_host(url) and url.port != 0 and not url.netloc.endswith(":")
    except ValueError:
        usable = False
    if not usable or url.scheme not in schemes:
        raise ValueError(f"is not {' or '.join(schemes)} with the name of a host. {shape}")
    # Parts do not tell an empty query or fragment from none, but what was given does.
    return url._replace(
        query=url.query or "?" * ("?" in value), fragment=url.fragment or "#" * ("#" in value)
    )


def refuse_credentials(url: SplitResult) -> None:
    """Raise ``ValueError`` for a user name or password in the URL."""
    if "@" in url.netloc:
        raise ValueError("holds a user name or password, which would end in logs. Take out all up to the @.")


def refuse_unsafe(url: SplitResult, example: str, *, allow_http: bool) -> None:
    """Raise ``ValueError`` for what the address of a service must not have.

    That is a query, a fragment, path segments that vanish, and plain http to other machines.
    """
    if url.query or url.fragment:
        raise ValueError(f"holds a query or fragment. Take out all from ? or # on, as in {example}.")
    segments = url.path.split("/")
    if {".", ".."} & set(segments) or "" in segments[1:-1]:
        raise ValueError(f"has an empty segment, or one of dots, in its path. Write it as in {example}.")
    if url.scheme == "http" and not allow_http and not is_loopback(url.hostname or ""):
        raise ValueError(
            f"is plain http, which anybody on the way can read and change. Use https, as in {example}; "
            "for tests in a closed network there is CAMUNDA_ENTRA_ALLOW_HTTP=true."
        )


def read_base_url(value: object, *, allow_http: bool) -> str | None:
    """The public root of this service, without a slash at its end."""
    if value is None:
        return None
    example = "https://operate.example.com"
    url = split_url(value, example)
    refuse_credentials(url)
    refuse_unsafe(url, example, allow_http=allow_http)
    return str(value).rstrip("/")


def read_path(value: object) -> str:
    """A path of this service, such as ``/auth``; without a slash at its end."""
    if not isinstance(value, str) or len(value) > MAX_URL_CHARACTERS or not _PATH.fullmatch(value):
        raise ValueError(
            "is not a path. Give one that begins with a slash and ends without, of letters, digits, "
            "dots, hyphens and underscores, for example /auth/login-callback."
        )
    return value


def read_cookie_domain(value: object) -> str | None:
    """A domain whose hosts get the cookies (RFC 6265, 4.1.2.3)."""
    if value is None:
        return None
    domain = value.lower().removeprefix(".") if isinstance(value, str) else ""
    if len(domain) > MAX_HOST_CHARACTERS or "." not in domain or not _HOST.fullmatch(domain):
        raise ValueError(
            "is not a domain. Give one that all hosts which share the sign-in are in, "
            "for example apps.example.com, or leave it unset for this host alone."
        )
    return domain


def read_proxy(value: object) -> str | None:
    """The URL of an HTTP proxy, with user name and password if it wants them."""
    if value is None:
        return None
    example = "http://proxy.example.com:3128"
    url = split_url(value, example)
    if url.path not in ("", "/") or url.query or url.fragment:
        raise ValueError(f"holds more than a host and a port. Write it as in {example}. {_ESCAPES}")
    return str(value)


def read_session_store(value: object) -> str:
    """``cookie``, ``memory``, or the URL of a Redis."""
    if isinstance(value, str) and value.lower() in ("cookie", "memory"):
        return value.lower()
    example = "rediss://redis.example.com:6379/0"
    try:
        url = split_url(value, example, schemes=("rediss", "redis"))
        usable = re.fullmatch("(?:/[0-9]*)?", url.path) and not url.fragment and "@" not in url.query
    except ValueError:
        usable = None
    if not usable:
        raise ValueError(
            f"is no store. Give cookie, memory, or the URL of a Redis, for example {example}. {_ESCAPES}"
        )
    return str(value)


def masked(url: str) -> str:
    """The URL without user name, password and query, as logs may show it."""
    parts = urlsplit(url)
    _, at, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"***@{host}" if at else host, query="***" if parts.query else "").geturl()


def _is_host(url: SplitResult) -> bool:
    """Whether the URL has a host: a name, or an address, in brackets if it is of IPv6."""
    host = url.hostname or ""
    if "[" in url.netloc:
        return isinstance(ip_address(host), IPv6Address) and "%" not in host
    return len(host) <= MAX_HOST_CHARACTERS and _HOST.fullmatch(host) is not None
