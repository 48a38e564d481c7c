"""The bounded map of copies."""

import pytest

from camunda_entra_fastapi.sessions.leased_records import LeasedRecords, Stream
from tests.conftest import FakeClock
from tests.sessions.conftest import make_session


@pytest.fixture
def stream() -> Stream:
    """A connection's words."""
    return Stream()


def fill(records: LeasedRecords, stream: Stream, clock: FakeClock, *names: str, size: int = 10) -> None:
    """Copies of that size, opened by handles of the same names."""
    for name in names:
        sealed = name.encode().ljust(size, b".")
        records.put(name.encode(), sealed, stream)
        records.opened(name.encode(), sealed, name, make_session(clock))


@pytest.mark.parametrize(("limit", "max_bytes"), [(3, 1_000), (1_000, 39)])
def test_the_oldest_go_when_it_is_full(limit: int, max_bytes: int, stream: Stream, clock: FakeClock) -> None:
    """By number, and by bytes; a record that is read again is as new as any."""
    records = LeasedRecords(limit, max_bytes)
    fill(records, stream, clock, "a", "b", "c")
    fill(records, stream, clock, "a")
    assert set(records.by_handle) == {"a", "b", "c"}
    fill(records, stream, clock, "d")
    assert set(records.by_handle) == {"a", "c", "d"}
    assert len(records) == 3


def test_a_record_larger_than_all_room_is_not_kept(stream: Stream, clock: FakeClock) -> None:
    """Nor does it push others out."""
    records = LeasedRecords(10, 100)
    fill(records, stream, clock, "a")
    fill(records, stream, clock, "b", size=101)
    assert set(records.by_handle) == {"a"}
    fill(records, stream, clock, "c", size=90)
    assert set(records.by_handle) == {"a", "c"}


def test_what_was_dropped_or_replaced_is_not_opened_later(stream: Stream, clock: FakeClock) -> None:
    """Between its reply and whoever waits for it, the server may have told of a change."""
    records = LeasedRecords()
    records.put(b"a", b"old", stream)
    records.drop(b"a")
    records.opened(b"a", b"old", "a", make_session(clock))
    assert records.by_handle == {}
    records.put(b"a", b"new", stream)
    records.opened(b"a", b"old", "a", make_session(clock))
    assert records.by_handle == {}


def test_a_connection_takes_its_own(stream: Stream, clock: FakeClock) -> None:
    """Those of another one stay."""
    records, other = LeasedRecords(10, 30), Stream()
    fill(records, stream, clock, "a", "b")
    fill(records, other, clock, "c")
    records.drop_all_of(stream)
    assert set(records.by_handle) == {"c"}
    fill(records, other, clock, "d", "e")
    assert set(records.by_handle) == {"c", "d", "e"}
