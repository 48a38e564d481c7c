"""Values of the settings about cookies and frames, some of which depend on fields before them. Pure.

As in ``values``, mistakes are ``ValueError`` worded to follow the variable's name.
"""

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from pydantic import ValidationInfo

from camunda_entra_fastapi.settings.urls import MAX_HOST_CHARACTERS
from camunda_entra_fastapi.urls import is_loopback

DEFAULT_NAME: Final = "entra_session"
_MARK_CHARACTERS: Final = 8
MAX_FRAME_ANCESTORS: Final = 50
"""Every page has all of them in a header."""

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_ANCESTOR: Final = re.compile(
    rf"(?P<scheme>https?)://(?:\*\.)?(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]{{2,45}}\])(?::[0-9]{{1,5}})?"
)
"""A host as in a Content Security Policy (CSP Level 3, 2.3.1); nothing in it could end the directive."""
PUBLIC_SUFFIXES: Final = frozenset(
    {
        "azure-api.net",
        "azurecontainer.io",
        "azurestaticapps.net",
        "azurewebsites.net",
        "cloudapp.net",
        "co.uk",
        "com.au",
        "github.io",
        "herokuapp.com",
        "onrender.com",
        "trafficmanager.net",
    }
)
"""Some of the Public Suffix List, under which everybody may have a host: where such services often are."""


def read_cookie_name(value: object, info: ValidationInfo) -> str:
    """The name of a cookie (RFC 6265, 4.1.1); the default one has a mark of issuer and client ID.

    Neither port nor path keeps the cookies of two services apart (RFC 6265, 8.5).
    """
    if value == "":
        deployment = f"{info.data.get('issuer', '')} {info.data.get('client_id', '')}"
        return f"{DEFAULT_NAME}_{sha256(deployment.encode()).hexdigest()[:_MARK_CHARACTERS]}"
    if not isinstance(value, str) or not re.fullmatch("(?!__)[A-Za-z0-9_-]{1,40}", value):
        raise ValueError(
            "is not a cookie's name. Give up to 40 letters, digits, hyphens and underscores, "
            "for example orders_session; __Host- is put before it on https."
        )
    return value


def read_cookie_domain(value: object, info: ValidationInfo) -> str | None:
    """The domain of the cookies (RFC 6265, 4.1.2.3), which the base URL's host must be in."""
    if value is None:
        return None
    # A browser ignores one dot at the beginning (RFC 6265, 5.2.3).
    domain = value.lower().removeprefix(".") if isinstance(value, str) else ""
    remedy = "or leave it unset for this host alone."
    if _is_address(domain):
        raise ValueError(
            "is an IP address, which browsers accept no cookie for (RFC 6265, 5.1.3). Give a domain that all "
            f"hosts which share the sign-in are in, for example apps.example.com, {remedy}"
        )
    if len(domain) > MAX_HOST_CHARACTERS or not _DOMAIN.fullmatch(domain):
        raise ValueError(
            "is not a domain. Give one that all hosts which share the sign-in are in, without scheme, port "
            f"and dot at the end, for example apps.example.com, {remedy}"
        )
    if domain in PUBLIC_SUFFIXES:
        raise ValueError(
            "is a public suffix, under which everybody may have a host. Browsers refuse its cookies "
            f"(RFC 6265, 5.3), so nobody could sign in. Give one of your own, for example "
            f"apps.example.com, {remedy}"
        )
    host = urlsplit(info.data.get("base_url") or "").hostname
    if host is not None and not is_in_domain(host, domain):
        raise ValueError(
            "is a domain that the host of CAMUNDA_ENTRA_BASE_URL is not in. Browsers refuse such cookies "
            f"(RFC 6265, 5.3), so nobody could sign in. {_remedy_for(host)}"
        )
    return domain


def read_cookie_same_site(value: object, info: ValidationInfo) -> str:
    """``lax``, or ``none`` for services that pages of other sites show in frames."""
    text = value.lower() if isinstance(value, str) else ""
    if text not in {"lax", "none"}:
        raise ValueError(
            "is neither lax nor none. Give none where pages of other sites show this service in a frame, "
            "or leave it unset."
        )
    base = urlsplit(info.data.get("base_url") or "")
    if text == "none" and base.scheme == "http" and not is_loopback(base.hostname or ""):
        raise ValueError(
            "is none, but CAMUNDA_ENTRA_BASE_URL is plain http: browsers accept such cookies by https alone. "
            "Put TLS before the service, and https into CAMUNDA_ENTRA_BASE_URL, or leave it unset."
        )
    return text


def read_frame_ancestors(value: object) -> tuple[str, ...]:
    """The origins of pages that may show this service's own pages in a frame."""
    entries = _entries(value)
    matches = [_ANCESTOR.fullmatch(entry) for entry in entries]
    if len(entries) > MAX_FRAME_ANCESTORS or not all(map(_may_frame, matches)):
        raise ValueError(
            "has an entry that is no origin with https. Give scheme and host without a path, separated by "
            f"commas, at most {MAX_FRAME_ANCESTORS}, for example "
            "https://portal.example.com,https://*.cloud.microsoft."
        )
    return tuple(dict.fromkeys(entries))


def is_in_domain(host: str, domain: str) -> bool:
    """Whether cookies of the domain belong to the host (RFC 6265, 5.1.3)."""
    return host == domain or host.endswith(f".{domain}")


def _remedy_for(host: str) -> str:
    """What to give for a service at that host."""
    _, _, parent = host.partition(".")
    if _is_address(host) or not parent:
        return "That host shares cookies with no other: leave it unset."
    domain = parent if "." in parent and parent not in PUBLIC_SUFFIXES else host
    return f"Give {domain}, or leave it unset for this host alone."


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def _entries(value: object) -> list[str]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, Iterable) or isinstance(value, bytes | Mapping):
        return [""]
    return [str(entry).strip().lower().removesuffix("/") for entry in value]


def _may_frame(match: re.Match[str] | None) -> bool:
    return match is not None and (match["scheme"] == "https" or is_loopback(match["host"].strip("[]")))
