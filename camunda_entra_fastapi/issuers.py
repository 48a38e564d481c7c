"""What an issuer's URL says: whose it is, whether it can be right, and where people sign in.

The forms are those of Learn, "OpenID Connect on the Microsoft identity platform", "National
clouds", and for customers' tenants those of External ID and Azure AD B2C.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from camunda_entra_fastapi.urls import is_usable
from camunda_entra_fastapi.validation.policy import TENANT_PLACEHOLDER

EXAMPLE: Final = "https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/v2.0"
PERSONAL_ACCOUNTS: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all personal Microsoft accounts."""

_WORKFORCE_HOSTS: Final = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "login.chinacloudapi.cn",
    }
)
_V1_ISSUER = re.compile(r"https://sts\.(?:windows\.net|chinacloudapi\.cn)/([^/]+)/?")
_PLACEHOLDER = re.compile(r"[<>$]|YOUR[_-]")
_SHARED_TENANTS: Final = ("common", "organizations")


def check_url(url: str, *, allow_http: bool) -> str:
    """The URL, when it can be called and holds nothing that does not belong into a setting.

    Raises:
        ValueError: Saying what is wrong, to be read after the variable's name.
    """
    if _PLACEHOLDER.search(url):
        raise ValueError("still has a placeholder in it")
    if not is_usable(url, allow_http=allow_http):
        if is_usable(url, allow_http=True):
            raise ValueError(
                "is plain http, which is accepted on this machine only; "
                "use https, or set CAMUNDA_ENTRA_ALLOW_HTTP=true"
            )
        raise ValueError("is not an absolute https URL")
    parts = urlsplit(url)
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("has a query, a fragment or credentials in it, which do not belong there")
    if "/.well-known/" in url:
        right = url.partition("/.well-known/")[0]
        raise ValueError(f"is the address of the discovery document; leave that part out: {right}")
    return url


def check_issuer(issuer: str, *, allow_http: bool) -> str:
    """The issuer, when tokens could carry it.

    Raises:
        ValueError: Saying what is wrong, to be read after the variable's name.
    """
    if v1 := _V1_ISSUER.fullmatch(issuer):
        right = EXAMPLE.replace(EXAMPLE.split("/")[3], v1[1])
        raise ValueError(f"is the issuer of version 1.0 tokens; the one of version 2.0 is {right}")
    check_url(issuer, allow_http=allow_http)
    parts = urlsplit(issuer)
    segments = _segments(issuer)
    if issuer.count("{") != issuer.count(TENANT_PLACEHOLDER) or segments.count(TENANT_PLACEHOLDER) > 1:
        raise ValueError(f"may have one placeholder, {TENANT_PLACEHOLDER}, for the tenant")
    if parts.hostname in _WORKFORCE_HOSTS:
        origin = f"https://{parts.hostname}"
        if len(segments) == 1 or segments[1:] != ["v2.0"]:
            tenant = segments[0] if segments else "<tenant ID>"
            raise ValueError(f"does not have the form of Entra's issuers, {origin}/{tenant}/v2.0")
        if segments[0] == "consumers":
            raise ValueError(f"must name the tenant of personal accounts: {origin}/{PERSONAL_ACCOUNTS}/v2.0")
        if issuer.endswith("/"):
            raise ValueError(f"ends in a slash, which Entra's issuers do not: {issuer.rstrip('/')}")
    return issuer


def is_multi_tenant(issuer: str) -> bool:
    """Whether the issuer stands for more tenants than one."""
    segments = _segments(issuer)
    return TENANT_PLACEHOLDER in segments or (
        len(segments) > 1 and segments[-2] in _SHARED_TENANTS and segments[-1] == "v2.0"
    )


def template_of(issuer: str) -> str:
    """What ``iss`` of its tokens is, with ``{tenantid}`` for the tenant where there are several."""
    if not is_multi_tenant(issuer) or TENANT_PLACEHOLDER in issuer:
        return issuer
    head, _, _ = issuer.rpartition(f"/{_segments(issuer)[-2]}/")
    return f"{head}/{TENANT_PLACEHOLDER}/v2.0"


def tenant_of(issuer: str) -> str | None:
    """The tenant that the issuer names, by ID (in lower case) or domain; None where it stands for several."""
    if is_multi_tenant(issuer):
        return None
    segments = [segment for segment in _segments(issuer) if segment != "tfp"]
    return segments[0].lower() if segments else None


def shared_document_of(issuer: str) -> str:
    """The issuer's address for calls: as it is, or that of the documents all tenants share."""
    return issuer.replace(TENANT_PLACEHOLDER, "common")


def endpoint_for_browsers(issuer: str, backend_url: str, name: str) -> str:
    """Where people sign in (``authorize``) or clients get tokens (``token``), without asking anybody.

    B2C names the policy in the address of its documents only, so that is used where browsers reach it.
    """
    public, backend = urlsplit(shared_document_of(issuer)), urlsplit(backend_url)
    customers = str(public.hostname).endswith(".b2clogin.com")
    source = backend if customers and public.netloc == backend.netloc else public
    root = source.path.rstrip("/").removesuffix("/v2.0")
    return f"{source.scheme}://{source.netloc}{root}/oauth2/v2.0/{name}"


def _segments(url: str) -> list[str]:
    return [segment for segment in urlsplit(url).path.split("/") if segment]
