"""Entra's OpenID discovery document: its issuer, and the other endpoints.

Browsers and this service may reach Entra under different addresses. The document has
addresses for browsers; those for this service's own requests are rebased onto the back-channel URL.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from camunda_entra_fastapi.errors import FetchFailed, quoted
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.urls import is_loopback, is_usable, origin_of, segments_of

_WELL_KNOWN = "/.well-known/openid-configuration"
_LOCAL_MARK: Final = "local_entra"
"""The member that the local Entra has in its documents. It helps against oversight, and against nobody."""
_V1_ISSUERS: Final = ("https://sts.windows.net/", "https://sts.chinacloudapi.cn/")


@dataclass(frozen=True, slots=True)
class Discovery:
    """The endpoints of a document that was checked."""

    jwks_uri: str
    """The key set, on the back channel."""
    token_endpoint: str | None
    """The token endpoint, on the back channel."""
    authorization_endpoint: str | None
    """The authorization endpoint, for browsers."""
    end_session_endpoint: str | None
    """The end session endpoint, for browsers."""
    names_issuer_in_responses: bool = False
    """Whether all authorization responses name their issuer, as ``iss`` (RFC 9207, 3)."""
    browser_token_endpoint: str | None = None
    """The token endpoint, for pages in browsers; also the audience of client assertions."""
    is_local: bool = False
    """Whether it is the local Entra's, which lets everybody be anybody."""


@dataclass(frozen=True, slots=True)
class Provider:
    """The identity provider of the settings.

    Attributes:
        issuer: The issuer that the document must have; may hold ``{tenantid}``.
        backend_url: The issuer's address on the back channel.
        appid: The client ID, where the application has signing keys of its own.
        allow_http: Whether plain http is accepted beyond this machine.
        allow_local: Whether the local Entra is accepted beyond this machine.
    """

    issuer: str
    backend_url: str
    appid: str | None = None
    allow_http: bool = False
    allow_local: bool = False

    @property
    def discovery_url(self) -> str:
        """The document's address (OpenID Connect Discovery 1.0, 4)."""
        query = f"?{urlencode({'appid': self.appid})}" if self.appid else ""
        return self.backend_url.rstrip("/") + _WELL_KNOWN + query


async def fetch_discovery(http: EntraHttp, provider: Provider) -> Discovery:
    """The endpoints of the provider, from its document.

    Raises:
        FetchFailed: It cannot be fetched, or ``read_discovery`` refuses it.
    """
    return read_discovery(await http.get_json(provider.discovery_url), provider)


def read_discovery(document: Mapping[str, Any], provider: Provider) -> Discovery:
    """The endpoints in the provider's document, which is checked.

    Raises:
        FetchFailed: It names another issuer (``issuer_unexpected``; OpenID Connect Discovery 1.0,
            4.3), is not meant (``local_entra``), has no ``jwks_uri``, or an endpoint that is no URL
            or not encrypted.
    """
    issuer = document.get("issuer")
    if issuer != provider.issuer:
        remedy = _issuer_remedy(issuer, provider.issuer)
        raise FetchFailed(
            f"Entra's discovery document is of the issuer {quoted(issuer, 200)}, "
            f"but CAMUNDA_IDENTITY_ISSUER stands for {quoted(provider.issuer, 200)}. {remedy}",
            "issuer_unexpected",
        )
    is_local = check_meant(document, provider)
    jwks_uri = _endpoint(document, "jwks_uri", provider)
    if jwks_uri is None:
        raise FetchFailed(f"The discovery document at {provider.discovery_url} has no jwks_uri.")
    token_endpoint = _endpoint(document, "token_endpoint", provider)
    return Discovery(
        jwks_uri=rebase(jwks_uri, provider.issuer, provider.backend_url),
        token_endpoint=token_endpoint and rebase(token_endpoint, provider.issuer, provider.backend_url),
        authorization_endpoint=_endpoint(document, "authorization_endpoint", provider),
        end_session_endpoint=_endpoint(document, "end_session_endpoint", provider),
        names_issuer_in_responses=document.get("authorization_response_iss_parameter_supported") is True,
        browser_token_endpoint=token_endpoint,
        is_local=is_local,
    )


