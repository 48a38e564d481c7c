"""Entra as the settings name it: its address, its document, its keys, its clock."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from camunda_entra_fastapi.cli.doctor.context import Case, refused, skipped, unreachable
from camunda_entra_fastapi.cli.doctor.probe import Seen, Unreachable
from camunda_entra_fastapi.cli.findings import Finding, State, printable, split_remedy
from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.remote.aadsts import read_refusal
from camunda_entra_fastapi.remote.discovery import read_discovery
from camunda_entra_fastapi.runtime import provider_of
from camunda_entra_fastapi.validation.keys import parse_keys
from camunda_entra_fastapi.validation.policy import TENANT_PLACEHOLDER

_OK: Final = 200
_NOTABLE: Final = 2.0
"""Seconds of difference that are told. Entra's header has whole ones."""
_PORTS: Final = {"https": 443, "http": 80}
_PAGE: Final = re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE)


async def names(case: Case) -> AsyncIterator[Finding]:
    """The hosts of issuer and backend URL have addresses."""
    settings = case.settings
    urls = dict.fromkeys((settings.issuer_backend_url, settings.issuer.replace(TENANT_PLACEHOLDER, "common")))
    for url in urls:
        parts = urlsplit(url)
        host, is_backend = parts.hostname or "", url == settings.issuer_backend_url
        if proxy := case.probe.proxy_for(url):
            yield Finding("DNS", State.OK, f"{host} is left to the proxy {proxy}")
            continue
        try:
            addresses = await case.probe.addresses(host, parts.port or _PORTS[parts.scheme])
        except Unreachable as problem:
            case.is_known = case.is_known and not is_backend
            # Browsers need the issuer; the service itself may do without, where it has a backend URL.
            yield unreachable("DNS", problem, State.WRONG if is_backend else State.NOTE)
        else:
            more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
            yield Finding("DNS", State.OK, f"{host} is {addresses[0]}{more}")


async def document(case: Case) -> AsyncIterator[Finding]:
    """The discovery document can be had, and is the issuer's own; and the clocks agree."""
    provider = provider_of(case.settings)
    if not case.is_known:
        yield skipped("connection", "nobody knows the host")
        return
    try:
        seen = await case.probe.get(provider.discovery_url)
    except Unreachable as problem:
        yield unreachable("connection", problem)
        return
    way = seen.tls or "plain http"
    yield Finding(
        "connection", State.OK, f"{urlsplit(provider.discovery_url).netloc}, {way}", seconds=seen.seconds
    )
    yield _clock(case, seen)
    members = _object(seen)
    if seen.status != _OK or members is None:
        yield _no_document(provider.discovery_url, seen, members)
        return
    try:
        case.discovery = read_discovery(members, provider)
    except FetchFailed as failure:
        cause, remedy = split_remedy(failure.message)
        own = printable(members.get("issuer", ""))
        values = (provider.issuer, own) if failure.code == "issuer_unexpected" else ("", "")
        yield Finding("discovery", State.WRONG, cause, remedy or _ADDRESS, failure.code, *values)
        return
    yield Finding("discovery", State.OK, f"the issuer is {provider.issuer}, to the letter")


async def keys(case: Case) -> AsyncIterator[Finding]:
    """The keys can be had, and some can verify."""
    if case.discovery is None:
        yield skipped("keys", "there is no discovery document")
        return
    url = case.discovery.jwks_uri
    try:
        seen = await case.probe.get(url)
    except Unreachable as problem:
        yield unreachable("keys", problem)
        return
    members = _object(seen)
    try:
        if seen.status != _OK or members is None:
            raise ValueError(f"it is answered with status {seen.status} and {_form(seen)}")
        case.keys = parse_keys(members)
    except ValueError as error:
        yield Finding(
            "keys", State.WRONG, f"The keys at {url} are of no use: {printable(error)}.", _ADDRESS, "keys"
        )
        return
    count, left_out = len(case.keys.by_id), len(case.keys.skipped)
    more = f", {left_out} left out ({printable(case.keys.skipped[0], 80)})" if left_out else ""
    yield Finding(
        "keys", State.OK, f"{count} key{'s' * (count != 1)} to verify with{more}", seconds=seen.seconds
    )


async def front(case: Case) -> AsyncIterator[Finding]:
    """Browsers reach the issuer, where the service takes another way."""
    issuer = case.settings.issuer.replace(TENANT_PLACEHOLDER, "common")
    if issuer == case.settings.issuer_backend_url:
        return
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        seen = await case.probe.get(url)
    except Unreachable as problem:
        yield unreachable("issuer", problem, State.NOTE)
        return
    if seen.status == _OK and _object(seen) is not None:
        yield Finding("issuer", State.OK, "the issuer's own address answers, too", seconds=seen.seconds)
        return
    yield Finding(
        "issuer",
        State.NOTE,
        f"{url} is answered with status {seen.status} and {_form(seen)}.",
        "Browsers sign in at the issuer's address: see that people reach it, from wherever they are.",
        "issuer_silent",
    )


_ADDRESS: Final = (
    "Correct CAMUNDA_IDENTITY_ISSUER_BACKEND_URL, or leave it out, and see that proxies pass Entra's "
    "documents on "
    "unchanged."
)


def _clock(case: Case, seen: Seen) -> Finding:
    """How far this machine's clock is from Entra's (RFC 9110, 6.6.1)."""
    try:
        theirs = parsedate_to_datetime(seen.headers.get("Date", "")).timestamp()
    except ValueError:
        return Finding("clock", State.SKIPPED, "not looked at, as the answer has no Date header")
    # The header was written somewhere in between, and cuts off fractions of a second.
    difference = case.clock() - seen.seconds / 2 - theirs - 0.5
    skew = case.settings.clock_skew
    word = "ahead of" if difference > 0 else "behind"
    told = f"This machine's clock is {abs(difference):.0f} seconds {word} Entra's."
    remedy = "Set the clock right, for example with NTP."
    if abs(difference) > skew:
        why = f" Tokens are good for {skew} seconds (CAMUNDA_ENTRA_CLOCK_SKEW) around their times only."
        return Finding("clock", State.WRONG, told, remedy + why, "clock_wrong")
    if abs(difference) > _NOTABLE:
        return Finding("clock", State.NOTE, told, remedy, "clock_off")
    return Finding("clock", State.OK, "agrees with Entra's")


def _no_document(url: str, seen: Seen, members: Mapping[str, Any] | None) -> Finding:
    if members is not None and isinstance(members.get("error"), str):
        return refused("discovery", read_refusal(members))
    if _OK < seen.status < 400 and (target := seen.headers.get("Location")):  # noqa: PLR2004 - redirects
        told = f"{url} redirects to {printable(target, 200)}, which is not followed."
    else:
        told = f"{url} is answered with status {seen.status} and {_form(seen)}."
    return Finding("discovery", State.WRONG, told, _ADDRESS, "no_document")


def _form(seen: Seen) -> str:
    if _object(seen) is not None:
        return "JSON"
    if _PAGE.match(seen.body):
        return "a web page, as from a proxy that wants somebody to sign in"
    return "something that is not JSON" if seen.body else "nothing"


def _object(seen: Seen) -> dict[str, Any] | None:
    try:
        members = json.loads(seen.body)
    except (ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None
