"""Tokens with Entra's claims in Entra's order (Learn: access token and ID token claims reference)."""

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from camunda_entra_fastapi.testing.directory import CONSUMERS, Application, Tenant, User
from camunda_entra_fastapi.testing.protocol.keys import base64url, without_none
from camunda_entra_fastapi.testing.tokens.optional_claims import (
    group_claims,
    optional_access_token_claims,
    optional_id_token_claims,
)
from camunda_entra_fastapi.testing.world.state import Session

BACKDATED: Final = 300
"""Seconds by which ``iat`` and ``nbf`` are earlier than the moment of issue, as measured at Entra."""

LIFETIME: Final = 3600
"""Seconds that an access token is valid from the moment of issue; Entra picks 60 to 90 minutes."""

ID_TOKEN_LIFETIME: Final = 3600

ClientAuthMethod = Literal["0", "1", "2"]
"""How a client authenticated, as ``azpacr`` has it: not at all, by a secret, or by an assertion."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant of an access token. Without a user the token is app-only.

    Attributes:
        tenant: The tenant that issues it.
        resource: The API it is for.
        client: The client that requested it.
        user: The user on whose behalf the client acts.
        scopes: The delegated permissions.
        roles: The app roles.
        audience: The resource as the scope named it; only version 1.0 uses it.
        client_auth_method: How the client authenticated; by default the method that it has registered.
        session: The session it comes from.
        contexts: Authentication contexts that are satisfied.
        cae_capable: Whether the client can handle claims challenges.
    """

    tenant: Tenant
    resource: Application
    client: Application
    user: User | None = None
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    audience: str | None = None
    client_auth_method: ClientAuthMethod | None = None
    session: Session | None = None
    contexts: tuple[str, ...] = ()
    cae_capable: bool = False

    @property
    def is_long_lived(self) -> bool:
        """Whether the token may live for a day, because its resource learns of revocations meanwhile."""
        return self.cae_capable and "xms_cc" in self.resource.optional_claims.access_token


def access_claims(
    grant: Grant, *, base_url: str, now: int, lifetime: int = LIFETIME, version: int | None = None
) -> dict[str, Any]:
    """The claims of an access token. By default the resource's registration decides the version."""
    version = version or grant.resource.requested_access_token_version or 1
    v1 = version == 1
    user, client, resource = grant.user, grant.client, grant.resource
    issued = now - BACKDATED
    client_name, client_auth_method = ("appid", "appidacr") if v1 else ("azp", "azpacr")
    optional_claims = resource.optional_claims.access_token
    resource_identifier = grant.audience if v1 and "aud:use_guid" not in optional_claims else None
    second_factor = bool(grant.session and grant.session.second_factor)
    claims: dict[str, Any] = {
        "aud": resource_identifier or resource.client_id,
        "iss": issuer_of(grant.tenant, base_url, v1=v1),
        "iat": issued,
        "nbf": issued,
        "exp": now + lifetime,
        "acr": "1" if v1 and user else None,
        "acrs": list(grant.contexts) or None,
        "aio": opaque_value(60),
        "amr": ["pwd", *(["mfa"] if second_factor else [])] if v1 and user else None,
        client_name: client.client_id,
        client_auth_method: grant.client_auth_method or ("1" if client.is_confidential else "0"),
        "email": user.address if user and user.home_tenant else None,  # by default only for guests
        **group_claims(grant.tenant, resource, user),
        "idp": idp_of(user, grant.tenant) if user else None,
        "name": user.name if user else None,
        "oid": user.id if user else client.id,
        "preferred_username": user.username if user and not v1 else None,
        "rh": f"1.{opaque_value(40)}.",
        "roles": list(grant.roles) or None,
        "scp": " ".join(grant.scopes) if user else None,
        "sub": pairwise_subject(user, resource) if user else client.id,
        "tid": grant.tenant.id,
        "unique_name": user.username if user and v1 else None,
        "uti": opaque_value(16),
        "ver": f"{version}.0",
    }
    claims |= optional_access_token_claims(
        optional_claims, user, grant.session, cae_capable=grant.cae_capable
    )
    return without_none(claims)


