"""The issuer's URL: how it is checked, and its tenant and endpoints. Pure, no network.

The forms are from Learn: "OpenID Connect on the Microsoft identity platform", "National clouds",
"Azure AD B2C token overview" and "External ID: custom claims and issuers".
"""

import re
from itertools import takewhile
from typing import Final
from urllib.parse import SplitResult, urlsplit

from camunda_entra_fastapi.settings.urls import refuse_credentials, refuse_unsafe, split_url
from camunda_entra_fastapi.settings.values import EXAMPLE_TENANT, FUNCTION, is_placeholder
from camunda_entra_fastapi.urls import is_usable, origin_of, segments_of
from camunda_entra_fastapi.validation.entra import is_tenant_id
from camunda_entra_fastapi.validation.policy import PERSONAL_TENANT
from camunda_entra_fastapi.validation.policy import TENANT_PLACEHOLDER as ANY_TENANT

EXAMPLE_ISSUER: Final = f"https://login.microsoftonline.com/{EXAMPLE_TENANT}/v2.0"

_ENTRA_HOSTS: Final = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "login.chinacloudapi.cn",
    }
)
"""Hosts whose issuers always are ``https://<host>/<tenant>/v2.0``."""
GRAPH: Final = "https://graph.microsoft.com"
_GRAPHS: Final = {
    "login.microsoftonline.us": "https://graph.microsoft.us",
    "login.partner.microsoftonline.cn": "https://microsoftgraph.chinacloudapi.cn",
    "login.chinacloudapi.cn": "https://microsoftgraph.chinacloudapi.cn",
}
"""Microsoft Graph of the national clouds, by their sign-in host (Learn: national cloud deployments)."""
_V1_HOSTS: Final = {
    "sts.windows.net": "login.microsoftonline.com",
    "sts.chinacloudapi.cn": "login.partner.microsoftonline.cn",
}
_PERSONAL_ACCOUNTS: Final = f"https://login.microsoftonline.com/{PERSONAL_TENANT}/v2.0"
_ORGANIZATIONS: Final = "/organizations/v2.0"
_SHARED: Final = ("/common/v2.0", _ORGANIZATIONS)
_DOCUMENT: Final = "/.well-known/openid-configuration"

_CUSTOMERS: Final = (".b2clogin.com", ".ciamlogin.com")
"""Ends of the hosts of customers' tenants, unless they have a domain of their own."""
_POLICY: Final = re.compile(r"b2c_1a?_[a-z0-9_-]{1,128}", re.IGNORECASE)
"""A user flow or custom policy of B2C: their names always begin like this (Learn: user flow overview)."""
_POLICY_QUERY: Final = re.compile(rf"(?:^|&)p=({_POLICY.pattern})(?:&|$)", re.IGNORECASE)
_AFTER_POLICY: Final = frozenset({"v2.0", "oauth2", "discovery", ".well-known"})
"""Segments that stand behind tenant and policy."""


def read_issuer(value: object, *, allow_http: bool) -> str:
    """The issuer, unchanged.

    Raises:
        ValueError: It cannot be the issuer of any tenant; the message names the likely mistake.
    """
    url = _address(value, allow_http=allow_http, is_issuer=True)
    issuer = str(value)
    segments = segments_of(url.path)
    if url.hostname in _V1_HOSTS:
        raise ValueError(
            f"is the issuer of tokens of version 1.0. Set it to {_suggested_issuer(url)}; "
            "CAMUNDA_ENTRA_ACCEPT_V1_TOKENS=true lets tokens of version 1.0 in besides."
        )
    if "consumers" in segments:
        raise ValueError(
            f"names personal accounts otherwise than their tokens do. Set it to {_PERSONAL_ACCOUNTS}."
        )
    if not segments or segments == ["v2.0"]:
        raise ValueError(f"names no tenant. Write it as in {EXAMPLE_ISSUER}.")
    if url.hostname in _ENTRA_HOSTS and url.path != f"/{segments[0]}/v2.0":
        has_slash = url.path == f"/{segments[0]}/v2.0/"
        problem = (
            "ends in a slash, which Entra's tokens do not have" if has_slash else "is not as Entra writes it"
        )
        raise ValueError(f"{problem}. Set it to {_suggested_issuer(url)}.")
    if (count := issuer.count(ANY_TENANT)) and (count > 1 or ANY_TENANT not in segments):
        raise ValueError(
            f"must hold {ANY_TENANT} once, between two slashes, as in {_entra_issuer(ANY_TENANT)}."
        )
    return issuer


