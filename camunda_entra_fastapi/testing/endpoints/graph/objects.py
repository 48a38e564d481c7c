"""Users and groups as JSON of Microsoft Graph (Learn: user resource type, group resource type)."""

from collections.abc import Sequence
from typing import Any, Final

from camunda_entra_fastapi.testing.directory import Group, User
from camunda_entra_fastapi.testing.endpoints.graph.responses import bad_request
from camunda_entra_fastapi.testing.tokens.optional_claims import given_and_family_name

USER_BY_DEFAULT: Final = (
    *("businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation"),
    *("preferredLanguage", "surname", "userPrincipalName", "id"),
)
"""The properties of a user without ``$select`` (Learn: get a user)."""

_USER_UNSET: Final = (
    *("ageGroup", "city", "companyName", "country", "department", "employeeId", "employeeType", "faxNumber"),
    *("mailNickname", "onPremisesImmutableId", "onPremisesSamAccountName", "onPremisesSyncEnabled"),
    *("onPremisesUserPrincipalName", "postalCode", "state", "streetAddress", "usageLocation"),
)
"""Properties that no user of the emulator has; they are null as for many users of a real directory."""

USER_PROPERTIES: Final = (*USER_BY_DEFAULT, "accountEnabled", "userType", *_USER_UNSET)

GROUP_PROPERTIES: Final = (
    *("id", "description", "displayName", "groupTypes", "mail", "mailEnabled", "securityEnabled"),
)


def selected_properties(
    kind: str, select: Sequence[str], known: Sequence[str], default: Sequence[str]
) -> Sequence[str]:
    """The selected properties, or the default ones.

    Raises:
        GraphError: A selected property is unknown.
    """
    for name in select:
        if name not in known:
            raise bad_request(
                f"There is no property '{name[:100]}' on microsoft.graph.{kind}, or the emulator does not "
                f"know it. It knows {', '.join(known)}.",
                "BadRequest",
            )
    return select or default


def user_properties(user: User, names: Sequence[str]) -> dict[str, Any]:
    """The named properties of a user."""
    given_name, family_name = given_and_family_name(user)
    known: dict[str, Any] = {
        "businessPhones": [],
        "displayName": user.name,
        "givenName": given_name,
        "mail": user.address,
        "surname": family_name,
        "userPrincipalName": user.username,
        "id": user.id,
        "accountEnabled": user.enabled,
        "userType": "Guest" if user.home_tenant else "Member",
    }
    return {name: known.get(name) for name in names}


def group_properties(group: Group, names: Sequence[str], *, readable: bool) -> dict[str, Any]:
    """The named properties of a group.

    All but the ID are null for a caller who may not read the group (Learn: limited information returned for
    inaccessible member objects).
    """
    known: dict[str, Any] = {"id": group.id}
    if readable:
        known |= {
            "displayName": group.name,
            "groupTypes": [],
            "mailEnabled": not group.security,  # a group that is no security group is a distribution list
            "securityEnabled": group.security,
        }
    return {name: known.get(name) for name in names}
