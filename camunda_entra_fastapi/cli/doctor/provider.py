"""The provider: its hosts, its discovery document, its keys, its clock."""

import re
from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from camunda_entra_fastapi.cli.doctor.connection_errors import Unreachable
from camunda_entra_fastapi.cli.doctor.context import DoctorContext, refused, skipped, unreachable, wrong
from camunda_entra_fastapi.cli.doctor.probe import ProbeResponse
from camunda_entra_fastapi.cli.findings import Finding, State, printable
from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.remote.aadsts import read_refusal
from camunda_entra_fastapi.remote.discovery import read_discovery
from camunda_entra_fastapi.runtime import provider_of
from camunda_entra_fastapi.untrusted_json import parse_object
from camunda_entra_fastapi.validation.keys import parse_keys
from camunda_entra_fastapi.validation.policy import TENANT_PLACEHOLDER

_OK: Final = 200
_NOTABLE_SKEW: Final = 2.0
"""Seconds of difference from which on there is a note. The Date header has whole seconds."""
_PORTS: Final = {"https": 443, "http": 80}
_HTML: Final = re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE)


async def dns(context: DoctorContext) -> AsyncIterator[Finding]:
    """The hosts of issuer and backend URL have addresses."""
    settings = context.settings
    urls = dict.fromkeys((settings.issuer_backend_url, settings.issuer.replace(TENANT_PLACEHOLDER, "common")))
    for url in urls:
        parts = urlsplit(url)
        host, is_backend = parts.hostname or "", url == settings.issuer_backend_url
        if proxy := context.probe.proxy_for(url):
            yield Finding("DNS", State.OK, f"{host} is left to the proxy {proxy}")
            continue
        try:
            addresses = await context.probe.addresses(host, parts.port or _PORTS[parts.scheme])
        except Unreachable as problem:
            context.is_backend_known = context.is_backend_known and not is_backend
            # Browsers need the issuer; the service itself may do without, where it has a backend URL.
            yield unreachable("DNS", problem, State.WRONG if is_backend else State.NOTE)
        else:
            more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
            yield Finding("DNS", State.OK, f"{host} is {addresses[0]}{more}")


async def discovery(context: DoctorContext) -> AsyncIterator[Finding]:
    """The discovery document can be fetched and names the issuer; the clocks agree."""
    provider = provider_of(context.settings)
    if not context.is_backend_known:
        yield skipped("connection", "nobody knows the host")
        return
    try:
        response = await context.probe.get(provider.discovery_url)
    except Unreachable as problem:
        yield unreachable("connection", problem)
        return
    security = response.tls or "plain http"
    yield Finding(
        "connection",
        State.OK,
        f"{urlsplit(provider.discovery_url).netloc}, {security}",
        seconds=response.seconds,
    )
    yield _clock_finding(context, response)
    members = parse_object(response.body)
    if response.status != _OK or members is None:
        yield _discovery_missing(provider.discovery_url, response, members)
        return
    try:
        context.discovery = read_discovery(members, provider)
    except FetchFailed as failure:
        actual = printable(members.get("issuer", ""))
        expected, actual = (provider.issuer, actual) if failure.code == "issuer_unexpected" else ("", "")
        yield wrong(
            "discovery",
            failure.message,
            failure.code,
            _BACKEND_URL_REMEDY,
            expected=expected,
            actual=actual,
        )
        return
    yield Finding("discovery", State.OK, f"the issuer is {provider.issuer}, to the letter")
    if context.discovery.is_local:
        yield Finding(
            "local Entra",
            State.NOTE,
            "The issuer is the local Entra, which asks for no password: whoever reaches it is anybody here.",
            "Nothing that matters may trust it: set CAMUNDA_IDENTITY_ISSUER to that of your tenant there.",
            "local_entra",
        )


