"""What custom resources may say: field names, looked up in the definitions that their projects publish.

Each was compared with the CustomResourceDefinition of the version that is named, once, by hand and strictly.
A field that a sample uses and that is not here fails; whoever adds one looks it up first.
"""

from collections.abc import Iterator
from typing import Any, Final

Fields = dict[tuple[str, str], frozenset[str]]

_TARGET: Final = {"group", "kind", "name"}
_FORWARD_AUTH: Final = {
    "address",
    "addAuthCookiesToResponse",
    "authRequestHeaders",
    "authResponseHeaders",
    "authResponseHeadersRegex",
    "maxResponseBodySize",
    "preserveLocationHeader",
    "trustForwardHeader",
}


def _below(parent: str, names: set[str]) -> set[str]:
    return {parent, *(f"{parent}.{name}" for name in names)}


FIELDS: Final[Fields] = {
    # Gateway API, August 2026: config/crd/standard/gateway.networking.k8s.io_httproutes.yaml
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): frozenset(
        {"hostnames", "rules"}
        | _below("parentRefs", {"name", "namespace", "port", "sectionName"})
        | _below("rules.backendRefs", {"name", "namespace", "port", "weight"})
        | {"rules.matches", *_below("rules.matches.path", {"type", "value"})}
        | {"rules.filters", "rules.filters.type"}
        | _below("rules.filters.requestHeaderModifier", {"add", "remove", "set"})
    ),
    # Envoy Gateway 1.9: gateway.envoyproxy.io_securitypolicies.yaml
    ("gateway.envoyproxy.io/v1alpha1", "SecurityPolicy"): frozenset(
        _below("targetRefs", {*_TARGET, "sectionName"})
        | _below("extAuth", {"failOpen", "headersToExtAuth", "statusOnError", "timeout"})
        | _below("extAuth.http", {"headersToBackend", "path", "pathOverride"})
        | _below("extAuth.http.backendRefs", {"name", "namespace", "port"})
    ),
    # Istio, istio/api of July 2026: kubernetes/customresourcedefinitions.gen.yaml
    ("security.istio.io/v1", "AuthorizationPolicy"): frozenset(
        {"action", "rules", "rules.to"}
        | _below("targetRefs", _TARGET)
        | _below("provider", {"name"})
        | _below("rules.to.operation", {"hosts", "methods", "notHosts", "notMethods", "notPaths", "paths"})
    ),
    # Traefik 3.7: traefik.io_middlewares.yaml, traefik.io_ingressroutes.yaml
    ("traefik.io/v1alpha1", "Middleware"): frozenset(_below("forwardAuth", _FORWARD_AUTH)),
    ("traefik.io/v1alpha1", "IngressRoute"): frozenset(
        {"entryPoints"}
        | _below("routes", {"kind", "match", "priority"})
        | _below("routes.middlewares", {"name", "namespace"})
        | _below("routes.services", {"name", "namespace", "port"})
        | _below("tls", {"secretName"})
    ),
    # External Secrets Operator 2.9: external-secrets.io_secretstores.yaml, …_externalsecrets.yaml
    ("external-secrets.io/v1", "SecretStore"): frozenset(
        {"provider"}
        | _below("provider.azurekv", {"authType", "tenantId", "vaultUrl"})
        | _below("provider.azurekv.serviceAccountRef", {"name"})
    ),
    ("external-secrets.io/v1", "ExternalSecret"): frozenset(
        {"refreshInterval"}
        | _below("secretStoreRef", {"kind", "name"})
        | _below("target", {"name"})
        | _below("data", {"secretKey"})
        | _below("data.remoteRef", {"key"})
    ),
    # Secrets Store CSI driver 1.6; the parameters are those of the Azure provider
    ("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass"): frozenset(
        {"provider"} | _below("parameters", {"clientID", "keyvaultName", "objects", "tenantId"})
    ),
}
"""By API version and kind, the fields of ``spec``; what is in a list has the list's own path."""

MESH_FIELDS: Final = frozenset(
    {"meshConfig", *_below("meshConfig.pathNormalization", {"normalization"})}
    | _below("meshConfig.extensionProviders", {"name"})
    | _below(
        "meshConfig.extensionProviders.envoyExtAuthzHttp",
        {
            "failOpen",
            "headersToDownstreamOnAllow",
            "headersToDownstreamOnDeny",
            "headersToUpstreamOnAllow",
            "includeRequestHeadersInCheck",
            "pathPrefix",
            "port",
            "service",
            "statusOnError",
            "timeout",
        },
    )
)
"""Of Istio's ``MeshConfig``, as mesh/v1alpha1/config.proto of istio/api has it in July 2026."""


def paths_of(value: Any, parent: str = "") -> Iterator[str]:
    """The paths of all fields in it, without the numbers of lists."""
    if isinstance(value, list):
        for each in value:
            yield from paths_of(each, parent)
    elif isinstance(value, dict):
        for name, each in value.items():
            path = f"{parent}.{name}" if parent else name
            yield path
            yield from paths_of(each, path)
