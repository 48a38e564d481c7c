"""An API asks for a token on behalf of who called it (Learn: on-behalf-of flow)."""

from typing import Any, Final

from camunda_entra_fastapi.testing.directory import Tenant, User
from camunda_entra_fastapi.testing.endpoints.issuing import token_response
from camunda_entra_fastapi.testing.endpoints.token_request import TokenRequest, narrow, renewed
from camunda_entra_fastapi.testing.protocol.aadsts import Aadsts
from camunda_entra_fastapi.testing.protocol.jws import read_jws
from camunda_entra_fastapi.testing.protocol.parameters import need
from camunda_entra_fastapi.testing.protocol.scopes import read_scope
from camunda_entra_fastapi.testing.tokens.minting import BACKDATED
from camunda_entra_fastapi.testing.world.state import REFRESH_LIFETIME, Session, SignIn

_SKEW: Final = 300


async def redeem_assertion(request: TokenRequest) -> dict[str, Any]:
    """RFC 7523, 2.1, as Entra has it."""
    world, client = request.world, request.client
    if request.origin is not None:
        raise Aadsts(9002326, "invalid_request", "A browser must not act on behalf of others.")
    assertion = need(request.parameters, "assertion")
    if request.parameters.get("requested_token_use") != "on_behalf_of":
        raise Aadsts(900144, "invalid_request", "The request must have 'requested_token_use=on_behalf_of'.")
    level = await request.authenticate()
    claims = _believed(request, assertion)
    tenant, user = _person(request, claims)
    asked = read_scope(need(request.parameters, "scope"), world.directory, tenant, client)
    issued = claims["iat"] + BACKDATED
    session = world.state.issued.get(str(claims.get("uti"))) or Session(tenant, user, issued)
    sign_in = SignIn(tenant, client, user, asked, "", expires=world.now(), session=session, issued=issued)
    return token_response(
        world,
        narrow(request, renewed(request, sign_in)),
        level,
        refresh_until=world.now() + REFRESH_LIFETIME,
        with_client_info=request.wants_client_info,
    )


def _believed(request: TokenRequest, assertion: str) -> dict[str, Any]:
    """The claims of the caller's access token, which must be for the client that shows it.

    Raises:
        Aadsts: 50013, 500131, 500133, 240002 or 7000114.
    """
    try:
        token = read_jws(assertion)
    except ValueError:
        raise Aadsts(
            50013, "invalid_grant", "The assertion is no token. Send the caller's access token."
        ) from None
    claims = token.claims
    if not any(token.is_signed_by(key.private.public_key()) for key in request.world.keys):
        raise Aadsts(
            50013,
            "invalid_grant",
            "The assertion's signature is of none of the published keys. Tokens for Microsoft Graph cannot "
            "be used; send the access token that was issued for the application itself.",
        )
    names = (request.client.client_id, *request.client.identifier_uris)
    if claims.get("aud") not in names:
        raise Aadsts(
            500131,
            "invalid_grant",
            f"The assertion is for '{claims.get('aud')}', not for '{request.client.name}' "
            f"({request.client.client_id}). Its caller must ask for a scope of this application.",
        )
    if not all(isinstance(claims.get(name), int | float) for name in ("iat", "nbf", "exp")):
        raise Aadsts(50013, "invalid_grant", "The assertion must tell 'iat', 'nbf' and 'exp' by numbers.")
    if not claims["nbf"] - _SKEW <= request.world.now() < claims["exp"] + _SKEW:
        raise Aadsts(500133, "invalid_grant", "The assertion has expired, or is not valid yet.")
    if "azp" not in claims and "appid" not in claims:
        raise Aadsts(
            240002, "invalid_grant", "The assertion is an ID token. Send the caller's access token instead."
        )
    if "scp" not in claims:
        raise Aadsts(
            7000114,
            "invalid_grant",
            f"The assertion is an application's own token, and '{request.client.name}' cannot act on "
            "behalf of an application. Use the client credentials flow.",
        )
    return claims


def _person(request: TokenRequest, claims: dict[str, Any]) -> tuple[Tenant, User]:
    tenant = request.world.directory.tenant(str(claims.get("tid")))
    user = tenant.user(str(claims.get("oid"))) if tenant else None
    if tenant is None or user is None:
        raise Aadsts(
            50034, "invalid_grant", "The assertion's person is not in the directory.", suberror="bad_token"
        )
    if not request.realm.is_endpoint_of(tenant):
        raise Aadsts(50013, "invalid_grant", "The assertion was issued by another tenant; ask that one.")
    return tenant, user
