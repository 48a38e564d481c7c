"""The HTTP library: httpx2, as for Starlette and fastapi-azure-auth, or httpx where there is no httpx2.

Applications may hand in clients of either one, so the errors of both count. ``httpx2.alias_httpx()`` makes
one library of the two names.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

_NAMES: Final = ("httpx2", "httpx")

if TYPE_CHECKING:
    import httpx as _httpx
    import httpx2 as httpx

    AsyncHttpClient = httpx.AsyncClient | _httpx.AsyncClient

    class HttpAuth(httpx.Auth, _httpx.Auth):  # type: ignore[misc]
        """What ``auth=`` of both libraries' clients takes."""
else:
    httpx = import_module("httpx2" if find_spec("httpx2") else "httpx")
    AsyncHttpClient = httpx.AsyncClient
    HttpAuth = object

__all__ = ["AsyncHttpClient", "HttpAuth", "auth_classes", "errors_named", "httpx", "library_of"]


def errors_named(*names: str, besides: tuple[type[Exception], ...] = ()) -> tuple[type[Exception], ...]:
    """The exceptions of these names, of each library that is in use, and others. None is imported for it."""
    libraries = [sys.modules.get(name) for name in _NAMES]
    named = [getattr(library, name) for library in libraries for name in names if hasattr(library, name)]
    return (*named, *besides)


def auth_classes() -> tuple[type, ...]:
    """The class ``Auth`` of each library that is installed: clients look for their own."""
    return tuple(dict.fromkeys(import_module(name).Auth for name in _NAMES if find_spec(name)))


def library_of(request: object) -> Any:
    """The library whose request it is."""
    libraries = map(sys.modules.get, _NAMES)
    return next(each for each in libraries if isinstance(request, getattr(each, "Request", ())))
