"""A Camunda component's configuration examined: by itself, and then against the tenant."""

import os
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Final

from camunda_entra_fastapi.cli.doctor import application, provider
from camunda_entra_fastapi.cli.doctor.component import GUIDE, TROUBLE, Configuration, finding
from camunda_entra_fastapi.cli.doctor.component_findings import examine, redirect_uri
from camunda_entra_fastapi.cli.doctor.context import DoctorContext, Step, skipped
from camunda_entra_fastapi.cli.doctor.probe import open_probe
from camunda_entra_fastapi.cli.doctor.redirects import RedirectUri, check_redirect_uri
from camunda_entra_fastapi.cli.explain.decode import DecodedToken
from camunda_entra_fastapi.cli.findings import Finding, State, printable
from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.settings.issuers import is_multi_tenant

_STEPS: Final[tuple[tuple[str, str, Step], ...]] = (
    ("Looking up names", "issuer", provider.dns),
    ("Fetching the discovery document", "issuer", provider.discovery),
    ("Fetching the keys", "issuer", provider.keys),
    ("Asking Entra for a token", "secret", application.credential),
)
"""The steps that a component has in common with a service; the topic that each is about."""
_OURS: Final = {
    "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL": "backend",
    "CAMUNDA_IDENTITY_ISSUER": "issuer",
    "CAMUNDA_IDENTITY_CLIENT_ID": "client",
    "CAMUNDA_IDENTITY_CLIENT_SECRET": "secret",
}
"""The variables that common steps name, and what the component has in their place."""
_NAMES: Final = re.compile(rf"\b(?:{'|'.join(_OURS)})\b")


def take_variables() -> dict[str, str]:
    """The environment, out of which a component's variables are taken: they are none of this package's.

    What is left are ``CAMUNDA_ENTRA_*``, such as a proxy.
    """
    variables = dict(os.environ)
    for name in variables:
        upper = name.upper()
        if upper.startswith(("CAMUNDA_", "AZURE_")) and not upper.startswith("CAMUNDA_ENTRA_"):
            del os.environ[name]
    return variables


async def run_component(
    configuration: Configuration,
    base_url: str,
    clock: Callable[[], float],
    on_step: Callable[[str], object] = len,
) -> AsyncIterator[Finding]:
    """All findings about a component's configuration.

    Args:
        configuration: What its variables say.
        base_url: Where browsers reach it; empty where that is not known.
        clock: Seconds since 1970.
        on_step: Called with each step's title before it runs.
    """
    for each in examine(configuration):
        yield each
    try:
        settings = _settings_of(configuration)
    except SettingsError:
        yield skipped("tenant", "issuer or client ID cannot be used")
        return
    async with open_probe(settings) as probe:
        context = DoctorContext(settings, probe, clock, base_url)
        for title, topic, step in _STEPS:
            on_step(title)
            async for each in step(context):
                yield _placed(configuration, topic, each)
        yield _token(configuration, context)
        on_step("Trying the redirect URI")
        yield await _registered(configuration, context)


def _settings_of(configuration: Configuration) -> EntraSettings:
    given = {
        "issuer": configuration.value("issuer"),
        "issuer_backend_url": configuration.value("backend"),
        "client_id": configuration.value("client"),
        "client_secret": configuration.value("secret"),
        "allowed_tenants": "*" if is_multi_tenant(configuration.value("issuer")) else "",
        "allow_local_entra": True,  # no component has a setting for it
    }
    return EntraSettings(_env_file=None, type="MICROSOFT", **given)


def _placed(configuration: Configuration, topic: str, found: Finding) -> Finding:
    """The finding of a common step, with the names that the component has for what it names."""

    def named(match: re.Match[str]) -> str:
        own = _OURS[match[0]]
        return configuration.variable(own) if own in configuration.component.places else match[0]

    place = configuration.component.places[topic]
    return replace(
        found,
        message=_NAMES.sub(named, found.message),
        remedy=_NAMES.sub(named, found.remedy),
        setting=configuration.variable(topic),
        helm=place.helm,
        documentation=configuration.component.guide,
    )


def _token(configuration: Configuration, context: DoctorContext) -> Finding:
    """The version and the audience of the token that Entra gives to the component."""
    if not context.token:
        return skipped("token", "Entra gave none")
    token = DecodedToken.decode(context.token)
    version, audience = token.text("ver"), token.text("aud")
    if version != "2.0":
        return finding(
            configuration,
            "audience",
            State.WRONG,
            f"Entra issues tokens of version {version}, with another issuer and audience.",
            "In the Entra admin center, App registrations > this application > Manifest, set "
            "requestedAccessTokenVersion to 2.",
            "component_token_version",
            documentation=GUIDE,
            expected="2.0",
            actual=version,
        )
    return finding(configuration, "audience", State.OK, f"version {version}, for {printable(audience, 100)}")


async def _registered(configuration: Configuration, context: DoctorContext) -> Finding:
    uri = redirect_uri(configuration, context.base_url)
    if not uri:
        return finding(
            configuration,
            "redirect",
            State.NOTE,
            "Where browsers reach the component is not known, so its redirect URI cannot be tried.",
            f"Set {configuration.variable('redirect')}, or give the address here with --url.",
            "base_url_unknown",
        )
    if context.discovery is None:
        return skipped("redirect", "Entra's addresses are not known")
    endpoint = context.discovery.authorization_endpoint or context.settings.authorization_url
    found = await check_redirect_uri(context, endpoint, RedirectUri(uri, "signing in"))
    placed = replace(
        _placed(configuration, "redirect", found), documentation=f"{TROUBLE}#invalid-redirect_uri"
    )
    if found.state is not State.WRONG:
        return placed
    return replace(
        placed,
        message=placed.message.replace("this service", "the component"),
        remedy="In the Entra admin center, App registrations > this application > Authentication, add it "
        f"exactly so for the platform Web. If people come by another address, correct {placed.setting}.",
    )
