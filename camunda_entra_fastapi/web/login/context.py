"""The paths of the login pages, and what their routes work with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from camunda_entra_fastapi.sign_in.flow import SignIn
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.web.challenges import Challenger
from camunda_entra_fastapi.web.sessions import Sessions

Page = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class LoginPaths:
    """The paths of the login pages, as this service's router sees them."""

    prefix: str
    callback: str
    post_logout: str
    docs_redirect: str
    """The page that receives codes for Swagger UI."""

    @property
    def redirect_uris(self) -> tuple[str, ...]:
        """The paths of all redirect URIs to register in Entra."""
        return self.callback, self.docs_redirect, self.of("admin-consent-callback")

    def log_redirect_uris(self, base_url: str | None) -> None:
        """Log which redirect URIs to register; with a placeholder where only a request tells the address."""
        base = base_url or "<address of this service>"
        logger.info(
            "Redirect URIs to register in Entra, platform Web: %s. Front-channel logout URL: %s%s",
            ", ".join(f"{base}{path}" for path in self.redirect_uris),
            base,
            self.of("front-channel-logout"),
        )

    def of(self, name: str) -> str:
        """The path of the page of that name."""
        return f"{self.prefix}/{name}"


@dataclass(frozen=True, slots=True)
class LoginContext:
    """What the routes work with; another one while ``overridden``."""

    sign_in: SignIn
    sessions: Sessions
    challenger: Challenger
