"""The same call with other clients: each takes what ``client_credentials`` gives as its ``auth``."""

import httpx
import httpx2
from camunda_orchestration_sdk import CamundaClient

from camunda_entra_fastapi import CamundaEntra

SEARCH = "/v2/process-instances/search"


def with_sdk(entra: CamundaEntra, scope: str) -> list[str]:
    """Camunda's SDK without an event loop."""
    with CamundaClient(auth_provider=entra.client_credentials(scope)) as camunda:
        return [str(each.process_instance_key) for each in camunda.search_process_instances().items]


def with_httpx(entra: CamundaEntra, scope: str, address: str) -> list[str]:
    """An httpx client without an event loop."""
    with httpx.Client(base_url=address, auth=entra.client_credentials(scope)) as client:
        return keys(client.post(SEARCH, json={}).raise_for_status().json())


async def with_httpx_async(entra: CamundaEntra, scope: str, address: str) -> list[str]:
    """An httpx client with one."""
    async with httpx.AsyncClient(base_url=address, auth=entra.client_credentials(scope)) as client:
        return keys((await client.post(SEARCH, json={})).raise_for_status().json())


def with_httpx2(entra: CamundaEntra, scope: str, address: str) -> list[str]:
    """An httpx2 client without an event loop."""
    with httpx2.Client(base_url=address, auth=entra.client_credentials(scope)) as client:
        return keys(client.post(SEARCH, json={}).raise_for_status().json())


async def with_httpx2_async(entra: CamundaEntra, scope: str, address: str) -> list[str]:
    """An httpx2 client with one."""
    async with httpx2.AsyncClient(base_url=address, auth=entra.client_credentials(scope)) as client:
        return keys((await client.post(SEARCH, json={})).raise_for_status().json())


def keys(found: dict[str, list[dict[str, str]]]) -> list[str]:
    """Of the instances in an answer."""
    return [each["processInstanceKey"] for each in found["items"]]
