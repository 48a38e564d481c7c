"""The endpoints of Entra and Microsoft Graph in each cloud, and the tenant there. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from camunda_entra_fastapi.cli.register.desired import check_url

ORGANIZATIONS: Final = "organizations"
"""The tenant of a sign-in with any work or school account (Learn: authority URLs)."""

_TENANT: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


class Cloud(StrEnum):
    """The cloud that the tenant is in (Learn: national clouds)."""

    PUBLIC = "public"
    USGOV = "usgov"
    DOD = "dod"
    CHINA = "china"


@dataclass(frozen=True, slots=True)
class CloudEndpoints:
    """The endpoints of a cloud.

    Attributes:
        authority: Entra's URL.
        graph: Microsoft Graph's URL.
        scope: Graph's URL in scopes. The emulator's Graph has the public cloud's there.
        az: What the Azure CLI calls the cloud.
        terraform: What the Terraform provider calls the cloud.
    """

    authority: str
    graph: str
    scope: str
    az: str = "AzureCloud"
    terraform: str = "global"


_PUBLIC_GRAPH: Final = "https://graph.microsoft.com"
_US: Final = "https://login.microsoftonline.us"
_GOV: Final = "https://graph.microsoft.us"
_DOD: Final = "https://dod-graph.microsoft.us"
_CHINA: Final = "https://microsoftgraph.chinacloudapi.cn"
_CLOUDS: Final = {
    Cloud.PUBLIC: CloudEndpoints("https://login.microsoftonline.com", _PUBLIC_GRAPH, _PUBLIC_GRAPH),
    Cloud.USGOV: CloudEndpoints(_US, _GOV, _GOV, "AzureUSGovernment", "usgovernment"),
    Cloud.DOD: CloudEndpoints(_US, _DOD, _DOD, "AzureUSGovernment", "dod"),
    Cloud.CHINA: CloudEndpoints(
        "https://login.partner.microsoftonline.cn", _CHINA, _CHINA, "AzureChinaCloud", "china"
    ),
}


def endpoints_of(cloud: Cloud, *, emulator: str, authority: str, graph: str) -> CloudEndpoints:
    """The endpoints that the options name. URLs take precedence over the cloud.

    Raises:
        ValueError: An option is wrong; the message begins with its name.
    """
    if emulator:
        if authority or graph:
            raise ValueError("--emulator stands for --authority and --graph. Give it alone.")
        local = check_url("--emulator", emulator.rstrip("/"), "http://127.0.0.1:8400")
        return CloudEndpoints(local, local, _PUBLIC_GRAPH)
    if not authority and not graph:
        return _CLOUDS[cloud]
    if not authority or not graph:
        missing = "--graph" if authority else "--authority"
        raise ValueError(f"{missing} is missing. Give --authority and --graph together, or use --cloud.")
    entra = check_url("--authority", authority.rstrip("/"), "https://login.microsoftonline.com")
    graph_url = check_url("--graph", graph.rstrip("/"), _PUBLIC_GRAPH)
    return CloudEndpoints(entra, graph_url, graph_url)


def check_tenant(tenant: str) -> str:
    """Check that the tenant is an ID or a domain.

    Raises:
        ValueError: It is neither, so that it could mean something else in a URL.
    """
    if not _TENANT.fullmatch(tenant):
        raise ValueError(
            "--tenant must be the Directory (tenant) ID or a domain of the tenant, "
            "for example contoso.onmicrosoft.com."
        )
    return tenant
