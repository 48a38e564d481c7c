"""The caller of Microsoft Graph: authentication by access token, and the caller's permissions.

Only Graph can verify its tokens: a nonce is put into the header after signing
(``tokens.signing.with_graph_nonce``), and removed here before the signature is verified.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request

from camunda_entra_fastapi.errors import quoted
from camunda_entra_fastapi.testing.directory import Application, Tenant, User
from camunda_entra_fastapi.testing.directory.graph import COMMAND_LINE, GRAPH
from camunda_entra_fastapi.testing.directory.names import comma_separated
from camunda_entra_fastapi.testing.endpoints.graph.responses import denied, invalid_token
from camunda_entra_fastapi.testing.protocol.jws import Jws, parse_jws
from camunda_entra_fastapi.testing.protocol.keys import base64url
from camunda_entra_fastapi.testing.tokens.minting import issuer_of
from camunda_entra_fastapi.testing.world.world import World

AUDIENCES: Final = (GRAPH.client_id, *GRAPH.identifier_uris)


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller.

    Attributes:
        tenant: The tenant of the token.
        client: The application that calls.
        is_app_only: Whether it calls for itself, without a user.
        user: The user on whose behalf it calls; None for app-only tokens, and for a user who is gone.
        permissions: Delegated permissions, or app roles for app-only tokens.
    """

    tenant: Tenant
    client: Application
    is_app_only: bool
    user: User | None
    permissions: frozenset[str]

    def has(self, *alternatives: str) -> bool:
        """Whether the caller has an alternative; one with spaces has several permissions, all needed."""
        return any(self.permissions.issuperset(needed.split()) for needed in alternatives)

    def require(self, alternatives: Sequence[str]) -> None:
        """Check that the caller has one of the alternatives, written as in ``has``.

        Raises:
            GraphError: It has none.
        """
        if not self.has(*alternatives):
            kind = "app roles" if self.is_app_only else "delegated permissions"
            raise denied(
                f"This needs {', or '.join(each.replace(' ', ' with ') for each in alternatives)}. The "
                f"{kind} in the token are: {comma_separated(sorted(self.permissions))}."
            )

    def require_administrator(self) -> None:
        """Check that a user on whose behalf the client acts is an administrator.

        Raises:
            GraphError: The user is none: delegated permissions reach no further than the user's own.
        """
        if not self.is_app_only and not (self.user and self.user.administrator):
            raise denied("Insufficient privileges to complete the operation: the person is no administrator.")


def authenticate_caller(world: World, request: Request) -> Caller:
    """The caller, by a bearer token that the emulator issued for Graph.

    Raises:
        GraphError: There is no such token, it has expired, or it is for another API.
    """
    claims = _validated_claims(world, _bearer_token(request))
    tenant = _tenant_of(world, claims)
    is_app_only = "scp" not in claims
    user = (
        None if is_app_only else next((each for each in tenant.users if each.id == claims.get("oid")), None)
    )
    return Caller(tenant, _client_of(world, claims), is_app_only, user, _permissions_in(claims))


def _bearer_token(request: Request) -> str:
    """The token of the Authorization header (RFC 6750, 2.1)."""
    values = request.headers.getlist("authorization")
    if len(values) > 1:
        raise invalid_token("There is more than one Authorization header.")
    scheme, _, token = (values or [""])[0].partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise invalid_token("There is no access token. Send one as 'Authorization: Bearer <token>'.")
    return token.strip()


def _validated_claims(world: World, token: str) -> dict[str, Any]:
    """The claims of a valid token: issued by the emulator, for Graph, and not expired."""
    try:
        token_jws = parse_jws(token)
    except ValueError as error:
        raise invalid_token(f"The token cannot be read. {error}") from None
    header, nonce = dict(token_jws.header), token_jws.header.get("nonce")
    header.pop("nonce", None)
    plain = json.dumps(header, separators=(",", ":")).encode()
    rest = token_jws.signing_input.partition(b".")[2]
    jws_without_nonce = Jws(
        header, token_jws.claims, b".".join((base64url(plain).encode(), rest)), token_jws.signature
    )
    key = next((each for each in world.keys if each.key_id == header.get("kid")), None)
    if key is None or not jws_without_nonce.is_signed_by(key.private.public_key()):
        raise invalid_token("The token is not signed with one of the current keys of this emulator.")
    audience = jws_without_nonce.claims.get("aud")
    if audience not in AUDIENCES:
        raise invalid_token(
            f"The token is for {quoted(audience)}, not for Microsoft Graph. Ask for one with a scope like "
            f"{GRAPH.identifier_uris[0]}/User.Read."
        )
    if not isinstance(nonce, str):
        raise invalid_token("The token has no nonce in its header, so it was not issued for Microsoft Graph.")
    _check_times(jws_without_nonce.claims, world.now())
    return jws_without_nonce.claims


def _check_times(claims: dict[str, Any], now: float) -> None:
    begin, end = claims.get("nbf"), claims.get("exp")
    if not (isinstance(begin, int | float) and isinstance(end, int | float)):
        raise invalid_token("The token does not say from when and until when it is good.")
    if now < begin:
        raise invalid_token("The token is not good yet. Check the clocks.")
    if now >= end:
        raise invalid_token("The token has expired. Get a new one.")


def _tenant_of(world: World, claims: dict[str, Any]) -> Tenant:
    tenants = (each for each in world.directory.tenants if each.id == claims.get("tid"))
    tenant = next(tenants, None)
    if tenant is None:
        raise invalid_token("The tenant that the token is of is not in the directory.")
    issuers = [issuer_of(tenant, world.base_url, v1=v1) for v1 in (True, False)]
    if claims.get("iss") not in issuers:
        raise invalid_token(f"The token was issued by {quoted(claims.get('iss'))}, not by {issuers[0]}.")
    return tenant


def _client_of(world: World, claims: dict[str, Any]) -> Application:
    client_id = claims.get("appid") or claims.get("azp")
    known = (app for tenant in world.directory.tenants for app in tenant.applications)
    client = next((app for app in (*known, COMMAND_LINE) if app.client_id == client_id), None)
    if client is None:
        raise invalid_token("The application that the token was issued to is not in the directory.")
    return client


def _permissions_in(claims: dict[str, Any]) -> frozenset[str]:
    """The delegated permissions; app roles if there is no ``scp``."""
    permissions = claims["scp"] if "scp" in claims else claims.get("roles", [])
    if isinstance(permissions, str):
        return frozenset(permissions.split())
    if not isinstance(permissions, list):
        raise invalid_token("The token's permissions are neither a text nor a list.")
    return frozenset(str(name) for name in permissions)
