"""The table of a run, for people, and the same for the documentation."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.chaos.judge import Verdict

_HEAD: Final = ("scenario", "200", "401", "503", "others", "longest", "well after", "lost", "")


@dataclass(frozen=True, slots=True)
class Row:
    """A scenario and its verdict."""

    name: str
    verdict: Verdict


def line(row: Row) -> str:
    """The row alone, as it is printed when it is known."""
    return "  ".join(_aligned(_cells(row)))


def heading() -> str:
    """What stands above the rows."""
    return "  ".join(_aligned(_HEAD))


def markdown(rows: Sequence[Row]) -> str:
    """The rows for a page of the documentation, where a phone shows three columns."""
    lines = [["scenario", "answers: good, 401, 503, others", "longest"], ["---"] * 3]
    for row in rows:
        name, *counts, longest, _, _, _ = _cells(row)
        lines.append([name, " / ".join(counts), longest])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def total(rows: Sequence[Row]) -> Counter[int]:
    """All answers by their status."""
    counts: Counter[int] = Counter()
    for row in rows:
        counts += row.verdict.statuses
    return counts


def _cells(row: Row) -> list[str]:
    counts = row.verdict.statuses
    good = sum(count for status, count in counts.items() if 200 <= status < 400)
    others = {
        status: count
        for status, count in sorted(counts.items())
        if status >= 400 and status not in (401, 503)
    }
    if counts[0]:
        others[0] = counts[0]
    return [
        row.name,
        f"{good:,}",
        f"{counts[401]:,}",
        f"{counts[503]:,}",
        ", ".join(f"{count:,} x {status or 'none'}" for status, count in others.items()) or "0",
        f"{row.verdict.longest:.2f} s",
        f"{row.verdict.well_after:.1f} s",
        str(row.verdict.lost),
        "BROKEN" if row.verdict.broken else "kept",
    ]


def _aligned(cells: Sequence[str]) -> list[str]:
    widths = (50, 7, 7, 7, 16, 8, 10, 5)
    first, *others, last = cells
    texts = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
    return [first.ljust(widths[0]), *texts, last]
