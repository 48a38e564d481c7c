"""Whose sessions a store has, and who has most: signing in without end shall cost one's own sessions."""

from collections import OrderedDict

Person = tuple[str, str]


class Shares:
    """Keys of sessions by person, in the order in which they came. Every operation takes constant time.

    What gives its first entry is an ``OrderedDict``: a plain dictionary looks for that behind all entries
    that were removed there, which would make a store that drops its oldest again and again quadratic.
    """

    def __init__(self) -> None:
        self._keys: dict[Person, OrderedDict[bytes, None]] = {}
        self._having: dict[int, OrderedDict[Person, None]] = {}
        """Persons by the number of their sessions."""
        self.most = 0
        """How many sessions the person with most of them has."""

    def add(self, person: Person, key: bytes) -> None:
        """Count a new session of the person."""
        keys = self._keys.setdefault(person, OrderedDict())
        keys[key] = None
        self._count(person, len(keys) - 1, len(keys))

    def remove(self, person: Person, key: bytes) -> None:
        """Forget a session that was added."""
        keys = self._keys[person]
        del keys[key]
        if not keys:
            del self._keys[person]
        self._count(person, len(keys) + 1, len(keys))

    def oldest_of_most(self, newcomer: Person, newest: bytes) -> bytes:
        """The oldest session, other than the newest, of the person with most, who has several.

        Args:
            newcomer: Whose the newest session is; their oldest goes if nobody has more.
            newest: The session that needs room.
        """
        persons = self._having[self.most]
        keys = iter(self._keys[newcomer if newcomer in persons else next(iter(persons))])
        oldest = next(keys)
        return next(keys) if oldest == newest else oldest

    def _count(self, person: Person, before: int, now: int) -> None:
        if before:
            persons = self._having[before]
            del persons[person]
            if not persons:
                del self._having[before]
        if now:
            self._having.setdefault(now, OrderedDict())[person] = None
        # Counts change by one. So who had most, and alone, still has most, or as many as others.
        if now > self.most or (before == self.most and before not in self._having):
            self.most = now
