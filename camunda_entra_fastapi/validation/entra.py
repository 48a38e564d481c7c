"""Entra's own rules: tenants in issuers, v1.0 and Graph tokens, applications, guests.

The facts are from Learn: "Access tokens in the Microsoft identity platform", "Access token claims
reference", "Optional claims reference" and "Secure applications and APIs by validating claims".
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from camunda_entra_fastapi.errors import AccessDenied, InvalidToken, quoted
from camunda_entra_fastapi.remedies import PERSONAL_ACCOUNT
from camunda_entra_fastapi.validation.claims import audiences_of, text_of
from camunda_entra_fastapi.validation.policy import PERSONAL_TENANT, TENANT_PLACEHOLDER, Policy

Claims = Mapping[str, Any]

GRAPH_AUDIENCES: Final = frozenset(
    {
        "00000003-0000-0000-c000-000000000000",
        "https://graph.microsoft.com",
        "https://graph.microsoft.com/",
        "https://graph.microsoft.us",
        "https://graph.microsoft.us/",
        "https://dod-graph.microsoft.us",
        "https://dod-graph.microsoft.us/",
        "https://microsoftgraph.chinacloudapi.cn",
        "https://microsoftgraph.chinacloudapi.cn/",
        "00000002-0000-0000-c000-000000000000",
        "https://graph.windows.net",
        "https://graph.windows.net/",
    }
)
"""Microsoft Graph in its clouds, and Azure AD Graph before it."""

PERSONAL_CLAIMS: Final = (
    *("name", "preferred_username", "unique_name", "upn", "given_name", "family_name", "email", "emails"),
    *("auth_time", "nonce", "tfp"),
)
"""Claims that only people's tokens have; the last three those of B2C, of a sign-in by a user flow."""

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_CHINA_ISSUER = re.compile(r"https://login\.(?:partner\.microsoftonline|chinacloudapi)\.cn/")
_CUSTOMER_ISSUER = re.compile(r"https://[^/]+\.(?:b2clogin|ciamlogin)\.com/")


def v1_issuer_of(issuer: str, tenant: str | None) -> str | None:
    """The issuer of the v1.0 tokens that go with a v2.0 issuer (Learn: national clouds).

    ``tenant`` is the GUID, or None for all tenants. Customers' tenants have no v1.0 tokens.
    """
    if _CUSTOMER_ISSUER.match(issuer):
        return None
    host = "sts.chinacloudapi.cn" if _CHINA_ISSUER.match(issuer) else "sts.windows.net"
    return f"https://{host}/{tenant or TENANT_PLACEHOLDER}/"


def is_tenant_id(value: str) -> bool:
    """Whether the text is a GUID, as every tenant's ID is."""
    return _GUID.fullmatch(value) is not None


def scopes_of(claims: Claims) -> tuple[str, ...]:
    """The delegated permissions: ``scp``, a text with blanks between."""
    value = claims.get("scp")
    return tuple(value.split()) if isinstance(value, str) else ()


def texts_of(claims: Claims, name: str) -> tuple[str, ...]:
    """The texts in a list claim such as ``roles``; other members are ignored."""
    value = claims.get(name)
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def client_of(claims: Claims) -> str | None:
    """The application that asked for the token: ``azp`` in v2.0, ``appid`` in v1.0."""
    for name in ("azp", "appid"):
        value = claims.get(name)
        if isinstance(value, str) and value:
            return value
    return None


def is_application(claims: Claims, scopes: Collection[str]) -> bool:
    """Whether a token with these claims and scopes is an application's own, without a person.

    ``idtyp`` tells it where the registration asks for that claim. Else whoever has a name or has signed in is
    a person; an application's subject is its own object ID, also in B2C, which gives it scopes; and of all
    others, people have scopes, or a pairwise subject. ``roles`` does not tell it: people have roles, too.
    """
    if (kind := claims.get("idtyp")) in ("app", "user"):
        return bool(kind == "app")
    if any(claims.get(name) for name in PERSONAL_CLAIMS):
        return False
    subject, object_id = claims.get("sub"), claims.get("oid")
    if not isinstance(subject, str) or not isinstance(object_id, str):
        return not scopes
    # A federated managed identity has a path for a subject; a person's is no path.
    return subject == object_id or (not scopes and subject.startswith("/"))


