"""Which tenant and application a request is about, and who may sign in there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from camunda_entra_fastapi.testing.directory import CONSUMERS, Application, Directory, Tenant, User
from camunda_entra_fastapi.testing.directory.graph import COMMAND_LINE
from camunda_entra_fastapi.testing.directory.shapes import is_guid
from camunda_entra_fastapi.testing.protocol.aadsts import Aadsts

SHARED: Final = ("common", "organizations", "consumers")
"""Path segments that stand for all tenants that fit."""


@dataclass(frozen=True, slots=True)
class Realm:
    """What a path's first segment stands for: one tenant, or all of a kind.

    Attributes:
        directory: All there is.
        segment: As the path has it.
        tenant: The tenant; None for a segment that stands for several.
    """

    directory: Directory
    segment: str
    tenant: Tenant | None

    @property
    def name(self) -> str:
        """For people."""
        return self.tenant.name if self.tenant else f"/{self.segment}"

    def people(self, client: Application | None = None) -> Iterator[tuple[Tenant, User]]:
        """Who can sign in here, each in the tenant that the token will be of."""
        if self.tenant:
            yield from ((self.tenant, user) for user in self.tenant.users)
            return
        for tenant in self.directory.tenants:
            if self._admits(tenant, client):
                members = (user for user in tenant.users if user.home_tenant in (None, tenant.id))
                yield from ((tenant, user) for user in members)

    def person(self, name: str, client: Application) -> tuple[Tenant, User]:
        """The person of that object ID, username or name.

        Raises:
            Aadsts: 50020, the account is of another tenant; 50034, there is no such account.
        """
        for tenant, user in self.people(client):
            if user.is_named(name):
                return tenant, user
        for tenant in self.directory.tenants:
            if tenant.user(name):
                raise Aadsts(
                    50020,
                    "invalid_grant",
                    f"The account '{name[:100]}' of '{tenant.name}' cannot sign in to '{self.name}'. Invite "
                    "it as a guest, or register the application for several tenants.",
                )
        raise Aadsts(
            50034,
            "invalid_grant",
            f"There is no account '{name[:100]}' in '{self.name}'.",
            suberror="bad_token",
        )

    def home_for(self, client: Application) -> Tenant:
        """The tenant in which the client's scopes are looked up."""
        home = self.tenant or self.directory.home_of(client.client_id)
        assert home is not None  # noqa: S101 - who was found as a client is registered somewhere
        return home

    def is_endpoint_of(self, tenant: Tenant) -> bool:
        """Whether the tenant's codes may be redeemed here."""
        return self.tenant.id == tenant.id if self.tenant else self._admits(tenant, None)

    def _admits(self, tenant: Tenant, client: Application | None) -> bool:
        if tenant.is_consumers:
            fits = client is None or client.for_personal_accounts
            return self.segment in ("common", "consumers") and fits
        return self.segment in ("common", "organizations") and (client is None or client.for_many_tenants)


def find_realm(directory: Directory, segment: str) -> Realm:
    """What the segment stands for.

    Raises:
        Aadsts: 90002, there is no such tenant; 900023, it is neither a GUID nor a domain.
    """
    if segment in SHARED:
        return Realm(directory, segment, None)
    tenant = directory.tenant(segment)
    if tenant is None:
        if "." not in segment and not is_guid(segment):
            raise Aadsts(
                900023,
                "invalid_request",
                f"'{segment[:100]}' is neither a tenant ID (a GUID) nor a domain, nor common, organizations "
                "or consumers.",
            )
        raise Aadsts(90002, "invalid_request", f"There is no tenant '{segment}'. Check the ID and cloud.")
    return Realm(directory, segment, tenant)


def find_application(realm: Realm, client_id: str) -> Application:
    """The client that a request names.

    Raises:
        Aadsts: 700016, it is not in the tenant; 50194, its registration is for one tenant alone; 9001023,
            it is not for personal accounts; 7000112, it is disabled.
    """
    if client_id.lower() == COMMAND_LINE.client_id and realm.tenant is not None:
        return COMMAND_LINE
    home = realm.directory.home_of(client_id.lower())
    client = home.application(client_id) if home else None
    if client is None or client.client_id != client_id.lower() or not _is_in(realm, home, client):
        raise Aadsts(
            700016,
            "unauthorized_client",
            f"There is no application '{client_id[:100]}' in '{realm.name}'. Check client ID and tenant.",
        )
    if realm.tenant is None or realm.tenant.id == CONSUMERS:
        _check_audience(realm, client)
    if not client.enabled:
        raise Aadsts(7000112, "unauthorized_client", f"The application '{client.name}' is disabled.")
    return client


def check_person(tenant: Tenant, user: User) -> None:
    """Whether somebody can sign in at all.

    Raises:
        Aadsts: 50053 or 50057.
    """
    if user.locked:
        raise Aadsts(
            50053, "invalid_grant", f"The account of {user.name} is locked after many failed attempts."
        )
    if not user.enabled:
        raise Aadsts(50057, "invalid_grant", f"The account of {user.name} in '{tenant.name}' is disabled.")


def check_assignment(tenant: Tenant, who: User | Application, resource: Application) -> None:
    """Whether somebody may use an application that not everybody may use.

    Raises:
        Aadsts: 50105 for people, 501051 for applications.
    """
    if not resource.assignment_required:
        return
    if isinstance(who, User):
        groups = [tenant.group(name) for name in who.groups]  # groups within groups do not count
        names = {who.id, who.username, *(name for group in groups for name in (group.id, group.name))}
        if not (names & set(resource.assigned) or who.roles.get(resource.client_id)):
            raise Aadsts(
                50105,
                "interaction_required",
                f"{who.name} is not assigned to '{resource.name}', nor is any of the groups. Assign one of "
                "them under Users and groups of the enterprise application.",
            )
    elif who.client_id not in resource.assigned and not who.granted_roles.get(resource.client_id):
        raise Aadsts(
            501051,
            "invalid_grant",
            f"The application '{who.name}' has no role of '{resource.name}', which demands one.",
        )


def _is_in(realm: Realm, home: Tenant | None, client: Application) -> bool:
    if realm.tenant is None or realm.tenant.is_consumers or realm.tenant == home:
        return True
    return client.for_many_tenants


def _check_audience(realm: Realm, client: Application) -> None:
    if realm.segment in ("consumers", CONSUMERS):
        if not client.for_personal_accounts:
            raise Aadsts(
                9001023,
                "invalid_request",
                f"The application '{client.name}' is not for personal accounts, so it cannot use "
                f"/{realm.segment}.",
            )
    elif not client.for_many_tenants and client.sign_in_audience != "PersonalMicrosoftAccount":
        raise Aadsts(
            50194,
            "invalid_request",
            f"The application '{client.name}' is registered for one tenant; use its own instead of "
            f"/{realm.segment}.",
        )
