"""What a gateway says of the request that it asks about: its host, and where one comes back to.

With a cookie domain, one service signs people in for all hosts of that domain. Then a gateway asks about
requests to hosts that are not this service's own, and two things depend on the host that was asked for: pages
of that host alone are of the same origin, and people return to it.

``X-Forwarded-Host`` can be forged by programs, and not by pages: a page sends it to another origin only after
that origin has agreed to it in a preflight (Fetch, 4.8), and never with a WebSocket, a form or a link.
Gateways replace it besides. Whoever forges it all the same has the cookie in their hands already, and gains
nothing: a host that is not in the cookie's domain is never believed, and of two that differ, none is.
"""

import re
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.requests import Request

from camunda_entra_fastapi.sign_in.return_to import DEFAULT_PORTS, find_return_to, safe_return_to
from camunda_entra_fastapi.web.page_requests import htmx_page_url
from camunda_entra_fastapi.web.public_url import SAFE_METHODS, PublicUrl

URI_HEADERS: Final = ("x-forwarded-uri", "x-original-uri", "x-original-url")
"""Traefik and Caddy send the first of each, nginx what its configuration says."""
_HOST: Final = re.compile(r"([a-z0-9._-]{1,253})(?::([0-9]{1,5}))?")
_SCHEMES: Final = {"http": "http", "ws": "http", "https": "https", "wss": "https"}


def asked_origin(request: Request, public_url: PublicUrl, *, repeats_host: bool) -> str | None:
    """The origin that was asked for, where it shares the sign-in with this service; else None.

    Args:
        request: The gateway's question.
        public_url: Tells which hosts share the sign-in.
        repeats_host: Whether ``Host`` is that of the original request for certain, as with Envoy.
    """
    if public_url.hosts.domain is None:
        return None
    headers = request.headers
    forwarded = [] if repeats_host else headers.getlist("x-forwarded-host")
    if not repeats_host:
        urls = [url for name in URI_HEADERS for url in headers.getlist(name)]
        forwarded += [match[1] for url in urls if (match := re.match("https?://([^/?#]*)", url))]
    hosts = {host.lower() for host in forwarded or headers.getlist("host")}
    match = _HOST.fullmatch(hosts.pop()) if len(hosts) == 1 else None
    if match is None:
        return None
    scheme = _scheme_of(request, public_url)
    port = match[2] or headers.get("x-forwarded-port", "")
    candidates = (port, "") if match[2] is None else (port,)
    for candidate in candidates:
        is_default = candidate in ("", DEFAULT_PORTS[scheme])
        origin = f"{scheme}://{match[1]}{'' if is_default else f':{candidate}'}"
        if public_url.hosts.shares_sign_in(origin):
            return origin
    return None


def sign_in_url(
    request: Request,
    public_url: PublicUrl,
    login_path: str,
    original: tuple[list[str], str, str | None],
    *,
    log: bool,
) -> tuple[str, str]:
    """Where a browser signs in, and where it returns to; with an unsafe method, to the page before.

    Args:
        request: The gateway's question.
        public_url: The address of this service.
        login_path: The path of the login page.
        original: Methods, URI and origin of the original request.
        log: Whether a line says so where people cannot return to where they were.
    """
    methods, uri, origin = original
    is_safe = all(method.upper() in SAFE_METHODS for method in methods)
    if not is_safe:
        uri = request.headers.get("referer", "/")
    if (page := htmx_page_url(request.headers, is_safe=is_safe)) is not None:
        uri = page
    own = public_url.origin_if_known(request)
    # Without a base URL only the gateway knows its address; a browser resolves a path against that.
    there = origin if origin is not None and public_url.base_url is not None and origin != own else ""
    find = find_return_to if log else safe_return_to
    return_to = find(_address_of(uri, own, origin, there), login_path, public_url.hosts)
    if return_to == "/" and there:
        return_to = f"{there}/"  # nearer to what was asked for than a page of this service
    where = public_url.path if public_url.base_url is None else public_url.url
    return f"{where(request, login_path)}?return_to={quote(return_to, safe='/')}", return_to


def _scheme_of(request: Request, public_url: PublicUrl) -> str:
    """How browsers reach all hosts that share the sign-in: ``Secure`` cookies come by https alone."""
    if public_url.base_url is not None:
        return urlsplit(public_url.base_url).scheme
    said = request.headers.get("x-forwarded-proto", "").lower()
    return _SCHEMES.get(said) or _SCHEMES.get(str(request.scope.get("scheme")), "http")


def _address_of(uri: str, own: str | None, asked: str | None, there: str) -> str:
    """The URI as one returns to it: a path, behind ``there`` if it is of the host that was asked for.

    It is ``/`` for a URI of any other host.
    """
    if uri.startswith("/"):
        return there + uri
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "/"
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    origin = f"{parts.scheme}://{parts.netloc}".lower()
    if origin == own:
        return path
    return there + path if asked in (origin, origin.replace("http:", "https:", 1)) else "/"
