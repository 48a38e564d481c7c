"""The token endpoint: from a code, a refresh token, a credential or another token to tokens."""

import hashlib
import hmac
from typing import Any

from camunda_entra_fastapi.testing.clients.presented import check_origin
from camunda_entra_fastapi.testing.endpoints.consents import Consents
from camunda_entra_fastapi.testing.endpoints.issuing import credentials_response, token_response
from camunda_entra_fastapi.testing.endpoints.token_request import (
    TokenRequest,
    narrow,
    refuse_elsewhere,
    renewed,
    tenant_of,
)
from camunda_entra_fastapi.testing.protocol.aadsts import Aadsts
from camunda_entra_fastapi.testing.protocol.keys import base64url
from camunda_entra_fastapi.testing.protocol.parameters import need
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
    """RFC 6749, 4.1.3."""
    world = request.world
    sign_in = _find_code(request)
    platform = check_origin(sign_in, request.presented, request.origin)
    level = await request.authenticate() if platform == "web" else "0"
    if sign_in.redeemed:
        raise Aadsts(54005, "invalid_grant", "The code was redeemed before. Each code is good for one time.")
    if world.now() >= sign_in.expires:
        raise Aadsts(70008, "invalid_grant", "The code has expired.")
    if request.parameters.get("redirect_uri", sign_in.redirect_uri) != sign_in.redirect_uri:
        raise Aadsts(500112, "invalid_grant", "The code was asked for with another redirect URI.")
    _check_verifier(sign_in, request.parameters.get("code_verifier"))
    narrowed = narrow(request, renewed(request, sign_in))
    sign_in.redeemed = True  # at the very end: a mistake in the request costs nobody the code
    lifetime = SPA_REFRESH_LIFETIME if platform == "spa" else REFRESH_LIFETIME
    return token_response(
        world,
        narrowed,
        level,
        refresh_until=world.now() + lifetime,
        with_client_info=request.wants_client_info,
    )


async def redeem_refresh_token(request: TokenRequest) -> dict[str, Any]:
    """RFC 6749, 6."""
    world = request.world
    sign_in = world.state.refresh_tokens.get(need(request.parameters, "refresh_token"))
    if sign_in is None or sign_in.client.client_id != request.client.client_id:
        raise Aadsts(9002313, "invalid_grant", "The refresh token is malformed, or of another application.")
    platform = check_origin(sign_in, request.presented, request.origin)
    level = await request.authenticate() if platform == "web" else "0"
    spa = platform == "spa"
    if world.now() >= sign_in.expires:
        if spa:
            raise Aadsts(700084, "invalid_grant", "A single-page application's sign-in ends after 24 hours.")
        raise Aadsts(700082, "invalid_grant", "The refresh token has expired.")
    narrowed = narrow(request, renewed(request, sign_in))
    return token_response(
        world,
        narrowed,
        level,
        refresh_until=sign_in.expires if spa else world.now() + REFRESH_LIFETIME,
        with_client_info=request.wants_client_info,
    )


async def redeem_credentials(request: TokenRequest) -> dict[str, Any]:
    """RFC 6749, 4.4."""
    if request.origin is not None:
        raise Aadsts(9002326, "invalid_request", "A browser must not use an application's credential.")
    if request.presented.is_bare:
        raise Aadsts(
            7000216,
            "invalid_client",
            "The request must have 'client_secret', 'client_assertion' or a Basic header.",
        )
    tenant = tenant_of(request)
    level = await request.authenticate()
    scope = need(request.parameters, "scope")
    name, _, permission = scope.rpartition("/")
    if len(scope.split()) != 1 or permission != DEFAULT:
        raise Aadsts(
            1002012, "invalid_scope", f"The scope '{scope}' must be one resource with '/.default' behind it."
        )
    consents = Consents(request.world.state, tenant, request.client)
    if not consents.has_principal:
        raise Aadsts(
            7000229,
            "invalid_client",
            f"The application '{request.client.name}' has no service principal in '{tenant.name}'. Let an "
            "administrator of that tenant consent to it.",
        )
    resource = find_resource(name, request.world.directory, tenant)
    if resource.client_id == request.client.client_id and name.lower() != resource.client_id:
        raise Aadsts(90009, "invalid_request", f"Name the application by its client ID: {resource.client_id}")
    check_assignment(tenant, request.client, resource)
    roles = request.client.granted_roles.get(resource.client_id, ())
    grant = Grant(
        tenant,
        resource,
        request.client,
        roles=roles,
        audience=name,
        client_level=level,
        continuous=request.claims.continuous,
    )
    return credentials_response(request.world, grant)


def _find_code(request: TokenRequest) -> SignIn:
    sign_in = request.world.state.codes.get(need(request.parameters, "code"))
    if sign_in is None or sign_in.client.client_id != request.client.client_id:
        raise Aadsts(9002313, "invalid_grant", "The code is malformed, or was issued to another application.")
    refuse_elsewhere(request, sign_in)
    return sign_in


def _check_verifier(sign_in: SignIn, verifier: str | None) -> None:
    """RFC 7636, 4.6."""
    if sign_in.code_challenge is None:
        return
    if verifier is None:
        raise Aadsts(50148, "invalid_grant", "The code was asked for with a challenge; send its verifier.")
    proof = verifier
    if sign_in.code_challenge_method == "S256":
        proof = base64url(hashlib.sha256(verifier.encode()).digest())
    if not hmac.compare_digest(proof.encode(), sign_in.code_challenge.encode()):
        raise Aadsts(501481, "invalid_grant", "The code verifier does not fit the code challenge.")
