"""The steps in their order, one after the other."""

from collections.abc import AsyncIterator, Callable
from typing import Final

from camunda_entra_fastapi.cli.doctor import application, provider, redirects, service
from camunda_entra_fastapi.cli.doctor.context import Case, Step
from camunda_entra_fastapi.cli.doctor.probe import probing
from camunda_entra_fastapi.cli.findings import Finding, State
from camunda_entra_fastapi.settings import EntraSettings

STEPS: Final[tuple[tuple[str, Step], ...]] = (
    ("Looking up names", provider.names),
    ("Fetching the discovery document", provider.document),
    ("Fetching the keys", provider.keys),
    ("Asking at the issuer's own address", provider.front),
    ("Asking Entra for a token", application.credential),
    ("Looking at the token", application.own_token),
    ("Looking at the scopes", application.scopes),
    ("Trying the redirect URIs", redirects.registered),
    ("Asking the session store", service.sessions),
    ("Asking the service", service.address),
)
"""What a person sees while it runs, and what runs. Later ones build on what earlier ones left in the case."""


def of_settings(settings: EntraSettings) -> Finding:
    """That the settings are well-formed, and whom they are about."""
    where = f"the tenant {settings.tenant}" if settings.tenant else "several tenants"
    return Finding("settings", State.OK, f"the application {settings.client_id}, for {where}")


async def examine(
    settings: EntraSettings,
    base_url: str,
    clock: Callable[[], float],
    on_step: Callable[[str], object] = len,
) -> AsyncIterator[Finding]:
    """All findings about a configuration that is well-formed.

    Args:
        settings: What it says.
        base_url: Where browsers reach the service; empty where nobody says.
        clock: Seconds since 1970.
        on_step: Told what is done next, in words.

    Raises:
        httpx.HTTPError: Never; whatever happens on the way is a finding.
    """
    yield of_settings(settings)
    async with probing(settings) as probe:
        case = Case(settings, probe, clock, base_url)
        for title, step in STEPS:
            on_step(title)
            async for finding in step(case):
                yield finding
