"""The desired registration, from the options. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from camunda_entra_fastapi.settings.urls import refuse_credentials, split_url
from camunda_entra_fastapi.urls import is_loopback


class Component(StrEnum):
    """The component of Camunda whose callback path it is; ``service`` is one that uses this package."""

    SERVICE = "service"
    OPERATE = "operate"
    TASKLIST = "tasklist"
    ORCHESTRATION = "orchestration"
    IDENTITY = "identity"
    OPTIMIZE = "optimize"


CALLBACK_PATHS: Final = {
    Component.SERVICE: "/auth/login-callback",
    Component.OPERATE: "/identity-callback",
    Component.TASKLIST: "/identity-callback",
    Component.ORCHESTRATION: "/sso-callback",
    Component.IDENTITY: "/auth/login-callback",
    Component.OPTIMIZE: "/api/authentication/callback",
}
"""The path of each component's redirect URI."""

DOCS_CALLBACK_PATH: Final = "/docs/oauth2-redirect"
ADMIN_CONSENT_PATH: Final = "/auth/admin-consent-callback"
"""Further redirect URIs of a service that uses this package."""

OPTIONAL_CLAIMS: Final[dict[str, Any]] = {
    "accessToken": [
        {"name": "idtyp", "additionalProperties": ["include_user_token"]},
        {"name": "acct"},
        {"name": "xms_cc"},
        {"name": "acrs"},
    ],
    "idToken": [{"name": "login_hint"}, {"name": "sid"}, {"name": "acct"}],
    "saml2Token": [],
}
"""Claims that tokens have on request only (Learn: optional claims)."""

GRAPH_PERMISSIONS: Final = ("openid", "profile", "email", "offline_access", "User.Read")
"""Delegated permissions on Microsoft Graph that signing in needs."""

_MAX_NAME_LENGTH: Final = 120
_MAX_URI_LENGTH: Final = 256
"""Characters (Learn: redirect URI restrictions and limitations)."""


class Docs(StrEnum):
    """The platform of Swagger UI's redirect URI."""

    WEB = "web"
    """Swagger UI redeems its code by way of the service."""
    SPA = "spa"
    """Swagger UI redeems its code at Entra, as with ``install(direct_docs=True)``."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class DesiredRegistration:
    """The registration as it shall be.

    Attributes:
        name: The display name.
        redirect_uris: The redirect URIs of the platform Web.
        spa_uris: The redirect URIs of the platform Single-page application.
        logout_url: The front-channel logout URL; empty for none.
        base_url: Where browsers reach the service; empty for none, or several.
        roles: App roles, for users and applications.
        scope: The delegated permission that it exposes.
    """

    name: str
    redirect_uris: tuple[str, ...]
    spa_uris: tuple[str, ...]
    logout_url: str
    base_url: str
    roles: tuple[str, ...]
    scope: str


def desired_registration(
    name: str,
    *,
    base_urls: tuple[str, ...],
    component: Component,
    docs: Docs,
    redirect_uris: tuple[str, ...],
    roles: tuple[str, ...],
    scope: str,
) -> DesiredRegistration:
    """Make the desired registration from the options.

    Raises:
        ValueError: An option is wrong; the message begins with its name.
    """
    if not 0 < len(name.strip()) <= _MAX_NAME_LENGTH or not name.isprintable():
        raise ValueError(f"NAME must be one line of 1 to {_MAX_NAME_LENGTH} characters, for example Operate.")
    for option, values in (("--role", roles), ("--scope", (scope,))):
        for value in values:
            if (
                not 0 < len(value) <= _MAX_NAME_LENGTH
                or " " in value
                or not value.isascii()
                or not value.isprintable()
            ):
                raise ValueError(f"{option} takes names without blanks, for example Operate.Admin.")
    roots = [check_url("--base-url", url.rstrip("/"), "https://orders.example.com") for url in base_urls]
    uris = [root + CALLBACK_PATHS[component] for root in roots]
    spa_uris: list[str] = []
    logout_url = ""
    if component is Component.SERVICE and roots:
        docs_uris = [root + DOCS_CALLBACK_PATH for root in roots]
        spa_uris = docs_uris if docs is Docs.SPA else []
        uris += docs_uris if docs is Docs.WEB else []
        uris += [root + ADMIN_CONSENT_PATH for root in roots]
        logout_url = f"{roots[0]}/auth/front-channel-logout"
    example = "https://orders.example.com/auth/login-callback"
    uris += [check_url("--redirect-uri", uri, example, query=True) for uri in redirect_uris]
    if not uris:
        raise ValueError("--base-url is missing. Give where browsers reach the service, or --redirect-uri.")
    longest = max((*uris, *spa_uris), key=len)
    if len(longest) > _MAX_URI_LENGTH:
        raise ValueError(
            f"{longest[:60]}... is longer than the {_MAX_URI_LENGTH} characters that Entra takes of a "
            "redirect URI. Give a shorter --base-url or --redirect-uri."
        )
    web = tuple(dict.fromkeys(uris))
    duplicates = [uri for uri in spa_uris if uri in web]
    if duplicates:
        raise ValueError(
            f"--redirect-uri {duplicates[0]} cannot be of platform Web and, by --docs, SPA. Choose one."
        )
    single_root = roots[0] if len(set(roots)) == 1 else ""
    return DesiredRegistration(
        name.strip(),
        web,
        tuple(dict.fromkeys(spa_uris)),
        logout_url,
        single_root,
        tuple(dict.fromkeys(roles)),
        scope,
    )


def check_url(option: str, url: str, example: str, *, query: bool = False) -> str:
    """Check that Entra takes the URL (Learn: redirect URI restrictions and limitations).

    Raises:
        ValueError: It does not; the message begins with the option's name.
    """
    try:
        parts = split_url(url, example)
        refuse_credentials(parts)
    except ValueError as error:
        raise ValueError(f"{option} {error}") from None
    if parts.fragment or "*" in url or (parts.query and not query):
        forbidden = "fragment or wildcard" if query else "query, fragment or wildcard"
        raise ValueError(f"{option} must have no {forbidden}. Write it as in {example}.")
    if {".", ".."} & set(parts.path.split("/")):
        raise ValueError(f"{option} has a segment of dots in its path. Write it as in {example}.")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError(f"{option} is plain http, which is for localhost only. Use https, as in {example}.")
    return url
