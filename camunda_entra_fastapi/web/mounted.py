"""What an application consists of beside its own routes: mounted applications, and Cadwyn's versions."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Self

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

_MAX_WRAPPERS: Final = 20
"""Middlewares around a mounted application that are looked through."""
_INSTALLED: Final = "camunda_entra_installed"
"""The name in the state of an application that has an ``install`` of its own."""


class NeverCopied:
    """What is itself in each copy of a route: Cadwyn copies an application's routes for each version."""

    def __deepcopy__(self, _: object) -> Self:
        return self


def mark_installed(app: Starlette) -> None:
    """Let the application be one with an ``install`` of its own."""
    setattr(app.state, _INSTALLED, True)


def when_complete(app: Starlette, do: Callable[[], None]) -> None:
    """Do that when the application has all its routes: right before it first runs.

    Starlette makes its middlewares then. This one does its work when it is made, and is none afterwards.
    """

    def none(inner: ASGIApp) -> ASGIApp:
        do()
        return inner

    if app.middleware_stack is None:
        app.add_middleware(none)
    else:  # it runs already
        do()


def mounted_applications(app: Starlette) -> Iterator[Starlette]:
    """All that are mounted in this one, at any depth, but for those with an ``install`` of their own."""
    known: dict[int, object] = {id(app): app}  # which keeps them, so that no other one gets the ID
    waiting: list[object] = [app]
    while waiting:
        for route in _routes_of(waiting.pop()):
            for within in (route, getattr(route, "original_router", None), _application_of(route)):
                if within is None or id(within) in known:
                    continue
                known[id(within)] = within
                if not isinstance(within, Starlette):
                    waiting.append(within)
                elif not hasattr(within.state, _INSTALLED):
                    waiting.append(within)
                    yield within


def paths_that_end_in(app: object, ending: str) -> Iterator[str]:
    """The paths of the application's routes with that ending, those in routers and mounts among them."""
    yield from _paths(app, ending, ())


def _paths(app: object, ending: str, around: tuple[int, ...]) -> Iterator[str]:
    """The same; ``around`` are the IDs of what it is mounted in, for mounts that lead in circles."""
    if app is None or id(app) in around:
        return
    for route in _routes_of(app):
        path = str(getattr(route, "path", ""))
        if path.endswith(ending):
            yield path
        yield from _paths(getattr(route, "original_router", None), ending, (*around, id(app)))
        within = _application_of(route)
        yield from (path + inner for inner in _paths(within, ending, (*around, id(app))))


def route_tables_of(app: Starlette) -> Iterator[list[BaseRoute]]:
    """The lists in which the application looks for routes.

    It is one; with Cadwyn, one more for what belongs to no version, and one for each version.
    """
    yield app.router.routes
    if isinstance(unversioned := getattr(app.router, "unversioned_routes", None), list):
        yield unversioned
    for router in _versions_of(app):
        yield router.routes


def _routes_of(app: object) -> Iterable[object]:
    routes = getattr(app, "routes", None)
    if isinstance(routes, list):  # who knows what is mounted
        yield from routes
    for router in _versions_of(app):
        yield from router.routes


def _versions_of(app: object) -> Iterable[Any]:
    """Cadwyn's routers, one for each version."""
    routers = getattr(getattr(app, "router", None), "versioned_routers", None)
    return list(routers.values()) if isinstance(routers, dict) else []


def _application_of(route: object) -> object:
    """The application at a mount, without middlewares and guards around it; else what has routes there."""
    app = getattr(route, "_base_app", None) or getattr(route, "app", None)
    with_routes: object = None
    for _ in range(_MAX_WRAPPERS):
        if app is None or isinstance(app, Starlette):
            break
        if with_routes is None and isinstance(getattr(app, "routes", None), list):
            with_routes = app  # a router; or a guard, which shows those of the application behind it
        app = getattr(app, "app", None) or getattr(app, "_app", None)
    return app if isinstance(app, Starlette) else with_routes
