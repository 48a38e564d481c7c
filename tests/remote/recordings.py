"""Made-up recordings of a key document, with the statistics of real ones, and a service amid them.

The real ones: 238 recordings of the document of ``common`` over 143 days, June to October 2024, in the
public repository panva/wellknown, ``issuers/entra-common``. 42 keys appeared; 34 of them went away and
came back, 123 times, for 6 minutes to 48 hours, 3 hours in the median; in 127 of 237 steps a key of the
recording before was missing. No key of theirs is here.
"""

import math
import random
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any, Final

import httpx

from camunda_entra_fastapi.errors import InvalidToken
from camunda_entra_fastapi.token_validator import TokenValidator
from tests.conftest import FakeClock
from tests.remote.scripted import ScriptedEntra, settle
from tests.tokens import HEADER, NOW, jwk, token, user_claims
from tests.validation.conftest import POLICY

MINUTE: Final = 60.0
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

DAYS: Final = 143
FLAPPING_KEYS: Final = 34
STEADY_KEYS: Final = 8
ABSENCES: Final = 123
SHORTEST, MEDIAN, LONGEST = 6 * MINUTE, 3 * HOUR, 48 * HOUR
REMOVALS: Final = 4
"""Keys that went for good, each in a step of its own."""
CHAINED: Final = 13
"""Absences that begin in the step in which another one ends."""
LIFE: Final = 5 * DAY
"""How long a key is there before its first absence, and after its last one."""

TOKENS: Final = 10_000
ADVISED: Final = DAY
"""How long Microsoft advises to keep a key (Learn, "Signing key rollover", 28 October 2024)."""


@dataclass(frozen=True)
class Recording:
    """The document from some moment on, in seconds since the first one."""

    at: float
    key_ids: frozenset[str]


@dataclass(frozen=True)
class Absence:
    """The time from the recording that lacks a key to the one that has it again."""

    key_id: str
    start: float
    end: float


def made_up(seed: int = 1) -> list[Recording]:
    """238 recordings with the statistics above."""
    chance = random.Random(seed)
    absences = _absences(chance)
    present: dict[str, tuple[float, float]] = {}
    steps = sorted({moment for each in absences for moment in (each.start, each.end)})
    for number in range(FLAPPING_KEYS):
        own = [each for each in absences if each.key_id == f"flapping-{number}"]
        appears = own[0].start - LIFE
        # A key appears, and goes for good, in a step that there is anyhow.
        begin = max((step for step in steps if step <= appears), default=-math.inf)
        starts = [each.start for each in absences if each.start >= own[-1].end + LIFE]
        present[own[0].key_id] = (begin, min(starts, default=math.inf))
    for number in range(STEADY_KEYS):
        goes = number < REMOVALS
        end = DAYS * DAY * (number + 1) / (REMOVALS + 1) + chance.random() if goes else math.inf
        present[f"steady-{number}"] = (-math.inf, end)
    steps = sorted({0.0, *steps, *(end for _, end in present.values() if end < math.inf)})

    def document(at: float) -> frozenset[str]:
        absent = {each.key_id for each in absences if each.start <= at < each.end}
        return frozenset(
            key_id for key_id, (begin, end) in present.items() if begin <= at < end and key_id not in absent
        )

    return [Recording(at, document(at)) for at in steps]


def _absences(chance: random.Random) -> list[Absence]:
    """In order, the keys taking turns in blocks; the last one ends with the last day."""
    half = ABSENCES // 2 - 1
    below = [math.exp(chance.uniform(math.log(SHORTEST), math.log(MEDIAN))) for _ in range(half)]
    above = [math.exp(chance.uniform(math.log(MEDIAN), math.log(LONGEST))) for _ in range(half)]
    lengths = [SHORTEST, *below, MEDIAN, *above, LONGEST]
    chance.shuffle(lengths)
    absences: list[Absence] = []
    for number, length in enumerate(lengths):
        key_id = f"flapping-{number * FLAPPING_KEYS // ABSENCES}"
        start = DAY + number * (DAYS - 4) * DAY / ABSENCES + chance.uniform(0, HOUR)
        previous = absences[-1] if absences else None
        if previous is not None and previous.key_id == key_id:
            start = max(start, previous.end + HOUR)
        elif previous is not None and sum(_chained(absences)) < CHAINED:
            start = previous.end
        if number == ABSENCES - 1:
            start = DAYS * DAY - length
        absences.append(Absence(key_id, start, start + length))
    return absences


