"""The on-behalf-of grant: an API requests a token for the user who called it (Learn: on-behalf-of flow)."""

from typing import Any

from camunda_entra_fastapi.testing.clients.assertions import CLOCK_SKEW
from camunda_entra_fastapi.testing.directory import Tenant, User
from camunda_entra_fastapi.testing.endpoints.issuing import token_response
from camunda_entra_fastapi.testing.endpoints.token_request import TokenRequest, current_sign_in, narrow_scope
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError
from camunda_entra_fastapi.testing.protocol.jws import parse_jws
from camunda_entra_fastapi.testing.protocol.parameters import required
from camunda_entra_fastapi.testing.protocol.scopes import parse_scope
from camunda_entra_fastapi.testing.tokens.minting import BACKDATED
from camunda_entra_fastapi.testing.world.state import REFRESH_LIFETIME, Session, SignIn


async def redeem_assertion(request: TokenRequest) -> dict[str, Any]:
    """The JWT bearer grant (RFC 7523, 2.1) in Entra's form."""
    world, client = request.world, request.client
    if request.origin is not None:
        raise AadstsError(9002326, "invalid_request", "A browser must not act on behalf of others.")
    assertion = required(request.parameters, "assertion")
    if request.parameters.get("requested_token_use") != "on_behalf_of":
        raise AadstsError(
            900144, "invalid_request", "The request must have 'requested_token_use=on_behalf_of'."
        )
    auth_method = await request.authenticate()
    claims = _validated_claims(request, assertion)
    tenant, user = _user_of(request, claims)
    requested_scope = parse_scope(required(request.parameters, "scope"), world.directory, tenant, client)
    issued = claims["iat"] + BACKDATED
    session = world.state.issued.get(str(claims.get("uti"))) or Session(tenant, user, issued)
    sign_in = SignIn(
        tenant, client, user, requested_scope, "", expires=world.now(), session=session, issued=issued
    )
    return token_response(
        request,
        narrow_scope(request, current_sign_in(request, sign_in)),
        auth_method,
        refresh_token_expires=world.now() + REFRESH_LIFETIME,
    )


def _validated_claims(request: TokenRequest, assertion: str) -> dict[str, Any]:
    """The claims of the caller's access token, whose audience must be the client that presents it.

    Raises:
        AadstsError: 50013, it cannot be verified; 500131, its audience is another; 500133, it has expired;
            240002, it is an ID token; 7000114, it is app-only.
    """
    try:
        token = parse_jws(assertion)
    except ValueError:
        raise AadstsError(
            50013, "invalid_grant", "The assertion is no token. Send the caller's access token."
        ) from None
    claims = token.claims
    if not any(token.is_signed_by(key.private.public_key()) for key in request.world.keys):
        raise AadstsError(
            50013,
            "invalid_grant",
            "The assertion's signature is of none of the published keys. Tokens for Microsoft Graph cannot "
            "be used; send the access token that was issued for the application itself.",
        )
    names = (request.client.client_id, *request.client.identifier_uris)
    if claims.get("aud") not in names:
        raise AadstsError(
            500131,
            "invalid_grant",
            f"The assertion is for '{claims.get('aud')}', not for '{request.client.name}' "
            f"({request.client.client_id}). Its caller must ask for a scope of this application.",
        )
    if not all(isinstance(claims.get(name), int | float) for name in ("iat", "nbf", "exp")):
        raise AadstsError(
            50013, "invalid_grant", "The assertion must tell 'iat', 'nbf' and 'exp' by numbers."
        )
    if not claims["nbf"] - CLOCK_SKEW <= request.world.now() < claims["exp"] + CLOCK_SKEW:
        raise AadstsError(500133, "invalid_grant", "The assertion has expired, or is not valid yet.")
    if "azp" not in claims and "appid" not in claims:
        raise AadstsError(
            240002, "invalid_grant", "The assertion is an ID token. Send the caller's access token instead."
        )
    if "scp" not in claims:
        raise AadstsError(
            7000114,
            "invalid_grant",
            f"The assertion is an application's own token, and '{request.client.name}' cannot act on "
            "behalf of an application. Use the client credentials flow.",
        )
    return claims


def _user_of(request: TokenRequest, claims: dict[str, Any]) -> tuple[Tenant, User]:
    tenant = request.world.directory.tenant(str(claims.get("tid")))
    user = tenant.user(str(claims.get("oid"))) if tenant else None
    if tenant is None or user is None:
        raise AadstsError(
            50034, "invalid_grant", "The assertion's person is not in the directory.", suberror="bad_token"
        )
    if not request.realm.serves(tenant):
        raise AadstsError(50013, "invalid_grant", "The assertion was issued by another tenant; ask that one.")
    return tenant, user