def is_guest(claims: Claims, *, has_customers: bool = False) -> bool:
    """Whether the user's home is another tenant: by ``acct`` if there is one, else by ``idp``.

    Customers' tenants (B2C, External ID) have no guests: there ``idp`` is how a customer signed in. The
    issuer's host tells them, or else ``has_customers``, where they have a domain of their own.
    """
    account = claims.get("acct")
    if account in (0, 1, "0", "1") and not isinstance(account, bool):
        return int(account) == 1
    home, issuer = claims.get("idp"), claims.get("iss")
    if not isinstance(home, str) or home == issuer:
        return False
    if has_customers or _CUSTOMER_ISSUER.match(str(issuer)):
        return False
    tenant = claims.get("tid")
    return not (isinstance(tenant, str) and is_tenant_id(tenant) and tenant.lower() in home.lower())


def missing_identity(claims: Claims, *, has_customers: bool = False) -> tuple[str, ...]:
    """Which of ``oid`` and ``tid`` is missing that identify a user in every workforce tenant.

    Without them all users would be the same one (Learn: secure applications and APIs by validating claims).
    Customers' tenants (B2C, External ID) need not issue them; there ``sub`` identifies a user. B2C's tokens
    name their policy, also where its host has a domain of its own (Learn: tokens in Azure AD B2C).
    External ID's do not; ``has_customers`` says it there.
    """
    policy = claims.get("tfp") or claims.get("acr")
    if (
        has_customers
        or _CUSTOMER_ISSUER.match(str(claims.get("iss")))
        or str(policy).lower().startswith("b2c_1")
    ):
        return ()
    return tuple(name for name in ("oid", "tid") if not _is_text(claims.get(name)))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def has_group_overage(claims: Claims) -> bool:
    """Whether the user has more groups than the token lists (Learn: groups overage claim)."""
    names = claims.get("_claim_names")
    return (isinstance(names, dict) and "groups" in names) or claims.get("hasgroups") in (True, "true")


def refuse_graph(claims: Claims, policy: Policy) -> None:
    """Refuse a token for Microsoft Graph before its v1.0 issuer hides the real mistake.

    One that is for this API as well is for this API (RFC 7519, 4.1.3).

    Raises:
        InvalidToken: ``graph_token``, with the scope to request instead.
    """
    single = claims.get("aud")
    if type(single) is str and single and single not in GRAPH_AUDIENCES:  # nearly always
        return
    audiences = audiences_of(claims)
    for audience in audiences:
        if audience in GRAPH_AUDIENCES and (policy.audiences - GRAPH_AUDIENCES).isdisjoint(audiences):
            raise InvalidToken(
                "graph_token",
                f"The token's audience is {quoted(audience)}, Microsoft Graph. "
                "Request a token for this API instead, with the scope <client ID of this API>/.default; "
                "scopes without a prefix, such as User.Read, are Graph's.",
            )


def check_issuer(claims: Claims, policy: Policy, signs_for: str | None) -> None:
    """The issuer is the expected one, the tenant is allowed, and the key may sign for that issuer.

    A key may name the issuer that it signs for (``signs_for``). With several tenants it must fit, or
    the keys of personal accounts would sign for companies (Learn: access tokens, validate the issuer).

    Raises:
        InvalidToken: ``issuer_mismatch``, ``v1_token``, ``tenant_mismatch``, or for ``iss`` and
            ``tid`` ``claim_missing`` and ``claim_malformed``.
    """
    issuer = text_of(claims, "iss")
    if issuer == policy.only_v2_issuer and claims.get("tid") == policy.tenant is not None:  # nearly always
        return
    tenant = _tenant_of(claims, policy)
    expected, v1_expected = policy.issuer_of(tenant), policy.v1_issuer_of(tenant)
    if issuer == v1_expected:
        if not policy.accept_v1:
            raise InvalidToken(
                "v1_token",
                "The token is of version 1.0; this API accepts version 2.0. "
                "Set requestedAccessTokenVersion to 2 in the manifest of this API's app registration, "
                "or CAMUNDA_ENTRA_ACCEPT_V1_TOKENS=true on this service.",
            )
    elif issuer != expected:
        raise InvalidToken(
            "issuer_mismatch", f"The token's issuer is {quoted(issuer)}; this API expects {quoted(expected)}."
        )
    if policy.multi_tenant and signs_for and signs_for.replace(TENANT_PLACEHOLDER, tenant) != expected:
        raise InvalidToken(
            "issuer_mismatch", f"The token's key signs for {quoted(signs_for)}, not for {quoted(expected)}."
        )
    _check_tenant(tenant, policy)


