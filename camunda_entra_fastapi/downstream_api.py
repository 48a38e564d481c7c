"""What ``CamundaEntra`` offers to services that call others."""

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
    """The half of ``CamundaEntra`` that gives tokens for other services."""

    current_user: CurrentUser
    _runtimes: list[Runtime]

    def client_credentials(self, scope: str) -> BearerAuth:
        """This application's own access token for another service, to call it without a user.

        Fetched with the first call, shared by all that ask for the same scope, and renewed ahead of time.

        Args:
            scope: What to call, with ``/.default`` at its end: ``api://<client id>/.default``.

        Raises:
            SettingsError: There is no client secret.
            ValueError: That is no scope for an application.
        """
        scope = read_app_scope(scope)

        def token() -> AppToken:
            return require_credential(self._runtimes[-1].app_tokens, _PURPOSE).of(scope)

        token()  # a setting that is missing shows at start
        return BearerAuth(token)

    def on_behalf_of(self, scope: str) -> Callable[..., Awaitable[BearerAuth]]:
        """A dependency that gives the current user's access token for another service.

        From the bearer token that came, or from the session. Kept as long as that is good. Applications that
        call of their own accord get 403; where Entra wants a stronger sign-in first, the answer is 401 with
        the claims to ask for (Learn: on-behalf-of flow).

        Args:
            scope: What to call: ``api://<client id>/.default``, or scopes of one API, separated by blanks.

        Raises:
            SettingsError: Nothing proves to Entra who this service is.
            ValueError: That is no scope.
        """
        scope = read_user_scope(scope)

        def tokens() -> UserTokens:
            return require_credential(self._runtimes[-1].user_tokens, _PURPOSE)

        tokens()  # a setting that is missing shows at start
        return on_behalf_of(self.current_user, tokens, scope)

    def _group_lookup(self) -> GroupLookup:
        return group_lookup(self.current_user, lambda: self._runtimes[-1].groups)
