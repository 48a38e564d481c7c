"""The page of metrics and log records, of the registries in ``telemetry`` and ``log_records``."""

from collections.abc import Iterator
from typing import Final

from camunda_entra_fastapi.log_records import LOG_FIELDS, MAX_FIELD, REMIND_AFTER
from camunda_entra_fastapi.telemetry import INSTRUMENTS, MAX_LOGGED, Instrument, logger
from tests.docs.reference.markdown import bullet, coded, generated, prose, table

NAME: Final = "metrics.md"
INTRODUCTION: Final = """
This page lists what the package measures and which fields its log records have.
[Logs, metrics, alerts](../how-to/run/logs-metrics-alerts.md) shows how to collect them.
"""
METRICS: Final = """
The instruments are OpenTelemetry's. They count once an OpenTelemetry SDK is configured, and cost next to
nothing without one. Their meter is `camunda_entra_fastapi`. Exporters may spell names in their own way:
for Prometheus, dots become underscores.
"""
LOGS: Final = f"""
The logger is `{logger.name}`. A refusal is one line at INFO with code, reason and remedy; one without
credentials is at DEBUG. Fetches are INFO, failed ones WARNING, and so is each answer of 502 to 504 with
its reference. ERROR is what this service's own settings or registration have to end; while that lasts,
it is logged again every {REMIND_AFTER / 60:.0f} minutes. Tokens and secrets are never logged. A message
is one line of printable text, of at most {MAX_LOGGED:,} characters.
"""
FIELDS: Final = f"""
Records have these fields (`extra`), where there is something to say. Each is of at most {MAX_FIELD}
characters. Who a person is stands in none of them.
"""
SPANS: Final = """
Where a tracer is configured, each request to Entra is a span of the kind `CLIENT`, with the attributes
of OpenTelemetry's conventions: `http.request.method`, `url.full` without its query, and
`server.address`. One that failed has `error.type`. No trace context goes to Entra.
"""


def page() -> str:
    """The page."""
    return generated("\n".join(_lines()), "telemetry.INSTRUMENTS and log_records.LOG_FIELDS")


def _lines() -> Iterator[str]:
    yield f"# Metrics and log lines\n\n{prose(INTRODUCTION)}\n"
    yield f"## Metrics\n\n{prose(METRICS)}\n"
    for instrument in INSTRUMENTS:
        yield from _instrument(instrument)
    yield f"## Log records\n\n{prose(LOGS)}\n"
    yield f"{prose(FIELDS)}\n"
    yield table(["field", "meaning"], ([f"`{name}`", text] for name, text in LOG_FIELDS.items())) + "\n"
    yield f"## Traces\n\n{prose(SPANS)}\n"


def _instrument(instrument: Instrument) -> Iterator[str]:
    yield f"### {instrument.name}\n"
    yield f"{prose(instrument.description)}.\n"
    yield bullet(f"Kind: {instrument.kind}")
    yield bullet(f"Unit: `{instrument.unit}`")
    for name, values in instrument.attributes.items():
        yield bullet(f"Attribute `{name}`: {coded(values)}")
    yield ""
