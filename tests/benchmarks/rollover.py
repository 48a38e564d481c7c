"""How many good tokens are refused while signing keys come and go, by how long keys are kept.

The recordings are made up, with the statistics of real ones; see ``tests.remote.recordings``.
"""

import asyncio

from tests.benchmarks.measurement import Goal, Row
from tests.remote.recordings import ADVISED, HOUR, replay


def rollover() -> list[Row]:
    """Refused tokens, by those validated: with the default, with less, and with the newest document alone."""
    return [
        _row("kept for 24 hours, the default", ADVISED, Goal(0.0)),
        _row("kept for 3 hours", 3 * HOUR),
        _row("0: the newest document alone", 0.0),
    ]


def _row(name: str, retention: float, goal: Goal | None = None) -> Row:
    outcome = asyncio.run(replay(retention))
    figures = {
        "tokens": float(outcome.tokens),
        "of keys not in the newest document": float(outcome.unpublished),
        "refused": float(outcome.refused),
        "fetches": float(outcome.fetches),
    }
    return Row(name, figures, outcome.refused / outcome.tokens, goal=goal)
