"""Claims that a token has only where its reader's registration asks for them (Learn: optional claims)."""

from collections.abc import Iterable
from typing import Any, Final

from camunda_entra_fastapi.testing.directory import Application, Group, Tenant, User
from camunda_entra_fastapi.testing.protocol.keys import base64url
from camunda_entra_fastapi.testing.world.state import Session

MAX_GROUPS: Final = 200
"""A JWT lists no more; above, a claim says where to ask (Learn: groups overage claim)."""

GLOBAL_ADMINISTRATOR: Final = "62e90394-69f5-4237-9190-012177145e10"
"""The role's template, which is the same in each tenant."""

_DEFAULT_ROLE: Final = "b79fbf4d-3ef9-4689-8143-76b194e85509"
"""What everybody has who has no other directory role."""


def access_extras(
    wanted: Iterable[str], user: User | None, session: Session | None, *, continuous: bool
) -> dict[str, Any]:
    """What the resource's registration adds to an access token."""
    asked = set(wanted)
    claims: dict[str, Any] = {}
    if user is None:
        claims["idtyp"] = "app" if asked & {"idtyp", "idtyp:include_user_token"} else None
    elif "idtyp:include_user_token" in asked:
        claims["idtyp"] = "user"
    if "xms_cc" in asked and continuous:
        claims["xms_cc"] = ["cp1"]
    return claims | (_of_people(asked, user, session) if user else {})


def id_extras(wanted: Iterable[str], user: User, session: Session | None) -> dict[str, Any]:
    """What the client's registration adds to an ID token."""
    return _of_people(set(wanted), user, session)


def group_claims(tenant: Tenant, reader: Application, user: User | None) -> dict[str, Any]:
    """Groups and directory roles, as the reader's registration has them told; or where to ask for them."""
    kind = reader.group_membership_claims
    claims: dict[str, Any] = {}
    if user is None or kind == "None":
        return claims
    if kind in ("DirectoryRole", "All"):
        claims["wids"] = [*([GLOBAL_ADMINISTRATOR] if user.administrator else []), _DEFAULT_ROLE]
    if kind == "DirectoryRole":
        return claims
    groups = _told_groups(tenant, reader, user)
    if len(groups) > MAX_GROUPS:
        endpoint = f"https://graph.windows.net/{tenant.id}/users/{user.id}/getMemberObjects"
        return claims | {
            "_claim_names": {"groups": "src1"},
            "_claim_sources": {"src1": {"endpoint": endpoint}},
        }
    return claims | ({"groups": [group.id for group in groups]} if groups else {})


def _told_groups(tenant: Tenant, reader: Application, user: User) -> list[Group]:
    """Security groups, those around them among them; for ``All`` distribution lists, too.

    Of groups assigned to the application, none but those that the person is in without others between
    (Learn: configure group claims).
    """
    kind = reader.group_membership_claims
    if kind == "ApplicationGroup":
        direct = {group.id: group for group in map(tenant.group, user.groups) if group.security}
        return [group for group in direct.values() if {group.id, group.name} & set(reader.assigned)]
    return [group for group in tenant.groups_of(user) if group.security or kind == "All"]


def login_hint_of(user: User) -> str:
    """An opaque value by which a person is recognised at the next sign-in or sign-out."""
    return f"O.{base64url(user.id.encode())}"


def _of_people(asked: set[str], user: User, session: Session | None) -> dict[str, Any]:
    given, _, family = user.name.rpartition(" ")
    known: dict[str, Any] = {
        "acct": 1 if user.home_tenant else 0,
        "auth_time": int(session.at) if session else None,
        "email": user.address,
        "family_name": family,
        "given_name": given or None,
        "login_hint": login_hint_of(user),
        "preferred_username": user.username,
        "sid": session.id if session else None,
        "upn": user.username,
    }
    return {name: value for name, value in known.items() if name in asked and value is not None}
