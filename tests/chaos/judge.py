"""What was promised, held against what was answered."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tests.chaos.crowd import Person, Seen
from tests.chaos.replicas import LOOPS

LIMIT: Final = 2.0
"""Seconds that a request may wait for the store."""
TOLERANCE: Final = 0.2
"""Seconds by which it may take longer; besides those for which the machine had no processor for somebody."""
PILED_UP: Final = 1.25
"""For each second without a processor, that many do not count: what piled up meanwhile is to be done, too."""
STARVED: Final = 0.5
"""Seconds of such waiting with which a 503 tells nothing of the store."""
MAX_TOLD: Final = 5
"""Broken promises of one kind that are told."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the harness knows of a scenario from the servers themselves.

    Attributes:
        broke: When the fault began.
        healed: When the servers were as they should be again.
        kept: The sessions that the servers have at the end.
        loses: Whether the fault makes servers forget what they were given.
        away: Whether the store may be away at all: where it may not, nobody gets 503.
        recovery: Seconds after which all is well again.
        lease: Seconds for which a copy may be used; the store tells at once when it may not any more.
        notices: Whether the health check has to notice.
    """

    broke: float
    healed: float
    kept: frozenset[str]
    loses: bool = False
    away: bool = True
    recovery: float = 3.0
    lease: float = 0.0
    notices: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a scenario came to.

    Attributes:
        statuses: How often each status was answered.
        longest: Seconds of the longest answer, without those for which the machine kept somebody waiting.
        well_after: Seconds from the end of the fault until all was well.
        lost: Sessions that servers lost.
        broken: Sentences about promises that were not kept.
    """

    statuses: Counter[int]
    longest: float
    well_after: float
    lost: int
    broken: tuple[str, ...]


def judge(seen: Sequence[Seen], people: Sequence[Person], facts: Facts) -> Verdict:
    """The verdict on everything that was answered.

    Args:
        seen: All answers of the scenario.
        people: All who signed in.
        facts: What is known of the servers.
    """
    staying = [person for person in people if person.signed_out is None]
    lost = {person.record for person in staying} - facts.kept
    late_at = facts.healed + facts.recovery
    troubles = [each.begun for each in seen if not _is_well(each, lost)]
    well_at = max([each for each in troubles if each >= facts.healed], default=facts.healed)
    kinds: list[Iterator[str]] = [
        (_describe(each, facts) for each in seen if not _is_allowed(each, facts)),
        (f"late: {_describe(each, facts)}" for each in seen if _time(each) > LIMIT + TOLERANCE),
        (
            f"a session that the server kept was lost: {_describe(each, facts)}"
            for each in seen
            if each.status == 401
            and each.person is not None
            and each.person.record in facts.kept
            and not _is_over(each)
        ),
        _lost_silently(lost, facts),
        (
            f"not well again after {facts.recovery} s: {_describe(each, facts)}"
            for each in seen
            if each.begun > late_at and not _is_well(each, lost)
        ),
        (f"signed out, and let in: {_describe(each, facts)}" for each in seen if _is_let_in(each, facts)),
        (
            f"signed out at {person.signed_out - facts.broke:+.1f} s, and still stored"
            for person in people
            if person.signed_out is not None and person.record in facts.kept
        ),
        _unnoticed(seen, facts),
    ]
    broken: list[str] = []
    for kind in kinds:
        found = list(kind)
        broken += found[:MAX_TOLD]
        if len(found) > MAX_TOLD:
            broken.append(f"  and {len(found) - MAX_TOLD} more of these")
    statuses = Counter(each.status for each in seen)
    longest = max(map(_time, seen), default=0.0)
    return Verdict(statuses, longest, well_at - facts.healed, len(lost), tuple(broken))


def troubles_after(seen: Sequence[Seen], lost: set[str], since: float) -> list[Seen]:
    """What was asked for since then, and not answered as a healthy store's service would."""
    return [each for each in reversed(seen) if each.begun >= since and not _is_well(each, lost)]


def _time(seen: Seen) -> float:
    """How long it took, but for what the machine is to blame for."""
    return seen.ended - seen.begun - PILED_UP * seen.stalled


def _is_over(seen: Seen) -> bool:
    """Whether the session was over, or being ended, before this was answered."""
    return (
        seen.person is not None
        and seen.person.signing_out is not None
        and (seen.person.signing_out < seen.ended)
    )


def _is_allowed(seen: Seen, facts: Facts) -> bool:
    """Whether that status may be answered at all."""
    if seen.status == 503:
        return facts.away or _is_starved(seen)
    if seen.status in (0, 504):
        return _is_starved(seen)
    if seen.status == 401:
        return seen.kind == "request"
    return 200 <= seen.status < 400


def _is_well(seen: Seen, lost: set[str]) -> bool:
    """Whether it is what would be answered by a healthy store."""
    if (
        seen.kind == "request"
        and seen.person is not None
        and (seen.person.signed_out is not None or seen.person.record in lost)
    ):
        return seen.status in (200, 401)  # other promises are about these
    return 200 <= seen.status < 400 or _is_starved(seen)


def _is_starved(seen: Seen) -> bool:
    """Whether nobody can be blamed but the machine."""
    return seen.status in (0, 503, 504) and seen.stalled > STARVED


def _is_let_in(seen: Seen, facts: Facts) -> bool:
    """Whether a session counted after it was signed out of, though it could not any more.

    While the store is away, only the replica that was asked can know; the other one hears of it until all has
    to be well again.
    """
    person = seen.person
    if seen.status != 200 or person is None or person.signed_out is None:
        return False
    until = person.signed_out
    if seen.replica != person.signed_out_at:
        if facts.lease:  # the store tells of it at once, and nobody waited for that
            until += min(facts.lease, TOLERANCE) + seen.stalled
        if facts.broke <= person.signed_out <= facts.healed + facts.recovery:
            until = max(until, facts.healed + facts.recovery)
    return seen.begun > until


def _lost_silently(lost: set[str], facts: Facts) -> Iterator[str]:
    if lost and not facts.loses:
        yield f"{len(lost)} sessions are not in the store, which lost nothing"


def _unnoticed(seen: Sequence[Seen], facts: Facts) -> Iterator[str]:
    probes = [
        each for each in seen if each.kind == "health" and facts.broke + 0.5 < each.begun < facts.healed
    ]
    if facts.notices and not any(each.status == 503 or _is_starved(each) for each in probes):
        yield f"{len(probes)} answers of /auth/health, and none noticed"


def _describe(seen: Seen, facts: Facts) -> str:
    return (
        f"{seen.kind} at {seen.begun - facts.broke:+.2f} s, {LOOPS[seen.replica]}: "
        f"{seen.status or 'no answer'} {seen.code} after {seen.ended - seen.begun:.2f} s".replace("  ", " ")
    )
