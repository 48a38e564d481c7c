"""The part of ``CamundaEntra`` for calling other services."""

from collections.abc import Awaitable, Callable
from typing import Final

from camunda_entra_fastapi.downstream.app_token import AppToken, read_app_scope
from camunda_entra_fastapi.downstream.http_auth import BearerAuth
from camunda_entra_fastapi.downstream.on_behalf_of import group_lookup, on_behalf_of, read_user_scope
from camunda_entra_fastapi.downstream.user_token import UserTokens
from camunda_entra_fastapi.runtime import Runtime, require_credential
from camunda_entra_fastapi.web.current_user import CurrentUser, GroupLookup

_PURPOSE: Final = "Calling other services needs"


class DownstreamApi:
    """The part of ``CamundaEntra`` that gives tokens for other services."""

    current_user: CurrentUser
    _runtimes: list[Runtime]

    def client_credentials(self, scope: str) -> BearerAuth:
        """This application's own access token for another service, to call it without a user.

        It is fetched on first use, shared by all callers with the same scope, and renewed ahead of time.

        Args:
            scope: The other service's, which ends in ``/.default``: ``api://<client id>/.default``.

        Raises:
            SettingsError: There is no credential.
            ValueError: An application cannot request that scope.
        """
        scope = read_app_scope(scope)

        def token() -> AppToken:
            return require_credential(self._runtimes[-1].app_tokens, _PURPOSE).of(scope)

        token()  # so that a missing setting shows at start
        return BearerAuth(token)

    def on_behalf_of(self, scope: str) -> Callable[..., Awaitable[BearerAuth]]:
        """A dependency that gives an access token for another service, on behalf of the current user.

        It is requested with the bearer token or the session, and cached as long as that is valid.
        An application's own token gets 403. Where Entra requires a stronger sign-in first, the status is 401
        with the claims to ask for (Learn: on-behalf-of flow).

        Args:
            scope: The other service's: ``api://<client id>/.default``, or scopes of one API between blanks.

        Raises:
            SettingsError: There is no credential.
            ValueError: It names no scope.
        """
        scope = read_user_scope(scope)

        def tokens() -> UserTokens:
            return require_credential(self._runtimes[-1].user_tokens, _PURPOSE)

        tokens()  # so that a missing setting shows at start
        return on_behalf_of(self.current_user, tokens, scope)

    def _group_lookup(self) -> GroupLookup:
        return group_lookup(self.current_user, lambda: self._runtimes[-1].groups)
