"""What is there, what is wanted, and the steps from one to the other. Pure."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from camunda_entra_fastapi.cli.register.desired import OF_GRAPH, OPTIONAL_CLAIMS, Wanted

GRAPH_ID: Final = "00000003-0000-0000-c000-000000000000"
"""Microsoft Graph's client ID in every tenant."""

Members = dict[str, Any]

_PLATFORMS: Final = {"web": "Web", "spa": "Single-page application", "publicClient": "Mobile and desktop"}
"""The platforms, as Graph and as the Entra admin center call them."""


class Contradiction(Exception):
    """What is there stands in the way, and is not taken away; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of it already.

    Attributes:
        application: The registration; empty where there is none.
        principal: Its service principal; empty where there is none.
        grants: Its consents for everybody, by the service principal of the resource.
        graph: Microsoft Graph's service principal.
    """

    application: Mapping[str, Any] = field(default_factory=dict)
    principal: Mapping[str, Any] = field(default_factory=dict)
    grants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    graph: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done.

    Attributes:
        changes: Members of the registration to write; empty where it is as it should be.
        lines: The same and all other steps, for people.
        needs_principal: Whether the service principal has to be made.
        needs_secret: Whether a client secret has to be made.
        consents: The scopes to consent to: on Microsoft Graph, and on itself.
    """

    changes: Members
    lines: tuple[str, ...]
    needs_principal: bool
    needs_secret: bool
    consents: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def is_empty(self) -> bool:
        """Whether all is as it should be."""
        return not self.lines


def has_secret(application: Mapping[str, Any], now: datetime) -> bool:
    """Whether the registration has a client secret that has not expired."""
    return any(
        _ends(each.get("endDateTime"), now) > now for each in application.get("passwordCredentials") or ()
    )


def _ends(written: object, now: datetime) -> datetime:
    """When a secret expires; what cannot be read as a time is taken for the far future."""
    try:
        ends = datetime.fromisoformat(str(written))
    except ValueError:
        return now.replace(year=9999, month=1, day=1)
    return ends if ends.tzinfo else ends.replace(tzinfo=UTC)


def plan_of(wanted: Wanted, found: Found, *, new_secret: bool) -> Plan:
    """The steps. Nothing that is there is ever taken away.

    Args:
        wanted: What shall be.
        found: What is.
        new_secret: Whether another secret is wanted although there is one.

    Raises:
        Contradiction: A redirect URI is there under another platform.
    """
    there = found.application
    is_new = not there
    lines = [f"create the application {wanted.name}"] if is_new else []
    changes: Members = {"displayName": wanted.name, "signInAudience": "AzureADMyOrg"} if is_new else {}
    _plan_uris("web", wanted.redirect_uris, there, changes, lines)
    _plan_uris("spa", wanted.spa_uris, there, changes, lines)
    _plan_logout(wanted, there, changes, lines)
    scope_id = _plan_api(wanted, there, changes, lines)
    _plan_roles(wanted, there, changes, lines)
    _plan_claims(there, changes, lines)
    _plan_access(found, scope_id, changes, lines)
    uri = f"api://{there.get('appId', '<client ID>')}"
    if uri not in (there.get("identifierUris") or ()):
        lines.append(f"name it {uri} (Application ID URI)")
        if there:
            changes["identifierUris"] = [*(there.get("identifierUris") or ()), uri]
    needs_principal = not found.principal
    if needs_principal:
        lines.append("create its service principal (enterprise application)")
    needs_secret = new_secret or not there.get("passwordCredentials")
    consents = _consents(wanted, found)
    for name, scopes in zip(("Microsoft Graph", "itself"), consents, strict=True):
        if scopes:
            lines.append(f"consent for everybody to {' '.join(scopes)} of {name}")
    if needs_secret:
        lines.append("create a client secret")
    return Plan(changes, tuple(lines), needs_principal, needs_secret, consents)


def _plan_uris(
    platform: str, wanted: tuple[str, ...], there: Mapping[str, Any], changes: Members, lines: list[str]
) -> None:
    """Redirect URIs of one platform; Entra does not take the same one for two."""
    uris = {name: list((there.get(name) or {}).get("redirectUris") or ()) for name in _PLATFORMS}
    missing = [uri for uri in wanted if uri not in uris[platform]]
    for uri in missing:
        for other, label in _PLATFORMS.items():
            if uri in uris[other]:
                raise Contradiction(
                    f"{uri} is registered under the platform {label}, but belongs under "
                    f"{_PLATFORMS[platform]}. In the Entra admin center, under Authentication, remove it, "
                    "then run this again. For the docs page, --docs chooses the platform."
                )
    if missing:
        changes[platform] = {"redirectUris": uris[platform] + missing}
        lines += [f"add the redirect URI {uri} ({_PLATFORMS[platform]})" for uri in missing]


def _plan_logout(wanted: Wanted, there: Mapping[str, Any], changes: Members, lines: list[str]) -> None:
    if wanted.logout_url and not (there.get("web") or {}).get("logoutUrl"):
        changes["web"] = {**changes.get("web", {}), "logoutUrl": wanted.logout_url}
        lines.append(f"set the front-channel logout URL {wanted.logout_url}")


def _plan_api(wanted: Wanted, there: Mapping[str, Any], changes: Members, lines: list[str]) -> str:
    """The ID of the exposed scope."""
    api = there.get("api") or {}
    written: Members = {}
    if api.get("requestedAccessTokenVersion") != 2:  # noqa: PLR2004 - the version this package accepts
        written["requestedAccessTokenVersion"] = 2
        lines.append("have tokens of version 2.0 (requestedAccessTokenVersion 2)")
    scopes = list(api.get("oauth2PermissionScopes") or ())
    named = next((each for each in scopes if each.get("value") == wanted.scope), None)
    if named is None:
        named = _scope(wanted)
        written["oauth2PermissionScopes"] = [*scopes, named]
        lines.append(f"expose the scope {wanted.scope}")
    if written:
        changes["api"] = written
    return str(named["id"])


def _plan_roles(wanted: Wanted, there: Mapping[str, Any], changes: Members, lines: list[str]) -> None:
    roles = list(there.get("appRoles") or ())
    values = {each.get("value") for each in roles}
    missing = [name for name in dict.fromkeys(wanted.roles) if name not in values]
    if missing:
        changes["appRoles"] = [*roles, *map(_role, missing)]
        lines += [f"add the app role {name}" for name in missing]


def _plan_claims(there: Mapping[str, Any], changes: Members, lines: list[str]) -> None:
    claims = there.get("optionalClaims") or {}
    merged, added = dict(claims), []
    for token, wanted in OPTIONAL_CLAIMS.items():
        entries = list(claims.get(token) or ())
        names = {each.get("name") for each in entries}
        missing = [each for each in wanted if each["name"] not in names]
        added += [f"{each['name']} ({token})" for each in missing]
        merged[token] = entries + missing
    if added:
        changes["optionalClaims"] = merged
        lines.append(f"have the optional claims {', '.join(added)}")


def _plan_access(found: Found, scope_id: str, changes: Members, lines: list[str]) -> None:
    """The permissions that the registration lists; its own scope can only be named once it is there."""
    listed: list[Members] = [dict(each) for each in found.application.get("requiredResourceAccess") or ()]
    ids = _graph_ids(found)
    own = str(found.application.get("appId", ""))
    missing: list[str] = []
    for resource, wanted in ((GRAPH_ID, ids), (own, {"its own scope": scope_id})):
        entry = next((each for each in listed if each["resourceAppId"] == resource), None)
        known = {each["id"] for each in entry["resourceAccess"]} if entry else set()
        new = {name: each for name, each in wanted.items() if each not in known}
        missing += new
        if resource and new:
            access = [{"id": each, "type": "Scope"} for each in new.values()]
            if entry is None:
                listed.append({"resourceAppId": resource, "resourceAccess": access})
            else:
                entry["resourceAccess"] = [*entry["resourceAccess"], *access]
    if missing:
        changes["requiredResourceAccess"] = listed
        lines.append(f"list the permissions {', '.join(missing)}")


def _graph_ids(found: Found) -> dict[str, str]:
    exposed = found.graph.get("oauth2PermissionScopes") or ()
    by_name = {each.get("value"): str(each.get("id")) for each in exposed}
    return {name: by_name[name] for name in OF_GRAPH if name in by_name}


def _consents(wanted: Wanted, found: Found) -> tuple[tuple[str, ...], tuple[str, ...]]:
    def missing(resource: object, scopes: tuple[str, ...]) -> tuple[str, ...]:
        given = str(found.grants.get(str(resource), {}).get("scope", "")).split()
        return tuple(name for name in scopes if name not in given)

    return missing(found.graph.get("id"), OF_GRAPH), missing(found.principal.get("id"), (wanted.scope,))


def _scope(wanted: Wanted) -> Members:
    return {
        "id": str(uuid.uuid4()),
        "value": wanted.scope,
        "type": "User",
        "isEnabled": True,
        "adminConsentDisplayName": f"Use {wanted.name}",
        "adminConsentDescription": f"Use {wanted.name} in the name of who is signed in.",
        "userConsentDisplayName": f"Use {wanted.name} as you",
        "userConsentDescription": f"Use {wanted.name} in your name.",
    }


def _role(name: str) -> Members:
    return {
        "id": str(uuid.uuid4()),
        "value": name,
        "displayName": name,
        "description": name,
        "isEnabled": True,
        "allowedMemberTypes": ["User", "Application"],
    }
