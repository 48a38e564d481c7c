"""Tokens with Entra's claims in Entra's order (Learn: access token and ID token claims reference)."""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from camunda_entra_fastapi.testing.directory import Application, Tenant, User
from camunda_entra_fastapi.testing.keys import SigningKey, base64url

BACKDATED: Final = 300
"""Seconds by which ``iat`` and ``nbf`` lie before the moment of issue, as measured at Entra."""

LIFETIME: Final = 3600
"""Seconds that an access token is good from the moment of issue; Entra picks 60 to 90 minutes."""

MAX_GROUPS: Final = 200
"""A JWT lists no more; above, a claim says where to ask (Learn: groups overage claim)."""


@dataclass(frozen=True, slots=True)
class Grant:
    """For whom, by whom and for what a token is issued. Without a user it is the client's own."""

    tenant: Tenant
    resource: Application
    client: Application
    user: User | None = None
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    audience: str | None = None
    """As the scope named the resource; matters to version 1.0 alone."""


def access_claims(grant: Grant, *, base_url: str, now: int, version: int | None = None) -> dict[str, Any]:
    """The claims of an access token. The resource's registration decides the version, as in Entra."""
    version = version or grant.resource.requested_access_token_version or 1
    v1 = version == 1
    user, client = grant.user, grant.client
    issued = now - BACKDATED
    client_name, client_level = ("appid", "appidacr") if v1 else ("azp", "azpacr")
    principal = user.id if user else client.object_id
    claims: dict[str, Any] = {
        "aud": (grant.audience or grant.resource.client_id) if v1 else grant.resource.client_id,
        "iss": _issuer(grant.tenant, base_url, v1=v1),
        "iat": issued,
        "nbf": issued,
        "exp": now + LIFETIME,
        "acr": "1" if v1 and user else None,
        "aio": _opaque(60),
        "amr": ["pwd"] if v1 and user else None,
        client_name: client.client_id,
        client_level: "1" if client.secrets else "0",
        "email": user.address if user and user.home_tenant else None,  # by default for guests alone
        "groups": _groups(user),
        **_overage(grant.tenant, user),
        "idp": f"https://sts.windows.net/{user.home_tenant}/" if user and user.home_tenant else None,
        "name": user.name if user else None,
        "oid": principal,
        "preferred_username": user.username if user and not v1 else None,
        "rh": f"1.{_opaque(40)}.",
        "roles": list(grant.roles) or None,
        "scp": " ".join(grant.scopes) if user else None,
        "sub": pairwise(user, grant.resource) if user else principal,
        "tid": grant.tenant.id,
        "unique_name": user.username if user and v1 else None,
        "uti": _opaque(16),
        "ver": f"{version}.0",
    }
    return {name: value for name, value in claims.items() if value is not None}


def id_claims(
    tenant: Tenant,
    client: Application,
    user: User,
    *,
    scopes: Iterable[str],
    nonce: str | None,
    base_url: str,
    now: int,
) -> dict[str, Any]:
    """The claims of a version 2.0 ID token; ``profile`` and ``email`` decide what it tells of the user."""
    issued = now - BACKDATED
    asked = set(scopes)
    claims: dict[str, Any] = {
        "aud": client.client_id,
        "iss": _issuer(tenant, base_url, v1=False),
        "iat": issued,
        "nbf": issued,
        "exp": now + LIFETIME,
        "aio": _opaque(60),
        "email": user.address if "email" in asked or user.home_tenant else None,
        "idp": f"https://sts.windows.net/{user.home_tenant}/" if user.home_tenant else None,
        "name": user.name if "profile" in asked else None,
        "nonce": nonce,
        "oid": user.id if "profile" in asked else None,
        "preferred_username": user.username if "profile" in asked else None,
        "rh": f"1.{_opaque(40)}.",
        "roles": list(user.roles.get(client.client_id, ())) or None,
        "sub": pairwise(user, client),
        "tid": tenant.id,
        "uti": _opaque(16),
        "ver": "2.0",
    }
    return {name: value for name, value in claims.items() if value is not None}


def header_of(key: SigningKey, *, v1: bool) -> dict[str, Any]:
    """Version 1.0 names the certificate besides the key."""
    header = {"typ": "JWT", "alg": "RS256"}
    return header | ({"x5t": key.key_id} if v1 else {}) | {"kid": key.key_id}


def for_graph_alone(token: str) -> str:
    """The token with a nonce in its header, over which its signature is not made as others expect.

    Only Graph knows how, so that nobody else can verify its tokens.
    """
    header, rest = token.split(".", 1)
    members = json.loads(base64.urlsafe_b64decode(header + "=="))
    members["nonce"] = _opaque(32)
    return f"{base64url(json.dumps(members, separators=(',', ':')).encode())}.{rest}"


def pairwise(user: User, application: Application) -> str:
    """A subject that two applications cannot compare, and that stays the same for one."""
    return base64url(hashlib.sha256(f"{user.id}:{application.client_id}".encode()).digest())


def client_info(tenant: Tenant, user: User) -> str:
    """Where an account is at home, by which Microsoft's clients tell accounts apart."""
    members = {"uid": user.id, "utid": user.home_tenant or tenant.id}
    return base64url(json.dumps(members, separators=(",", ":")).encode())


def _issuer(tenant: Tenant, base_url: str, *, v1: bool) -> str:
    return f"https://sts.windows.net/{tenant.id}/" if v1 else f"{base_url}/{tenant.id}/v2.0"


def _groups(user: User | None) -> list[str] | None:
    return list(user.groups) if user and 0 < len(user.groups) <= MAX_GROUPS else None


def _overage(tenant: Tenant, user: User | None) -> dict[str, Any]:
    if user is None or len(user.groups) <= MAX_GROUPS:
        return {}
    endpoint = f"https://graph.windows.net/{tenant.id}/users/{user.id}/getMemberObjects"
    return {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": endpoint}}}


def _opaque(size: int) -> str:
    return secrets.token_urlsafe(size)
