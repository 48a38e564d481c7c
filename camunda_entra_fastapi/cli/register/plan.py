"""The current registration, and the plan that makes it the desired one. Pure."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from camunda_entra_fastapi.cli.register.current import GRAPH_ID, CurrentRegistration
from camunda_entra_fastapi.cli.register.desired import GRAPH_PERMISSIONS, OPTIONAL_CLAIMS, DesiredRegistration

JsonObject = dict[str, Any]

_PLATFORMS: Final = {"web": "Web", "spa": "Single-page application", "publicClient": "Mobile and desktop"}
"""The platforms, as Graph and as the Entra admin center call them."""


class PlanConflict(Exception):
    """Something is in the way that a plan does not remove; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes from the current registration to the desired one.

    Attributes:
        changes: Members of the application to write; empty where it is as desired.
        steps: These and all other changes, for people.
        needs_principal: Whether the service principal is to be created.
        needs_secret: Whether a client secret is to be created.
        consents: The scopes to consent to: of Microsoft Graph, and of the application itself.
    """

    changes: JsonObject
    steps: tuple[str, ...]
    needs_principal: bool
    needs_secret: bool
    consents: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be changed."""
        return not self.steps

    @property
    def creation_body(self) -> JsonObject:
        """The changes that can be written before there is a client ID."""
        return {name: value for name, value in self.changes.items() if name != "requiredResourceAccess"}


def make_plan(desired: DesiredRegistration, current: CurrentRegistration, *, new_secret: bool) -> Plan:
    """Plan the changes. A plan only adds, and never removes.

    Args:
        desired: The desired registration.
        current: The current one.
        new_secret: Whether to create a secret although there is one.

    Raises:
        PlanConflict: A redirect URI is registered under another platform.
    """
    application = current.application
    is_new = not application
    steps = [f"create the application {desired.name}"] if is_new else []
    changes: JsonObject = {"displayName": desired.name, "signInAudience": "AzureADMyOrg"} if is_new else {}
    _plan_uris("web", desired.redirect_uris, application, changes, steps)
    _plan_uris("spa", desired.spa_uris, application, changes, steps)
    _plan_logout(desired, application, changes, steps)
    scope_id = _plan_api(desired, application, changes, steps)
    _plan_roles(desired, application, changes, steps)
    _plan_claims(application, changes, steps)
    _plan_access(current, scope_id, changes, steps)
    uri = f"api://{application.get('appId', '<client ID>')}"
    if uri not in (application.get("identifierUris") or ()):
        steps.append(f"name it {uri} (Application ID URI)")
        if application:
            changes["identifierUris"] = [*(application.get("identifierUris") or ()), uri]
    needs_principal = not current.principal
    if needs_principal:
        steps.append("create its service principal (enterprise application)")
    needs_secret = new_secret or not application.get("passwordCredentials")
    consents = _missing_consents(desired, current)
    for name, scopes in zip(("Microsoft Graph", "itself"), consents, strict=True):
        if scopes:
            steps.append(f"consent for everybody to {' '.join(scopes)} of {name}")
    if needs_secret:
        steps.append("create a client secret")
    return Plan(changes, tuple(steps), needs_principal, needs_secret, consents)


def _plan_uris(
    platform: str,
    desired: tuple[str, ...],
    application: Mapping[str, Any],
    changes: JsonObject,
    steps: list[str],
) -> None:
    """Plan the redirect URIs of one platform; Entra does not take the same one for two."""
    uris = {name: list((application.get(name) or {}).get("redirectUris") or ()) for name in _PLATFORMS}
    missing = [uri for uri in desired if uri not in uris[platform]]
    for uri in missing:
        for other, label in _PLATFORMS.items():
            if uri in uris[other]:
                raise PlanConflict(
                    f"{uri} is registered under the platform {label}, but belongs under "
                    f"{_PLATFORMS[platform]}. In the Entra admin center, under Authentication, remove it, "
                    "then run this again. For Swagger UI, --docs chooses the platform."
                )
    if missing:
        changes[platform] = {"redirectUris": uris[platform] + missing}
        steps += [f"add the redirect URI {uri} ({_PLATFORMS[platform]})" for uri in missing]


def _plan_logout(
    desired: DesiredRegistration, application: Mapping[str, Any], changes: JsonObject, steps: list[str]
) -> None:
    if desired.logout_url and not (application.get("web") or {}).get("logoutUrl"):
        changes["web"] = {**changes.get("web", {}), "logoutUrl": desired.logout_url}
        steps.append(f"set the front-channel logout URL {desired.logout_url}")


