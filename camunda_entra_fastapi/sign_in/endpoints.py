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


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The discovered endpoints. No issuer tells them: B2C's lack the policy, External ID's have another host.

    Attributes:
        keys: Has the discovery document.
        made: What the settings suggest, for the time before the first document.
    """

    keys: KeySource
    made: BrowserEndpoints

    def known(self) -> BrowserEndpoints:
        """The endpoints of the last document, without waiting; before the first one, those that were made."""
        discovery = self.keys.known_discovery
        return self.made if discovery is None else self._of(discovery)

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
