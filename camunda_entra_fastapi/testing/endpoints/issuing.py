"""From a grant to what the client gets: codes, tokens, and the members around them."""

from dataclasses import replace
from typing import Any

from starlette.responses import Response

from camunda_entra_fastapi.testing.directory.graph import GRAPH
from camunda_entra_fastapi.testing.endpoints.responses import answer_to
from camunda_entra_fastapi.testing.protocol.authorize import SignInRequest, platform_of
from camunda_entra_fastapi.testing.protocol.keys import without_none
from camunda_entra_fastapi.testing.tokens.minting import (
    ClientLevel,
    Grant,
    IdGrant,
    client_info,
)
from camunda_entra_fastapi.testing.tokens.signing import lifetime_of, sign_access_token, sign_id_token
from camunda_entra_fastapi.testing.world.state import CODE_LIFETIME, Session, SignIn
from camunda_entra_fastapi.testing.world.world import World


def issue_answer(world: World, wanted: SignInRequest, session: Session) -> Response:
    """The answer to the application once somebody signed in: a code, tokens, or both."""
    parameters = wanted.parameters
    sign_in = SignIn(
        session.tenant,
        wanted.client,
        session.user,
        wanted.asked,
        wanted.redirect_uri,
        expires=world.now() + CODE_LIFETIME,
        session=session,
        platform=platform_of(wanted.client, wanted.redirect_uri) or "web",
        issued=world.now(),
        nonce=parameters.get("nonce"),
        code_challenge=parameters.get("code_challenge"),
        code_challenge_method=parameters.get("code_challenge_method", "plain"),
        contexts=wanted.claims.contexts,
        continuous=wanted.claims.continuous,
        of_id_token=wanted.claims.of_id_token | ({"auth_time"} if wanted.max_age is not None else set()),
    )
    members: dict[str, str] = {}
    if "code" in wanted.response_types:
        members["code"] = world.state.add_code(sign_in)
    if "token" in wanted.response_types:
        grant = grant_of(sign_in, "0")
        members |= {
            "access_token": sign_access_token(world, grant),
            "token_type": "Bearer",
            "expires_in": str(lifetimes(world, grant)["expires_in"]),
            "scope": wanted.asked.text,
        }
    if "id_token" in wanted.response_types:
        members["id_token"] = id_token_of(world, sign_in, members.get("code"), members.get("access_token"))
    if parameters.get("client_info") == "1":
        members["client_info"] = client_info(session.tenant, session.user)
    if "state" in parameters:
        members["state"] = parameters["state"]
    members["session_state"] = session.id
    return answer_to(wanted.redirect_uri, wanted.response_mode, members)


def grant_of(sign_in: SignIn, level: ClientLevel) -> Grant:
    """What an access token for that sign-in bears."""
    resource = sign_in.asked.resource
    return Grant(
        sign_in.tenant,
        resource,
        sign_in.client,
        sign_in.user,
        scopes=(*sign_in.asked.permissions, *_oidc_of_graph(sign_in)),
        roles=sign_in.user.roles.get(resource.client_id, ()),
        audience=sign_in.asked.named_as,
        client_level=level,
        session=sign_in.session,
        contexts=sign_in.contexts,
        continuous=sign_in.continuous,
    )


def id_token_of(
    world: World, sign_in: SignIn, code: str | None = None, access_token: str | None = None
) -> str:
    """The ID token for that sign-in."""
    grant = IdGrant(
        sign_in.tenant,
        sign_in.client,
        sign_in.user,
        sign_in.asked.oidc,
        sign_in.nonce,
        sign_in.session,
        code,
        access_token,
        sign_in.of_id_token,
        sign_in.contexts,
    )
    return sign_id_token(world, grant)


def token_response(
    world: World,
    sign_in: SignIn,
    level: ClientLevel,
    *,
    refresh_until: float | None,
    with_client_info: bool,
) -> dict[str, Any]:
    """The token response for a person, members in Entra's order.

    Args:
        world: Who issues.
        sign_in: What for.
        level: How the client proved who it is.
        refresh_until: When the refresh token expires, in seconds since 1970; None for no refresh token.
        with_client_info: Whether to tell where the account is at home.
    """
    refresh_token = None
    if refresh_until is not None and "offline_access" in sign_in.asked.oidc:
        kept = replace(sign_in, expires=refresh_until, issued=world.now(), nonce=None, redeemed=False)
        refresh_token = world.state.add_refresh_token(kept)
    grant = grant_of(sign_in, level)
    answer = {
        "token_type": "Bearer",
        "scope": sign_in.asked.text,
        **lifetimes(world, grant),
        "access_token": sign_access_token(world, grant),
        "refresh_token": refresh_token,
        "id_token": id_token_of(world, sign_in) if "openid" in sign_in.asked.oidc else None,
        "client_info": client_info(sign_in.tenant, sign_in.user) if with_client_info else None,
    }
    return without_none(answer)


def credentials_response(world: World, grant: Grant) -> dict[str, Any]:
    """The token response for an application itself: no scope, and nothing to renew with."""
    return {
        "token_type": "Bearer",
        **lifetimes(world, grant),
        "access_token": sign_access_token(world, grant),
    }


def lifetimes(world: World, grant: Grant) -> dict[str, int]:
    """How long the token is good, in seconds; and of long-lived ones, when to get another one."""
    seconds = lifetime_of(world, grant)
    members = {"expires_in": seconds - 1, "ext_expires_in": seconds - 1}
    return members | ({"refresh_in": seconds // 2} if grant.lives_long else {})


def _oidc_of_graph(sign_in: SignIn) -> tuple[str, ...]:
    """Graph's own tokens name OpenID Connect's scopes, too, for its userinfo endpoint asks for them."""
    if sign_in.asked.resource.client_id != GRAPH.client_id:
        return ()
    return tuple(name for name in sign_in.asked.oidc if name != "offline_access")
