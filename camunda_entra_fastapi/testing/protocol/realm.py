"""The tenant and application that a request names, and the users who may sign in there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from camunda_entra_fastapi.testing.directory import CONSUMERS, Application, Directory, Tenant, User
from camunda_entra_fastapi.testing.directory.graph import COMMAND_LINE
from camunda_entra_fastapi.testing.directory.shapes import is_guid
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError

SHARED_SEGMENTS: Final = ("common", "organizations", "consumers")
"""Path segments that stand for several tenants."""


@dataclass(frozen=True, slots=True)
class Realm:
    """What a path's first segment stands for: one tenant, or all of a kind.

    Attributes:
        directory: All tenants.
        segment: The segment of the path.
        tenant: The tenant; None for a segment that stands for several.
    """

    directory: Directory
    segment: str
    tenant: Tenant | None

    @property
    def name(self) -> str:
        """The name that messages show."""
        return self.tenant.name if self.tenant else f"/{self.segment}"

    def users(self, client: Application | None = None) -> Iterator[tuple[Tenant, User]]:
        """The users who can sign in here, each with the tenant that issues the token."""
        if self.tenant:
            yield from ((self.tenant, user) for user in self.tenant.users)
            return
        for tenant in self.directory.tenants:
            if self._admits(tenant, client):
                members = (user for user in tenant.users if user.home_tenant in (None, tenant.id))
                yield from ((tenant, user) for user in members)

    def find_user(self, name: str, client: Application) -> tuple[Tenant, User]:
        """The user with that object ID, username or name.

        Raises:
            AadstsError: 50020, the account is of another tenant; 50034, there is no such account.
        """
        for tenant, user in self.users(client):
            if user.is_named(name):
                return tenant, user
        for tenant in self.directory.tenants:
            if tenant.user(name):
                raise AadstsError(
                    50020,
                    "invalid_grant",
                    f"The account '{name[:100]}' of '{tenant.name}' cannot sign in to '{self.name}'. Invite "
                    "it as a guest, or register the application for several tenants.",
                )
        raise AadstsError(
            50034,
            "invalid_grant",
            f"There is no account '{name[:100]}' in '{self.name}'.",
            suberror="bad_token",
        )

    def home_for(self, client: Application) -> Tenant:
        """The tenant in which the client's scopes are resolved."""
        home = self.tenant or self.directory.home_of(client.client_id)
        assert home is not None  # noqa: S101 - who was found as a client is registered somewhere
        return home

    def serves(self, tenant: Tenant) -> bool:
        """Whether this path serves the tenant, so that its codes may be redeemed here."""
        return self.tenant.id == tenant.id if self.tenant else self._admits(tenant, None)

    def _admits(self, tenant: Tenant, client: Application | None) -> bool:
        if tenant.is_consumers:
            fits = client is None or client.for_personal_accounts
            return self.segment in ("common", "consumers") and fits
        return self.segment in ("common", "organizations") and (client is None or client.for_many_tenants)


def find_realm(directory: Directory, segment: str) -> Realm:
    """The realm that a segment stands for.

    Raises:
        AadstsError: 90002, there is no such tenant; 900023, it is neither a GUID nor a domain.
    """
    if segment in SHARED_SEGMENTS:
        return Realm(directory, segment, None)
    tenant = directory.tenant(segment)
    if tenant is None:
        if "." not in segment and not is_guid(segment):
            raise AadstsError(
                900023,
                "invalid_request",
                f"'{segment[:100]}' is neither a tenant ID (a GUID) nor a domain, nor common, organizations "
                "or consumers.",
            )
        raise AadstsError(
            90002, "invalid_request", f"There is no tenant '{segment}'. Check the ID and cloud."
        )
    return Realm(directory, segment, tenant)


def find_application(realm: Realm, client_id: str) -> Application:
    """The client that a request names.

    Raises:
        AadstsError: 700016, it is not in the tenant; 50194, its registration is for one tenant; 9001023, it
            is not for personal accounts; 7000112, it is disabled.
    """
    if client_id.lower() == COMMAND_LINE.client_id and realm.tenant is not None:
        return COMMAND_LINE
    home = realm.directory.home_of(client_id.lower())
    client = home.application(client_id) if home else None
    if client is None or client.client_id != client_id.lower() or not _is_available_in(realm, home, client):
        raise AadstsError(
            700016,
            "unauthorized_client",
            f"There is no application '{client_id[:100]}' in '{realm.name}'. Check client ID and tenant.",
        )
    if realm.tenant is None or realm.tenant.id == CONSUMERS:
        _check_sign_in_audience(realm, client)
    if not client.enabled:
        raise AadstsError(7000112, "unauthorized_client", f"The application '{client.name}' is disabled.")
    return client


def check_account(tenant: Tenant, user: User) -> None:
    """Check that the account can sign in.

    Raises:
        AadstsError: 50053, it is locked; 50057, it is disabled.
    """
    if user.locked:
        raise AadstsError(
            50053, "invalid_grant", f"The account of {user.name} is locked after many failed attempts."
        )
    if not user.enabled:
        raise AadstsError(
            50057, "invalid_grant", f"The account of {user.name} in '{tenant.name}' is disabled."
        )


def check_assignment(tenant: Tenant, principal: User | Application, resource: Application) -> None:
    """Check that a user or client is assigned to an application that requires assignment.

    Raises:
        AadstsError: 50105 for users, 501051 for clients.
    """
    if not resource.assignment_required:
        return
    if isinstance(principal, User):
        groups = [tenant.group(name) for name in principal.groups]  # nested groups do not count
        names = {
            principal.id,
            principal.username,
            *(name for group in groups for name in (group.id, group.name)),
        }
        if not (names & set(resource.assigned) or principal.roles.get(resource.client_id)):
            raise AadstsError(
                50105,
                "interaction_required",
                f"{principal.name} is not assigned to '{resource.name}', nor is any of the groups. Assign "
                "one of them under Users and groups of the enterprise application.",
            )
    elif principal.client_id not in resource.assigned and not principal.granted_roles.get(resource.client_id):
        raise AadstsError(
            501051,
            "invalid_grant",
            f"The application '{principal.name}' has no role of '{resource.name}', which demands one.",
        )


def _is_available_in(realm: Realm, home: Tenant | None, client: Application) -> bool:
    if realm.tenant is None or realm.tenant.is_consumers or realm.tenant == home:
        return True
    return client.for_many_tenants


def _check_sign_in_audience(realm: Realm, client: Application) -> None:
    if realm.segment in ("consumers", CONSUMERS):
        if not client.for_personal_accounts:
            raise AadstsError(
                9001023,
                "invalid_request",
                f"The application '{client.name}' is not for personal accounts, so it cannot use "
                f"/{realm.segment}.",
            )
    elif not client.for_many_tenants and client.sign_in_audience != "PersonalMicrosoftAccount":
        raise AadstsError(
            50194,
            "invalid_request",
            f"The application '{client.name}' is registered for one tenant; use its own instead of "
            f"/{realm.segment}.",
        )
