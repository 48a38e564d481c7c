"""What ``CamundaEntra`` offers to services that call others."""

from camunda_entra_fastapi.downstream.app_token import AppToken, read_app_scope
from camunda_entra_fastapi.downstream.http_auth import BearerAuth
from camunda_entra_fastapi.joined import Joined, required


class CallsOn:
    """The half of ``CamundaEntra`` that gives tokens for other services."""

    _joined: list[Joined]

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
            return required(self._joined[-1].app_tokens, "Calling other services needs").of(scope)

        token()  # a setting that is missing shows at start
        return BearerAuth(token)
