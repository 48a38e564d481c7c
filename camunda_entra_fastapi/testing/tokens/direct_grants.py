"""What a test wishes for, out of the directory: tokens without a sign-in, and settings."""

import uuid
from collections.abc import Sequence
from dataclasses import replace

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
    """The grant that ``EntraEmulator.token`` is asked for; what is left out comes from the directory.

    Raises:
        ValueError: The directory has no such user, application or tenant.
    """
    issuing = find_tenant(directory, tenant)
    resource = _application(directory, application, issuing)
    asking = (
        _application(directory, client, issuing)
        if client
        else _client_of(directory, resource, app_only=app_only)
    )
    person = None if app_only else find_user(directory, user, issuing)
    granted = (person.roles if person else asking.granted_roles).get(resource.client_id, ())
    return Grant(
        issuing,
        resource,
        asking,
        person,
        scopes=tuple(list(resource.exposed)[:1] if scopes is None else scopes),
        roles=tuple(granted if roles is None else roles),
        audience=next(iter(resource.identifier_uris), None),
    )


def find_tenant(directory: Directory, name: str | None) -> Tenant:
    """The tenant of that ID or domain; for another GUID, the default tenant under that ID."""
    first = directory.tenants[0]
    found = first if name is None else directory.tenant(name)
    if found is not None:
        return found
    try:
        return replace(first, id=str(uuid.UUID(name)))
    except ValueError:
        raise ValueError(f"The directory has no tenant {name!r}; another one is named by a GUID.") from None


def find_user(directory: Directory, name: str | None, tenant: Tenant) -> User:
    """The user of that ID or name; the tenant's first one when left out.

    Raises:
        ValueError: There is none.
    """
    first = directory.tenants[0]
    if name is None:
        found = next(iter(tenant.users or first.users), None)
    else:
        found = tenant.user(name) or _visitor(first, name)
    if found is None:
        raise ValueError(
            "The directory has no users." if name is None else f"The directory has no user {name!r}."
        )
    return found


def find_people(directory: Directory, name: str) -> list[User]:
    """Everybody of that ID or name, in all tenants.

    Raises:
        ValueError: There is nobody.
    """
    found = [user for tenant in directory.tenants if (user := tenant.user(name))]
    if not found:
        raise ValueError(f"The directory has no user {name!r}.")
    return found


def six_variables(base_url: str, tenant: Tenant, application: Application) -> dict[str, str]:
    """The variables of Camunda's guide, for a service that is that application."""
    issuer = f"{base_url}/{tenant.id}/v2.0"
    values = {
        "TYPE": "AZUREAD",
        "ISSUER": issuer,
        "ISSUER_BACKEND_URL": issuer,
        "CLIENT_ID": application.client_id,
        "CLIENT_SECRET": next((secret.value for secret in application.known_secrets), ""),
        "AUDIENCE": application.client_id,
    }
    return {f"CAMUNDA_IDENTITY_{name}": value for name, value in values.items()}


def _visitor(tenant: Tenant, name: str) -> User | None:
    """Somebody of another tenant, whose groups go by their IDs where nobody knows their names."""
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
