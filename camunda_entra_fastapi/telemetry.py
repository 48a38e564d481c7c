"""The logger, and the instruments and spans for OpenTelemetry, which cost next to nothing without an SDK."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, Protocol
from weakref import WeakSet

from opentelemetry import metrics, trace
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

logger: Final = logging.getLogger("camunda_entra_fastapi")
"""The package's only logger.

Refusals and refreshes are INFO, faults of others WARNING. ERROR is for what this service's own settings or
registration have to end.
"""

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
            record.msg, record.args = printable(message), ()
        if record.exc_info and not record.exc_text:  # handlers take it where it is there already
            lines = _TRACEBACKS.formatException(record.exc_info).split("\n")
            record.exc_text = "\n".join(f"  {printable(line)}" for line in lines[-MAX_TRACEBACK:])
        return True


_TRACEBACKS: Final = logging.Formatter()
logger.addFilter(_Printable())


def printable(text: str, limit: int = MAX_LOGGED) -> str:
    """The text in one line of printable characters, cut at the limit."""
    if len(text) <= limit and text.isprintable():
        return text
    shown = "".join(char if char.isprintable() else "?" for char in text[:limit])
    return shown if len(text) <= limit else f"{shown}..."


_meter = metrics.get_meter("camunda_entra_fastapi")
_tracer = trace.get_tracer("camunda_entra_fastapi")
Kind = Literal["counter", "observable counter", "histogram", "observable gauge"]
Callback = Callable[[CallbackOptions], Iterable[Observation]]
_NO_ATTRIBUTES: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Instrument:
    """What is measured. ``attributes`` has the name of each attribute, and its values in words."""

    kind: Kind
    name: str
    unit: str
    description: str
    attributes: Mapping[str, str] = field(default_factory=lambda: _NO_ATTRIBUTES)

    def counter(self) -> metrics.Counter:
        """The counter itself."""
        return _meter.create_counter(self.name, unit=self.unit, description=self.description)

    def histogram(self) -> metrics.Histogram:
        """The histogram itself."""
        return _meter.create_histogram(self.name, unit=self.unit, description=self.description)

    def observable_counter(self, observe: Callback) -> None:
        """Create the counter, which asks that function."""
        _meter.create_observable_counter(self.name, [observe], unit=self.unit, description=self.description)

    def observable_gauge(self, observe: Callback) -> None:
        """Create the gauge, which asks that function."""
        _meter.create_observable_gauge(self.name, [observe], unit=self.unit, description=self.description)


INSTRUMENTS: Final = (
    Instrument(
        "counter",
        "camunda_entra.validations",
        "{token}",
        "Tokens judged that were not remembered",
        {"outcome": "accepted, the code of the refusal, or failed when broken off"},
    ),
    Instrument(
        "observable counter",
        "camunda_entra.remembered_hits",
        "{token}",
        "Tokens accepted because they had been verified before",
    ),
    Instrument(
        "histogram",
        "camunda_entra.validation.duration",
        "s",
        "Time to judge a token that was not remembered, waiting for keys included",
        {"outcome": "accepted, the code of the refusal, or failed when broken off"},
    ),
    Instrument(
        "counter",
        "camunda_entra.refusals",
        "{request}",
        "Requests that were refused or could not be decided, also for want of a role, or without credentials",
        {"code": "the code of the refusal"},
    ),
    Instrument(
        "counter",
        "camunda_entra.sign_ins",
        "{sign-in}",
        "Sign-ins that came back from Entra, or could not begin",
        {"outcome": "signed_in, or the code of the refusal"},
    ),
    Instrument(
        "counter",
        "camunda_entra.session.operations",
        "{operation}",
        "Questions to the session store",
        {
            "store": "cookie, memory or redis",
            "operation": "create, read, replace, end or end_by_sid",
            "outcome": "succeeded or failed",
        },
    ),
    Instrument(
        "observable counter",
        "camunda_entra.session.leased_hits",
        "{session}",
        "Sessions found in local copies of a Redis, without a question to it",
    ),
    Instrument(
        "counter",
        "camunda_entra.session.renewals",
        "{renewal}",
        "Renewals of sessions by their refresh token",
        {"outcome": "renewed, refused when the session is over, or failed when it may be tried again"},
    ),
    Instrument(
        "counter",
        "camunda_entra.token_fetches",
        "{fetch}",
        "Requests to Entra's token endpoint",
        {
            "grant": "authorization_code, refresh_token, client_credentials or on_behalf_of",
            "outcome": "succeeded, or the code of the failure",
        },
    ),
    Instrument(
        "counter",
        "camunda_entra.refreshes",
        "{fetch}",
        "Fetches of Entra's documents",
        {
            "document": "discovery document or signing keys, and identity keys in a backend of a gateway",
            "outcome": "succeeded or failed",
        },
    ),
    Instrument(
        "observable gauge",
        "camunda_entra.keys.age",
        "s",
        "Seconds since Entra's signing keys were fetched; the largest of an issuer, none before the first",
        {"issuer": "the issuer of the settings"},
    ),
)
"""All instruments, in the order of the documentation."""
_BY_NAME: Final = {instrument.name: instrument for instrument in INSTRUMENTS}

validations: Final = _BY_NAME["camunda_entra.validations"].counter()
validation_seconds: Final = _BY_NAME["camunda_entra.validation.duration"].histogram()
refusals: Final = _BY_NAME["camunda_entra.refusals"].counter()
sign_ins: Final = _BY_NAME["camunda_entra.sign_ins"].counter()
session_operations: Final = _BY_NAME["camunda_entra.session.operations"].counter()
session_renewals: Final = _BY_NAME["camunda_entra.session.renewals"].counter()
token_fetches: Final = _BY_NAME["camunda_entra.token_fetches"].counter()
refreshes: Final = _BY_NAME["camunda_entra.refreshes"].counter()


class ObservableCount:
    """A count for an observable counter, for events too frequent to call a counter each time."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        """The callback of the observable counter."""
        return (Observation(self.count),)


class HasAge(Protocol):
    """Something of Entra's that was fetched once, and grows old."""

    issuer: str

    def age(self) -> float | None:
        """Seconds since it was fetched; None before that."""


