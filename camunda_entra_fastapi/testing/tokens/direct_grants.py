"""Grants without a sign-in, and the variables of a service: what a test takes from the directory directly."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from camunda_entra_fastapi.testing.directory import Application, Directory, Tenant, User
from camunda_entra_fastapi.testing.tokens.minting import Grant


def make_grant(
    directory: Directory,
    *,
    user: str | None,
    application: str | None,
    client: str | None,
    roles: Sequence[str] | None,
    scopes: Sequence[str] | None,
    app_only: bool,
    tenant: str | None,
) -> Grant:
    """The grant for ``EntraEmulator.token``; what is None comes from the directory.

    Raises:
        ValueError: The directory has no such user, application or tenant.
    """
    issuing_tenant = find_tenant(directory, tenant)
    resource = _application(directory, application, issuing_tenant)
    requesting_client = (
        _application(directory, client, issuing_tenant)
        if client
        else _client_of(directory, resource, app_only=app_only)
    )
    subject = None if app_only else find_user(directory, user, issuing_tenant)
    granted_roles = (subject.roles if subject else requesting_client.granted_roles).get(
        resource.client_id, ()
    )
    return Grant(
        issuing_tenant,
        resource,
        requesting_client,
        subject,
        scopes=tuple(list(resource.exposed)[:1] if scopes is None else scopes),
        roles=tuple(granted_roles if roles is None else roles),
        audience=next(iter(resource.identifier_uris), None),
    )


def find_tenant(directory: Directory, name: str | None) -> Tenant:
    """The tenant with that ID or domain; for another GUID, the default tenant under that ID."""
    first = directory.tenants[0]
    found = first if name is None else directory.tenant(name)
    if found is not None:
        return found
    try:
        return replace(first, id=str(uuid.UUID(name)))
    except ValueError:
        raise ValueError(f"The directory has no tenant {name!r}; another one is named by a GUID.") from None


def find_user(directory: Directory, name: str | None, tenant: Tenant) -> User:
    """The user with that ID or name; the tenant's first user when it is None.

    Raises:
        ValueError: There is none.
    """
    first = directory.tenants[0]
    if name is None:
        found = next(iter(tenant.users or first.users), None)
    else:
        found = tenant.user(name) or _user_of_other_tenant(first, name)
    if found is None:
        raise ValueError(
            "The directory has no users." if name is None else f"The directory has no user {name!r}."
        )
    return found


def find_users(directory: Directory, name: str) -> list[User]:
    """The users with that ID or name, in all tenants.

    Raises:
        ValueError: There is none.
    """
    found = [user for tenant in directory.tenants if (user := tenant.user(name))]
    if not found:
        raise ValueError(f"The directory has no user {name!r}.")
    return found


def identity_variables(base_url: str, tenant: Tenant, application: Application) -> dict[str, str]:
    """The six variables of Camunda's guide, for a service that is that application.

    Beyond this machine, another one says that the local Entra is meant.
    """
    issuer = f"{base_url}/{tenant.id}/v2.0"
    values = {
        "TYPE": "AZUREAD",
        "ISSUER": issuer,
        "ISSUER_BACKEND_URL": issuer,
        "CLIENT_ID": application.client_id,
        "CLIENT_SECRET": next((secret.value for secret in application.known_secrets), ""),
        "AUDIENCE": application.client_id,
    }
    meant = {f"CAMUNDA_ENTRA_{name}": "true" for name in _to_be_meant(base_url)}
    return {f"CAMUNDA_IDENTITY_{name}": value for name, value in values.items()} | meant


def _to_be_meant(base_url: str) -> tuple[str, ...]:
    """The settings without which a service refuses that address, since most who give it do not mean it."""
    if _is_here(base_url):
        return ()
    return ("ALLOW_LOCAL_ENTRA", "ALLOW_HTTP") if base_url.startswith("http:") else ("ALLOW_LOCAL_ENTRA",)


def _is_here(url: str) -> bool:
    """Whether it is an address of this machine (RFC 6761, 6.3; RFC 1122, 3.2.1.3)."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _user_of_other_tenant(tenant: Tenant, name: str) -> User | None:
    """A user of another tenant. Groups are named by their IDs, because the tenant does not have them."""
    user = tenant.user(name)
    return user and replace(user, groups=tuple(group.id for group in tenant.groups_of(user)))


def _application(directory: Directory, name: str | None, tenant: Tenant) -> Application:
    first = directory.tenants[0]
    if name is None:
        return first.applications[0]
    found = tenant.application(name) or first.application(name)
    if found is None:
        raise ValueError(f"The directory has no application {name!r}.")
    return found


def _client_of(directory: Directory, resource: Application, *, app_only: bool) -> Application:
    applications = directory.tenants[0].applications
    granted = [app for app in applications if resource.client_id in app.granted_roles]
    return granted[-1] if app_only and granted else applications[0]