@dataclass(frozen=True, slots=True)
class IdGrant:
    """A grant of an ID token.

    Attributes:
        tenant: The tenant that issues it.
        client: The application that it is for.
        user: The user who signed in.
        scopes: The requested scopes; ``profile`` and ``email`` decide its claims.
        nonce: The client's nonce.
        session: The session it comes from.
        code: The code beside it in the authorization response.
        access_token: The access token beside it in the authorization response.
        requested_claims: Optional claims that the request names, beside those of the registration.
        contexts: Authentication contexts that are satisfied.
    """

    tenant: Tenant
    client: Application
    user: User
    scopes: Iterable[str]
    nonce: str | None = field(default=None, repr=False)
    session: Session | None = None
    code: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    requested_claims: frozenset[str] = frozenset()
    contexts: tuple[str, ...] = ()


def id_claims(grant: IdGrant, *, base_url: str, now: int) -> dict[str, Any]:
    """The claims of a version 2.0 ID token."""
    user, client = grant.user, grant.client
    issued = now - BACKDATED
    scopes = set(grant.scopes)
    optional = {*client.optional_claims.id_token, *grant.requested_claims}
    claims: dict[str, Any] = {
        "aud": client.client_id,
        "iss": issuer_of(grant.tenant, base_url, v1=False),
        "iat": issued,
        "nbf": issued,
        "exp": now + ID_TOKEN_LIFETIME,
        "acrs": (list(grant.contexts) or None) if "acrs" in optional else None,
        "aio": opaque_value(60),
        "at_hash": left_half_hash(grant.access_token),
        "c_hash": left_half_hash(grant.code),
        "email": user.address if "email" in scopes or user.home_tenant else None,
        **group_claims(grant.tenant, client, user),
        "idp": idp_of(user, grant.tenant),
        "name": user.name if "profile" in scopes else None,
        "nonce": grant.nonce,
        "oid": user.id if "profile" in scopes else None,
        "preferred_username": user.username if "profile" in scopes else None,
        "rh": f"1.{opaque_value(40)}.",
        "roles": list(user.roles.get(client.client_id, ())) or None,
        "sub": pairwise_subject(user, client),
        "tid": grant.tenant.id,
        "uti": opaque_value(16),
        "ver": "2.0",
    }
    claims |= optional_id_token_claims(optional, user, grant.session)
    return without_none(claims)


def pairwise_subject(user: User, application: Application) -> str:
    """A pairwise subject: different for each application, and always the same for one."""
    return base64url(hashlib.sha256(f"{user.id}:{application.client_id}".encode()).digest())


def left_half_hash(value: str | None) -> str | None:
    """``c_hash`` or ``at_hash``: the left half of the value's hash (OpenID Connect Core, 3.3.2.11)."""
    return base64url(hashlib.sha256(value.encode()).digest()[:16]) if value else None


def client_info(tenant: Tenant, user: User) -> str:
    """``client_info``: the account's home IDs, by which Microsoft's clients tell accounts apart."""
    members = {"uid": user.id, "utid": user.home_tenant or tenant.id}
    return base64url(json.dumps(members, separators=(",", ":")).encode())


def issuer_of(tenant: Tenant, base_url: str, *, v1: bool) -> str:
    """The issuer of the tenant's tokens of that version."""
    return f"https://sts.windows.net/{tenant.id}/" if v1 else f"{base_url}/{tenant.id}/v2.0"


def idp_of(user: User, tenant: Tenant) -> str | None:
    """``idp``: a guest's identity provider; None for members."""
    if user.home_tenant is None or user.home_tenant == tenant.id:
        return None
    return "live.com" if user.home_tenant == CONSUMERS else f"https://sts.windows.net/{user.home_tenant}/"


def opaque_value(size: int) -> str:
    """An opaque value of so many random bytes."""
    return secrets.token_urlsafe(size)
