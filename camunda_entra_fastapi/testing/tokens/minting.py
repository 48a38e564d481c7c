"""Tokens with Entra's claims in Entra's order (Learn: access token and ID token claims reference)."""

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from camunda_entra_fastapi.testing.directory import CONSUMERS, Application, Tenant, User
from camunda_entra_fastapi.testing.protocol.keys import base64url, without_none
from camunda_entra_fastapi.testing.tokens.optional_claims import access_extras, group_claims, id_extras
from camunda_entra_fastapi.testing.world.state import Session

BACKDATED: Final = 300
"""Seconds by which ``iat`` and ``nbf`` lie before the moment of issue, as measured at Entra."""

LIFETIME: Final = 3600
"""Seconds that an access token is good from the moment of issue; Entra picks 60 to 90 minutes."""

ID_TOKEN_LIFETIME: Final = 3600

ClientLevel = Literal["0", "1", "2"]
"""How a client proved who it is: not at all, by a secret, or by an assertion."""


@dataclass(frozen=True, slots=True)
class Grant:
    """For whom, by whom and for what a token is issued. Without a user it is the client's own.

    Attributes:
        tenant: Who issues it.
        resource: The API it is for.
        client: Who asked.
        user: On behalf of whom.
        scopes: The permissions it bears.
        roles: The app roles it bears.
        audience: As the scope named the resource; matters to version 1.0 alone.
        client_level: How the client proved who it is; by what it has registered when left out.
        session: The sign-in it comes from.
        contexts: Authentication contexts that are satisfied.
        continuous: Whether the client can handle claims challenges.
    """

    tenant: Tenant
    resource: Application
    client: Application
    user: User | None = None
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    audience: str | None = None
    client_level: ClientLevel | None = None
    session: Session | None = None
    contexts: tuple[str, ...] = ()
    continuous: bool = False

    @property
    def lives_long(self) -> bool:
        """Whether the token may live for a day, because its reader is told of what happens meanwhile."""
        return self.continuous and "xms_cc" in self.resource.optional_claims.access_token


def access_claims(
    grant: Grant, *, base_url: str, now: int, lifetime: int = LIFETIME, version: int | None = None
) -> dict[str, Any]:
    """The claims of an access token. The resource's registration decides the version, as in Entra."""
    version = version or grant.resource.requested_access_token_version or 1
    v1 = version == 1
    user, client, resource = grant.user, grant.client, grant.resource
    issued = now - BACKDATED
    client_name, client_level = ("appid", "appidacr") if v1 else ("azp", "azpacr")
    wanted = resource.optional_claims.access_token
    named = grant.audience if v1 and "aud:use_guid" not in wanted else None
    second_factor = bool(grant.session and grant.session.second_factor)
    claims: dict[str, Any] = {
        "aud": named or resource.client_id,
        "iss": issuer_of(grant.tenant, base_url, v1=v1),
        "iat": issued,
        "nbf": issued,
        "exp": now + lifetime,
        "acr": "1" if v1 and user else None,
        "acrs": list(grant.contexts) or None,
        "aio": opaque(60),
        "amr": ["pwd", *(["mfa"] if second_factor else [])] if v1 and user else None,
        client_name: client.client_id,
        client_level: grant.client_level or ("1" if client.is_confidential else "0"),
        "email": user.address if user and user.home_tenant else None,  # by default for guests alone
        **group_claims(grant.tenant, resource, user),
        "idp": idp_of(user, grant.tenant) if user else None,
        "name": user.name if user else None,
        "oid": user.id if user else client.id,
        "preferred_username": user.username if user and not v1 else None,
        "rh": f"1.{opaque(40)}.",
        "roles": list(grant.roles) or None,
        "scp": " ".join(grant.scopes) if user else None,
        "sub": pairwise(user, resource) if user else client.id,
        "tid": grant.tenant.id,
        "unique_name": user.username if user and v1 else None,
        "uti": opaque(16),
        "ver": f"{version}.0",
    }
    claims |= access_extras(wanted, user, grant.session, continuous=grant.continuous)
    return without_none(claims)