def _tenant_of(claims: Claims, policy: Policy) -> str:
    """The ``tid``, which is required where the issuer depends on it; else the policy's tenant."""
    if policy.multi_tenant:
        tenant = text_of(claims, "tid")
        if not is_tenant_id(tenant):
            raise InvalidToken("claim_malformed", "The token's tid claim is not a tenant's GUID.")
        return tenant
    claim = claims.get("tid")
    return claim if isinstance(claim, str) else policy.tenant or ""


def _check_tenant(tenant: str, policy: Policy) -> None:
    if policy.multi_tenant:
        is_allowed = policy.lists(tenant)
        if policy.allowed_tenants is None or (policy.asks_about_tenants and not is_allowed):
            _check_account(tenant, policy)
            return
    else:
        is_allowed = policy.tenant is None or tenant.lower() == policy.tenant
    if not is_allowed:
        raise InvalidToken(
            "tenant_mismatch", f"The token's tenant {quoted(tenant)} is not let in by this API."
        )


def _check_account(tenant: str, policy: Policy) -> None:
    """Refuse personal accounts where every organization is let in.

    ``/organizations`` stands for work or school accounts (Learn: "OpenID Connect on the Microsoft identity
    platform"), but whoever has a personal one can get a token for the same API by way of ``/common``.
    """
    if policy.organizations_only and tenant.lower() == PERSONAL_TENANT:
        error = InvalidToken(
            "tenant_mismatch",
            "The token is of a personal Microsoft account; this API lets in work or school accounts only. "
            "Sign in with one of those.",
        )
        error.remedy = PERSONAL_ACCOUNT
        raise error


def check_kind(claims: Claims, policy: Policy) -> None:
    """The token is an access token, and has a scope or a role where the policy requires permissions.

    ID tokens have the same issuer and audience where one registration is both web application
    and API. Any application of a tenant gets a token without roles for any API of the tenant.

    Raises:
        InvalidToken: ``id_token``, ``app_without_permissions`` or ``person_without_permissions``.
    """
    scopes = claims.get("scp")
    if isinstance(scopes, str) and scopes and not scopes.isspace():
        return
    client = client_of(claims)
    if client is None:
        raise InvalidToken(
            "id_token", "This is an ID token, meant for the application that signs in. Send the access token."
        )
    if not policy.requires_permissions:
        return
    if texts_of(claims, "roles") or client.lower() in policy.allowed_clients:
        return
    if is_application(claims, ()):
        raise InvalidToken(
            "app_without_permissions",
            f"The application {quoted(client)} has no application permission (app role) on this API. "
            "Either grant it one in Entra, with admin consent, or name it in CAMUNDA_ENTRA_ALLOWED_CLIENTS "
            "on this service, which then lets in no client that is not named there.",
        )
    raise InvalidToken(
        "person_without_permissions",
        "The token is of a person, and has no scope (scp) of this API. Expose one in its app "
        f"registration, then request it by its full name, such as api://{policy.client_id}/access_as_user; "
        "in Azure AD B2C, the client ID alone as scope brings a token without any.",
    )


def check_admission(claims: Claims, policy: Policy) -> None:
    """The client and the kind of user are allowed.

    Raises:
        AccessDenied: ``client_not_allowed`` or ``guest_not_allowed``.
    """
    if policy.allowed_clients:
        client = client_of(claims)
        if (client or "").lower() not in policy.allowed_clients:
            caller = f"The application {quoted(client)}" if client else "A token that names no application"
            raise AccessDenied("client_not_allowed", f"{caller} may not call this API.")
    if not policy.allow_guests and is_guest(claims, has_customers=policy.has_customers):
        raise AccessDenied("guest_not_allowed", "Guest users of the tenant may not call this API.")
