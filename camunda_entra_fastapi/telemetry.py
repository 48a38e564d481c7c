"""The logger, and the instruments for OpenTelemetry, which cost next to nothing without an SDK."""

import logging
from collections.abc import Iterable
from typing import Final

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

logger: Final = logging.getLogger("camunda_entra_fastapi")
"""The package's only logger: refusals and refreshes at INFO, faults at WARNING."""

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
