"""The public URL of this service, as browsers see it; and whether a request is a browser's navigation."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from starlette.requests import HTTPConnection
from starlette.types import Scope

from camunda_entra_fastapi.errors import InvalidRequest
from camunda_entra_fastapi.sign_in.return_to import NO_OTHER_HOSTS, ReturnHosts

SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS", "TRACE")
"""Methods that change nothing (RFC 9110, 9.2.1)."""
_PATH: Final = "/%:@!$&'()*+,;=~"
"""Characters that a path may hold unencoded (RFC 3986, 3.3), and what is encoded already."""
_DECODED_PATH: Final = _PATH.replace("%", "")
_SPELLED: Final = "".join(map(chr, range(0x21, 0x7F))).replace("?", "").replace("#", "")
"""Characters that a client may spell a path with: visible ones, of which these two would end it."""
_HOST: Final = re.compile(rb"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
"""A host as browsers and HTTP clients send it, and a port (RFC 9110, 7.2; RFC 3986, 3.2.2)."""
_LAST_PORT: Final = 65_535
_SCHEMES: Final = {"ws": "http", "wss": "https"}
INSTALLED_AT: Final = "camunda_entra_fastapi.installed_at"
"""Key of the scope: ``root_path`` of the application that has the login pages, which may be mounted."""


@dataclass(frozen=True, slots=True)
class PublicUrl:
    """The public URL of this service, from the settings or from each request.

    Attributes:
        base_url: Its root, without a slash at the end; None to take it from each request.
        hosts: Further hosts, whose pages people may return to.
    """

    base_url: str | None
    hosts: ReturnHosts = NO_OTHER_HOSTS
    _origin: str | None = field(init=False, default=None)
    _root: str = field(init=False, default="")

    def __post_init__(self) -> None:
        if self.base_url is not None:
            parts = urlsplit(self.base_url)
            object.__setattr__(self, "_origin", _origin_of(parts.scheme, parts.netloc))
            object.__setattr__(self, "_root", parts.path)

    def origin(self, connection: HTTPConnection) -> str:
        """Scheme, host and port, as browsers write them in ``Origin`` (RFC 6454, 6.2).

        Raises:
            InvalidRequest: There is no base URL, and the request does not say what is in its place.
        """
        origin = self.origin_if_known(connection)
        if origin is None:
            raise InvalidRequest(
                "host_malformed",
                "The request must have one Host header with a host and, if need be, a port, such as "
                "orders.example.com or localhost:8000 (RFC 9110, 7.2).",
            )
        return origin

    def origin_if_known(self, connection: HTTPConnection) -> str | None:
        """The same; None without a base URL where the request has no Host header, or an odd one, or several.

        The address that the server listens at is none of browsers' business, so it is no substitute.
        """
        if self._origin is not None:
            return self._origin
        hosts = [value for name, value in connection.scope["headers"] if name == b"host"]
        match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if match is None or int(match[2] or 0) > _LAST_PORT:
            return None
        scheme: str = connection.scope.get("scheme", "http")
        return _origin_of(_SCHEMES.get(scheme, scheme), match[0].decode())

    def is_secure(self, connection: HTTPConnection) -> bool:
        """Whether browsers reach this service by https."""
        if self._origin is not None:
            return self._origin.startswith("https:")
        return connection.scope.get("scheme") in ("https", "wss")

    def url(self, connection: HTTPConnection, path: str, root: str | None = None) -> str:
        """The URL of a path of this service; ``root`` is what precedes it where that is known.

        Raises:
            InvalidRequest: As ``origin`` does.
        """
        return self.origin(connection) + self.path(connection, path, root)

    def link(self, connection: HTTPConnection, path: str, root: str | None = None) -> str:
        """The same for browsers alone, which can do with the path where the request tells no address."""
        return (self.origin_if_known(connection) or "") + self.path(connection, path, root)

    def path(self, connection: HTTPConnection, path: str, root: str | None = None) -> str:
        """The path of this service as browsers must request it."""
        if self._origin is not None:
            return self._root + path
        scope = connection.scope
        prefix = scope.get(INSTALLED_AT, _outer_root_path(scope)) if root is None else root
        return quote(prefix.rstrip("/"), safe=_PATH) + path

    def root_of(self, connection: HTTPConnection, own_path: str) -> str:
        """What precedes ``own_path`` in the requested path: mounts and prefixes of proxies."""
        scope = connection.scope
        root = str(scope.get("root_path", ""))
        return root + _without_root(str(scope.get("path", "")), root).removesuffix(own_path)

    def requested_path(self, connection: HTTPConnection) -> str:
        """The path and query that the browser requested, percent-encoded."""
        scope = connection.scope
        root_path = _outer_root_path(scope)
        root = self._root if self._origin is not None else root_path.rstrip("/")
        path = quote(root, safe=_PATH) + path_behind(scope, root_path)
        query = scope.get("query_string", b"").decode("latin-1")
        return f"{path}?{query}" if query else path

    def return_to(self, connection: HTTPConnection) -> str:
        """Where a navigation belongs: the requested path; with an unsafe method, that of the page before."""
        if connection.scope["method"] in SAFE_METHODS:
            return self.requested_path(connection)
        referer = connection.headers.get("referer", "")
        origin = self.origin_if_known(connection)
        is_ours = origin is not None and referer.startswith(f"{origin}/")
        return urlsplit(referer).path if is_ours else self.path(connection, "/")


def path_behind(scope: Scope, root: str) -> str:
    """The requested path without the root, if it begins with that; percent-encoded as the client spelled it.

    ``/a%2Fb`` and ``/a/b`` are two addresses, which ``path`` does not tell. Servers and middleware may know
    ``raw_path`` not at all, or that of another request: it counts where ``path`` was decoded from it.
    """
    path = str(scope.get("path", ""))
    rest = _without_root(path, root)
    raw_path = (scope.get("raw_path") or b"").decode("latin-1").partition("?")[0]
    spelled = quote(raw_path, _SPELLED, "latin-1")  # some servers let bytes beyond ASCII pass
    if unquote(spelled) == path:
        # The root has as many slashes however it is spelled, unless one of them is encoded.
        before = path[: len(path) - len(rest)]
        segments = spelled.split("/")
        end = before.count("/") + 1
        if unquote("/".join(segments[:end])) == before:
            return "".join(f"/{segment}" for segment in segments[end:])
    return quote(rest, safe=_DECODED_PATH)


def is_navigation(headers: Mapping[str, str]) -> bool:
    """Whether a browser navigates to a page (Fetch Metadata; RFC 9110, 12.5.1)."""
    mode = headers.get("sec-fetch-mode")
    if mode is not None:
        return mode == "navigate"
    is_of_script = "x-requested-with" in headers or "hx-request" in headers
    return "text/html" in headers.get("accept", "").lower() and not is_of_script


def _outer_root_path(scope: Scope) -> str:
    """The ``root_path`` of the outermost application."""
    return str(scope.get("app_root_path", scope.get("root_path", "")))


def _without_root(path: str, root: str) -> str:
    """The path without the root, which some servers include and others remove (ASGI, root_path)."""
    for prefix in (root, root.rstrip("/")):  # with a slash at its end, uvicorn puts it before another one
        if prefix and (path == prefix or path.startswith(prefix + "/")):
            return path[len(prefix) :]
    return path


def _origin_of(scheme: str, netloc: str) -> str:
    """The origin in lower case, without the default port of the scheme."""
    default = {"http": ":80", "https": ":443"}.get(scheme, "")
    return f"{scheme}://{netloc.lower().removesuffix(default)}"
