"""Fetching discovery document and keys once, as the service does, with the reason where that fails."""

from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.http_library import AsyncHttpClient
from camunda_entra_fastapi.remote.discovery import fetch_discovery
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.runtime import provider_of
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.validation.keys import KeySet, parse_keys


def entra_http(settings: EntraSettings, client: AsyncHttpClient | None = None) -> EntraHttp:
    """An HTTP client with the service's deadline, proxy and certificates."""
    return EntraHttp(
        timeout=settings.http_timeout,
        proxy=settings.http_proxy,
        ca_bundle=settings.ca_bundle,
        allow_lax_certificates=settings.allow_lax_certificates,
        client=client,
    )


async def fetch_keys(http: EntraHttp, settings: EntraSettings) -> KeySet | FetchFailed:
    """Fetch the tenant's keys; the error, where that fails."""
    try:
        discovery = await fetch_discovery(http, provider_of(settings))
        return parse_keys(await http.get_json(discovery.jwks_uri))
    except FetchFailed as failure:
        return failure
    except ValueError as error:
        return FetchFailed(f"{discovery.jwks_uri} answered with unusable keys: {error}.")
