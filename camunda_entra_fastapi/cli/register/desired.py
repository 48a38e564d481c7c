"""What is to be registered: from options to one frozen value. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from camunda_entra_fastapi.settings.urls import refuse_credentials, split_url
from camunda_entra_fastapi.urls import is_loopback

CALLBACKS: Final = {
    "service": "/auth/login-callback",
    "operate": "/identity-callback",
    "tasklist": "/identity-callback",
    "orchestration": "/sso-callback",
    "identity": "/auth/login-callback",
    "optimize": "/api/authentication/callback",
}
"""Where each component of Camunda is sent back to; ``service`` is one that uses this package."""

DOCS: Final = "/docs/oauth2-redirect"
ADMIN_CONSENT: Final = "/auth/admin-consent-callback"
"""What a service of this package has besides."""

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
"""What tokens do not have unless somebody asks (Learn: optional claims)."""

OF_GRAPH: Final = ("openid", "profile", "email", "offline_access", "User.Read")
"""Delegated permissions on Microsoft Graph that signing in needs."""

_MAX_NAME: Final = 120
_MAX_URI: Final = 256
"""Characters (Learn: redirect URI restrictions and limitations)."""


class Docs(StrEnum):
    """The platform of the docs page's redirect URI."""

    WEB = "web"
    """The docs page signs in by way of the service."""
    SPA = "spa"
    """It asks Entra itself, as with ``install(direct_docs=True)``."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The registration as it shall be.

    Attributes:
        name: The display name.
        redirect_uris: For the platform Web, to the letter.
        spa_uris: For the platform Single-page application, to the letter.
        logout_url: What Entra calls when somebody signs out elsewhere; empty for nothing.
        base_url: Where browsers reach the service; empty where it has no such place, or several.
        roles: App roles, for people and applications.
        scope: The delegated permission that it exposes.
    """

    name: str
    redirect_uris: tuple[str, ...]
    spa_uris: tuple[str, ...]
    logout_url: str
    base_url: str
    roles: tuple[str, ...]
    scope: str


def wanted_of(
    name: str,
    *,
    base_urls: tuple[str, ...],
    component: str,
    docs: Docs,
    redirect_uris: tuple[str, ...],
    roles: tuple[str, ...],
    scope: str,
) -> Wanted:
    """The registration that the options describe.

    Raises:
        ValueError: One is wrong; the message begins with its name.
    """
    if not 0 < len(name.strip()) <= _MAX_NAME or not name.isprintable():
        raise ValueError(f"NAME must be one line of 1 to {_MAX_NAME} characters, for example Operate.")
    for option, values in (("--role", roles), ("--scope", (scope,))):
        for value in values:
            if (
                not 0 < len(value) <= _MAX_NAME
                or " " in value
                or not value.isascii()
                or not value.isprintable()
            ):
                raise ValueError(f"{option} takes names without blanks, for example Operate.Admin.")
    bases = [check_url("--base-url", url.rstrip("/"), "https://operate.example.com") for url in base_urls]
    uris = [base + CALLBACKS[component] for base in bases]
    spa: list[str] = []
    logout_url = ""
    if component == "service" and bases:
        docs_uris = [base + DOCS for base in bases]
        spa = docs_uris if docs is Docs.SPA else []
        uris += docs_uris if docs is Docs.WEB else []
        uris += [base + ADMIN_CONSENT for base in bases]
        logout_url = f"{bases[0]}/auth/front-channel-logout"
    example = "https://operate.example.com/auth/login-callback"
    uris += [check_url("--redirect-uri", uri, example, query=True) for uri in redirect_uris]
    if not uris:
        raise ValueError("--base-url is missing. Give where browsers reach the service, or --redirect-uri.")
    longest = max((*uris, *spa), key=len)
    if len(longest) > _MAX_URI:
        raise ValueError(
            f"{longest[:60]}... is longer than the {_MAX_URI} characters that Entra takes of a redirect URI. "
            "Give a shorter --base-url or --redirect-uri."
        )
    web = tuple(dict.fromkeys(uris))
    twice = [uri for uri in spa if uri in web]
    if twice:
        raise ValueError(
            f"--redirect-uri {twice[0]} cannot be of platform Web and, by --docs, SPA. Choose one."
        )
    only = bases[0] if len(set(bases)) == 1 else ""
    return Wanted(
        name.strip(), web, tuple(dict.fromkeys(spa)), logout_url, only, tuple(dict.fromkeys(roles)), scope
    )


def check_url(option: str, url: str, example: str, *, query: bool = False) -> str:
    """An address that Entra takes (Learn: redirect URI restrictions and limitations).

    Raises:
        ValueError: It does not; the message begins with the option's name.
    """
    try:
        parts = split_url(url, example)
        refuse_credentials(parts)
    except ValueError as error:
        raise ValueError(f"{option} {error}") from None
    if parts.fragment or "*" in url or (parts.query and not query):
        what = "fragment or wildcard" if query else "query, fragment or wildcard"
        raise ValueError(f"{option} must have no {what}. Write it as in {example}.")
    if {".", ".."} & set(parts.path.split("/")):
        raise ValueError(f"{option} has a segment of dots in its path. Write it as in {example}.")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError(f"{option} is plain http, which is for localhost only. Use https, as in {example}.")
    return url
