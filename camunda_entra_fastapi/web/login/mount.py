"""Several routes whose paths have no parameters, as one: found by a look-up, not by trying one after another.

A router tries its routes in turn. Ours come before those that an application adds after ``install``,
and each of them would make every later route slower by two percent.
"""

from collections.abc import Sequence
from typing import Any, Final

from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound, Route
from starlette.types import Receive, Scope, Send

_FOUND: Final = "camunda_entra_fastapi.route"
"""Member of the scope: the route that matched."""


class LoginMount(BaseRoute):
    """Behaves as its routes would one by one; a path that is none of theirs goes on to the next route.

    Args:
        path: What tools for metrics and traces call all of it.
        routes: No two have the same path.
    """

    def __init__(self, path: str, routes: Sequence[BaseRoute]) -> None:
        self.path = path
        self.routes = [route for route in routes if isinstance(route, Route)]
        self._by_path = {route.path: route for route in self.routes}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether one of the routes has the path, and the method."""
        path, root = scope["path"], scope.get("root_path")
        route = self._by_path.get(path)
        if root:  # as the routes themselves do, the path may be read without what stands before it
            route = self._by_path.get(path.removeprefix(root), route)
        if route is None:
            return Match.NONE, {}
        match, child_scope = route.matches(scope)
        return match, {**child_scope, _FOUND: route}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the route answer that ``matches`` found."""
        await scope[_FOUND].handle(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path of the route of that name.

        Raises:
            NoMatchFound: There is none.
        """
        for route in self.routes:
            if route.name == name:
                return route.url_path_for(name, **path_params)
        raise NoMatchFound(name, path_params)
