"""Which Entra and which Microsoft Graph, and the tenant there. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from camunda_entra_fastapi.cli.register.desired import check_url

ORGANIZATIONS: Final = "organizations"
"""Signs in whoever has an account of an organization (Learn: authority URLs)."""

_TENANT: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_ID: Final = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")


class Cloud(StrEnum):
    """Where the tenant is (Learn: national clouds)."""

    PUBLIC = "public"
    USGOV = "usgov"
    DOD = "dod"
    CHINA = "china"


@dataclass(frozen=True, slots=True)
class Where:
    """Entra and Graph.

    Attributes:
        authority: Entra's address.
        graph: Graph's address.
        scope: How scopes name Graph, which a local one goes by the public one's name for.
        az: What the Azure CLI calls the cloud.
        terraform: What the Terraform provider calls the cloud.
    """

    authority: str
    graph: str
    scope: str
    az: str = "AzureCloud"
    terraform: str = "global"


_GRAPH: Final = "https://graph.microsoft.com"
_US: Final = "https://login.microsoftonline.us"
_GOV: Final = "https://graph.microsoft.us"
_DOD: Final = "https://dod-graph.microsoft.us"
_CHINA: Final = "https://microsoftgraph.chinacloudapi.cn"
_CLOUDS: Final = {
    Cloud.PUBLIC: Where("https://login.microsoftonline.com", _GRAPH, _GRAPH),
    Cloud.USGOV: Where(_US, _GOV, _GOV, "AzureUSGovernment", "usgovernment"),
    Cloud.DOD: Where(_US, _DOD, _DOD, "AzureUSGovernment", "dod"),
    Cloud.CHINA: Where(
        "https://login.partner.microsoftonline.cn", _CHINA, _CHINA, "AzureChinaCloud", "china"
    ),
}


def where_of(cloud: Cloud, *, emulator: str, authority: str, graph: str) -> Where:
    """Entra and Graph as the options name them; addresses that are given go before the cloud.

    Raises:
        ValueError: One is wrong; the message begins with its name.
    """
    if emulator:
        if authority or graph:
            raise ValueError("--emulator stands for --authority and --graph. Give it alone.")
        local = check_url("--emulator", emulator.rstrip("/"), "http://127.0.0.1:8400")
        return Where(local, local, _GRAPH)
    if not authority and not graph:
        return _CLOUDS[cloud]
    if not authority or not graph:
        missing = "--graph" if authority else "--authority"
        raise ValueError(f"{missing} is missing. Give --authority and --graph together, or use --cloud.")
    entra = check_url("--authority", authority.rstrip("/"), "https://login.microsoftonline.com")
    api = check_url("--graph", graph.rstrip("/"), _GRAPH)
    return Where(entra, api, api)


def check_tenant(tenant: str) -> str:
    """The tenant, by ID or by domain.

    Raises:
        ValueError: It is neither, and would mean something else in a URL.
    """
    if not _TENANT.fullmatch(tenant):
        raise ValueError(
            "--tenant must be the Directory (tenant) ID or a domain of the tenant, "
            "for example contoso.onmicrosoft.com."
        )
    return tenant


def is_tenant_id(tenant: str) -> bool:
    """Whether it is an ID, and no domain, which issuers never name."""
    return _ID.fullmatch(tenant) is not None
