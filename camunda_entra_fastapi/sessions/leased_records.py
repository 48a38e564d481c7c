"""The local copies of session records, bounded in number and bytes."""

from typing import Final

from camunda_entra_fastapi.sessions.store import Session

MAX_LEASED: Final = 10_000
"""Records of which one event loop keeps copies."""
MAX_BYTES: Final = 64 * 1024 * 1024
"""Bytes of all of them, as they are sealed; reached before the number by records of more than 6 KB alone."""


class Stream:
    """What one connection tells: the answers, and between them what changed.

    Attributes:
        good_until: Until when copies from this connection count, by the monotonic clock.
        wall: From when to when they count by the wall clock, which goes on while a machine is suspended.
    """

    __slots__ = ("good_until", "wall_from", "wall_until")

    def __init__(self) -> None:
        self.lapse()

    def lapse(self) -> None:
        """Let no copy count until the server has confirmed again."""
        self.good_until = self.wall_from = self.wall_until = 0.0

    def confirm(self, asked: float, wall: float, seconds: float) -> None:
        """Let copies count for so long after the server was asked."""
        self.good_until, self.wall_from, self.wall_until = asked + seconds, wall, wall + seconds


class LeasedRecord:
    """The copy of one record. It is found by a handle once somebody came with one that opens it."""

    __slots__ = ("handle", "sealed", "session", "size", "stream")

    def __init__(self, sealed: bytes, stream: Stream) -> None:
        self.sealed: bytes | None = sealed
        self.size = len(sealed)
        self.stream = stream
        self.handle = ""
        self.session: Session | None = None


class LeasedRecords:
    """Copies by their keys in Redis, which changes name, and by handles, which requests bring.

    Args:
        limit: How many there are at most.
        max_bytes: How many bytes all of them have, as they are sealed.
    """

    def __init__(self, limit: int = MAX_LEASED, max_bytes: int = MAX_BYTES) -> None:
        self._limit = limit
        self._max_bytes = max_bytes
        self._size = 0
        self._by_key: dict[bytes, LeasedRecord] = {}
        self.by_handle: dict[str, LeasedRecord] = {}
        """Those that were opened."""

    def __len__(self) -> int:
        return len(self._by_key)

    def put(self, key: bytes, sealed: bytes, stream: Stream) -> None:
        """Keep what the server has under a key. Where there is no room, the oldest go."""
        self.drop(key)
        if len(sealed) > self._max_bytes:
            return
        while self._by_key and (
            len(self._by_key) >= self._limit or self._size + len(sealed) > self._max_bytes
        ):
            self.drop(next(iter(self._by_key)))
        self._by_key[key] = LeasedRecord(sealed, stream)
        self._size += len(sealed)

    def opened(self, key: bytes, sealed: bytes, handle: str, session: Session) -> None:
        """Let a copy be found by the handle that opened it, unless it was dropped or replaced meanwhile."""
        record = self._by_key.get(key)
        if record is None or record.sealed != sealed:
            return
        record.sealed = None  # whoever asks meets the session itself from now on
        record.handle, record.session = handle, session
        self.by_handle[handle] = record

    def drop(self, key: bytes) -> None:
        """Forget the copy of a key."""
        record = self._by_key.pop(key, None)
        if record is not None:
            self._size -= record.size
            self.by_handle.pop(record.handle, None)

    def drop_all_of(self, stream: Stream) -> None:
        """Forget all copies from a connection."""
        for key in [key for key, record in self._by_key.items() if record.stream is stream]:
            self.drop(key)
