"""The scopes that the routes of an application require with ``Security(…, scopes=[…])``.

FastAPI tells a dependency its scopes with each request, not before. So they are looked for at start, and
what escapes that, such as the dependencies of an included router, is refused with its first request.
"""

from collections.abc import Iterator

from camunda_entra_fastapi.validation.scope_names import check_scope_names
from camunda_entra_fastapi.web.bearer import EntraBearer
from camunda_entra_fastapi.web.permission_guard import PermissionGuard


def check_route_scopes(app: object) -> None:
    """Each scope that a route of the application requires may stand in ``scp``.

    Args:
        app: The application; anything without routes has none to check.

    Raises:
        ValueError: One never can; the message names the route.
    """
    for route in _routes_of(app):
        dependant = getattr(route, "dependant", None)
        try:
            check_scope_names(_scopes_of(dependant, ()))
        except ValueError as error:
            raise ValueError(f"{getattr(route, 'path', 'A route')}: {error}") from None


def _routes_of(app: object) -> Iterator[object]:
    """All routes, those of mounted applications and of included routers, too."""
    routes = getattr(app, "routes", None)
    for route in routes if isinstance(routes, list) else ():  # who knows what is mounted
        yield route
        yield from _routes_of(route)
        yield from _routes_of(getattr(route, "original_router", None))


def _scopes_of(dependant: object, inherited: tuple[str, ...]) -> Iterator[str]:
    """The scopes that reach one of our dependencies: its own, and those of whatever depends on it."""
    scopes = (*inherited, *(getattr(dependant, "own_oauth_scopes", None) or ()))
    if isinstance(getattr(dependant, "call", None), EntraBearer | PermissionGuard):
        yield from scopes
    for needed in getattr(dependant, "dependencies", None) or ():
        yield from _scopes_of(needed, scopes)
