"""What the OpenAPI document says of the security scheme."""

from collections.abc import Mapping
from dataclasses import dataclass

from camunda_entra_fastapi.sign_in.endpoints import Endpoints


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
