"""The redirect URIs to register, and whether Entra takes each, by requests with ``prompt=none``."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from camunda_entra_fastapi.cli.doctor.connection_errors import Unreachable
from camunda_entra_fastapi.cli.doctor.context import DoctorContext, refused, skipped, unreachable
from camunda_entra_fastapi.cli.doctor.probe import ProbeResponse
from camunda_entra_fastapi.cli.findings import Finding, State, printable
from camunda_entra_fastapi.errors import Refusal
from camunda_entra_fastapi.remote.aadsts import Kind, explain, read_refusal
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.sign_in.protocol import Attempt, authorization_url

BASE_URL_PLACEHOLDER: Final = "https://<host of the service>"
"""Stands for a base URL that is not known."""
DOCS_PATH: Final = "/docs/oauth2-redirect"
"""FastAPI's default."""

_AADSTS_CODE: Final = re.compile(r'(AAD(?:STS|B2C)\d{4,9})|"(?:sErrorCode|iErrorCode)"\s*:\s*"?(\d{4,9})')
_REDIRECT_STATUSES: Final = (301, 302, 303, 307, 308)
_PROMPT_NONE_ERRORS: Final = frozenset(
    {"login_required", "interaction_required", "account_selection_required"}
)
"""Errors of ``prompt=none`` that do not mean a wrong request (OpenID Connect Core, 3.1.2.6)."""


@dataclass(frozen=True, slots=True)
class RedirectUri:
    """A redirect URI to register."""

    uri: str
    purpose: str
    is_required: bool = True
    """Whether signing in fails without it."""


def redirect_uris(settings: EntraSettings, base_url: str) -> tuple[RedirectUri, ...]:
    """The redirect URIs of the service, for the platform Web."""
    base = base_url or BASE_URL_PLACEHOLDER
    uris = [
        RedirectUri(base + settings.callback_path, "signing in"),
        RedirectUri(base + DOCS_PATH, "signing in from Swagger UI", is_required=False),
        RedirectUri(
            f"{base}{settings.login_prefix}/admin-consent-callback", "admin consent", is_required=False
        ),
    ]
    if settings.post_logout_path != settings.callback_path:
        uris.append(RedirectUri(base + settings.post_logout_path, "after signing out", is_required=False))
    return tuple(uris)


def front_channel_logout_url(settings: EntraSettings, base_url: str) -> str:
    """The URL that Entra requests when a user signs out elsewhere."""
    return f"{base_url or BASE_URL_PLACEHOLDER}{settings.login_prefix}/front-channel-logout"


async def registered(context: DoctorContext) -> AsyncIterator[Finding]:
    """Entra takes each redirect URI for this application."""
    if not context.base_url:
        yield Finding(
            "redirect URI",
            State.NOTE,
            "Where browsers reach the service is not known, so no redirect URI can be tried.",
            "Set CAMUNDA_ENTRA_BASE_URL to its public root, or give it here with --url.",
            "base_url_unknown",
        )
        return
    if context.discovery is None:
        yield skipped("redirect URI", "Entra's addresses are not known")
        return
    endpoint = context.discovery.authorization_endpoint or context.settings.authorization_url
    for redirect in redirect_uris(context.settings, context.base_url):
        finding = await check_redirect_uri(context, endpoint, redirect)
        if finding.state is State.OK:
            context.registered.add(redirect.uri)
        yield finding


async def check_redirect_uri(context: DoctorContext, endpoint: str, redirect: RedirectUri) -> Finding:
    """Whether Entra takes the redirect URI for the context's application."""
    attempt = Attempt.begin("login", redirect.uri, "/", context.clock())
    settings = context.settings
    url = authorization_url(endpoint, settings.client_id, settings.scopes, attempt, {"prompt": "none"})
    try:
        response = await context.probe.get(url)
    except Unreachable as problem:
        return unreachable("redirect URI", problem, State.NOTE)
    if response.status in _REDIRECT_STATUSES:
        return _finding_of_redirect(redirect, response)
    if match := _AADSTS_CODE.search(response.text):
        description = match[1] or f"AADSTS{match[2]}"
        refusal = read_refusal({"error": "invalid_request", "error_description": description})
        if explain(refusal).kind in (Kind.SESSION, Kind.PERSON):  # it asks who somebody is
            return Finding("redirect URI", State.OK, f"{redirect.uri}: Entra shows its sign-in page")
        return _finding_of_refusal(redirect, refusal)
    if response.status != 200:  # noqa: PLR2004 - OK
        return Finding(
            "redirect URI",
            State.NOTE,
            f"Entra's sign-in page answers with status {response.status}, so nothing can be told.",
            "Try again; if it stays so, open the sign-in in a browser with camunda-entra doctor --sign-in.",
            "authorize_unclear",
        )
    return Finding("redirect URI", State.OK, f"{redirect.uri}: Entra shows its sign-in page")


def _finding_of_refusal(redirect: RedirectUri, refusal: Refusal) -> Finding:
    """The finding about a refused redirect URI; the URI is in it, also where people see no expected value."""
    expected = f"{redirect.uri} (for {redirect.purpose})"
    if redirect.is_required:
        return refused("redirect URI", refusal, expected=expected)
    finding = refused("redirect URI", refusal, State.NOTE, expected=expected)
    return replace(finding, message=f"{redirect.uri}, for {redirect.purpose}: {finding.message}")


def _finding_of_redirect(redirect: RedirectUri, response: ProbeResponse) -> Finding:
    """The finding about a redirect: Entra redirects to registered URIs only."""
    target = urlsplit(response.headers.get("Location", ""))
    if target._replace(query="", fragment="").geturl() != redirect.uri:
        return Finding(
            "redirect URI",
            State.NOTE,
            f"Entra leads on to {printable(target.netloc, 100)}, so nothing can be told.",
            "Sign in with camunda-entra doctor --sign-in, or in a browser.",
            "authorize_unclear",
        )
    parameters = dict(parse_qsl(target.query))
    refusal = read_refusal(parameters)
    is_accepted = "error" not in parameters or refusal.error in _PROMPT_NONE_ERRORS
    if is_accepted and (not refusal.code or explain(refusal).kind is not Kind.REGISTRATION):
        return Finding("redirect URI", State.OK, f"{redirect.uri} is registered")
    return refused("redirect URI", refusal, expected=redirect.uri)
