"""The service itself: where sessions are, where browsers reach it, and what it answers there."""

import json
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

from camunda_entra_fastapi.cli.doctor.context import Case, skipped
from camunda_entra_fastapi.cli.doctor.probe import Seen, Unreachable
from camunda_entra_fastapi.cli.findings import Finding, State, printable, split_remedy
from camunda_entra_fastapi.errors import SessionsUnavailable, SettingsError
from camunda_entra_fastapi.runtime import join
from camunda_entra_fastapi.settings.urls import masked
from camunda_entra_fastapi.urls import is_loopback

_FOUND: Final = 302
_NOT_FOUND: Final = 404
_UNAVAILABLE: Final = 503
_PROXY: Final = (
    "Set CAMUNDA_ENTRA_BASE_URL to the public root. Or let the proxy send X-Forwarded-Proto and "
    "X-Forwarded-For "
    "and the Host, and uvicorn believe it: uvicorn --proxy-headers --forwarded-allow-ips <the proxy's IP>."
)


class _Clock:
    def __init__(self, case: Case) -> None:
        self.time = self.monotonic = case.clock


async def sessions(case: Case) -> AsyncIterator[Finding]:
    """The session store answers."""
    setting = case.settings.session_store
    try:
        joined = join(case.settings, case.probe.client, _Clock(case))
    except SettingsError as error:
        cause, remedy = split_remedy(error.problems[0])
        yield Finding("sessions", State.WRONG, cause, remedy, "settings_invalid")
        return
    if joined.parts is None:
        yield skipped("sessions", "there is no secret to seal them with, so nobody signs in with a browser")
        return
    if setting == "cookie":
        yield Finding("sessions", State.OK, "in the browsers' cookies")
    elif setting == "memory":
        yield Finding(
            "sessions",
            State.NOTE,
            "Sessions are in the memory of one process: a restart ends them, and several workers share none.",
            "For more than one process, set CAMUNDA_ENTRA_SESSION_STORE to cookie or to a Redis.",
            "memory_store",
        )
    else:
        store = joined.parts.sessions.keeper.store
        where = urlsplit(masked(setting)).netloc.rpartition("@")[2]
        try:
            await store.check()
        except SessionsUnavailable as error:
            yield Finding(
                "sessions",
                State.WRONG,
                f"The session store at {where} does not answer: {_kind(error)}.",
                "Correct host, port, user and password in CAMUNDA_ENTRA_SESSION_STORE (rediss:// for TLS), "
                "and see that Redis runs and lets this machine in.",
                error.code,
            )
        else:
            yield Finding("sessions", State.OK, f"in the Redis at {where}, which answers")
        finally:
            await store.close()


async def address(case: Case) -> AsyncIterator[Finding]:
    """The base URL is one under which signing in works, and the service there says the same."""
    settings = case.settings
    if settings.allow_http:
        yield Finding(
            "plain http",
            State.NOTE,
            "CAMUNDA_ENTRA_ALLOW_HTTP=true lets tokens and secrets travel unencrypted.",
            "Leave it out wherever the network is not closed.",
            "http_allowed",
        )
    if not case.base_url:
        return
    base = urlsplit(case.base_url)
    if base.scheme == "http" and not is_loopback(base.hostname or ""):
        yield Finding(
            "base URL",
            State.WRONG,
            f"Browsers reach the service by plain http at {base.netloc}; Entra takes that for localhost "
            "alone.",
            "Put TLS before the service, and https into CAMUNDA_ENTRA_BASE_URL.",
            "base_url_http",
        )
        return
    try:
        seen = await case.probe.get(f"{case.base_url}{settings.login_prefix}/login")
    except Unreachable as problem:
        yield Finding("service", State.SKIPPED, f"not looked at, as it is not there: {problem.cause}")
        return
    yield _of_login(case, seen)


def _of_login(case: Case, seen: Seen) -> Finding:
    """Whether the running service sends browsers where the settings say."""
    target = urlsplit(seen.headers.get("Location", ""))
    sent = {name: values[0] for name, values in parse_qs(target.query).items()}
    expected = case.base_url + case.settings.callback_path
    if seen.status == _FOUND and "client_id" in sent and "redirect_uri" in sent:
        return _of_redirect(case, sent, expected)
    page = f"{case.settings.login_prefix}/login"
    if seen.status == _NOT_FOUND:
        return Finding(
            "service",
            State.NOTE,
            f"The service has no page {page}, so nobody signs in there with a browser.",
            "Call entra.install(app), or app.include_router(entra.login_router()); APIs need neither.",
            "no_login",
        )
    if seen.status == _UNAVAILABLE and (told := _message_in(seen)):
        return Finding(
            "service",
            State.WRONG,
            f"The service cannot sign anybody in: {printable(told, 300)}",
            "Look above for what is wrong here; else run this where the service runs.",
            "service_unavailable",
        )
    return Finding(
        "service",
        State.WRONG,
        f"{page} is answered with status {seen.status} instead of the way to Entra.",
        "See that the address is this service's, and that a proxy in front passes the path on unchanged.",
        "service_strange",
    )


def _of_redirect(case: Case, sent: dict[str, str], expected: str) -> Finding:
    redirect_uri, client_id = sent["redirect_uri"], sent["client_id"]
    if client_id != case.settings.client_id:
        return Finding(
            "service",
            State.WRONG,
            "The service that runs there has another client ID than these settings.",
            "Start it again with these settings, or give its own here with --env-file.",
            "service_differs",
            case.settings.client_id,
            printable(client_id, 100),
        )
    if redirect_uri == expected:
        return Finding("service", State.OK, f"sends browsers to Entra, and back to {expected}")
    code, remedy = "redirect_uri_differs", "Start it again with these settings, or give its own here."
    if case.settings.base_url is None:
        code, remedy = "proxy_headers", _PROXY
    return Finding(
        "service",
        State.WRONG,
        "The service sends another redirect URI than the one that belongs to this address.",
        remedy,
        code,
        expected,
        printable(redirect_uri, 300),
    )


def _kind(error: SessionsUnavailable) -> str:
    """What kind of failure it was; more is never told, as passwords may be in it."""
    return split_remedy(error.message)[0].rpartition(": ")[2].removesuffix(".")


def _message_in(seen: Seen) -> str:
    try:
        return str(json.loads(seen.body)["detail"]["message"])
    except (ValueError, LookupError, TypeError):
        return ""
