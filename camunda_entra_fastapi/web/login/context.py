"""What the login pages work with."""

from dataclasses import dataclass

from camunda_entra_fastapi.sign_in.flow import SignIn
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.web.challenges import Challenger
from camunda_entra_fastapi.web.sessions import Sessions


@dataclass(frozen=True, slots=True)
class LoginPaths:
    """Where the pages are, as this service's router sees them."""

    prefix: str
    callback: str
    post_logout: str
    docs_redirect: str
    """Where the docs page receives codes."""

    @property
    def redirect_uris(self) -> tuple[str, ...]:
        """The paths of all redirect URIs to register in Entra."""
        return self.callback, self.docs_redirect, self.of("admin-consent-callback")

    def log_redirect_uris(self, base_url: str | None) -> None:
        """Tell once what to register; with a placeholder where the address shows itself only later."""
        base = base_url or "<address of this service>"
        logger.info(
            "Redirect URIs to register in Entra, platform Web: %s. Front-channel logout URL: %s%s",
            ", ".join(f"{base}{path}" for path in self.redirect_uris),
            base,
            self.of("front-channel-logout"),
        )

    def of(self, name: str) -> str:
        """The page of that name."""
        return f"{self.prefix}/{name}"


@dataclass(frozen=True, slots=True)
class LoginContext:
    """What the routes work with; something else while a test has the upper hand."""

    sign_in: SignIn
    sessions: Sessions
    challenger: Challenger
