"""What is known of a configuration so far, which later steps build on."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from camunda_entra_fastapi.cli.doctor.probe import Probe, Unreachable
from camunda_entra_fastapi.cli.findings import Finding, State
from camunda_entra_fastapi.errors import Refusal
from camunda_entra_fastapi.remote.aadsts import explain
from camunda_entra_fastapi.remote.discovery import Discovery
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.validation.keys import KeySet


@dataclass(slots=True)
class Case:
    """One configuration under examination.

    Attributes:
        settings: What it says.
        probe: What asks over the network.
        clock: Seconds since 1970.
        base_url: Where browsers reach the service; empty where nobody says.
        is_known: Whether the name of the backend URL's host has an address, or nobody looked.
        discovery: Entra's document, once it is there.
        keys: Entra's keys, once they are there.
        token: The application's own token, once it is there.
    """

    settings: EntraSettings
    probe: Probe
    clock: Callable[[], float]
    base_url: str = ""
    is_known: bool = True
    discovery: Discovery | None = None
    keys: KeySet | None = None
    token: str = field(default="", repr=False)


Step = Callable[[Case], AsyncIterator[Finding]]


def skipped(name: str, why: str) -> Finding:
    """What cannot be looked at."""
    return Finding(name, State.SKIPPED, f"not looked at, as {why}")


def unreachable(name: str, problem: Unreachable, state: State = State.WRONG) -> Finding:
    """No answer came."""
    return Finding(name, state, problem.cause, problem.remedy, problem.code)


def refused(name: str, refusal: Refusal, state: State = State.WRONG, expected: str = "") -> Finding:
    """Entra said no: why, and what mends it, as the table of AADSTS codes has it."""
    explanation = explain(refusal)
    code = f"AADSTS{refusal.aadsts}" if refusal.aadsts else refusal.error
    ids = {"Correlation ID": refusal.correlation_id, "Trace ID": refusal.trace_id, "at": refusal.timestamp}
    trace = ", ".join(f"{what} {value}" for what, value in ids.items() if value)
    cause = f"{explanation.cause.removesuffix('.')} ({code})."
    return Finding(name, state, cause, explanation.remedy, code, expected, trace=trace)
