"""The dependency that lets a route call other services on behalf of its user."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Security
from starlette.requests import HTTPConnection

from camunda_entra_fastapi.downstream.answerable_tokens import AnswerableTokens
from camunda_entra_fastapi.downstream.delegation import Delegations
from camunda_entra_fastapi.downstream.graph import GraphGroups
from camunda_entra_fastapi.downstream.http_auth import BearerAuth
from camunda_entra_fastapi.downstream.user_token import UserGrant, UserTokens
from camunda_entra_fastapi.errors import AccessDenied, EntraError
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.web.credentials import read_bearer_token
from camunda_entra_fastapi.web.current_user import CurrentUser


def on_behalf_of(
    current_user: CurrentUser, tokens: Callable[[], UserTokens], scope: str
) -> Callable[..., Awaitable[BearerAuth]]:
    """A dependency that gives what HTTP clients take as ``auth``; its token is fetched already."""

    async def bearer_auth(
        request: HTTPConnection, user: Annotated[EntraUser, Security(current_user)]
    ) -> BearerAuth:
        try:
            token = tokens().of(await grant_of(current_user, request, user), scope)
            await token.get()
        except EntraError as error:
            raise current_user.refuse(error, request) from None
        answerable_token = AnswerableTokens(token, current_user.authentication.challenger)
        return BearerAuth(lambda: answerable_token)

    return bearer_auth


def delegation(
    current_user: CurrentUser, delegations: Callable[[], Delegations], scope: str, lifetime: float
) -> Callable[..., Awaitable[str]]:
    """A dependency that gives a delegation of the user, as text."""

    async def sealed(request: HTTPConnection, user: Annotated[EntraUser, Security(current_user)]) -> str:
        try:
            grant = await grant_of(current_user, request, user)
            return await delegations().begin(grant, user.tid, scope, lifetime)
        except EntraError as error:
            raise current_user.refuse(error, request) from None

    return sealed


def group_lookup(
    current_user: CurrentUser, groups: Callable[[], GraphGroups | None]
) -> Callable[[HTTPConnection, EntraUser], Awaitable[EntraUser]]:
    """A function that gives a user with all groups, from Microsoft Graph on the user's behalf."""

    async def look_up(request: HTTPConnection, user: EntraUser) -> EntraUser:
        graph = groups()
        assert graph is not None  # noqa: S101 - set only where there is one
        grant = await grant_of(current_user, request, user)
        key = (user.iss, user.oid or f"sub {user.sub}")  # a token without oid names its user by sub alone
        return user.with_groups(sorted(await graph.of(key, grant)))

    return look_up


async def grant_of(current_user: CurrentUser, request: HTTPConnection, user: EntraUser) -> UserGrant:
    """The user's authorization grant: the access token of the request, or a token of the session.

    Raises:
        AccessDenied: There is no user: the token is an application's own.
        EntraError: The session is over, or cannot be read.
    """
    if user.is_app:
        raise AccessDenied(
            "user_required",
            "This acts for a person, and the token is an application's. Call with a token of somebody who "
            "signed in, or call the other service directly.",
        )
    token = read_bearer_token(request)
    if token is not None or current_user.browser_login is None:
        digest = hashlib.sha256(user.access_token.encode()).hexdigest()
        return UserGrant(digest, user.expires_at.timestamp(), assertion=user.access_token)
    session = (await current_user.session(request)).session
    if session.refresh_token is not None:
        return UserGrant(f"session {session.id}", session.expires_at, refresh_token=session.refresh_token)
    assertion = await current_user.access_token(request, user)
    return UserGrant(f"session {session.id}", session.access_expires_at, assertion=assertion)


def read_user_scope(scope: str) -> str:
    """The scope, if a token can be requested for it on behalf of a user.

    Raises:
        ValueError: It names no scope.
    """
    if not scope.strip() or not scope.isascii() or not scope.isprintable():
        raise ValueError(
            "Name what to call in the user's name, such as "
            f"api://00000000-0000-0000-0000-000000000000/.default, and not {scope[:80]!r}."
        )
    return scope.strip()
