"""Tenants with their consents and Conditional Access policies."""

from typing import Final, Literal

from pydantic.dataclasses import dataclass

from camunda_entra_fastapi.testing.directory.applications import Application
from camunda_entra_fastapi.testing.directory.graph import COMMAND_LINE, GRAPH
from camunda_entra_fastapi.testing.directory.names import duplicates, raise_problems
from camunda_entra_fastapi.testing.directory.people import Group, User
from camunda_entra_fastapi.testing.directory.shapes import STRICT, AuthenticationContext, Guid, Name

CONSUMERS: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all personal Microsoft accounts."""


@dataclass(frozen=True, slots=True, config=STRICT)
class Consent:
    """A consent to delegated permissions.

    Attributes:
        client: The client that may use them, by client ID.
        resource: The API that exposes them, by client ID.
        scopes: The permissions.
        user: The user who consented, by object ID or username; None for everybody, by an administrator.
    """

    client: Guid
    resource: Guid
    scopes: tuple[Name, ...]
    user: Name | None = None


@dataclass(frozen=True, slots=True, config=STRICT)
class ConditionalAccess:
    """A Conditional Access policy.

    Attributes:
        requires: ``mfa`` for a second factor, ``block`` to refuse every sign-in.
        applications: The resources that it applies to, by client ID; none for all.
        users: The users that it applies to, by object ID or username; none for everybody.
        context: The authentication context (``c1`` to ``c99``) that triggers it; None to apply always.
    """

    requires: Literal["mfa", "block"]
    applications: tuple[Guid, ...] = ()
    users: tuple[Name, ...] = ()
    context: AuthenticationContext | None = None

    def concerns(self, user: User, resource: Application) -> bool:
        """Whether it applies to that user's token for that resource."""
        return (not self.applications or resource.client_id in self.applications) and (
            not self.users or any(user.is_named(name) for name in self.users)
        )


@dataclass(frozen=True, slots=True, config=STRICT)
class Tenant:
    """A tenant: its ID, a verified domain, its users, groups and applications.

    Attributes:
        id: The tenant ID.
        name: The display name.
        domain: A verified domain, which stands for the ID in addresses.
        users: The users, guests included.
        applications: The applications that are registered in it.
        groups: The groups.
        consents: The consents, beside each application's ``admin_consent``.
        policies: The Conditional Access policies.
        user_consent: Whether users may consent for themselves (else AADSTS90094).
    """

    id: Guid
    name: Name
    domain: Name
    users: tuple[User, ...] = ()
    applications: tuple[Application, ...] = ()
    groups: tuple[Group, ...] = ()
    consents: tuple[Consent, ...] = ()
    policies: tuple[ConditionalAccess, ...] = ()
    user_consent: bool = True

    def __post_init__(self) -> None:
        names = ((app.client_id, *app.identifier_uris) for app in (*self.applications, GRAPH, COMMAND_LINE))
        raise_problems(
            (
                *duplicates("user ID", (user.id for user in self.users)),
                *duplicates("username", (user.username.lower() for user in self.users)),
                *duplicates("group", (name for group in self.groups for name in {group.id, group.name})),
                *duplicates("application", (name for each in names for name in each)),
            )
        )

    @property
    def is_consumers(self) -> bool:
        """Whether it is the tenant of all personal accounts."""
        return self.id == CONSUMERS

    def application(self, name: str) -> Application | None:
        """The application with that client ID or App ID URI; Graph is in every tenant."""
        known = (
            app
            for app in (*self.applications, GRAPH, COMMAND_LINE)
            if name.lower() == app.client_id or name in app.identifier_uris
        )
        return next(known, None)

    def user(self, id_or_name: str) -> User | None:
        """The user with that object ID, username or name."""
        return next((user for user in self.users if user.is_named(id_or_name)), None)

    def group(self, id_or_name: str) -> Group:
        """The group with that object ID or name; one that is not in the tenant has its ID for a name."""
        known = (group for group in self.groups if id_or_name in (group.id, group.name))
        return next(known, None) or Group(id_or_name, id_or_name)

    def groups_of(self, user: User) -> tuple[Group, ...]:
        """All groups that a user is in, nested ones included."""
        found: dict[str, Group] = {}
        waiting = list(user.groups)
        while waiting:
            group = self.group(waiting.pop(0))
            if group.id not in found:
                found[group.id] = group
                waiting += group.member_of
        return tuple(found.values())