def read_backend_url(value: object, issuer: str | None, *, allow_http: bool) -> str:
    """The issuer's address on the back channel; the empty text stands for the issuer itself.

    Raises:
        ValueError: It is not a usable address.
    """
    if value == "":
        return (issuer or "").replace(ANY_TENANT, "common")
    _address(value, allow_http=allow_http)
    if ANY_TENANT in str(value):
        raise ValueError(f"must not hold {ANY_TENANT}. Set it to {str(value).replace(ANY_TENANT, 'common')}.")
    return str(value)


def check_tenants(tenants: tuple[str, ...], issuer: str) -> tuple[str, ...]:
    """The allowed tenants, if they fit the issuer.

    Raises:
        ValueError: The issuer is for several tenants and none are named, or it is for another one.
    """
    own = tenant_of(issuer)
    if own is None and not tenants:
        raise ValueError(
            "is not set, but CAMUNDA_IDENTITY_ISSUER is for several tenants. Set it to the IDs of those "
            f"to let in, separated by commas, for example {EXAMPLE_TENANT}, or to * for every tenant, or "
            "to function where CamundaEntra(tenant_allowed=...) decides."
        )
    named = {*tenants} - {"*", FUNCTION}
    if own is not None and named and is_tenant_id(own) and own not in named:
        raise ValueError(
            f"lacks the one tenant of CAMUNDA_IDENTITY_ISSUER, {own}. Leave it unset to let in that tenant, "
            f"or set the issuer to {_entra_issuer('organizations')} to let in others."
        )
    return tenants


def read_tenant_type(value: object, issuer: str, backend_url: str) -> str:
    """``workforce`` or ``external``; where it is not set, what issuer and backend URL tell.

    Raises:
        ValueError: It is neither, or contradicts them.
    """
    urls = (urlsplit(issuer), urlsplit(backend_url))
    is_external = any(_has_customers(url) or _has_policy(url) for url in urls)
    kind = str(value).lower() or ("external" if is_external else "workforce")
    if kind not in ("workforce", "external"):
        raise ValueError(
            "is neither external nor workforce. Give external for External ID or Azure AD B2C behind a "
            "domain of its own, workforce for a tenant of employees, or leave it unset."
        )
    if kind == "workforce" and is_external:
        raise ValueError(
            "is workforce, but CAMUNDA_IDENTITY_ISSUER or its backend URL is of External ID or Azure AD B2C. "
            "Leave it unset, or set it to external."
        )
    return kind


def is_multi_tenant(issuer: str) -> bool:
    """Whether the issuer stands for several tenants."""
    return ANY_TENANT in issuer or issuer.endswith(_SHARED)


def is_for_organizations(issuer: str) -> bool:
    """Whether the issuer stands for the tenants of all organizations, and not for personal accounts."""
    return issuer.endswith(_ORGANIZATIONS)


def tenant_of(issuer: str) -> str | None:
    """The tenant of the issuer, a GUID or a domain in lower case; None for several tenants."""
    if is_multi_tenant(issuer):
        return None
    *path, last = _without_version(segments_of(urlsplit(issuer).path))
    # A policy of B2C may follow the tenant, and a gateway's prefix may precede it.
    for is_tenant in (is_tenant_id, _is_domain):
        for segment in (*path, last):
            if is_tenant(segment):
                return segment.lower()
    return last


def template_of(issuer: str) -> str:
    """The issuer of tokens: with ``{tenantid}`` for several tenants, else unchanged."""
    for ending in _SHARED:
        if issuer.endswith(ending):
            return issuer.removesuffix(ending) + f"/{ANY_TENANT}/v2.0"
    return issuer


def endpoint_of(issuer: str, backend_url: str, name: str) -> str:
    """The URL of an endpoint for browsers: ``authorize``, ``token`` or ``logout``.

    Issuers of B2C lack the policy, which is in the backend URL only; those of External ID have a host
    that nobody signs in at. So where the backend URL is an address for browsers too, it is taken instead.
    They are a guess until Entra's document is there, which gives the true ones.
    """
    base = urlsplit(issuer.replace(ANY_TENANT, "common"))
    backend = urlsplit(backend_url)
    is_same_origin = origin_of(base) == origin_of(backend)
    if (_has_customers(base) and _has_customers(backend)) or (_has_policy(backend) and is_same_origin):
        base = backend
    path = "".join(
        f"/{segment}" for segment in (*_without_version(segments_of(base.path)), "oauth2", "v2.0", name)
    )
    return f"{base.scheme}://{base.netloc}{path}"


