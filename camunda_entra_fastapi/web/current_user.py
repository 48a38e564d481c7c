"""``require`` and ``require_any``: the current user, when permitted."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Security
from starlette.requests import HTTPConnection

from camunda_entra_fastapi.errors import AccessDenied
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.web.bearer import EntraBearer
from camunda_entra_fastapi.web.permissions import Permissions

UserDependency = Callable[..., Awaitable[EntraUser]]


def require(current_user: EntraBearer, permissions: Permissions) -> UserDependency:
    """A dependency that gives the current user, who has all of the permissions."""
    return _guard(current_user, permissions.check, permissions)


def require_any(current_user: EntraBearer, permissions: Permissions) -> UserDependency:
    """A dependency that gives the current user, who has at least one of the permissions."""
    return _guard(current_user, permissions.check_any, Permissions())


def _guard(
    current_user: EntraBearer, check: Callable[[EntraUser], None], documented: Permissions
) -> UserDependency:
    # A dependency of its own on current_user, so that overriding that one in tests is enough.
    async def permitted_user(
        request: HTTPConnection,
        user: Annotated[EntraUser, Security(current_user, scopes=list(documented.scopes))],
    ) -> EntraUser:
        try:
            check(user)
        except AccessDenied as error:
            raise current_user.refuse(error, request) from None
        return user

    return permitted_user
