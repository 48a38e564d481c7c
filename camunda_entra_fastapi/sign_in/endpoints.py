"""Where browsers are sent: as Entra's document says, and until it is there, as the issuer suggests."""

from contextlib import suppress
from dataclasses import dataclass

from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.remote.discovery import Discovery
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.settings.issuers import admin_consent_url_of


@dataclass(frozen=True, slots=True)
class BrowserEndpoints:
    """Entra's endpoints, as browsers reach them."""

    authorization: str
    token: str
    admin_consent: str
    end_session: str | None
    """None where the provider has none: then people are signed out here alone."""


class Endpoints:
    """The discovered endpoints. No issuer tells them: B2C's lack the policy, External ID's have another host.

    Args:
        keys: Has the discovery document.
        made: What the settings suggest, for the time before the first document.
    """

    def __init__(self, keys: KeySource, made: BrowserEndpoints) -> None:
        self.keys = keys
        self.made = made
        self._discovery: Discovery | None = None
        self._known = made

    def known(self) -> BrowserEndpoints:
        """The endpoints of the last document, without waiting; before the first one, those that were made."""
        discovery = self.keys.known_discovery
        # Each challenge has one of them, so they are worked out once for a document.
        if discovery is not None and discovery is not self._discovery:
            self._discovery, self._known = discovery, self._of(discovery)
        return self._known

    async def get(self) -> BrowserEndpoints:
        """The same, but the first document is fetched if there is none yet. A failure is no error."""
        with suppress(FetchFailed):
            await self.keys.discovery()
        return self.known()

    def _of(self, discovery: Discovery) -> BrowserEndpoints:
        authorization = discovery.authorization_endpoint or self.made.authorization
        return BrowserEndpoints(
            authorization=authorization,
            token=discovery.browser_token_endpoint or self.made.token,
            admin_consent=admin_consent_url_of(authorization),
            end_session=discovery.end_session_endpoint,
        )


def made_endpoints(settings: EntraSettings) -> BrowserEndpoints:
    """The endpoints that issuer and backend URL suggest."""
    return BrowserEndpoints(
        authorization=settings.authorization_url,
        token=settings.token_url,
        admin_consent=settings.admin_consent_url,
        end_session=settings.end_session_url,
    )
