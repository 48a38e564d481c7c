"""What the OpenAPI document says of the security scheme."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from camunda_entra_fastapi.sign_in.endpoints import Endpoints

OPENID_CONFIG: Final = (
    "This scheme has no openid_config, which is fastapi-azure-auth's. Instead of load_config(), "
    "use lifespan=entra.lifespan: FastAPI(lifespan=entra.lifespan), or async with entra.lifespan(app): in a "
    "lifespan of your own. The issuer is entra.settings.issuer, the authorization endpoint "
    "entra.settings.authorization_url and the token endpoint entra.settings.token_url; signing keys are kept "
    "by entra itself. In tests, entra_client(app, entra) takes the place of keys that were put there."
)
"""The way out for whoever comes from there; see docs/how-to/move/fastapi-azure-auth.md."""


@dataclass(frozen=True, slots=True)
class SecurityScheme:
    """The security scheme in the OpenAPI document (OAuth 2.0 authorization code flow)."""

    name: str
    client_id: str
    endpoints: Endpoints
    scopes: Mapping[str, str]
    """The scopes that Swagger UI requests, each with a description."""

    def urls(self, token_url: str) -> tuple[str, str]:
        """The URLs where Swagger UI signs in and redeems its codes; a path of this service stays that."""
        known = self.endpoints.known()
        return known.authorization, token_url if token_url.startswith("/") else known.token