def _issuer_remedy(found: object, expected: str) -> str:
    """What to change where the document is of another issuer than the settings name."""
    if isinstance(found, str) and found.startswith(_V1_ISSUERS):
        return (
            "It is the document of version 1.0: "
            "end CAMUNDA_IDENTITY_ISSUER and CAMUNDA_IDENTITY_ISSUER_BACKEND_URL with /v2.0."
        )
    domains = [segment for segment in segments_of(urlsplit(expected).path)[:1] if "." in segment]
    if domains and isinstance(found, str) and origin_of(urlsplit(found)) == origin_of(urlsplit(expected)):
        return (
            f"{_bare(domains[0])} is a domain, and tokens name the tenant by its ID: "
            f"set CAMUNDA_IDENTITY_ISSUER to {_bare(found)}."
        )
    return (
        "The two must be equal to the letter: set CAMUNDA_IDENTITY_ISSUER to the one of the document "
        "if that is your tenant, else correct CAMUNDA_IDENTITY_ISSUER_BACKEND_URL."
    )


def _bare(value: str) -> str:
    """The value, printable and short, without quotation marks: ``doctor`` tells sentences apart by them."""
    return quoted(value, 200)[1:-1]


def check_meant(document: Mapping[str, Any], provider: Provider) -> bool:
    """Whether a document is the local Entra's, which on this machine, and where a setting says so, is meant.

    Raises:
        FetchFailed: It is, and nothing says that it is meant (``local_entra``).
    """
    if document.get(_LOCAL_MARK) is not True:
        return False
    host = urlsplit(provider.issuer).hostname or ""
    if not (provider.allow_local or is_loopback(host)):
        raise FetchFailed(
            f"The issuer in CAMUNDA_IDENTITY_ISSUER, at {host}, is the local Entra, which asks for no "
            "password and lets everybody be anybody. Set CAMUNDA_IDENTITY_ISSUER to that of your tenant, for "
            "example https://login.microsoftonline.com/<tenant ID>/v2.0. Where the local Entra is meant, as "
            "in a test, say so: CAMUNDA_ENTRA_ALLOW_LOCAL_ENTRA=true.",
            "local_entra",
        )
    return True


def rebase(endpoint: str, issuer: str, backend_url: str) -> str:
    """The endpoint's address on the back channel, if it has the issuer's origin.

    The paths of issuer and backend URL end alike; what precedes the common end is replaced.
    From issuer ``https://sso/T/v2.0`` to backend ``http://proxy:8080/entra/T/v2.0`` the endpoint
    ``https://sso/T/discovery/v2.0/keys`` becomes ``http://proxy:8080/entra/T/discovery/v2.0/keys``.
    """
    target, public, backend = urlsplit(endpoint), urlsplit(issuer), urlsplit(backend_url)
    public_root, backend_root = _roots(segments_of(public.path), segments_of(backend.path))
    is_prefixed = backend_root and not public_root
    if origin_of(target) != origin_of(public) or (
        origin_of(backend) == origin_of(public) and not is_prefixed
    ):
        return endpoint
    path = segments_of(target.path)
    if shared := _overlap(backend_root, path):
        path = [*backend_root[:-shared], *path]
    elif _alike(path[: len(public_root)], public_root):
        path = [*backend_root, *path[len(public_root) :]]
    return backend._replace(path="/" + "/".join(path), query=target.query).geturl()


def _overlap(root: list[str], path: list[str]) -> int:
    """The number of segments at the root's end that the path begins with.

    B2C's endpoints go on from the back channel's path (tenant and policy), not from the issuer's,
    and have the policy in lower case.
    """
    end, begin = [segment.lower() for segment in root], [segment.lower() for segment in path]
    sizes = range(min(len(end), len(begin)), 0, -1)
    return next((size for size in sizes if end[-size:] == begin[:size]), 0)


def _roots(public: list[str], backend: list[str]) -> tuple[list[str], list[str]]:
    """Both paths without the segments of their common end."""
    same = 0
    while same < min(len(public), len(backend)) and _alike([backend[-same - 1]], [public[-same - 1]]):
        same += 1
    return public[: len(public) - same], backend[: len(backend) - same]


def _alike(path: list[str], pattern: list[str]) -> bool:
    """Whether they are equal segment by segment; ``{tenantid}`` in the pattern stands for any."""
    return len(path) == len(pattern) and all(
        expected in (actual, "{tenantid}") for actual, expected in zip(path, pattern, strict=True)
    )


def _endpoint(document: Mapping[str, Any], name: str, provider: Provider) -> str | None:
    """An endpoint of the document, with a usable scheme and host; None if it is not there."""
    value = document.get(name)
    if value is None:
        return None
    if not is_usable(value, allow_http=provider.allow_http):
        raise FetchFailed(
            f"The discovery document at {provider.discovery_url} gives {name} as {quoted(value, 200)}, "
            "which is not an https URL. Plain http needs CAMUNDA_ENTRA_ALLOW_HTTP=true."
        )
    return str(value)