@dataclass(frozen=True, slots=True)
class IdGrant:
    """For whom and for what an ID token is issued.

    Attributes:
        tenant: Who issues it.
        client: The application that it is for.
        user: Who signed in.
        scopes: ``profile`` and ``email`` decide what it tells.
        nonce: As the client sent it.
        session: The sign-in it comes from.
        code: The code that comes along, from the authorization endpoint.
        access_token: The access token that comes along, from there.
        wanted: Optional claims that the request asks for, beside those of the registration.
        contexts: Authentication contexts that are satisfied.
    """

    tenant: Tenant
    client: Application
    user: User
    scopes: Iterable[str]
    nonce: str | None = None
    session: Session | None = None
    code: str | None = None
    access_token: str | None = None
    wanted: frozenset[str] = frozenset()
    contexts: tuple[str, ...] = ()


def id_claims(grant: IdGrant, *, base_url: str, now: int) -> dict[str, Any]:
    """The claims of a version 2.0 ID token."""
    user, client = grant.user, grant.client
    issued = now - BACKDATED
    asked = set(grant.scopes)
    extras = {*client.optional_claims.id_token, *grant.wanted}
    claims: dict[str, Any] = {
        "aud": client.client_id,
        "iss": issuer_of(grant.tenant, base_url, v1=False),
        "iat": issued,
        "nbf": issued,
        "exp": now + ID_TOKEN_LIFETIME,
        "acrs": (list(grant.contexts) or None) if "acrs" in extras else None,
        "aio": opaque(60),
        "at_hash": half_hash(grant.access_token),
        "c_hash": half_hash(grant.code),
        "email": user.address if "email" in asked or user.home_tenant else None,
        **group_claims(grant.tenant, client, user),
        "idp": idp_of(user, grant.tenant),
        "name": user.name if "profile" in asked else None,
        "nonce": grant.nonce,
        "oid": user.id if "profile" in asked else None,
        "preferred_username": user.username if "profile" in asked else None,
        "rh": f"1.{opaque(40)}.",
        "roles": list(user.roles.get(client.client_id, ())) or None,
        "sub": pairwise(user, client),
        "tid": grant.tenant.id,
        "uti": opaque(16),
        "ver": "2.0",
    }
    claims |= id_extras(extras, user, grant.session)
    return without_none(claims)


def pairwise(user: User, application: Application) -> str:
    """A subject that two applications cannot compare, and that stays the same for one."""
    return base64url(hashlib.sha256(f"{user.id}:{application.client_id}".encode()).digest())


def half_hash(value: str | None) -> str | None:
    """What binds a code or an access token to the ID token beside it (OpenID Connect Core, 3.3.2.11)."""
    return base64url(hashlib.sha256(value.encode()).digest()[:16]) if value else None


def client_info(tenant: Tenant, user: User) -> str:
    """Where an account is at home, by which Microsoft's clients tell accounts apart."""
    members = {"uid": user.id, "utid": user.home_tenant or tenant.id}
    return base64url(json.dumps(members, separators=(",", ":")).encode())


def issuer_of(tenant: Tenant, base_url: str, *, v1: bool) -> str:
    """Who issues the tenant's tokens of that version."""
    return f"https://sts.windows.net/{tenant.id}/" if v1 else f"{base_url}/{tenant.id}/v2.0"


def idp_of(user: User, tenant: Tenant) -> str | None:
    """Where a guest came from; None for members."""
    if user.home_tenant is None or user.home_tenant == tenant.id:
        return None
    return "live.com" if user.home_tenant == CONSUMERS else f"https://sts.windows.net/{user.home_tenant}/"


def opaque(size: int) -> str:
    """A value that means nothing to its reader, of so many random bytes."""
    return secrets.token_urlsafe(size)
