"""Users and groups as Microsoft Graph shows them (Learn: user resource type, group resource type)."""

from collections.abc import Sequence
from typing import Any, Final

from camunda_entra_fastapi.testing.directory import Group, User
from camunda_entra_fastapi.testing.endpoints.graph.responses import bad_request

USER_BY_DEFAULT: Final = (
    *("businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation"),
    *("preferredLanguage", "surname", "userPrincipalName", "id"),
)
"""What comes of a user without ``$select`` (Learn: get a user)."""

_USER_UNSET: Final = (
    *("ageGroup", "city", "companyName", "country", "department", "employeeId", "employeeType", "faxNumber"),
    *("mailNickname", "onPremisesImmutableId", "onPremisesSamAccountName", "onPremisesSyncEnabled"),
    *("onPremisesUserPrincipalName", "postalCode", "state", "streetAddress", "usageLocation"),
)
"""Properties that no user has here, so that they are null as for many users of a real directory."""

USER_PROPERTIES: Final = (*USER_BY_DEFAULT, "accountEnabled", "userType", *_USER_UNSET)

GROUP_PROPERTIES: Final = (
    *("id", "description", "displayName", "groupTypes", "mail", "mailEnabled", "securityEnabled"),
)


def chosen(kind: str, select: Sequence[str], known: Sequence[str], default: Sequence[str]) -> Sequence[str]:
    """The properties that are selected, or the default ones.

    Raises:
        GraphError: One is not known.
    """
    for name in select:
        if name not in known:
            raise bad_request(
                f"There is no property '{name[:100]}' on microsoft.graph.{kind}, or the emulator does not "
                f"know it. It knows {', '.join(known)}.",
                "BadRequest",
            )
    return select or default


def names_of(user: User) -> tuple[str | None, str]:
    """Given name and surname, as tokens tell them."""
    given, _, family = user.name.rpartition(" ")
    return given or None, family


def user_members(user: User, names: Sequence[str]) -> dict[str, Any]:
    """A user's properties of those names."""
    given, family = names_of(user)
    known: dict[str, Any] = {
        "businessPhones": [],
        "displayName": user.name,
        "givenName": given,
        "mail": user.address,
        "surname": family,
        "userPrincipalName": user.username,
        "id": user.id,
        "accountEnabled": user.enabled,
        "userType": "Guest" if user.home_tenant else "Member",
    }
    return {name: known.get(name) for name in names}


def group_members(group: Group, names: Sequence[str], *, readable: bool) -> dict[str, Any]:
    """A group's properties of those names.

    All but the ID are null for who may know of the group, but not read it (Learn: limited information
    returned for inaccessible member objects).
    """
    known: dict[str, Any] = {"id": group.id}
    if readable:
        known |= {
            "displayName": group.name,
            "groupTypes": [],
            "mailEnabled": not group.security,  # what is no security group is a distribution list
            "securityEnabled": group.security,
        }
    return {name: known.get(name) for name in names}
