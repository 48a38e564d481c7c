"""References in a directory: each name must lead to a user, group, application, role or scope."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial

from camunda_entra_fastapi.testing.directory.applications import Application
from camunda_entra_fastapi.testing.directory.names import comma_separated
from camunda_entra_fastapi.testing.directory.shapes import is_guid
from camunda_entra_fastapi.testing.directory.tenants import Tenant

Find = Callable[[str], Application | None]


def unknown_references(
    tenants: Iterable[Tenant], application_in: Callable[[Tenant, str], Application | None]
) -> Iterator[str]:
    """A sentence, with its place, for each role, group, permission, user and client that does not exist.

    Args:
        tenants: All tenants of a directory.
        application_in: Finds the application of that name that users of the tenant can use.
    """
    for index, tenant in enumerate(tenants):
        find = partial(application_in, tenant)
        for problem in (
            *_in_users_and_groups(tenant, find),
            *_in_applications(tenant, find),
            *_in_consents_and_policies(tenant, find),
        ):
            yield f"tenants[{index}].{problem}"


def _in_users_and_groups(tenant: Tenant, find: Find) -> Iterator[str]:
    for index, user in enumerate(tenant.users):
        yield from _unknown_roles(f"users[{index}].roles", find, user.roles)
        yield from _unknown_groups(f"users[{index}].groups", tenant, user.groups)
    for index, group in enumerate(tenant.groups):
        yield from _unknown_groups(f"groups[{index}].member_of", tenant, group.member_of)


def _in_applications(tenant: Tenant, find: Find) -> Iterator[str]:
    for index, app in enumerate(tenant.applications):
        yield from _unknown_roles(f"applications[{index}].granted_roles", find, app.granted_roles)
        yield from _unknown_scopes(f"applications[{index}].permissions", find, app.permissions or {})
        for name in app.assigned:
            if not (find(name) or tenant.user(name) or _has_group(tenant, name)):
                yield (f"applications[{index}].assigned: {name!r} is no user, group or application here.")


def _in_consents_and_policies(tenant: Tenant, find: Find) -> Iterator[str]:
    for index, consent in enumerate(tenant.consents):
        yield from _unknown_applications(f"consents[{index}].client", find, [consent.client])
        yield from _unknown_scopes(f"consents[{index}].scopes", find, {consent.resource: consent.scopes})
        if consent.user is not None:
            yield from _unknown_users(f"consents[{index}].user", tenant, [consent.user])
    for index, policy in enumerate(tenant.policies):
        yield from _unknown_users(f"policies[{index}].users", tenant, policy.users)
        yield from _unknown_applications(f"policies[{index}].applications", find, policy.applications)


def _unknown_roles(where: str, find: Find, roles: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    return _unknown_permissions(where, find, roles, "has no role", lambda resource: resource.app_roles)


def _unknown_scopes(where: str, find: Find, scopes: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    return _unknown_permissions(where, find, scopes, "exposes no scope", lambda resource: resource.exposed)


def _unknown_permissions(
    where: str,
    find: Find,
    permissions: Mapping[str, tuple[str, ...]],
    complaint: str,
    defined_by: Callable[[Application], Collection[str]],
) -> Iterator[str]:
    """A sentence for each permission, by client ID, that its resource does not define."""
    yield from _unknown_applications(where, find, permissions)
    for client_id, names in permissions.items():
        if resource := find(client_id):
            defined = defined_by(resource)
            yield from (
                f"{where}: {resource.name} {complaint} {name!r}; it has {comma_separated(defined)}."
                for name in names
                if name not in defined
            )


def _unknown_applications(where: str, find: Find, client_ids: Iterable[str]) -> Iterator[str]:
    yield from (
        f"{where}: {client_id!r} is no application of this tenant, nor one of another for many tenants."
        for client_id in client_ids
        if find(client_id) is None
    )


def _unknown_users(where: str, tenant: Tenant, names: Iterable[str]) -> Iterator[str]:
    yield from (f"{where}: {name!r} is no user of the tenant." for name in names if not tenant.user(name))


def _unknown_groups(where: str, tenant: Tenant, names: Iterable[str]) -> Iterator[str]:
    yield from (
        f"{where}: {name!r} is no group of the tenant. One that is not listed is named by a GUID."
        for name in names
        if not (_has_group(tenant, name) or is_guid(name))
    )


def _has_group(tenant: Tenant, name: str) -> bool:
    return any(name in (group.id, group.name) for group in tenant.groups)
