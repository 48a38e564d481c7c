"""The part of ``CamundaEntra`` for calling other services."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from camunda_entra_fastapi.downstream.answerable_tokens import AnswerableTokens
from camunda_entra_fastapi.downstream.app_token import AppToken, read_app_scope
from camunda_entra_fastapi.downstream.delegation import DelegationEnded, Delegations, read_lifetime
from camunda_entra_fastapi.downstream.http_auth import BearerAuth
from camunda_entra_fastapi.downstream.on_behalf_of import (
    delegation,
    group_lookup,
    on_behalf_of,
    read_user_scope,
)
from camunda_entra_fastapi.downstream.user_token import UserTokens
from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.runtime import Runtime, require_credential
from camunda_entra_fastapi.web.current_user import CurrentUser, GroupLookup

_PURPOSE: Final = "Calling other services needs"
_DELEGATION_PURPOSE: Final = "Delegations need"
_NO_SECRET: Final = (
    f"CAMUNDA_ENTRA_SESSION_SECRET is not set. {_DELEGATION_PURPOSE} it, of 32 characters or more, and the "
    "same for all processes of this service: they are sealed with it."
)


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

        def answerable_token() -> AnswerableTokens:
            return AnswerableTokens(token(), self.current_user.authentication.challenger)

        return BearerAuth(answerable_token)

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

    def delegation(
        self, scope: str, *, lifetime: timedelta = timedelta(days=1)
    ) -> Callable[..., Awaitable[str]]:
        """A dependency that gives a delegation of the current user: text with which a job acts for them.

        It outlives the caller's token and session. It is sealed for this service, so that queues and
        databases can hold it. Requests are refused as with ``on_behalf_of``.

        Args:
            scope: The other service's; as for ``on_behalf_of``.
            lifetime: How long jobs may act, 90 days at most. It ends sooner where Entra ends it.

        Raises:
            SettingsError: There is no credential, or no secret to seal with.
            ValueError: It names no scope, or the lifetime is none.
        """
        scope, seconds = read_user_scope(scope), read_lifetime(lifetime)
        self._delegations()  # so that a missing setting shows at start
        return delegation(self.current_user, self._delegations, scope, seconds)

    def delegated(self, delegation: str) -> BearerAuth:
        """The access token that a delegation gives, in whichever process has the same settings.

        It is fetched on first use, renewed as long as the delegation lasts, and needs neither request nor
        lifespan. Its use raises ``DelegationEnded`` once the person has to come back.

        Args:
            delegation: The text that ``delegation`` gave.

        Raises:
            DelegationEnded: It is over, or no delegation of this service.
            SettingsError: There is no credential, or no secret to open it with.
        """
        token = self._delegations().open(delegation)
        return BearerAuth(lambda: token, final=(DelegationEnded,))

    def _delegations(self) -> Delegations:
        runtime = self._runtimes[-1]
        require_credential(runtime.user_tokens, _DELEGATION_PURPOSE)
        if runtime.delegations is None:
            raise SettingsError([_NO_SECRET])
        return runtime.delegations

    def _group_lookup(self) -> GroupLookup:
        return group_lookup(self.current_user, lambda: self._runtimes[-1].groups)
