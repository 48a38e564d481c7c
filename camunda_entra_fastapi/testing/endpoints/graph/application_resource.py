"""App registrations as JSON of Microsoft Graph (Learn: application resource type), and as the directory's."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, get_args

from pydantic import ValidationError

from camunda_entra_fastapi.errors import quoted
from camunda_entra_fastapi.testing.directory import Application, OptionalClaims, Platform, Scope
from camunda_entra_fastapi.testing.directory.applications import AccessTokenClaim, IdTokenClaim
from camunda_entra_fastapi.testing.directory.graph import GRAPH
from camunda_entra_fastapi.testing.directory.shapes import derived_guid
from camunda_entra_fastapi.testing.endpoints.graph.responses import bad_request

Members = dict[str, Any]

DEFAULTS: Final[Mapping[str, Any]] = {
    "signInAudience": "AzureADMyOrg",
    "uniqueName": None,
    "identifierUris": [],
    "web": {},
    "spa": {},
    "publicClient": {},
    "isFallbackPublicClient": None,
    "api": {},
    "appRoles": [],
    "optionalClaims": None,
    "groupMembershipClaims": None,
    "requiredResourceAccess": [],
}
"""The writable members besides the name, with their default values."""

_PLATFORMS: Final[Mapping[str, Platform]] = {"web": "web", "spa": "spa", "publicClient": "public"}
_MAX_VALUE: Final = 120


def object_id_of(client_id: str) -> str:
    """The registration's own object ID, which is not the service principal's."""
    return derived_guid("application object", client_id)


def scope_id(resource: Application, name: str) -> str:
    """The ID of a delegated permission that was registered without one."""
    return derived_guid("scope", f"{resource.client_id} {name}")


def scopes_of(application: Application) -> list[Members]:
    """The delegated permissions of an application that was not registered through Graph."""
    return [
        {
            "id": scope_id(application, name),
            "value": name,
            "type": "Admin" if scope.admin_only else "User",
            "isEnabled": True,
            "adminConsentDisplayName": scope.description or name,
            "adminConsentDescription": scope.description or name,
        }
        for name, scope in application.exposed.items()
    ]


def roles_of(application: Application) -> list[Members]:
    """The app roles of an application that was not registered through Graph."""
    return [
        {
            "id": derived_guid("role", f"{application.client_id} {name}"),
            "value": name,
            "displayName": name,
            "description": name,
            "isEnabled": True,
            "allowedMemberTypes": ["User", "Application"],
        }
        for name in application.app_roles
    ]


def resource_of(application: Application) -> Members:
    """The resource of an application that was not registered through Graph."""
    uris: Members = {
        member: [uri for uri, its in application.redirect_uris.items() if its == platform]
        for member, platform in _PLATFORMS.items()
    }
    issuance = {
        "enableIdTokenIssuance": application.id_token_issuance,
        "enableAccessTokenIssuance": application.access_token_issuance,
    }
    return {
        **DEFAULTS,
        "id": object_id_of(application.client_id),
        "appId": application.client_id,
        "displayName": application.name,
        "signInAudience": application.sign_in_audience,
        "identifierUris": list(application.identifier_uris),
        "web": {
            "redirectUris": uris["web"],
            "logoutUrl": application.logout_url,
            "implicitGrantSettings": issuance,
        },
        "spa": {"redirectUris": uris["spa"]},
        "publicClient": {"redirectUris": uris["publicClient"]},
        "api": {
            "requestedAccessTokenVersion": application.requested_access_token_version,
            "oauth2PermissionScopes": scopes_of(application),
        },
        "appRoles": roles_of(application),
    }


def application_of(
    resource: Members, before: Application | None, known: Iterable[Application], domain: str
) -> Application:
    """The directory's application for a resource that was written.

    Args:
        resource: All members.
        before: The application until now; None for a new one.
        known: The applications whose permissions it may request.
        domain: The tenant's domain, which App ID URIs may name.

    Raises:
        GraphError: A member has an invalid value.
    """
    client_id = resource["appId"]
    api, web = resource["api"] or {}, resource["web"] or {}
    scopes = _entitlements(api.get("oauth2PermissionScopes") or [], "oauth2PermissionScopes")
    roles = _entitlements(resource["appRoles"] or [], "appRoles")
    issuance = web.get("implicitGrantSettings") or {}
    _check_uris(resource, domain)
    changes: Members = {
        "name": resource["displayName"],
        "redirect_uris": {
            uri: platform
            for member, platform in _PLATFORMS.items()
            for uri in (resource[member] or {}).get("redirectUris") or []
        },
        "identifier_uris": tuple(resource["identifierUris"] or ()),
        "scopes": tuple(
            Scope(
                each["value"],
                each.get("adminConsentDescription") or "",
                admin_only=each.get("type") == "Admin",
            )
            for each in scopes
        ),
        "app_roles": tuple(each["value"] for each in roles),
        "requested_access_token_version": api.get("requestedAccessTokenVersion"),
        "sign_in_audience": resource["signInAudience"],
        "group_membership_claims": resource["groupMembershipClaims"] or "None",
        "optional_claims": _optional_claims(resource["optionalClaims"] or {}),
        "permissions": _permissions(resource, scopes, known),
        "preauthorized": tuple(each["appId"] for each in api.get("preAuthorizedApplications") or ()),
        "id_token_issuance": bool(issuance.get("enableIdTokenIssuance")),
        "access_token_issuance": bool(issuance.get("enableAccessTokenIssuance")),
        "allow_public_client": bool(resource["isFallbackPublicClient"]),
        "logout_url": web.get("logoutUrl"),
    }
    try:
        if before is None:
            return Application(client_id, admin_consent=False, **changes)
        return replace(before, **changes)
    except (ValidationError, ValueError, TypeError, LookupError) as error:
        what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise bad_request(f"Invalid value specified for a property of the application: {what}") from None


def check_removal(before: Members, after: Members) -> None:
    """Check that only disabled scopes and roles are removed (Learn: update application).

    Raises:
        GraphError: An enabled one is removed.
    """
    for old, new in (
        (before["appRoles"], after["appRoles"]),
        *[[(each["api"] or {}).get("oauth2PermissionScopes") for each in (before, after)]],
    ):
        remaining = {each.get("id") for each in new or []}
        for each in old or []:
            if each.get("isEnabled", True) and each["id"] not in remaining:
                raise bad_request(
                    f"'{each['value']}' is enabled. Disable it before it is deleted.",
                    "CannotDeleteOrUpdateEnabledEntitlement",
                )


def _entitlements(entries: Any, name: str) -> list[Members]:
    """The scopes or roles that are enabled; all must have an ID."""
    values: set[str] = set()
    for each in entries:
        value = each.get("value") if isinstance(each, dict) else None
        if not isinstance(value, str) or not 0 < len(value) <= _MAX_VALUE or " " in value:
            raise bad_request(f"{name}: value must have 1 to {_MAX_VALUE} characters and no blanks.")
        try:
            each["id"] = str(uuid.UUID(each["id"]))
        except (KeyError, ValueError, AttributeError, TypeError):
            raise bad_request(f"{name}: {quoted(value, 40)} has no id that is a GUID.") from None
        if value in values:
            raise bad_request(f"{name}: {quoted(value, 40)} is there twice.")
        values.add(value)
    return [each for each in entries if each.get("isEnabled", True)]


def _check_uris(resource: Members, domain: str) -> None:
    """Check that App ID URIs belong to the application or tenant (Learn: restrictions on identifierUris)."""
    own = f"api://{resource['appId']}"
    for uri in resource["identifierUris"] or ():
        host = str(uri).partition("://")[2].partition("/")[0]
        if (
            uri != own
            and not str(uri).startswith(f"{own}/")
            and host != domain
            and not host.endswith(f".{domain}")
        ):
            raise bad_request(
                f"{quoted(uri, 100)} must be {own}, or have the host {domain}, which is verified.",
                "HostNameNotOnVerifiedDomain",
            )


def _optional_claims(members: Members) -> OptionalClaims:
    """The optional claims that the emulator supports; others are ignored."""

    def names(member: str, known: tuple[str, ...]) -> tuple[Any, ...]:
        entries = members.get(member) or ()
        found = (
            ":".join((each["name"], *sorted(each.get("additionalProperties") or ()))) for each in entries
        )
        return tuple(name for name in found if name in known)

    return OptionalClaims(
        access_token=names("accessToken", get_args(AccessTokenClaim)),
        id_token=names("idToken", get_args(IdTokenClaim)),
    )


def _permissions(
    resource: Members, own: list[Members], known: Iterable[Application]
) -> dict[str, tuple[str, ...]]:
    """The delegated permissions that the registration lists, by resource."""
    ids = {app.client_id: {scope_id(app, name): name for name in app.exposed} for app in (*known, GRAPH)}
    ids[resource["appId"]] = {each["id"]: each["value"] for each in own}
    found: dict[str, tuple[str, ...]] = {}
    for access in resource["requiredResourceAccess"] or ():
        names = ids.get(access["resourceAppId"], {})
        scope_ids = [each["id"] for each in access["resourceAccess"] if each.get("type") == "Scope"]
        found[access["resourceAppId"]] = tuple(names[each] for each in scope_ids if each in names)
    return found
