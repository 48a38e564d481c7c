"""Claims that a token has only if the application's registration requests them (Learn: optional claims)."""

from collections.abc import Iterable
from typing import Any, Final

from camunda_entra_fastapi.testing.directory import Application, Group, Tenant, User
from camunda_entra_fastapi.testing.protocol.keys import base64url
from camunda_entra_fastapi.testing.world.state import Session

MAX_GROUPS: Final = 200
"""The most groups in a JWT; above, a claim names the endpoint to ask (Learn: groups overage claim)."""

GLOBAL_ADMINISTRATOR: Final = "62e90394-69f5-4237-9190-012177145e10"
"""The ID of the role's template, which is the same in each tenant."""

_DEFAULT_ROLE: Final = "b79fbf4d-3ef9-4689-8143-76b194e85509"
"""The directory role that every user has."""


def optional_access_token_claims(
    requested_claims: Iterable[str], user: User | None, session: Session | None, *, cae_capable: bool
) -> dict[str, Any]:
    """The claims that the resource's registration adds to an access token."""
    requested = set(requested_claims)
    claims: dict[str, Any] = {}
    if user is None:
        claims["idtyp"] = "app" if requested & {"idtyp", "idtyp:include_user_token"} else None
    elif "idtyp:include_user_token" in requested:
        claims["idtyp"] = "user"
    if "xms_cc" in requested and cae_capable:
        claims["xms_cc"] = ["cp1"]
    return claims | (_user_claims(requested, user, session) if user else {})


def optional_id_token_claims(
    requested_claims: Iterable[str], user: User, session: Session | None
) -> dict[str, Any]:
    """The claims that the client's registration adds to an ID token."""
    return _user_claims(set(requested_claims), user, session)


def group_claims(tenant: Tenant, application: Application, user: User | None) -> dict[str, Any]:
    """Groups and directory roles, as the application's registration says; above the limit, where to ask."""
    kind = application.group_membership_claims
    claims: dict[str, Any] = {}
    if user is None or kind == "None":
        return claims
    if kind in ("DirectoryRole", "All"):
        claims["wids"] = [*([GLOBAL_ADMINISTRATOR] if user.administrator else []), _DEFAULT_ROLE]
    if kind == "DirectoryRole":
        return claims
    groups = _groups_in_token(tenant, application, user)
    if len(groups) > MAX_GROUPS:
        endpoint = f"https://graph.windows.net/{tenant.id}/users/{user.id}/getMemberObjects"
        return claims | {
            "_claim_names": {"groups": "src1"},
            "_claim_sources": {"src1": {"endpoint": endpoint}},
        }
    return claims | ({"groups": [group.id for group in groups]} if groups else {})


def _groups_in_token(tenant: Tenant, application: Application, user: User) -> list[Group]:
    """The groups in a token: security groups, nested ones included; for ``All`` distribution lists, too.

    For ``ApplicationGroup`` only groups that are assigned to the application and have the user as a direct
    member (Learn: configure group claims).
    """
    kind = application.group_membership_claims
    if kind == "ApplicationGroup":
        direct = {group.id: group for group in map(tenant.group, user.groups) if group.security}
        return [group for group in direct.values() if {group.id, group.name} & set(application.assigned)]
    return [group for group in tenant.groups_of(user) if group.security or kind == "All"]


def login_hint_of(user: User) -> str:
    """The claim ``login_hint``: an opaque value that names the user at the next sign-in or sign-out."""
    return f"O.{base64url(user.id.encode())}"


def given_and_family_name(user: User) -> tuple[str | None, str]:
    """The claims ``given_name`` and ``family_name``: the last word of the name is the family name."""
    given, _, family = user.name.rpartition(" ")
    return given or None, family


def _user_claims(requested: set[str], user: User, session: Session | None) -> dict[str, Any]:
    given_name, family_name = given_and_family_name(user)
    known: dict[str, Any] = {
        "acct": 1 if user.home_tenant else 0,
        "auth_time": int(session.auth_time) if session else None,
        "email": user.address,
        "family_name": family_name,
        "given_name": given_name,
        "login_hint": login_hint_of(user),
        "preferred_username": user.username,
        "sid": session.id if session else None,
        "upn": user.username,
    }
    return {name: value for name, value in known.items() if name in requested and value is not None}
