"""Access tokens and ID tokens: claims of the world's directory, signed by its current key."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from camunda_entra_fastapi.testing.directory.graph import GRAPH
from camunda_entra_fastapi.testing.protocol.keys import base64url
from camunda_entra_fastapi.testing.tokens.minting import Grant, IdGrant, access_claims, id_claims, opaque
from camunda_entra_fastapi.testing.world.world import World

LONG_LIFETIME: Final = 86_400
"""Seconds that a token lives whose reader and client can handle claims challenges (Learn: CAE)."""


def lifetime_of(world: World, grant: Grant) -> int:
    """Seconds that the grant's access token is good."""
    return LONG_LIFETIME if grant.lives_long else world.token_lifetime


def sign_access_token(
    world: World,
    grant: Grant,
    *,
    version: Literal[1, 2] | None = None,
    header: Mapping[str, Any] | None = None,
    claims: Mapping[str, Any] | None = None,
) -> str:
    """The access token of a grant.

    Args:
        world: Issues it.
        grant: For whom, by whom and for what it is.
        version: 1 or 2; as the API's registration says when left out.
        header: Header members to add or change; None takes one away.
        claims: Claims to add or change; None takes one away.
    """
    found = access_claims(
        grant,
        base_url=world.base_url,
        now=int(world.now()),
        lifetime=lifetime_of(world, grant),
        version=version,
    )
    if grant.session:
        world.state.remember_token(found, grant.session)
    token = world.sign({**found, **(claims or {})}, v1=found["ver"] == "1.0", header=header)
    return for_graph_alone(token) if grant.resource.client_id == GRAPH.client_id else token


def sign_id_token(world: World, grant: IdGrant, claims: Mapping[str, Any] | None = None) -> str:
    """The ID token of a grant; claims as for access tokens."""
    found = id_claims(grant, base_url=world.base_url, now=int(world.now()))
    return world.sign({**found, **(claims or {})}, v1=False)


def for_graph_alone(token: str) -> str:
    """The token with a nonce in its header, over which its signature is not made as others expect.

    Only Graph knows how, so that nobody else can verify its tokens.
    """
    header, rest = token.split(".", 1)
    members = json.loads(base64.urlsafe_b64decode(header + "=="))
    members["nonce"] = opaque(32)
    return f"{base64url(json.dumps(members, separators=(',', ':')).encode())}.{rest}"
