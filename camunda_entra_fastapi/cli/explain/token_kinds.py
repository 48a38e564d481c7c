"""The kind of a token, by its own unverified claims. Pure, and no verdict."""

import re
from collections.abc import Callable
from typing import Final

from camunda_entra_fastapi.cli.explain.decode import DecodedToken
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
from camunda_entra_fastapi.validation.policy import PERSONAL_TENANT

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


def kind_of(token: DecodedToken) -> str:
    """The kind in a few words, for example ``access token of a person``."""
    return next(name for matches, name in _KINDS if matches(token))


def details_of(token: DecodedToken, tenant: str | None, *, has_customers: bool = False) -> list[str]:
    """Further details about the token, one sentence each.

    Args:
        token: The decoded token.
        tenant: The service's tenant; None for several.
        has_customers: Whether it is a customers' tenant.
    """
    claims = token.claims
    details = [f"Its issuer is {name}." for name in [issuer_of(token)] if name]
    if token.header.get("nonce") and _is_for_graph(token):
        details.append("Its header has a nonce: only Microsoft Graph can verify such a token.")
    if token.text("tid").lower() == PERSONAL_TENANT:
        details.append("It is of a personal Microsoft account.")
    elif tenant and token.text("tid") and token.text("tid").lower() != tenant.lower():
        details.append(
            f"It is of the tenant {printable(token.text('tid'), 80)}, where this service is for {tenant}."
        )
    if client_of(claims) and scopes_of(claims) and not _is_app_only(token):
        details.append(f"The application {printable(client_of(claims), 80)} acts for a person.")
    if is_guest(claims, has_customers=has_customers):
        details.append("The person is a guest of the tenant.")
    for name, values in (
        ("scp", scopes_of(claims)),
        *((claim, texts_of(claims, claim)) for claim in _LIST_LABELS),
    ):
        if values:
            more = f" and {len(values) - _MAX_LISTED} more" if len(values) > _MAX_LISTED else ""
            details.append(f"{_LIST_LABELS[name]}: {printable(', '.join(values[:_MAX_LISTED]))}{more}.")
    if has_group_overage(claims):
        details.append("The person is in more groups than the token lists (group overage).")
    if isinstance(claims.get("cnf"), dict):
        details.append("It is bound to a key (proof of possession); as a bearer token it is refused.")
    return details


def issuer_of(token: DecodedToken) -> str:
    """The issuer's name; empty for one that is not known here."""
    return next((name for pattern, name in _ISSUERS if re.fullmatch(pattern, token.text("iss"))), "")


_LIST_LABELS: Final = {"scp": "Scopes", "roles": "Roles", "groups": "Groups", "wids": "Directory roles"}
_MAX_LISTED: Final = 10


def _is_for_graph(token: DecodedToken) -> bool:
    audience = token.claims.get("aud")
    return isinstance(audience, str) and audience in GRAPH_AUDIENCES


def _is_session_cookie(token: DecodedToken) -> bool:
    return token.is_encrypted and token.header.get("alg") == "dir"


def _is_client_assertion(token: DecodedToken) -> bool:
    issuer = token.text("iss")
    return bool(issuer) and issuer == token.text("sub") and "/" not in issuer


def _is_id_token(token: DecodedToken) -> bool:
    return client_of(token.claims) is None and not scopes_of(token.claims) and "sub" in token.claims


def _is_app_only(token: DecodedToken) -> bool:
    return is_application(token.claims, scopes_of(token.claims))


_KINDS: Final[tuple[tuple[Callable[[DecodedToken], bool], str], ...]] = (
    (_is_session_cookie, "encrypted value, as the session cookies of this package are"),
    (lambda token: token.is_encrypted, "encrypted token (JWE)"),
    (lambda token: not token.claims, "token whose payload cannot be read"),
    (
        lambda token: token.header.get("typ") == GATEWAY_IDENTITY,
        "identity, signed by a gateway for a backend",
    ),
    (lambda token: "events" in token.claims, "logout token"),
    (_is_for_graph, "access token for Microsoft Graph"),
    (_is_client_assertion, "client assertion, by which an application proves itself to Entra"),
    (_is_id_token, "ID token"),
    (_is_app_only, "access token of an application (no person behind it)"),
    (lambda _: True, "access token of a person (delegated)"),
)
