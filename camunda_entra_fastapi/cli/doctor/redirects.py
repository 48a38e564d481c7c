"""The addresses that must be registered, and what Entra's sign-in page says to each without a person."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from camunda_entra_fastapi.cli.doctor.context import Case, refused, skipped, unreachable
from camunda_entra_fastapi.cli.doctor.probe import Seen, Unreachable
from camunda_entra_fastapi.cli.findings import Finding, State, printable
from camunda_entra_fastapi.remote.aadsts import Kind, explain, read_refusal
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.sign_in.protocol import Attempt, authorization_url

PLACE: Final = "https://<host of the service>"
"""Stands for the base URL where nobody says it."""
DOCS: Final = "/docs/oauth2-redirect"
"""FastAPI's default."""

_CODE: Final = re.compile(r'AADSTS(\d{4,9})|"(?:sErrorCode|iErrorCode)"\s*:\s*"?(\d{4,9})')
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_SILENT: Final = frozenset({"login_required", "interaction_required", "account_selection_required"})
"""The answers to prompt=none where nobody is signed in and all is well (OpenID Connect Core, 3.1.2.6)."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """An address to register."""

    uri: str
    purpose: str
    is_needed: bool = True
    """Whether something of ours fails without it, beyond the purpose."""


def redirects(settings: EntraSettings, base_url: str) -> tuple[Redirect, ...]:
    """The redirect URIs of the service, for the platform Web."""
    base = base_url or PLACE
    found = [
        Redirect(base + settings.callback_path, "signing in"),
        Redirect(base + DOCS, "signing in from the docs page", is_needed=False),
        Redirect(f"{base}{settings.login_prefix}/admin-consent-callback", "admin consent", is_needed=False),
    ]
    if settings.post_logout_path != settings.callback_path:
        found.append(Redirect(base + settings.post_logout_path, "after signing out", is_needed=False))
    return tuple(found)


def front_channel_logout_url(settings: EntraSettings, base_url: str) -> str:
    """What Entra calls when somebody signs out elsewhere."""
    return f"{base_url or PLACE}{settings.login_prefix}/front-channel-logout"


async def registered(case: Case) -> AsyncIterator[Finding]:
    """Entra's sign-in page takes each redirect URI from this application."""
    if not case.base_url:
        yield Finding(
            "redirect URI",
            State.NOTE,
            "Where browsers reach the service is not known, so no redirect URI can be tried.",
            "Set CAMUNDA_ENTRA_BASE_URL to its public root, or give it here with --url.",
            "base_url_unknown",
        )
        return
    if case.discovery is None:
        yield skipped("redirect URI", "Entra's addresses are not known")
        return
    endpoint = case.discovery.authorization_endpoint or case.settings.authorization_url
    for redirect in redirects(case.settings, case.base_url):
        yield await _try(case, endpoint, redirect)


async def _try(case: Case, endpoint: str, redirect: Redirect) -> Finding:
    attempt = Attempt.begin("login", redirect.uri, "/", case.clock())
    settings = case.settings
    url = authorization_url(endpoint, settings.client_id, settings.scopes, attempt, {"prompt": "none"})
    try:
        seen = await case.probe.get(url)
    except Unreachable as problem:
        return unreachable("redirect URI", problem, State.NOTE)
    if seen.status in _REDIRECTS:
        return _of_redirect(redirect, seen)
    if found := _CODE.search(seen.text):
        description = f"AADSTS{found[1] or found[2]}:"
        refusal = read_refusal({"error": "invalid_request", "error_description": description})
        if explain(refusal).kind in (Kind.SESSION, Kind.PERSON):  # it asks who somebody is
            return Finding("redirect URI", State.OK, f"{redirect.uri}: Entra shows its sign-in page")
        state = State.WRONG if redirect.is_needed else State.NOTE
        return refused("redirect URI", refusal, state, expected=f"{redirect.uri} (for {redirect.purpose})")
    if seen.status != 200:  # noqa: PLR2004 - OK
        return Finding(
            "redirect URI",
            State.NOTE,
            f"Entra's sign-in page answers with status {seen.status}, so nothing can be told.",
            "Try again; if it stays so, open the sign-in in a browser with camunda-entra doctor --sign-in.",
            "authorize_unclear",
        )
    return Finding("redirect URI", State.OK, f"{redirect.uri}: Entra shows its sign-in page")


def _of_redirect(redirect: Redirect, seen: Seen) -> Finding:
    """Entra sends browsers to no address but one that is registered."""
    target = urlsplit(seen.headers.get("Location", ""))
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
    is_well = "error" not in parameters or refusal.error in _SILENT
    if is_well and (not refusal.aadsts or explain(refusal).kind is not Kind.REGISTRATION):
        return Finding("redirect URI", State.OK, f"{redirect.uri} is registered")
    return refused("redirect URI", refusal, expected=redirect.uri)
