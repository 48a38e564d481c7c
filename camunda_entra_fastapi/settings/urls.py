"""URLs in the settings: which are accepted, and how passwords in them are masked. Pure.

As in ``values``, mistakes are ``ValueError`` worded to follow the variable's name. They never repeat
the given value: any URL may hold a password.
"""

import re
from collections.abc import Collection
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from camunda_entra_fastapi.sessions.redis_url import read_redis_url
from camunda_entra_fastapi.urls import is_loopback

MAX_URL_CHARACTERS: Final = 2048
MAX_HOST_CHARACTERS: Final = 253
MAX_DOCUMENTATION_URL: Final = 200
"""Characters: an address in headers that proxies bound, behind a challenge of some hundred characters."""

_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
"""RFC 3986, 2."""
_ESCAPES: Final = "In a password, percent-encode all but letters and digits."
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_PATH: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)+")

_MASKABLE: Final = re.compile(r"([^:/?#]+://)([^/?#]*)([^?#]*)([^#]*)(.*)", re.DOTALL)
"""Scheme, authority, path, query and fragment (RFC 3986, appendix B), also of a list of hosts."""
_SENTINELS: Final = "rediss+sentinel://sentinel-1.example.com,sentinel-2.example.com/mymaster"
_NO_STORE: Final = (
    "is no store. Give cookie, memory, or the URL of a Redis, for example "
    f"rediss://redis.example.com:6379/0. {_ESCAPES}"
)
_STORE_PATHS: Final = {
    "": (re.compile(r"(?:/[0-9]*)?"), _NO_STORE),
    "sentinel": (
        re.compile(r"/[A-Za-z0-9._-]+(?:/[0-9]*)?"),
        f"does not name the service after the Sentinels. Write it as in {_SENTINELS}.",
    ),
    "cluster": (
        re.compile(r"/?"),
        "has something after the last host, but a cluster has no numbered databases. "
        "Write it as in rediss+cluster://node-1.example.com:6379,node-2.example.com:6379.",
    ),
}


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
        usable = (
            _is_host(url.hostname or "", is_bracketed="[" in url.netloc)
            and url.port != 0
            and not url.netloc.endswith(":")
        )
    except ValueError:
        usable = False
    if not usable or url.scheme not in schemes:
        raise ValueError(f"is not {' or '.join(schemes)} with the name of a host. {shape}")
    # The parts do not distinguish an empty query or fragment from none, but the given text does.
    return url._replace(
        query=url.query or "?" * ("?" in value), fragment=url.fragment or "#" * ("#" in value)
    )


def refuse_credentials(url: SplitResult) -> None:
    """Raise ``ValueError`` for a user name or password in the URL."""
    if "@" in url.netloc:
        raise ValueError("holds a user name or password, which would end in logs. Take out all up to the @.")


def refuse_unsafe(url: SplitResult, example: str, *, allow_http: bool) -> None:
    """Raise ``ValueError`` for parts that the address of a service must not have.

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
    example = "https://orders.example.com"
    url = split_url(value, example)
    refuse_credentials(url)
    refuse_unsafe(url, example, allow_http=allow_http)
    return str(value).rstrip("/")


def read_documentation_url(value: object, *, allow_http: bool) -> str | None:
    """Where the documentation is published, without a slash at its end; short, as answers have it."""
    if value is None:
        return None
    example = "https://docs.example.com/camunda-entra-fastapi"
    url = split_url(value, example)
    refuse_credentials(url)
    refuse_unsafe(url, example, allow_http=allow_http)
    if len(str(value)) > MAX_DOCUMENTATION_URL:
        raise ValueError(
            f"is longer than {MAX_DOCUMENTATION_URL} characters, and every refusal would have it. "
            f"Give a shorter address, for example {example}."
        )
    return str(value).rstrip("/")


def read_path(value: object) -> str:
    """A path of this service, such as ``/auth``; without a slash at its end."""
    if not isinstance(value, str) or len(value) > MAX_URL_CHARACTERS or not _PATH.fullmatch(value):
        raise ValueError(
            "is not a path. Give one that begins with a slash and ends without, of letters, digits, "
            "dots, hyphens and underscores, for example /auth/login-callback."
        )
    return value


def read_proxy(value: object) -> str | None:
    """The URL of an HTTP proxy, with user name and password if it needs them."""
    if value is None:
        return None
    example = "http://proxy.example.com:3128"
    url = split_url(value, example)
    if url.path not in ("", "/") or url.query or url.fragment:
        raise ValueError(f"holds more than a host and a port. Write it as in {example}. {_ESCAPES}")
    return str(value)


def read_session_store(value: object) -> str:
    """``cookie``, ``memory``, or the URL of a Redis: a single one, Sentinels, or nodes of a cluster."""
    text = value if isinstance(value, str) and len(value) <= MAX_URL_CHARACTERS else ""
    if text.lower() in ("cookie", "memory"):
        return text.lower()
    url = read_redis_url(text)
    if url is None or not _CHARACTERS.fullmatch(text):
        raise ValueError(_NO_STORE)
    try:
        usable = all(_is_host(host.name, is_bracketed=host.is_bracketed) for host in url.hosts)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(_NO_STORE)
    if len(url.hosts) > 1 and not url.kind:
        raise ValueError(
            f"names several hosts. Give one, or add +sentinel or +cluster to the scheme, as in {_SENTINELS}."
        )
    path, mistake = _STORE_PATHS[url.kind]
    if not path.fullmatch(url.path):
        raise ValueError(mistake)
    _check_store_options(url.query, url.kind, is_tls=url.is_tls)
    return text


def masked(url: str) -> str:
    """The URL with user name, password and query masked, for logs."""
    parts = _MASKABLE.fullmatch(url)
    if parts is None:
        return url
    scheme, authority, path, query, fragment = parts.groups()
    _, at, host = authority.rpartition("@")
    return f"{scheme}{'***@' if at else ''}{host}{path}{'?***' if len(query) > 1 else ''}{fragment}"


def _check_store_options(query: str, kind: str, *, is_tls: bool) -> None:
    """Raise ``ValueError`` for an unknown option, or a wrong value for one."""
    known = {"username": ".+", "password": ".+"}
    if kind != "cluster":
        known["db"] = "[0-9]+"
    if kind == "sentinel":
        known |= {"sentinel_username": ".+", "sentinel_password": ".+"}
    if is_tls:
        known |= dict.fromkeys(("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"), ".+")
        known["ssl_check_hostname"] = "true|false"
    for name, option in parse_qsl(query, keep_blank_values=True):
        if not re.fullmatch(known.get(name, "(?!)"), option):
            raise ValueError(
                "has an option after ? that such a URL has not, or a wrong value for one. "
                f"There are: {', '.join(sorted(known))}."
            )


def _is_host(host: str, *, is_bracketed: bool) -> bool:
    """Whether it is a valid host: a name, or an address, in brackets if it is of IPv6."""
    if is_bracketed:
        return isinstance(ip_address(host), IPv6Address) and "%" not in host
    return len(host) <= MAX_HOST_CHARACTERS and _HOST.fullmatch(host) is not None
