"""Dependencies that give the current user, who must have permissions."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated

from fastapi import Security
from fastapi.dependencies.utils import get_dependant, solve_dependencies
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.models import SecurityBase as SecurityBaseModel
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.web.current_user import CurrentUser
from camunda_entra_fastapi.web.mounted import NeverCopied
from camunda_entra_fastapi.web.permissions import PermissionCheck, Permissions

UserDependency = Callable[..., Awaitable[EntraUser]]


class PermissionGuard(NeverCopied, SecurityBase):
    """The current user, who must pass a check: one dependency, where FastAPI's way would take two.

    It is the security scheme of the current user, for each level of dependencies costs a request as much as
    all else that happens here.

    Args:
        current_user: Authenticates the request.
        check: The check.
    """

    def __init__(self, current_user: CurrentUser, check: PermissionCheck) -> None:
        self._current_user = current_user
        self._check = check

    @property
    def scheme_name(self) -> str:  # type: ignore[override]  # it is the current user's
        """The name of the security scheme in the OpenAPI document."""
        return self._current_user.scheme_name

    @property
    def model(self) -> SecurityBaseModel:  # type: ignore[override]  # it is the current user's
        """The scheme in the OpenAPI document."""
        return self._current_user.model

    async def __call__(self, request: HTTPConnection, security_scopes: SecurityScopes) -> EntraUser:
        """The user.

        Raises:
            HTTPException: The request is refused; for WebSockets WebSocketException where the server
                cannot send a response.
        """
        overrides = getattr(request.scope.get("app"), "dependency_overrides", None)
        if overrides and self._current_user in overrides:
            user = await overriding_user(self._current_user, request, security_scopes.scopes)
        else:
            user = await self._current_user(request, security_scopes)  # type: ignore[assignment]  # None is refused
        return await self.authorize(request, user)

    async def authorize(self, request: HTTPConnection, user: EntraUser) -> EntraUser:
        """The user, if the check passes.

        Raises:
            HTTPException: It does not pass; for WebSockets perhaps WebSocketException.
        """
        try:
            return await self._current_user.authorize(request, user, self._check)
        except EntraError as error:
            raise self._current_user.refuse(error, request) from None


async def overriding_user(
    current_user: CurrentUser, request: HTTPConnection, scopes: Iterable[str] = ()
) -> EntraUser:
    """The user of what overrides the current user in tests, with whatever that depends on."""

    async def overriding(user: Annotated[EntraUser, Security(current_user, scopes=list(scopes))]) -> None:
        """Nobody calls it: what it depends on is what is solved."""

    path = "/".join(f"{{{name}}}" for name in request.path_params)  # so that FastAPI knows them as such
    solved = await solve_dependencies(
        request=request,  # type: ignore[arg-type]  # FastAPI gives a request or a WebSocket
        dependant=get_dependant(path=path, call=overriding),
        dependency_overrides_provider=request.scope["app"],
        async_exit_stack=request.scope["fastapi_inner_astack"],
        embed_body_fields=False,
    )
    if solved.errors:
        raise RequestValidationError(solved.errors)
    user: EntraUser = solved.values["user"]
    return user


def require(current_user: CurrentUser, permissions: Permissions) -> UserDependency:
    """A dependency that gives the current user, who must have all of the permissions."""
    return _permission_dependency(current_user, permissions.check, permissions)


def require_any(current_user: CurrentUser, permissions: Permissions) -> UserDependency:
    """A dependency that gives the current user, who must have at least one of the permissions."""
    return _permission_dependency(current_user, permissions.check_any, Permissions())


def _permission_dependency(
    current_user: CurrentUser, check: PermissionCheck, documented: Permissions
) -> UserDependency:
    guard = PermissionGuard(current_user, check)
    if not documented.scopes:
        return guard

    # FastAPI documents scopes only where a parameter names them.
    async def authorized_user(
        request: HTTPConnection,
        user: Annotated[EntraUser, Security(current_user, scopes=list(documented.scopes))],
    ) -> EntraUser:
        return await guard.authorize(request, user)

    return authorized_user
