"""The context of the steps, and the findings that several of them have."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from camunda_entra_fastapi.cli.doctor.connection_errors import Unreachable
from camunda_entra_fastapi.cli.doctor.probe import Probe
from camunda_entra_fastapi.cli.findings import Finding, State, split_remedy
from camunda_entra_fastapi.errors import Refusal
from camunda_entra_fastapi.remote.aadsts import explain
from camunda_entra_fastapi.remote.discovery import Discovery
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.validation.keys import KeySet


@dataclass(slots=True)
class DoctorContext:
    """What the steps work on: the settings, and what earlier steps found.

    Attributes:
        settings: The service's settings.
        probe: Sends requests.
        clock: Seconds since 1970.
        base_url: Where browsers reach the service; empty where that is not known.
        is_backend_known: Whether the host of the backend URL has an address. True until it was looked up.
        discovery: The discovery document, once it was fetched.
        keys: The tenant's keys, once they were fetched.
        token: The application's own access token, once there is one.
        registered: The redirect URIs that Entra took.
    """

    settings: EntraSettings
    probe: Probe
    clock: Callable[[], float]
    base_url: str = ""
    is_backend_known: bool = True
    discovery: Discovery | None = None
    keys: KeySet | None = None
    token: str = field(default="", repr=False)
    registered: set[str] = field(default_factory=set)


class ContextClock:
    """The context's clock, as credentials and stores take it."""

    def __init__(self, context: DoctorContext) -> None:
        self.time = self.monotonic = context.clock


Step = Callable[[DoctorContext], AsyncIterator[Finding]]


def skipped(name: str, reason: str) -> Finding:
    """The finding of a step that was skipped."""
    return Finding(name, State.SKIPPED, f"not looked at, as {reason}")


def wrong(
    name: str, message: str, code: str, fallback: str = "", *, expected: str = "", actual: str = ""
) -> Finding:
    """The finding of an error message. The fallback is its remedy, where the message has none."""
    cause, remedy = split_remedy(message)
    return Finding(name, State.WRONG, cause, remedy or fallback, code, expected, actual)


def unreachable(name: str, problem: Unreachable, state: State = State.WRONG) -> Finding:
    """The finding of a request without a response."""
    return Finding(name, state, problem.cause, problem.remedy, problem.code)


def refused(name: str, refusal: Refusal, state: State = State.WRONG, expected: str = "") -> Finding:
    """The finding of an error response of Entra's, with the cause and the remedy of its code."""
    explanation = explain(refusal)
    code = refusal.code or refusal.error
    ids = {"Correlation ID": refusal.correlation_id, "Trace ID": refusal.trace_id, "at": refusal.timestamp}
    trace = ", ".join(f"{label} {value}" for label, value in ids.items() if value)
    cause = f"{explanation.cause.removesuffix('.')} ({code})."
    return Finding(name, state, cause, explanation.remedy, code, expected, trace=trace)
