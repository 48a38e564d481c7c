"""What is common to log records: their fields, and how often a trouble that lasts is logged."""

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from camunda_entra_fastapi.telemetry import printable

MAX_FIELD: Final = 200
"""Characters of a field of a log record."""
REMIND_AFTER: Final = 600.0
"""Seconds after which a trouble that lasts is logged again."""
DOCTOR: Final = "To see what is wrong and where to change it, run: camunda-entra doctor"
"""The end of each line about what this service's settings or registration have to end."""

LOG_FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "code": "Why it was refused, or what failed: one of the documented codes.",
        "status": "The status of the response.",
        "path": "The path of the request, without its query.",
        "azp": "The client that the token was issued to; only of tokens whose signature holds.",
        "aadsts": "Entra's own code, such as AADSTS7000215.",
        "reference": "What the client was told to name when it asks about a fault.",
    }
)
"""The fields of log records, for formatters that write them. Who it was, is in none of them."""


def log_fields(**values: str | int | None) -> dict[str, str | int]:
    """Fields for a log record (``extra``), printable and bounded; without those that have no value."""
    assert values.keys() <= LOG_FIELDS.keys(), values.keys()  # noqa: S101 - guards ourselves
    return {
        name: value if isinstance(value, int) else printable(value, MAX_FIELD)
        for name, value in values.items()
        if value is not None
    }


class Trouble:
    """A trouble that lasts. It is logged when it begins, when it changes, and as a reminder now and then.

    Args:
        monotonic: Returns seconds of a monotonic clock.
    """

    __slots__ = ("_key", "_logged_at", "_monotonic")

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._key: str | None = None
        self._logged_at = 0.0

    def is_news(self, key: str) -> bool:
        """Whether the trouble of that name is to be logged now."""
        now = self._monotonic()
        if key == self._key and now - self._logged_at < REMIND_AFTER:
            return False
        self._key, self._logged_at = key, now
        return True

    def end(self) -> bool:
        """There is no trouble any more; whether there was one."""
        was_there, self._key = self._key is not None, None
        return was_there