async def keys(context: DoctorContext) -> AsyncIterator[Finding]:
    """The keys can be fetched, and some can verify."""
    if context.discovery is None:
        yield skipped("keys", "there is no discovery document")
        return
    url = context.discovery.jwks_uri
    try:
        response = await context.probe.get(url)
    except Unreachable as problem:
        yield unreachable("keys", problem)
        return
    members = parse_object(response.body)
    try:
        if response.status != _OK or members is None:
            raise ValueError(f"it is answered with status {response.status} and {_describe_body(response)}")
        context.keys = parse_keys(members)
    except ValueError as error:
        yield Finding(
            "keys",
            State.WRONG,
            f"The keys at {url} are of no use: {printable(error)}.",
            _BACKEND_URL_REMEDY,
            "keys",
        )
        return
    usable, skipped_count = len(context.keys.by_id), len(context.keys.skipped)
    more = f", {skipped_count} left out ({printable(context.keys.skipped[0], 80)})" if skipped_count else ""
    yield Finding(
        "keys", State.OK, f"{usable} key{'s' * (usable != 1)} to verify with{more}", seconds=response.seconds
    )


async def issuer_url(context: DoctorContext) -> AsyncIterator[Finding]:
    """The issuer's own URL answers, where the service uses a backend URL."""
    issuer = context.settings.issuer.replace(TENANT_PLACEHOLDER, "common")
    if issuer == context.settings.issuer_backend_url:
        return
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        response = await context.probe.get(url)
    except Unreachable as problem:
        yield unreachable("issuer", problem, State.NOTE)
        return
    if response.status == _OK and parse_object(response.body) is not None:
        yield Finding("issuer", State.OK, "the issuer's own address answers, too", seconds=response.seconds)
        return
    yield Finding(
        "issuer",
        State.NOTE,
        f"{url} is answered with status {response.status} and {_describe_body(response)}.",
        "Browsers sign in at the issuer's address: see that people reach it, from wherever they are.",
        "issuer_silent",
    )


_BACKEND_URL_REMEDY: Final = (
    "Correct CAMUNDA_IDENTITY_ISSUER_BACKEND_URL, or leave it out, and see that proxies pass Entra's "
    "documents on "
    "unchanged."
)


def _clock_finding(context: DoctorContext, response: ProbeResponse) -> Finding:
    """The finding about the difference of the clocks (RFC 9110, 6.6.1)."""
    try:
        server_time = parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
    except ValueError:
        return Finding("clock", State.SKIPPED, "not looked at, as the answer has no Date header")
    # The header was written somewhere in between, and cuts off fractions of a second.
    difference = context.clock() - response.seconds / 2 - server_time - 0.5
    skew = context.settings.clock_skew
    direction = "ahead of" if difference > 0 else "behind"
    message = f"This machine's clock is {abs(difference):.0f} seconds {direction} Entra's."
    remedy = "Set the clock right, for example with NTP."
    if abs(difference) > skew:
        effect = f" Tokens are good for {skew} seconds (CAMUNDA_ENTRA_CLOCK_SKEW) around their times only."
        return Finding("clock", State.WRONG, message, remedy + effect, "clock_wrong")
    if abs(difference) > _NOTABLE_SKEW:
        return Finding("clock", State.NOTE, message, remedy, "clock_off")
    return Finding("clock", State.OK, "agrees with Entra's")


def _discovery_missing(url: str, response: ProbeResponse, members: Mapping[str, Any] | None) -> Finding:
    if members is not None and isinstance(members.get("error"), str):
        return refused("discovery", read_refusal(members))
    if _OK < response.status < 400 and (target := response.headers.get("Location")):  # noqa: PLR2004 - redirects
        message = f"{url} redirects to {printable(target, 200)}, which is not followed."
    else:
        message = f"{url} is answered with status {response.status} and {_describe_body(response)}."
    return Finding("discovery", State.WRONG, message, _BACKEND_URL_REMEDY, "no_document")


def _describe_body(response: ProbeResponse) -> str:
    if parse_object(response.body) is not None:
        return "JSON"
    if _HTML.match(response.body):
        return "a web page, as from a proxy that wants somebody to sign in"
    return "something that is not JSON" if response.body else "nothing"