def admin_consent_url_of(authorization_url: str) -> str:
    """The admin consent endpoint of an authorization endpoint; it does not accept ``common`` (Learn)."""
    url = urlsplit(authorization_url)
    authority = url.path.removesuffix("/oauth2/v2.0/authorize")
    if authority.endswith("/common"):
        authority = authority.removesuffix("common") + "organizations"
    return url._replace(path=f"{authority}/v2.0/adminconsent").geturl()


def _address(value: object, *, allow_http: bool, is_issuer: bool = False) -> SplitResult:
    """The parts of an issuer's address, which may hold ``{tenantid}``."""
    text = str(value)
    if any(part != ANY_TENANT and is_placeholder(part) for part in text.split("/")):
        raise ValueError(f"still holds a placeholder. Put your tenant's ID there, as in {EXAMPLE_ISSUER}.")
    url = split_url(text.replace(ANY_TENANT, "common") if isinstance(value, str) else value, EXAMPLE_ISSUER)
    refuse_credentials(url)
    url = url._replace(path=urlsplit(text).path)
    if policy := _POLICY_QUERY.search(url.query):
        raise ValueError(_policy_problem(url, policy[1], is_issuer=is_issuer))
    if _DOCUMENT in url.path:
        stem = url._replace(path=url.path.partition(_DOCUMENT)[0], query="", fragment="")
        suggestion = (
            _suggested_issuer(stem) if stem.hostname in _ENTRA_HOSTS | _V1_HOSTS.keys() else stem.geturl()
        )
        raise ValueError(f"is the address of a document. Set it to {suggestion}.")
    refuse_unsafe(url, EXAMPLE_ISSUER, allow_http=allow_http)
    return url


def _policy_problem(url: SplitResult, policy: str, *, is_issuer: bool) -> str:
    """What is wrong with a policy of B2C in the query, and the address with it in the path."""
    segments = list(takewhile(lambda segment: segment not in _AFTER_POLICY, segments_of(url.path)))
    if policy.lower() not in map(str.lower, segments):
        segments = [*(segments or ["<name>.onmicrosoft.com"]), policy]
    address = f"{url.scheme}://{url.netloc}/{'/'.join(segments)}/v2.0"
    if not is_issuer:
        return f"has the policy in its query, where nothing can follow. Put it into the path: {address}."
    return (
        "has B2C's policy in its query, which no issuer has. "
        f"Set CAMUNDA_IDENTITY_ISSUER_BACKEND_URL to {address}, and this one to the issuer that the document "
        f"there names, as {url.scheme}://{url.netloc}/{EXAMPLE_TENANT}/v2.0/."
    )


def _has_customers(url: SplitResult) -> bool:
    """Whether the host is one of customers' tenants."""
    return (url.hostname or "").endswith(_CUSTOMERS)


def _has_policy(url: SplitResult) -> bool:
    """Whether the path has a policy of B2C."""
    return any(map(_POLICY.fullmatch, segments_of(url.path)))


def _suggested_issuer(url: SplitResult) -> str:
    """The issuer that was probably meant."""
    tenant = (segments_of(url.path) or [EXAMPLE_TENANT])[0]
    return _entra_issuer(tenant, _V1_HOSTS.get(url.hostname or "", url.hostname or ""))


def _entra_issuer(tenant: str, host: str = "login.microsoftonline.com") -> str:
    return f"https://{host}/{tenant}/v2.0"


def _without_version(segments: list[str]) -> list[str]:
    return segments[:-1] if segments[-1:] == ["v2.0"] else segments


def _is_domain(segment: str) -> bool:
    return "." in segment


def read_group_overage(value: object, issuer: str, *, allow_http: bool) -> str | None:
    """The Microsoft Graph where groups are looked up that a token cannot list; None for none.

    Raises:
        ValueError: It is neither ``refuse`` nor ``graph`` nor a usable address.
    """
    if value is None or str(value).lower() == "refuse":
        return None
    if str(value).lower() == "graph":
        return _GRAPHS.get(urlsplit(issuer).hostname or "", GRAPH)
    if not is_usable(value, allow_http=allow_http):
        raise ValueError("is neither refuse nor graph, nor an https address of Microsoft Graph.")
    return str(value).rstrip("/")


def graph_resource_of(graph_url: str) -> str:
    """The resource that scopes of that Graph begin with; for an unknown one the public Graph's."""
    return graph_url if graph_url in _GRAPHS.values() else GRAPH
