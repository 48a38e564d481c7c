"""The service: its session store, its base URL, and whether the running one has the same settings."""

from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

from camunda_entra_fastapi.cli.doctor.connection_errors import Unreachable
from camunda_entra_fastapi.cli.doctor.context import ContextClock, DoctorContext, skipped, wrong
from camunda_entra_fastapi.cli.doctor.probe import ProbeResponse
from camunda_entra_fastapi.cli.doctor.redis_store import findings_of_redis
from camunda_entra_fastapi.cli.findings import Finding, State, printable
from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.runtime import build_runtime
from camunda_entra_fastapi.sessions.workers import started_workers
from camunda_entra_fastapi.settings.cookies import is_in_domain
from camunda_entra_fastapi.settings.tenant_function import settings_without_function
from camunda_entra_fastapi.untrusted_json import parse_json
from camunda_entra_fastapi.urls import is_loopback

_FOUND: Final = 302
_NOT_FOUND: Final = 404
_UNAVAILABLE: Final = 503
_PROXY_REMEDY: Final = (
    "Set CAMUNDA_ENTRA_BASE_URL to the public root. Or let the proxy send X-Forwarded-Proto and "
    "X-Forwarded-For "
    "and the Host, and uvicorn believe it: uvicorn --proxy-headers --forwarded-allow-ips <the proxy's IP>."
)


async def session_store(context: DoctorContext) -> AsyncIterator[Finding]:
    """The session store answers."""
    setting = context.settings.session_store
    try:
        settings = settings_without_function(context.settings)  # nobody asks it here
        runtime = build_runtime(settings, context.probe.client, ContextClock(context))
    except SettingsError as error:
        yield wrong("sessions", error.problems[0], "settings_invalid")
        return
    if runtime.login_context is None:
        yield skipped("sessions", "there is no secret to seal them with, so nobody signs in with a browser")
        return
    if not context.settings.session_secret:
        yield Finding(
            "session secret",
            State.OK,
            "derived from the client secret, so that a new client secret signs everybody out",
            "To keep sessions when it changes, set "
            "CAMUNDA_ENTRA_SESSION_SECRET=<new secret>,<the client secret>.",
        )
    if setting == "cookie":
        yield Finding("sessions", State.OK, "in the browsers' cookies")
    elif setting == "memory":
        yield _finding_of_memory(started_workers(["uvicorn"]))
    else:
        async for finding in findings_of_redis(runtime.login_context.sessions.manager.store, setting):
            yield finding


async def running_service(context: DoctorContext) -> AsyncIterator[Finding]:
    """Signing in works under the base URL, and the service there has the same settings."""
    settings = context.settings
    if settings.allow_http:
        yield Finding(
            "plain http",
            State.NOTE,
            "CAMUNDA_ENTRA_ALLOW_HTTP=true lets tokens and secrets travel unencrypted.",
            "Leave it out wherever the network is not closed.",
            "http_allowed",
        )
    if not context.base_url:
        return
    base = urlsplit(context.base_url)
    domain = settings.cookie_domain
    if domain is not None and not is_in_domain(base.hostname or "", domain):
        yield Finding(
            "cookie domain",
            State.WRONG,
            f"{base.hostname} is not in CAMUNDA_ENTRA_COOKIE_DOMAIN, so browsers refuse the cookies.",
            "Set it to a domain that this host is in, or leave it out for this host alone.",
            "cookie_domain_differs",
        )
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
        response = await context.probe.get(f"{context.base_url}{settings.login_prefix}/login")
    except Unreachable as problem:
        yield Finding("service", State.SKIPPED, f"not looked at, as it is not there: {problem.cause}")
        return
    yield _finding_of_login(context, response)


def _finding_of_memory(workers: int) -> Finding:
    """The finding about sessions in memory.

    Args:
        workers: How many processes a server starts in this environment if it is told nothing else.
    """
    several = f" In this environment uvicorn starts {workers}." if workers > 1 else ""
    return Finding(
        "sessions",
        State.NOTE,
        "Sessions are in the memory of one process: a restart ends them, and several workers share none."
        + several,
        "For more than one process, set CAMUNDA_ENTRA_SESSION_STORE to cookie or to a Redis.",
        "memory_store",
    )


def _finding_of_login(context: DoctorContext, response: ProbeResponse) -> Finding:
    """The finding about the running service's login page."""
    target = urlsplit(response.headers.get("Location", ""))
    parameters = {name: values[0] for name, values in parse_qs(target.query).items()}
    expected = context.base_url + context.settings.callback_path
    if response.status == _FOUND and "client_id" in parameters and "redirect_uri" in parameters:
        return _finding_of_redirect(context, parameters, expected)
    login_path = f"{context.settings.login_prefix}/login"
    if response.status == _NOT_FOUND:
        return Finding(
            "service",
            State.NOTE,
            f"The service has no page {login_path}, so nobody signs in there with a browser.",
            "Call entra.install(app), or app.include_router(entra.login_router()); APIs need neither.",
            "no_login",
        )
    if response.status == _UNAVAILABLE and (message := _error_message(response)):
        return Finding(
            "service",
            State.WRONG,
            f"The service cannot sign anybody in: {printable(message, 300)}",
            "Look above for what is wrong here; else run this where the service runs.",
            "service_unavailable",
        )
    return Finding(
        "service",
        State.WRONG,
        f"{login_path} is answered with status {response.status} instead of the way to Entra.",
        "See that the address is this service's, and that a proxy in front passes the path on unchanged.",
        "service_strange",
    )


def _finding_of_redirect(context: DoctorContext, parameters: dict[str, str], expected: str) -> Finding:
    redirect_uri, client_id = parameters["redirect_uri"], parameters["client_id"]
    if client_id != context.settings.client_id:
        return Finding(
            "service",
            State.WRONG,
            "The service that runs there has another client ID than these settings.",
            "Start it again with these settings, or give its own here with --env-file.",
            "service_differs",
            context.settings.client_id,
            printable(client_id, 100),
        )
    if redirect_uri == expected:
        return Finding("service", State.OK, f"sends browsers to Entra, and back to {expected}")
    code, remedy = "redirect_uri_differs", "Start it again with these settings, or give its own here."
    if context.settings.base_url is None:
        code, remedy = "proxy_headers", _PROXY_REMEDY
    return Finding(
        "service",
        State.WRONG,
        "The service sends another redirect URI than the one that belongs to this address.",
        remedy,
        code,
        expected,
        printable(redirect_uri, 300),
    )


def _error_message(response: ProbeResponse) -> str:
    try:
        return str(parse_json(response.body)["detail"]["message"])
    except (ValueError, LookupError, TypeError):
        return ""
