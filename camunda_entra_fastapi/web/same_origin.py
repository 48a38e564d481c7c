"""Whether a page of this service made a request that carries the session cookie (protection against CSRF).

A gateway's question is judged by the host that it asks about (``web/asked_url.py``): a page of a sibling
host, which is of the same site and whose requests carry the cookie, too, does not act on it.

Browsers say so in ``Sec-Fetch-Site`` (W3C, Fetch Metadata Request Headers), older ones and those on
plain http in ``Origin`` (RFC 6454, 7). No script of a page can set either.
"""

from typing import Final

from starlette.requests import HTTPConnection

from camunda_entra_fastapi.errors import CrossOrigin
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.web.public_url import SAFE_METHODS, PublicUrl

OWN_ORIGIN: Final = "camunda_entra_fastapi.own_origin"
"""Key of the scope: the origin in place of the public URL's; None for that."""


def check_same_origin(connection: HTTPConnection, public_url: PublicUrl) -> None:
    """Accept safe methods, and requests of this service's own pages. WebSockets must always be of the latter.

    Raises:
        CrossOrigin: Another site's page made the request, or it does not say which.
    """
    if connection.scope["type"] == "http" and connection.scope["method"] in SAFE_METHODS:
        return
    require_same_origin(connection, public_url)


def require_same_origin(connection: HTTPConnection, public_url: PublicUrl) -> None:
    """Accept requests of this service's own pages.

    Raises:
        CrossOrigin: Another site's page made the request, or it does not say which.
    """
    if not is_same_origin(connection, public_url):
        # Without a base URL it may be the name of a host inside, so clients are not told.
        own = connection.scope.get(OWN_ORIGIN)
        logger.info(
            "Another site's request: its pages are not of %s", own or public_url.origin_if_known(connection)
        )
        raise CrossOrigin(
            "A request that changes something and is authenticated by the session cookie must come from "
            f"a page of {own or public_url.base_url or 'this service'}, and say so in Sec-Fetch-Site or "
            "Origin. Programs send a bearer token instead. Behind a proxy, set CAMUNDA_ENTRA_BASE_URL."
        )


def is_same_origin(connection: HTTPConnection, public_url: PublicUrl) -> bool:
    """Whether the request says that a page of this service made it."""
    fetch_site = connection.headers.get("sec-fetch-site")
    if fetch_site is not None:
        return fetch_site == "same-origin"
    own = connection.scope.get(OWN_ORIGIN) or public_url.origin(connection)
    return connection.headers.get("origin") == own


def is_cross_site(connection: HTTPConnection, public_url: PublicUrl) -> bool:
    """Whether the request says that another site made it. Typed addresses and bookmarks belong to no site."""
    fetch_site = connection.headers.get("sec-fetch-site")
    if fetch_site is not None:
        return fetch_site == "cross-site"
    origin = connection.headers.get("origin")
    if origin is not None:
        return origin != public_url.origin(connection)
    referer = connection.headers.get("referer")
    return referer is not None and not referer.startswith(public_url.origin(connection) + "/")
