"""The grants of the token endpoint: authorization code, refresh token and client credentials."""

import hashlib
import hmac
from typing import Any

from camunda_entra_fastapi.testing.clients.credentials import check_origin
from camunda_entra_fastapi.testing.endpoints.consents import Consents
from camunda_entra_fastapi.testing.endpoints.issuing import client_credentials_response, token_response
from camunda_entra_fastapi.testing.endpoints.token_request import (
    TokenRequest,
    check_issuing_tenant,
    current_sign_in,
    narrow_scope,
    required_tenant,
)
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError
from camunda_entra_fastapi.testing.protocol.keys import base64url
from camunda_entra_fastapi.testing.protocol.parameters import required
from camunda_entra_fastapi.testing.protocol.realm import (
    check_assignment,
)
from camunda_entra_fastapi.testing.protocol.scopes import (
    DEFAULT,
    find_resource,
)
from camunda_entra_fastapi.testing.tokens.minting import Grant
from camunda_entra_fastapi.testing.world.state import REFRESH_LIFETIME, SPA_REFRESH_LIFETIME, SignIn


async def redeem_code(request: TokenRequest) -> dict[str, Any]:
    """The authorization code grant (RFC 6749, 4.1.3)."""
    world = request.world
    sign_in = _find_code(request)
    platform = check_origin(sign_in, request.credentials, request.origin)
    auth_method = await request.authenticate() if platform == "web" else "0"
    if sign_in.redeemed:
        raise AadstsError(
            54005, "invalid_grant", "The code was redeemed before. Each code is good for one time."
        )
    if world.now() >= sign_in.expires:
        raise AadstsError(70008, "invalid_grant", "The code has expired.")
    if request.parameters.get("redirect_uri", sign_in.redirect_uri) != sign_in.redirect_uri:
        raise AadstsError(500112, "invalid_grant", "The code was asked for with another redirect URI.")
    _check_code_verifier(sign_in, request.parameters.get("code_verifier"))
    narrowed = narrow_scope(request, current_sign_in(request, sign_in))
    sign_in.redeemed = True  # at the very end: a refused request does not use the code up
    lifetime = SPA_REFRESH_LIFETIME if platform == "spa" else REFRESH_LIFETIME
    return token_response(request, narrowed, auth_method, refresh_token_expires=world.now() + lifetime)


async def redeem_refresh_token(request: TokenRequest) -> dict[str, Any]:
    """The refresh token grant (RFC 6749, 6)."""
    world = request.world
    sign_in = world.state.refresh_tokens.get(required(request.parameters, "refresh_token"))
    if sign_in is None or sign_in.client.client_id != request.client.client_id:
        raise AadstsError(
            9002313, "invalid_grant", "The refresh token is malformed, or of another application."
        )
    platform = check_origin(sign_in, request.credentials, request.origin)
    auth_method = await request.authenticate() if platform == "web" else "0"
    spa = platform == "spa"
    if world.now() >= sign_in.expires:
        if spa:
            raise AadstsError(
                700084, "invalid_grant", "A single-page application's sign-in ends after 24 hours."
            )
        raise AadstsError(700082, "invalid_grant", "The refresh token has expired.")
    narrowed = narrow_scope(request, current_sign_in(request, sign_in))
    expires = sign_in.expires if spa else world.now() + REFRESH_LIFETIME
    return token_response(request, narrowed, auth_method, refresh_token_expires=expires)


async def redeem_client_credentials(request: TokenRequest) -> dict[str, Any]:
    """The client credentials grant (RFC 6749, 4.4)."""
    if request.origin is not None:
        raise AadstsError(9002326, "invalid_request", "A browser must not use an application's credential.")
    if not request.credentials.has_credential:
        raise AadstsError(
            7000216,
            "invalid_client",
            "The request must have 'client_secret', 'client_assertion' or a Basic header.",
        )
    tenant = required_tenant(request)
    auth_method = await request.authenticate()
    scope = required(request.parameters, "scope")
    name, _, permission = scope.rpartition("/")
    if len(scope.split()) != 1 or permission != DEFAULT:
        raise AadstsError(
            1002012, "invalid_scope", f"The scope '{scope}' must be one resource with '/.default' behind it."
        )
    consents = Consents(request.world.state, tenant, request.client)
    if not consents.has_service_principal:
        raise AadstsError(
            7000229,
            "invalid_client",
            f"The application '{request.client.name}' has no service principal in '{tenant.name}'. Let an "
            "administrator of that tenant consent to it.",
        )
    resource = find_resource(name, request.world.directory, tenant)
    if resource.client_id == request.client.client_id and name.lower() != resource.client_id:
        raise AadstsError(
            90009, "invalid_request", f"Name the application by its client ID: {resource.client_id}"
        )
    check_assignment(tenant, request.client, resource)
    roles = request.client.granted_roles.get(resource.client_id, ())
    grant = Grant(
        tenant,
        resource,
        request.client,
        roles=roles,
        audience=name,
        client_auth_method=auth_method,
        cae_capable=request.claims.cae_capable,
    )
    return client_credentials_response(request.world, grant)


def _find_code(request: TokenRequest) -> SignIn:
    sign_in = request.world.state.codes.get(required(request.parameters, "code"))
    if sign_in is None or sign_in.client.client_id != request.client.client_id:
        raise AadstsError(
            9002313, "invalid_grant", "The code is malformed, or was issued to another application."
        )
    check_issuing_tenant(request, sign_in)
    return sign_in


def _check_code_verifier(sign_in: SignIn, verifier: str | None) -> None:
    """Check the code verifier of PKCE (RFC 7636, 4.6)."""
    if sign_in.code_challenge is None:
        return
    if verifier is None:
        raise AadstsError(
            50148, "invalid_grant", "The code was asked for with a challenge; send its verifier."
        )
    proof = verifier
    if sign_in.code_challenge_method == "S256":
        proof = base64url(hashlib.sha256(verifier.encode()).digest())
    if not hmac.compare_digest(proof.encode(), sign_in.code_challenge.encode()):
        raise AadstsError(501481, "invalid_grant", "The code verifier does not fit the code challenge.")