class ObservableAges:
    """The ages of things that come and go; the oldest one counts where several are of one issuer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # the exporter asks in a thread of its own
        self._things: WeakSet[HasAge] = WeakSet()

    def add(self, thing: HasAge) -> None:
        """Observe its age for as long as anybody else refers to it."""
        with self._lock:
            self._things.add(thing)

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        """The callback of the observable gauge."""
        with self._lock:
            things = list(self._things)
        oldest: dict[str, float] = {}
        for thing in things:
            if (age := thing.age()) is not None:
                oldest[thing.issuer] = max(age, oldest.get(thing.issuer, 0.0))
        return [Observation(age, {"issuer": issuer}) for issuer, age in oldest.items()]


cache_hits: Final = ObservableCount()
leased_hits: Final = ObservableCount()
key_ages: Final = ObservableAges()
_BY_NAME["camunda_entra.remembered_hits"].observable_counter(cache_hits.observe)
_BY_NAME["camunda_entra.session.leased_hits"].observable_counter(leased_hits.observe)
_BY_NAME["camunda_entra.keys.age"].observable_gauge(key_ages.observe)


@contextmanager
def span_of_request(method: str, url: str) -> Iterator[Span]:
    """A span around one request to Entra, where a tracer is configured.

    The names of the attributes are those of OpenTelemetry's conventions for HTTP clients. The URL is without
    its query, and nothing else of the request is there. No trace context goes to Entra.
    """
    scheme, separator, rest = url.partition("#")[0].partition("?")[0].partition("://")
    authority, slash, path = rest.partition("/")
    authority = authority.rpartition("@")[2]
    attributes = {
        "http.request.method": method,
        "url.full": f"{scheme}{separator}{authority}{slash}{path}",
        "server.address": authority.rpartition(":")[0] or authority,
    }
    with _tracer.start_as_current_span(
        method,
        kind=SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,  # a message may quote what others sent; the log has it in one printable line
        set_status_on_exception=False,
    ) as span:
        yield span


def mark_failed(span: Span, error_type: str) -> None:
    """The request did not bring what was asked for; the type is one of few words, or a status."""
    span.set_attribute("error.type", error_type)
    span.set_status(Status(StatusCode.ERROR))
