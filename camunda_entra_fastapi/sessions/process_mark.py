"""Which process made a session that lives in memory, told by its handle.

A handle that nobody knows here may be another process's: then the service has several, and people who signed
in at one are strangers to the others. Or it may be from before a restart, which ends all sessions.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from enum import Enum
from secrets import token_bytes
from typing import Final

MARK_CHARACTERS: Final = 20
_TIME: Final = 4
_PROCESS: Final = 4
_TAG: Final = 7


class Origin(Enum):
    """Where a handle comes from."""

    HERE = "here"
    BESIDE = "beside"
    """Another process made it while this one ran."""
    BEFORE = "before"
    """Another process made it before this one began."""
    UNKNOWN = "unknown"
    """Nobody with this secret made it."""


class ProcessMark:
    """Marks handles. A mark is no secret and opens nothing; it tells when and by whom a handle was made.

    Args:
        key: The same in all processes of a service, and in no other. So strangers make no marks.
        clock: Returns seconds since 1970.
    """

    def __init__(self, key: bytes, clock: Callable[[], float]) -> None:
        self._key = key
        self._clock = clock
        self._process = token_bytes(_PROCESS)
        self._begun = self._now()

    def made_for(self, name: str) -> str:
        """The mark of a new handle with that name."""
        told = self._now().to_bytes(_TIME) + self._process
        return urlsafe_b64encode(told + self._tag(told, name)).decode()

    def origin_of(self, name: str, mark: str) -> Origin:
        """Where the handle of that name and mark comes from."""
        data = urlsafe_b64decode(mark)
        told = data[: _TIME + _PROCESS]
        if not hmac.compare_digest(data[len(told) :], self._tag(told, name)):
            return Origin.UNKNOWN
        if told[_TIME:] == self._process:
            return Origin.HERE
        return Origin.BESIDE if int.from_bytes(told[:_TIME]) > self._begun else Origin.BEFORE

    def _now(self) -> int:
        return int(self._clock()) & 0xFFFF_FFFF

    def _tag(self, told: bytes, name: str) -> bytes:
        return hmac.digest(self._key, told + name.encode(), "sha256")[:_TAG]
