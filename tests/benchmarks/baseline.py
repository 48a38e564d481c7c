"""Is anything slower than it was? The baseline is kept in ``baseline.json``.

Instruction counts hardly differ between machines, so they count where all versions are the baseline's.
Ratios of processor time depend on the processor, too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

BASELINE: Final = Path(__file__).with_name("baseline.json")

RATIO_TOLERANCE: Final = 0.25
INSTRUCTIONS_TOLERANCE: Final = 0.05

_SURROUNDINGS: Final = ("python", "openssl", "packages")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences: ``regressions`` to fix, ``notes`` to read."""

    regressions: list[str]
    notes: list[str]


def as_baseline(report: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a report that later ones are compared with."""
    kept = {name: report[name] for name in ("date", "cpu", *_SURROUNDINGS)}
    kept["ratios"] = {
        section: {
            row["name"]: {"ratio": round(row["ratio"], 4), "higher is better": row["higher_is_better"]}
            for row in rows
            if row["goal"] or row["name"].startswith("ours")  # what becomes of others is their affair
        }
        for section, rows in report["sections"].items()
        if section not in {"instructions", "builds"}
    }
    rows = report["sections"].get("instructions", ())
    kept["instructions"] = {row["name"]: round(row["figures"]["instructions"]) for row in rows}
    return kept


def compare(baseline: Mapping[str, Any], now: Mapping[str, Any]) -> Comparison:
    """The regressions beyond the tolerance, and what cannot be compared."""
    regressions, notes = [], []
    others = [name for name in _SURROUNDINGS if baseline[name] != now[name]]
    if not now["instructions"]:
        notes.append("Instructions were not counted.")
    elif others:
        notes.append(f"Instructions were counted, not compared. Not as in the baseline: {', '.join(others)}.")
    else:
        regressions += _more_instructions(baseline["instructions"], now["instructions"])
    if baseline["cpu"] != now["cpu"]:
        notes.append(
            f"Ratios were not compared: the baseline's are from another processor, {baseline['cpu']}."
        )
    else:
        regressions += _worse_ratios(baseline["ratios"], now["ratios"])
    notes.append(f"Compared with the baseline of {baseline['date']}: {len(regressions) or 'no'} regressions.")
    return Comparison(regressions, notes)


def _more_instructions(then: Mapping[str, int], now: Mapping[str, int]) -> Iterator[str]:
    for name in filter(now.__contains__, then):
        if now[name] > then[name] * (1 + INSTRUCTIONS_TOLERANCE):
            yield f"More instructions: {name}: {now[name]:,} instead of {then[name]:,}"


def _worse_ratios(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for section in filter(now.__contains__, then):
        for name in filter(now[section].__contains__, then[section]):
            was, is_now = then[section][name]["ratio"], now[section][name]["ratio"]
            better, worse = (was, is_now) if not then[section][name]["higher is better"] else (is_now, was)
            if worse > better * (1 + RATIO_TOLERANCE):
                yield f"Worse ratio: {section}, {name}: {is_now:.3f} instead of {was:.3f}"
