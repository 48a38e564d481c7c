"""What is to be registered: from options to one frozen value. Pure."""

from dataclasses import dataclass
from typing import Any, Final

from camunda_entra_fastapi.settings.urls import read_base_url

CALLBACKS: Final = {
    "service": "/auth/login-callback",
    "operate": "/identity-callback",
    "tasklist": "/identity-callback",
    "orchestration": "/sso-callback",
    "identity": "/auth/login-callback",
    "optimize": "/api/authentication/callback",
}
"""Where each component of Camunda is sent back to; ``service`` is one that uses this package."""

OF_SERVICE: Final = ("/docs/oauth2-redirect", "/auth/admin-consent-callback")
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """The registration as it shall be.

    Attributes:
        name: The display name.
        redirect_uris: For the platform Web, to the letter.
        logout_url: What Entra calls when somebody signs out elsewhere; empty for nothing.
        base_url: Where browsers reach the service; empty where only redirect URIs were given.
        roles: App roles, for people and applications.
        scope: The delegated permission that it exposes.
    """

    name: str
    redirect_uris: tuple[str, ...]
    logout_url: str
    base_url: str
    roles: tuple[str, ...]
    scope: str


def wanted_of(
    name: str,
    *,
    base_url: str,
    component: str,
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
    uris = [_checked("--redirect-uri", uri) for uri in redirect_uris]
    logout_url = ""
    if base_url:
        base_url = _checked("--base-url", base_url.rstrip("/"))
        uris.insert(0, base_url + CALLBACKS[component])
        if component == "service":
            uris += [base_url + path for path in OF_SERVICE]
            logout_url = f"{base_url}/auth/front-channel-logout"
    if not uris:
        raise ValueError("--base-url is missing. Give where browsers reach the service, or --redirect-uri.")
    return Wanted(name.strip(), tuple(dict.fromkeys(uris)), logout_url, base_url, roles, scope)


def _checked(option: str, url: str) -> str:
    """An address that Entra takes (Learn: redirect URI restrictions)."""
    try:
        read_base_url(url, allow_http=False)
    except ValueError as error:
        raise ValueError(f"{option} {error}") from None
    return url
