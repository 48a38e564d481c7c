"""The steps in their order, and the function that runs them."""

from collections.abc import AsyncIterator, Callable
from typing import Final

from camunda_entra_fastapi.cli.doctor import application, provider, redirects, service, service_keys
from camunda_entra_fastapi.cli.doctor.context import DoctorContext, Step
from camunda_entra_fastapi.cli.doctor.probe import open_probe
from camunda_entra_fastapi.cli.findings import Finding, State
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.settings.values import FUNCTION

STEPS: Final[tuple[tuple[str, Step], ...]] = (
    ("Looking up names", provider.dns),
    ("Fetching the discovery document", provider.discovery),
    ("Fetching the keys", provider.keys),
    ("Asking at the issuer's own address", provider.issuer_url),
    ("Asking Entra for a token", application.credential),
    ("Looking at the token", application.own_token),
    ("Looking at the scopes", application.scopes),
    ("Trying the redirect URIs", redirects.registered),
    ("Asking the session store", service.session_store),
    ("Asking the service", service.running_service),
    ("Asking the service for its keys", service_keys.service_keys),
)
"""The title of each step, and its function. Later steps use what earlier ones put into the context."""


def settings_finding(settings: EntraSettings) -> Finding:
    """The finding that the settings are well-formed, with application and tenant."""
    tenant = f"the tenant {settings.tenant}" if settings.tenant else "several tenants"
    if settings.tenant is None and FUNCTION in settings.allowed_tenants:
        tenant += ", of which its function tenant_allowed lets in some; nobody asks it here"
    return Finding("settings", State.OK, f"the application {settings.client_id}, for {tenant}")


async def run_steps(
    settings: EntraSettings,
    base_url: str,
    clock: Callable[[], float],
    on_step: Callable[[str], object] = len,
    *,
    registered: set[str],
) -> AsyncIterator[Finding]:
    """Run all steps; their findings. Every failure is a finding, none is raised.

    Args:
        settings: The service's settings.
        base_url: Where browsers reach the service; empty where that is not known.
        clock: Seconds since 1970.
        on_step: Called with each step's title before it runs.
        registered: Gets the redirect URIs that Entra takes.
    """
    yield settings_finding(settings)
    async with open_probe(settings) as probe:
        context = DoctorContext(settings, probe, clock, base_url, registered=registered)
        for title, step in STEPS:
            on_step(title)
            async for finding in step(context):
                yield finding
