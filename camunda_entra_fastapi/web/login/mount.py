"""The login pages as one route that finds its page by a look-up, not by trying one after another.

A router tries its routes in turn. The login pages come before those that an application adds after
``install``, and each of them would make every later route slower by two percent.
"""

from collections.abc import Sequence
from typing import Any, Final

from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound, Route
from starlette.types import Receive, Scope, Send

_MATCHED_ROUTE: Final = "camunda_entra_fastapi.route"
"""Key of the scope: the route that matched."""


class LoginMount(BaseRoute):
    """Behaves like its routes one by one. For any other path the router tries the next route.

    Args:
        path: The path by which tools for metrics and traces name it.
        routes: Routes without path parameters, each with a path of its own.
    """

    def __init__(self, path: str, routes: Sequence[BaseRoute]) -> None:
        self.path = path
        self.routes = [route for route in routes if isinstance(route, Route)]
        self._by_path = {route.path: route for route in self.routes}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether one of the routes has the path, and the method."""
        path, root = scope["path"], scope.get("root_path")
        route = self._by_path.get(path)
        if root:  # a path may be with or without its root path, as for the routes themselves
            route = self._by_path.get(path.removeprefix(root), route)
        if route is None:
            return Match.NONE, {}
        match, child_scope = route.matches(scope)
        return match, {**child_scope, _MATCHED_ROUTE: route}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the matched route handle the request."""
        await scope[_MATCHED_ROUTE].handle(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path of the route of that name.

        Raises:
            NoMatchFound: There is no such route.
        """
        for route in self.routes:
            if route.name == name:
                return route.url_path_for(name, **path_params)
        raise NoMatchFound(name, path_params)
