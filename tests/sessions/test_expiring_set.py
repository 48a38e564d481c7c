"""A bounded set whose members expire."""

from camunda_entra_fastapi.sessions.expiring_set import ExpiringSet
from tests.conftest import FakeClock


def test_a_key_counts_once_until_its_time_is_over(clock: FakeClock) -> None:
    """The second time it is refused, and afterwards it is new again."""
    members = ExpiringSet(clock.time)
    assert members.add("a", 10)
    assert not members.add("a", 10)
    assert "a" in members
    clock.advance(10)
    assert "a" not in members
    assert members.add("a", 10)


def test_no_more_are_kept_than_the_limit(clock: FakeClock) -> None:
    """A flood drives out the oldest, never the newest."""
    members = ExpiringSet(clock.time, limit=10)
    for number in range(100):
        assert members.add(str(number), 60)
        assert str(number) in members
    assert sum(str(number) in members for number in range(100)) <= 10


def test_expired_ones_are_swept_first(clock: FakeClock) -> None:
    """Members that have not expired stay when there is room for them."""
    members = ExpiringSet(clock.time, limit=10)
    for number in range(5):
        members.add(f"long {number}", 100)
    for number in range(5):
        members.add(f"short {number}", 10)
    clock.advance(11)
    assert members.add("new", 100)
    assert all(f"long {number}" in members for number in range(5))
