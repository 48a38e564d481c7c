"""Users and groups."""

from collections.abc import Mapping
from dataclasses import field

from pydantic.dataclasses import dataclass

from camunda_entra_fastapi.testing.directory.shapes import STRICT, DerivedGuid, Guid, Name, derived_guid


@dataclass(frozen=True, slots=True, config=STRICT)
class Group:
    """A group of users or of other groups.

    Attributes:
        name: The display name.
        id: The object ID; derived from the name when left out.
        member_of: Groups that it is a member of, by object ID or name.
        security: Whether it is a security group; other groups are in tokens for ``All`` alone.
    """

    name: Name
    id: DerivedGuid = ""
    member_of: tuple[Name, ...] = ()
    security: bool = True

    def __post_init__(self) -> None:
        if not self.id:
            object.__setattr__(self, "id", derived_guid("group", self.name))


@dataclass(frozen=True, slots=True, config=STRICT)
class User:
    """A user of a tenant.

    Attributes:
        username: The user principal name.
        name: The display name; the user principal name when left out.
        id: The object ID, unique in the directory; derived from the user principal name when left out.
        roles: App roles, by the client ID of the application that defines them.
        groups: Groups, by object ID or name.
        home_tenant: The ID of a guest's home tenant; None for a member.
        email: The e-mail address; the user principal name when left out.
        administrator: Whether the user may consent for everybody.
        enabled: Whether the user may sign in (else AADSTS50057).
        locked: Whether the account is locked after too many failed attempts (AADSTS50053).
        second_factor: Whether one is registered; policies that require one fail without it (AADSTS50079).
    """

    username: Name
    name: str = ""
    id: DerivedGuid = ""
    roles: Mapping[Guid, tuple[Name, ...]] = field(default_factory=dict)
    groups: tuple[Name, ...] = ()
    home_tenant: Guid | None = None
    email: str = ""
    administrator: bool = False
    enabled: bool = True
    locked: bool = False
    second_factor: bool = True

    def __post_init__(self) -> None:
        if not self.id:
            object.__setattr__(self, "id", derived_guid("user", self.username))
        if not self.name:
            object.__setattr__(self, "name", self.username)

    @property
    def address(self) -> str:
        """The e-mail address in tokens."""
        return self.email or self.username

    def is_named(self, name: str) -> bool:
        """Whether that is the object ID, the user principal name or the name."""
        return name.lower() in (self.id, self.username.lower(), self.name.lower())