def _chained(absences: list[Absence]) -> list[bool]:
    ends = {each.end for each in absences}
    return [each.start in ends for each in absences]


@dataclass
class Statistics:
    """What the recordings have in common with the real ones."""

    recordings: int
    days: float
    keys: int
    steps_that_lack_a_key: int
    absences: list[Absence] = field(repr=False)

    @classmethod
    def of(cls, recordings: list[Recording]) -> "Statistics":
        """Counted from the documents alone."""
        lacking = 0
        gone: dict[str, float] = {}
        absences: list[Absence] = []
        for before, after in pairwise(recordings):
            lacking += bool(before.key_ids - after.key_ids)
            gone |= dict.fromkeys(before.key_ids - after.key_ids, after.at)
            absences += [Absence(each, gone.pop(each), after.at) for each in after.key_ids & gone.keys()]
        keys = frozenset[str]().union(*(each.key_ids for each in recordings))
        return cls(len(recordings), recordings[-1].at / DAY, len(keys), lacking, absences)


@dataclass
class Outcome:
    """What became of the tokens.

    Attributes:
        tokens: How many were validated.
        unpublished: Of these, those whose key was not in the newest document that the service had.
        refused: Those that were refused.
        fetches: How often the service fetched the keys.
    """

    tokens: int = 0
    unpublished: int = 0
    refused: int = 0
    fetches: int = 0


class RecordedEntra(ScriptedEntra):
    """Publishes the recordings, and remembers when it answered whom with which keys."""

    def __init__(self, recordings: list[Recording], clock: FakeClock) -> None:
        super().__init__()
        self._recordings = recordings
        self._clock = clock
        self._began = clock.now
        self.answered: dict[str, float] = {}

    def _answer(self, request: httpx.Request) -> httpx.Response:
        passed = self._clock.now - self._began
        key_ids = next(each.key_ids for each in reversed(self._recordings) if each.at <= passed)
        self.keys = {"keys": [_jwk(key_id) for key_id in sorted(key_ids)]}
        if request.url.path.endswith("/keys"):
            self.answered |= dict.fromkeys(key_ids, self._clock.now)
        return super()._answer(request)


def material_of(key_id: str) -> str:
    """The name of the RSA key with that ID. There are few, as each takes long to generate."""
    return f"recorded-{sum(key_id.encode()) % 3}"


@cache
def _jwk(key_id: str) -> dict[str, Any]:
    return jwk(material_of(key_id), kid=key_id)


async def replay(retention: float, tokens: int = TOKENS, seed: int = 1) -> Outcome:
    """Live through the recordings: refresh every hour, and validate tokens all the time.

    Each token is signed by a key that Entra answered this service with in the 24 hours before.
    """
    chance, clock = random.Random(seed), FakeClock(float(NOW))
    entra = RecordedEntra(made_up(), clock)
    keys = entra.source(clock, retention=retention, lifetime=HOUR)
    validator = TokenValidator(keys, POLICY, cache_size=0, clock=clock)
    signed: dict[str, str] = {}
    outcome = Outcome(tokens)
    await keys.prefetch()
    ticks = [NOW + minutes * MINUTE for minutes in range(10, DAYS * 24 * 60, 10)]
    arrivals = {NOW + chance.uniform(HOUR, DAYS * DAY) for _ in range(tokens)}
    for moment in sorted(arrivals | set(ticks)):
        clock.now = moment
        keys.current()
        await settle()
        if moment not in arrivals:
            continue
        known = [key_id for key_id, at in entra.answered.items() if moment - at < ADVISED]
        key_id = chance.choice(known)
        outcome.unpublished += entra.answered[key_id] < max(entra.answered.values())
        if key_id not in signed:
            claims = user_claims(exp=NOW + (DAYS + 1) * DAY)
            signed[key_id] = token(claims, dict(HEADER) | {"kid": key_id}, material_of(key_id))
        try:
            await validator.validate_text(signed[key_id])
        except InvalidToken as error:
            if error.code != "key_unknown":
                raise
            outcome.refused += 1
    outcome.fetches = entra.requested.count("keys")
    return outcome
