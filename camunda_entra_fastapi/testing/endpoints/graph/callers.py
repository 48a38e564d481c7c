"""Who asks Microsoft Graph, and with which permissions.

Graph's own tokens cannot be verified by anybody else: after it was signed, a nonce was put into the
header (``tokens.signing.for_graph_alone``). Here it is taken out again.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request

from camunda_entra_fastapi.errors import quoted
from camunda_entra_fastapi.testing.directory import Application, Tenant, User
from camunda_entra_fastapi.testing.directory.graph import COMMAND_LINE, GRAPH
from camunda_entra_fastapi.testing.endpoints.graph.responses import denied, invalid_token
from camunda_entra_fastapi.testing.protocol.jws import Jws, read_jws
from camunda_entra_fastapi.testing.protocol.keys import base64url
from camunda_entra_fastapi.testing.tokens.minting import issuer_of
from camunda_entra_fastapi.testing.world.world import World

AUDIENCES: Final = (GRAPH.client_id, *GRAPH.identifier_uris)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        tenant: Whose directory is asked.
        client: The application that asks.
        is_app: Whether it asks for itself, without a person.
        user: On behalf of whom; None for an application's own, and for somebody who is no longer there.
        granted: Delegated permissions, or app roles for an application's own.
    """

    tenant: Tenant
    client: Application
    is_app: bool
    user: User | None
    granted: frozenset[str]

    def has(self, *permissions: str) -> bool:
        """Whether one of them is there; several with spaces between them must all be there."""
        return any(self.granted.issuperset(needed.split()) for needed in permissions)

    def need(self, permissions: Iterable[str]) -> None:
        """Demand one of the permissions, written as in ``has``.

        Raises:
            GraphError: None is there.
        """
        wanted = tuple(permissions)
        if not self.has(*wanted):
            kind = "app roles" if self.is_app else "delegated permissions"
            raise denied(
                f"This needs {', or '.join(each.replace(' ', ' with ') for each in wanted)}. The "
                f"{kind} in the token are: {', '.join(sorted(self.granted)) or 'none'}."
            )


def find_caller(world: World, request: Request) -> Caller:
    """Who asks, by a bearer token that this emulator issued for Graph.

    Raises:
        GraphError: There is no such token, it has expired, or it is for another API.
    """
    claims = _verified(world, _bearer_token(request))
    tenant = _tenant_of(world, claims)
    is_app = "scp" not in claims
    user = None if is_app else next((each for each in tenant.users if each.id == claims.get("oid")), None)
    return Caller(tenant, _client_of(world, claims), is_app, user, _granted_in(claims))


def _bearer_token(request: Request) -> str:
    """RFC 6750, 2.1."""
    values = request.headers.getlist("authorization")
    if len(values) > 1:
        raise invalid_token("There is more than one Authorization header.")
    scheme, _, token = (values or [""])[0].partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise invalid_token("There is no access token. Send one as 'Authorization: Bearer <token>'.")
    return token.strip()


def _verified(world: World, token: str) -> dict[str, Any]:
    """The claims of a token of this emulator's that is for Graph and good now."""
    try:
        jws = read_jws(token)
    except ValueError as error:
        raise invalid_token(f"The token cannot be read. {error}") from None
    header, nonce = dict(jws.header), jws.header.get("nonce")
    header.pop("nonce", None)
    plain = json.dumps(header, separators=(",", ":")).encode()
    rest = jws.signed.partition(b".")[2]
    signed = Jws(header, jws.claims, b".".join((base64url(plain).encode(), rest)), jws.signature)
    key = next((each for each in world.keys if each.key_id == header.get("kid")), None)
    if key is None or not signed.is_signed_by(key.private.public_key()):
        raise invalid_token("The token is not signed with one of the current keys of this emulator.")
    audience = signed.claims.get("aud")
    if audience not in AUDIENCES:
        raise invalid_token(
            f"The token is for {quoted(audience)}, not for Microsoft Graph. Ask for one with a scope like "
            f"{GRAPH.identifier_uris[0]}/User.Read."
        )
    if not isinstance(nonce, str):
        raise invalid_token("The token has no nonce in its header, so it was not issued for Microsoft Graph.")
    _check_times(signed.claims, world.now())
    return signed.claims


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


def _granted_in(claims: dict[str, Any]) -> frozenset[str]:
    """Delegated permissions; app roles where there are none."""
    permissions = claims["scp"] if "scp" in claims else claims.get("roles", [])
    if isinstance(permissions, str):
        return frozenset(permissions.split())
    if not isinstance(permissions, list):
        raise invalid_token("The token's permissions are neither a text nor a list.")
    return frozenset(str(name) for name in permissions)
