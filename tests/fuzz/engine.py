"""Runs one target on many inputs: for a time, from a seed, and counts."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, Phase, given
from hypothesis import seed as seeded
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis import target as steer

from tests.fuzz.material import as_text, random_mutations

T = TypeVar("T")
Text = TypeVar("Text", bytes, str)

SECONDS: Final = float(os.environ.get("FUZZ_SECONDS") or 60)
"""For all targets together. Each one has a round at least, however slow the machine is."""
SEED: Final = int(os.environ.get("FUZZ_SEED") or 1)
"""The seed of each target's first round; the next round has the next number."""
ROUND: Final = 50
"""Inputs that Hypothesis makes in one round."""
MUTANTS: Final = 12
"""Mutants of each of them, where it is a text: they are made in no time, and not shrunk."""

_SETTINGS: Final = hypothesis_settings(
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)


@dataclass
class Figures:
    """What was done, for the summary."""

    executions: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


FIGURES: Final = Figures()


@dataclass
class Fuzzer:
    """Looks for an input that breaks a target.

    Attributes:
        name: The target's name.
        seconds: For how long it looks.
    """

    name: str
    seconds: float

    def run(self, inputs: st.SearchStrategy[T], target: Callable[[T], Any], *, slow: bool = False) -> None:
        """Call the target with inputs until the time is over; whatever it raises is a finding.

        If the target gives a number, Hypothesis goes where that is higher. For a slow one, rounds are short,
        and what is found is not shrunk.
        """
        began = time.monotonic()
        seed = SEED
        while seed == SEED or time.monotonic() - began < self.seconds:
            self._round(inputs, target, seed, slow=slow)
            seed += 1
        spent = time.monotonic() - began
        FIGURES.seconds[self.name] = FIGURES.seconds.get(self.name, 0) + spent

    def run_with_mutants(self, inputs: st.SearchStrategy[Text], target: Callable[[Text], Any]) -> None:
        """The same, and each input also with random changes."""

        def burst(drawn: tuple[Text, int]) -> Any:
            value, number = drawn
            score = target(value)
            for mutant in _mutants(value, Random(number)):
                FIGURES.executions[self.name] += 1
                try:
                    target(mutant)
                except BaseException as error:
                    error.add_note(f"by the mutant {mutant!r}")
                    raise
            return score

        self.run(st.tuples(inputs, st.integers(0, 2**32)), burst)

    def _round(
        self, inputs: st.SearchStrategy[T], target: Callable[[T], Any], seed: int, *, slow: bool
    ) -> None:
        phases = (Phase.generate, Phase.target, *(() if slow else (Phase.shrink,)))

        @seeded(seed)
        @hypothesis_settings(_SETTINGS, max_examples=ROUND // 5 if slow else ROUND, phases=phases)
        @given(inputs)
        def once(value: T) -> None:
            FIGURES.executions[self.name] = FIGURES.executions.get(self.name, 0) + 1
            score = target(value)
            if isinstance(score, int | float):
                steer(float(score))

        try:
            once()
        except BaseException as error:
            error.add_note(f"Found with the seed {seed}; again with: make fuzz SEED={seed}")
            raise


def _mutants(value: Text, random: Random) -> Iterator[Text]:
    for _ in range(MUTANTS):
        if isinstance(value, str):
            yield as_text(random_mutations(value.encode(errors="replace"), random))
        else:
            yield random_mutations(value, random)