def _plan_api(
    desired: DesiredRegistration, application: Mapping[str, Any], changes: JsonObject, steps: list[str]
) -> str:
    """Plan token version and scope; the scope's ID."""
    api = application.get("api") or {}
    written: JsonObject = {}
    if api.get("requestedAccessTokenVersion") != 2:  # noqa: PLR2004 - the version this package accepts
        written["requestedAccessTokenVersion"] = 2
        steps.append("have tokens of version 2.0 (requestedAccessTokenVersion 2)")
    scopes = list(api.get("oauth2PermissionScopes") or ())
    scope = next((entry for entry in scopes if entry.get("value") == desired.scope), None)
    if scope is None:
        scope = _new_scope(desired)
        written["oauth2PermissionScopes"] = [*scopes, scope]
        steps.append(f"expose the scope {desired.scope}")
    if written:
        changes["api"] = written
    return str(scope["id"])


def _plan_roles(
    desired: DesiredRegistration, application: Mapping[str, Any], changes: JsonObject, steps: list[str]
) -> None:
    roles = list(application.get("appRoles") or ())
    values = {entry.get("value") for entry in roles}
    missing = [name for name in dict.fromkeys(desired.roles) if name not in values]
    if missing:
        changes["appRoles"] = [*roles, *map(_new_role, missing)]
        steps += [f"add the app role {name}" for name in missing]


def _plan_claims(application: Mapping[str, Any], changes: JsonObject, steps: list[str]) -> None:
    claims = application.get("optionalClaims") or {}
    merged, added = dict(claims), []
    for token, desired in OPTIONAL_CLAIMS.items():
        entries = list(claims.get(token) or ())
        names = {entry.get("name") for entry in entries}
        missing = [entry for entry in desired if entry["name"] not in names]
        added += [f"{entry['name']} ({token})" for entry in missing]
        merged[token] = entries + missing
    if added:
        changes["optionalClaims"] = merged
        steps.append(f"have the optional claims {', '.join(added)}")


def _plan_access(current: CurrentRegistration, scope_id: str, changes: JsonObject, steps: list[str]) -> None:
    """Plan the listed permissions. Its own scope can be listed once there is a client ID."""
    accesses: list[JsonObject] = [
        dict(entry) for entry in current.application.get("requiredResourceAccess") or ()
    ]
    graph_ids = _graph_permission_ids(current)
    client_id = str(current.application.get("appId", ""))
    missing: list[str] = []
    for resource, desired_ids in ((GRAPH_ID, graph_ids), (client_id, {"its own scope": scope_id})):
        entry = next((each for each in accesses if each["resourceAppId"] == resource), None)
        present = {permission["id"] for permission in entry["resourceAccess"]} if entry else set()
        added = {name: scope for name, scope in desired_ids.items() if scope not in present}
        missing += added
        if resource and added:
            permissions = [{"id": scope, "type": "Scope"} for scope in added.values()]
            if entry is None:
                accesses.append({"resourceAppId": resource, "resourceAccess": permissions})
            else:
                entry["resourceAccess"] = [*entry["resourceAccess"], *permissions]
    if missing:
        changes["requiredResourceAccess"] = accesses
        steps.append(f"list the permissions {', '.join(missing)}")


def _graph_permission_ids(current: CurrentRegistration) -> dict[str, str]:
    exposed = current.graph_principal.get("oauth2PermissionScopes") or ()
    by_name = {entry.get("value"): str(entry.get("id")) for entry in exposed}
    return {name: by_name[name] for name in GRAPH_PERMISSIONS if name in by_name}


def _missing_consents(
    desired: DesiredRegistration, current: CurrentRegistration
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    def missing(resource: object, scopes: tuple[str, ...]) -> tuple[str, ...]:
        granted = str(current.grants.get(str(resource), {}).get("scope", "")).split()
        return tuple(name for name in scopes if name not in granted)

    return missing(current.graph_principal.get("id"), GRAPH_PERMISSIONS), missing(
        current.principal.get("id"), (desired.scope,)
    )


def _new_scope(desired: DesiredRegistration) -> JsonObject:
    return {
        "id": str(uuid.uuid4()),
        "value": desired.scope,
        "type": "User",
        "isEnabled": True,
        "adminConsentDisplayName": f"Use {desired.name}",
        "adminConsentDescription": f"Use {desired.name} in the name of who is signed in.",
        "userConsentDisplayName": f"Use {desired.name} as you",
        "userConsentDescription": f"Use {desired.name} in your name.",
    }


def _new_role(name: str) -> JsonObject:
    return {
        "id": str(uuid.uuid4()),
        "value": name,
        "displayName": name,
        "description": name,
        "isEnabled": True,
        "allowedMemberTypes": ["User", "Application"],
    }


def tenant_wide_grant(principal_id: str, resource_id: str, scope: str) -> JsonObject:
    """The body of a new permission grant for all users (Microsoft Graph: oAuth2PermissionGrant)."""
    return {
        "clientId": principal_id,
        "consentType": "AllPrincipals",
        "resourceId": resource_id,
        "scope": scope,
    }
