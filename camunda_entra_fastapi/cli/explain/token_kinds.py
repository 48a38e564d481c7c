"""What kind of token it is, told from what it says of itself. Pure, and no verdict."""

import re
from collections.abc import Callable
from typing import Final

from camunda_entra_fastapi.cli.explain.decode import Anatomy
from camunda_entra_fastapi.cli.findings import printable
from camunda_entra_fastapi.validation.entra import (
    GRAPH_AUDIENCES,
    client_of,
    has_group_overage,
    is_application,
    is_guest,
    scopes_of,
    texts_of,
)
from camunda_entra_fastapi.validation.identity import TYPE as GATEWAY_IDENTITY

PERSONAL_ACCOUNTS: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all personal Microsoft accounts (Learn: ID token claims)."""

_ISSUERS: Final = (
    (r"https://sts\.windows\.net/[^/]+/", "Microsoft Entra ID, version 1.0"),
    (r"https://sts\.chinacloudapi\.cn/[^/]+/", "Microsoft Entra ID in China, version 1.0"),
    (r"https://login\.microsoftonline\.com/[^/]+/v2\.0", "Microsoft Entra ID, version 2.0"),
    (r"https://login\.microsoftonline\.us/[^/]+/v2\.0", "Microsoft Entra ID for US Government, version 2.0"),
    (
        r"https://login\.(partner\.microsoftonline|chinacloudapi)\.cn/[^/]+/v2\.0",
        "Microsoft Entra ID in China, version 2.0",
    ),
    (r"https://[^/]+\.b2clogin\.com/.*", "Azure AD B2C"),
    (r"https://[^/]+\.ciamlogin\.com/.*", "Microsoft Entra External ID"),
    (r"https://accounts\.google\.com", "Google, not Entra"),
    (r"https://.*/realms/[^/]+", "Keycloak, by the look of it, not Entra"),
    (r"https://[^/]+\.auth0\.com/", "Auth0, not Entra"),
    (r"https://[^/]+\.okta(preview)?\.com(/.*)?", "Okta, not Entra"),
    (r"https://token\.actions\.githubusercontent\.com.*", "GitHub Actions, not Entra"),
)


def kind_of(token: Anatomy) -> str:
    """The kind in a few words, for example ``access token of a person``."""
    return next(name for fits, name in _KINDS if fits(token))


def details_of(token: Anatomy, tenant: str | None) -> list[str]:
    """What else tells the token apart, one sentence each.

    Args:
        token: What was read of it.
        tenant: The tenant that the service is for, where it is for one.
    """
    claims = token.claims
    told = [f"Its issuer is {who}." for who in [issuer_of(token)] if who]
    if token.header.get("nonce") and _is_graph(token):
        told.append("Its header has a nonce: only Microsoft Graph can verify such a token.")
    if token.text("tid").lower() == PERSONAL_ACCOUNTS:
        told.append("It is of a personal Microsoft account.")
    elif tenant and token.text("tid") and token.text("tid").lower() != tenant.lower():
        told.append(
            f"It is of the tenant {printable(token.text('tid'), 80)}, where this service is for {tenant}."
        )
    if client_of(claims) and scopes_of(claims):
        told.append(f"The application {printable(client_of(claims), 80)} acts for a person.")
    if is_guest(claims):
        told.append("The person is a guest of the tenant.")
    for name, words in (("scp", scopes_of(claims)), *((each, texts_of(claims, each)) for each in _LISTS)):
        if words:
            more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
            told.append(f"{_LISTS[name]}: {printable(', '.join(words[:_SHOWN]))}{more}.")
    if has_group_overage(claims):
        told.append("The person is in more groups than the token lists (group overage).")
    if isinstance(claims.get("cnf"), dict):
        told.append("It is bound to a key (proof of possession); as a bearer token it may be refused.")
    return told


def issuer_of(token: Anatomy) -> str:
    """Who issued it, in words; empty for nobody who is known here."""
    return next((who for form, who in _ISSUERS if re.fullmatch(form, token.text("iss"))), "")


_LISTS: Final = {"scp": "Scopes", "roles": "Roles", "groups": "Groups", "wids": "Directory roles"}
_SHOWN: Final = 10


def _is_graph(token: Anatomy) -> bool:
    audience = token.claims.get("aud")
    return isinstance(audience, str) and audience in GRAPH_AUDIENCES


def _is_session(token: Anatomy) -> bool:
    return token.is_encrypted and token.header.get("alg") == "dir"


def _is_client_assertion(token: Anatomy) -> bool:
    issuer = token.text("iss")
    return bool(issuer) and issuer == token.text("sub") and "/" not in issuer


def _is_id_token(token: Anatomy) -> bool:
    return client_of(token.claims) is None and not scopes_of(token.claims) and "sub" in token.claims


def _is_of_application(token: Anatomy) -> bool:
    kind = token.claims.get("idtyp")
    return is_application(kind if isinstance(kind, str) else None, scopes_of(token.claims))


_KINDS: Final[tuple[tuple[Callable[[Anatomy], bool], str], ...]] = (
    (_is_session, "encrypted value, as the session cookies of this package are"),
    (lambda token: token.is_encrypted, "encrypted token (JWE)"),
    (lambda token: not token.claims, "token whose payload cannot be read"),
    (
        lambda token: token.header.get("typ") == GATEWAY_IDENTITY,
        "identity, signed by a gateway for a backend",
    ),
    (lambda token: "events" in token.claims, "logout token"),
    (_is_graph, "access token for Microsoft Graph"),
    (_is_client_assertion, "client assertion, by which an application proves itself to Entra"),
    (_is_id_token, "ID token"),
    (_is_of_application, "access token of an application (no person behind it)"),
    (lambda _: True, "access token of a person (delegated)"),
)
