"""Authorization responses and token responses: codes, tokens, and the members around them."""

from dataclasses import replace
from typing import Any

from starlette.responses import Response

from camunda_entra_fastapi.testing.directory.graph import GRAPH
from camunda_entra_fastapi.testing.endpoints.responses import authorization_response
from camunda_entra_fastapi.testing.endpoints.token_request import TokenRequest
from camunda_entra_fastapi.testing.protocol.authorize import AuthorizationRequest, platform_of
from camunda_entra_fastapi.testing.protocol.keys import without_none
from camunda_entra_fastapi.testing.tokens.minting import (
    ClientAuthMethod,
    Grant,
    IdGrant,
    client_info,
)
from camunda_entra_fastapi.testing.tokens.signing import lifetime_of, sign_access_token, sign_id_token
from camunda_entra_fastapi.testing.world.state import CODE_LIFETIME, Session, SignIn
from camunda_entra_fastapi.testing.world.world import World


def issue_authorization_response(
    world: World, auth_request: AuthorizationRequest, session: Session
) -> Response:
    """The authorization response after a sign-in: a code, tokens, or both."""
    parameters = auth_request.parameters
    sign_in = SignIn(
        session.tenant,
        auth_request.client,
        session.user,
        auth_request.requested_scope,
        auth_request.redirect_uri,
        expires=world.now() + CODE_LIFETIME,
        session=session,
        platform=platform_of(auth_request.client, auth_request.redirect_uri) or "web",
        issued=world.now(),
        nonce=parameters.get("nonce"),
        code_challenge=parameters.get("code_challenge"),
        code_challenge_method=parameters.get("code_challenge_method", "plain"),
        contexts=auth_request.claims.contexts,
        cae_capable=auth_request.claims.cae_capable,
        id_token_claims=auth_request.claims.id_token_claims
        | ({"auth_time"} if auth_request.max_age is not None else set()),
    )
    members: dict[str, str] = {}
    if "code" in auth_request.response_types:
        members["code"] = world.state.add_code(sign_in)
    if "token" in auth_request.response_types:
        grant = access_token_grant(sign_in, "0")
        members |= {
            "access_token": sign_access_token(world, grant),
            "token_type": "Bearer",
            "expires_in": str(lifetime_members(world, grant)["expires_in"]),
            "scope": auth_request.requested_scope.text,
        }
    if "id_token" in auth_request.response_types:
        members["id_token"] = id_token_of(world, sign_in, members.get("code"), members.get("access_token"))
    if parameters.get("client_info") == "1":
        members["client_info"] = client_info(session.tenant, session.user)
    if "state" in parameters:
        members["state"] = parameters["state"]
    members["session_state"] = session.id
    return authorization_response(auth_request.redirect_uri, auth_request.response_mode, members)


def access_token_grant(sign_in: SignIn, auth_method: ClientAuthMethod) -> Grant:
    """The grant of an access token for that sign-in."""
    resource = sign_in.requested_scope.resource
    return Grant(
        sign_in.tenant,
        resource,
        sign_in.client,
        sign_in.user,
        scopes=(*sign_in.requested_scope.permissions, *_graph_oidc_scopes(sign_in)),
        roles=sign_in.user.roles.get(resource.client_id, ()),
        audience=sign_in.requested_scope.resource_identifier,
        client_auth_method=auth_method,
        session=sign_in.session,
        contexts=sign_in.contexts,
        cae_capable=sign_in.cae_capable,
    )


def id_token_of(
    world: World, sign_in: SignIn, code: str | None = None, access_token: str | None = None
) -> str:
    """The ID token for that sign-in."""
    grant = IdGrant(
        sign_in.tenant,
        sign_in.client,
        sign_in.user,
        sign_in.requested_scope.oidc,
        sign_in.nonce,
        sign_in.session,
        code,
        access_token,
        sign_in.id_token_claims,
        sign_in.contexts,
    )
    return sign_id_token(world, grant)


def token_response(
    request: TokenRequest, sign_in: SignIn, auth_method: ClientAuthMethod, *, refresh_token_expires: float
) -> dict[str, Any]:
    """The token response for a user, members in Entra's order.

    Args:
        request: The token request.
        sign_in: The sign-in that it redeems or refreshes.
        auth_method: How the client authenticated.
        refresh_token_expires: The end of the refresh token, in seconds since 1970.
    """
    world = request.world
    refresh_token = None
    if "offline_access" in sign_in.requested_scope.oidc:
        stored = replace(
            sign_in, expires=refresh_token_expires, issued=world.now(), nonce=None, redeemed=False
        )
        refresh_token = world.state.add_refresh_token(stored)
    grant = access_token_grant(sign_in, auth_method)
    members = {
        "token_type": "Bearer",
        "scope": sign_in.requested_scope.text,
        **lifetime_members(world, grant),
        "access_token": sign_access_token(world, grant),
        "refresh_token": refresh_token,
        "id_token": id_token_of(world, sign_in) if "openid" in sign_in.requested_scope.oidc else None,
        "client_info": client_info(sign_in.tenant, sign_in.user) if request.requests_client_info else None,
    }
    return without_none(members)


def client_credentials_response(world: World, grant: Grant) -> dict[str, Any]:
    """The token response of the client credentials grant: no scope, and no refresh token."""
    return {
        "token_type": "Bearer",
        **lifetime_members(world, grant),
        "access_token": sign_access_token(world, grant),
    }


def lifetime_members(world: World, grant: Grant) -> dict[str, int]:
    """The lifetime of the token in seconds; of long-lived ones, also when to get another one."""
    seconds = lifetime_of(world, grant)
    members = {"expires_in": seconds - 1, "ext_expires_in": seconds - 1}
    return members | ({"refresh_in": seconds // 2} if grant.is_long_lived else {})


def _graph_oidc_scopes(sign_in: SignIn) -> tuple[str, ...]:
    """OpenID Connect's scopes in a token for Graph, because its userinfo endpoint requires them."""
    if sign_in.requested_scope.resource.client_id != GRAPH.client_id:
        return ()
    return tuple(name for name in sign_in.requested_scope.oidc if name != "offline_access")
