"""The published documents: discovery of version 2.0 and 1.0, keys, and instance discovery."""

from collections.abc import Iterable
from typing import Any, Final

from camunda_entra_fastapi.testing.directory import CONSUMERS
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError
from camunda_entra_fastapi.testing.protocol.keys import SigningKey

MARK: Final = {"local_entra": True}
"""What Entra does not have: who trusts these documents by oversight can notice it."""

TENANT_PLACEHOLDER: Final = "{tenantid}"

_MULTI_TENANT_SEGMENTS: Final = ("common", "organizations")
"""Segments that stand for several tenants, so that the document cannot name one issuer."""


def discovery(base_url: str, tenant: str, *, query: str = "") -> dict[str, Any]:
    """The version 2.0 document of a tenant ID, or of ``common``; fields and order are Entra's."""
    root = f"{base_url}/{tenant}"
    return {
        "token_endpoint": f"{root}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        "jwks_uri": f"{root}/discovery/v2.0/keys{query}",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer(base_url, tenant),
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": f"{base_url}/oidc/userinfo",
        "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{root}/oauth2/v2.0/logout",
        "claims_supported": [
            *("sub", "iss", "cloud_instance_name", "cloud_instance_host_name", "cloud_graph_host_name"),
            *("msgraph_host", "aud", "exp", "iat", "auth_time", "acr", "nonce", "preferred_username"),
            *("name", "tid", "ver", "at_hash", "c_hash", "email"),
        ],
        "kerberos_endpoint": f"{root}/kerberos",
        "tenant_region_scope": None if tenant in _MULTI_TENANT_SEGMENTS else "EU",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }


def discovery_v1(base_url: str, tenant: str, *, query: str = "") -> dict[str, Any]:
    """The version 1.0 document: other paths, and the security token service as issuer."""
    root = f"{base_url}/{tenant}"
    document = discovery(base_url, tenant, query=query)
    document |= {
        "token_endpoint": f"{root}/oauth2/token",
        "jwks_uri": f"{root}/discovery/keys{query}",
        "response_types_supported": ["code", "id_token", "code id_token", "token id_token", "token"],
        "scopes_supported": ["openid"],
        "issuer": f"https://sts.windows.net/{_issuing_tenant(tenant)}/",
        "microsoft_multi_refresh_token": True,
        "authorization_endpoint": f"{root}/oauth2/authorize",
        "device_authorization_endpoint": f"{root}/oauth2/devicecode",
        "end_session_endpoint": f"{root}/oauth2/logout",
        "check_session_iframe": f"{root}/oauth2/checksession",
        "userinfo_endpoint": f"{root}/openid/userinfo",
    }
    return document


def key_set(keys: Iterable[SigningKey], base_url: str, *, v1: bool) -> dict[str, Any]:
    """The JWK Set; in version 2.0 each key names the issuer whose tokens it signs."""
    signs_for = None if v1 else issuer(base_url, TENANT_PLACEHOLDER)
    return {"keys": [key.jwk(signs_for) for key in keys]}


def issuer(base_url: str, tenant: str) -> str:
    """The version 2.0 issuer; a template where the segment stands for several tenants."""
    return f"{base_url}/{_issuing_tenant(tenant)}/v2.0"


def _issuing_tenant(tenant: str) -> str:
    """The ID of the issuing tenant; the placeholder where the segment stands for several tenants."""
    return (
        TENANT_PLACEHOLDER
        if tenant in _MULTI_TENANT_SEGMENTS
        else CONSUMERS
        if tenant == "consumers"
        else tenant
    )


def instance_discovery(base_url: str, authorization_endpoint: str) -> dict[str, Any]:
    """Instance discovery: the hosts that share accounts and caches, which Microsoft's clients trust.

    Raises:
        AadstsError: 50049, the endpoint is on another host.
    """
    if not f"{authorization_endpoint or base_url}/".startswith(f"{base_url}/"):
        raise AadstsError(
            50049, "invalid_instance", "The authorization endpoint is on a host that is not known."
        )
    tenant = authorization_endpoint.removeprefix(base_url).strip("/").split("/", maxsplit=1)[0] or "common"
    host = base_url.partition("://")[2]
    return {
        "tenant_discovery_endpoint": f"{base_url}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }
