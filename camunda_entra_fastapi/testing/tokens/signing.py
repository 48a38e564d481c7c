"""Signed access tokens and ID tokens."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from camunda_entra_fastapi.testing.directory.graph import GRAPH
from camunda_entra_fastapi.testing.protocol.keys import base64url
from camunda_entra_fastapi.testing.tokens.minting import (
    Grant,
    IdGrant,
    access_claims,
    id_claims,
    opaque_value,
)
from camunda_entra_fastapi.testing.world.world import World

LONG_LIFETIME: Final = 86_400
"""Seconds that a token is valid if resource and client can handle claims challenges (Learn: CAE)."""


def lifetime_of(world: World, grant: Grant) -> int:
    """Seconds that the grant's access token is valid."""
    return LONG_LIFETIME if grant.is_long_lived else world.token_lifetime


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
        world: The emulator's state, with keys, clock and address.
        grant: The grant.
        version: 1 or 2; by default the API's registration decides.
        header: Header members to add or change; None takes one away.
        claims: Claims to add or change; None takes one away.
    """
    issued_claims = access_claims(
        grant,
        base_url=world.base_url,
        now=int(world.now()),
        lifetime=lifetime_of(world, grant),
        version=version,
    )
    if grant.session:
        world.state.add_access_token(issued_claims, grant.session)
    token = world.sign({**issued_claims, **(claims or {})}, v1=issued_claims["ver"] == "1.0", header=header)
    return with_graph_nonce(token) if grant.resource.client_id == GRAPH.client_id else token


def sign_id_token(world: World, grant: IdGrant, claims: Mapping[str, Any] | None = None) -> str:
    """The ID token of a grant; claims as for access tokens."""
    issued_claims = id_claims(grant, base_url=world.base_url, now=int(world.now()))
    return world.sign({**issued_claims, **(claims or {})}, v1=False)


def with_graph_nonce(token: str) -> str:
    """The token with a nonce in its header, so that its signature fits only after the nonce is removed.

    Only Graph knows how, so that nobody else can verify its tokens.
    """
    header, rest = token.split(".", 1)
    members = json.loads(base64.urlsafe_b64decode(header + "=="))
    members["nonce"] = opaque_value(32)
    return f"{base64url(json.dumps(members, separators=(',', ':')).encode())}.{rest}"
