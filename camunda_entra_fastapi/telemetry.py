"""The logger, and the instruments for OpenTelemetry, which cost next to nothing without an SDK."""

import logging
from collections.abc import Iterable
from typing import Final

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

logger: Final = logging.getLogger("camunda_entra_fastapi")
"""The package's only logger: refusals and refreshes at INFO, faults at WARNING."""

MAX_LOGGED: Final = 4_000
"""Characters of a message, and of each line of a traceback."""
MAX_TRACEBACK: Final = 200
"""Lines of a traceback, the last ones."""


class _Printable(logging.Filter):
    """Makes each message one line of printable characters, and indents tracebacks (CWE-117).

    What they quote may be anybody's: a request's, a remote server's, an application's exception. This is
    for all of them at once, so that none can be forgotten. Line ends, escape sequences and marks of the
    reading direction become question marks.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change what would not do; let every record through."""
        message = record.getMessage()
        if len(message) > MAX_LOGGED or not message.isprintable():
            record.msg, record.args = _printable(message), ()
        if record.exc_info and not record.exc_text:  # handlers take it where it is there already
            lines = _TRACEBACKS.formatException(record.exc_info).split("\n")
            record.exc_text = "\n".join(f"  {_printable(line)}" for line in lines[-MAX_TRACEBACK:])
        return True


_TRACEBACKS: Final = logging.Formatter()
logger.addFilter(_Printable())


def _printable(text: str) -> str:
    shown = "".join(char if char.isprintable() else "?" for char in text[:MAX_LOGGED])
    return shown if len(text) <= MAX_LOGGED else f"{shown}..."


_meter = metrics.get_meter("camunda_entra_fastapi")

validations: Final = _meter.create_counter(
    "camunda_entra.validations",
    unit="{token}",
    description="Tokens judged, by outcome: 'accepted', the code of the refusal, or 'failed' when broken off",
)


class ObservableCount:
    """A count for an observable counter, for events too frequent to call a counter each time."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        """The callback of the observable counter."""
        return (Observation(self.count),)


cache_hits: Final = ObservableCount()
_meter.create_observable_counter(
    "camunda_entra.remembered_hits",
    [cache_hits.observe],
    unit="{token}",
    description="Tokens accepted because they had been verified before",
)
refreshes: Final = _meter.create_counter(
    "camunda_entra.refreshes",
    unit="{fetch}",
    description="Fetches of 'discovery document' and 'signing keys', by outcome: 'succeeded' or 'failed'",
)
validation_seconds: Final = _meter.create_histogram(
    "camunda_entra.validation.duration",
    unit="s",
    description="Time to judge a token that was not remembered, waiting for keys included",
)
