"""``make bench-check`` tells what became slower, and nothing else."""

import json
from copy import deepcopy
from typing import Any

import pytest

from tests.benchmarks.baseline import BASELINE, compare

THEN: dict[str, Any] = {
    "date": "2026-11-23T12:00:00+00:00",
    "cpu": "one processor",
    "python": "CPython 3.11.7",
    "openssl": "OpenSSL 4.0.3",
    "packages": {"fastapi": "0.165.0"},
    "ratios": {
        "judging": {"ours": {"ratio": 2.0, "higher is better": False}},
        "http": {"ours": {"ratio": 0.97, "higher is better": True}},
    },
    "instructions": {"ours": 1000},
}


@pytest.fixture
def now() -> dict[str, Any]:
    """A later run that found the same."""
    return deepcopy(THEN)


def test_the_same_is_no_regression(now: dict[str, Any]) -> None:
    """Nobody is told to mend what is as it was."""
    assert compare(THEN, now).regressions == []


@pytest.mark.parametrize(
    ("section", "tolerated", "worse"), [("judging", 2.49, 2.51), ("http", 0.78, 0.77)], ids=["cost", "rate"]
)
def test_a_ratio_may_be_a_quarter_worse(
    now: dict[str, Any], section: str, tolerated: float, worse: float
) -> None:
    """Costs may not rise, and rates may not fall, by more than noise explains."""
    now["ratios"][section]["ours"]["ratio"] = tolerated
    assert compare(THEN, now).regressions == []
    now["ratios"][section]["ours"]["ratio"] = worse
    [regression] = compare(THEN, now).regressions
    assert (
        regression
        == f"Worse ratio: {section}, ours: {worse:.3f} instead of {2.0 if section == 'judging' else 0.97:.3f}"
    )


def test_instructions_may_be_a_twentieth_more(now: dict[str, Any]) -> None:
    """Noise does not reach them."""
    now["instructions"]["ours"] = 1050
    assert compare(THEN, now).regressions == []
    now["instructions"]["ours"] = 1051
    assert compare(THEN, now).regressions == ["More instructions: ours: 1,051 instead of 1,000"]


@pytest.mark.parametrize("name", ["python", "openssl", "packages"])
def test_instructions_of_other_versions_are_not_compared(now: dict[str, Any], name: str) -> None:
    """They run other code; the reader is told."""
    now[name], now["instructions"]["ours"] = "another", 9999
    comparison = compare(THEN, now)
    assert comparison.regressions == []
    assert f"Instructions were counted, not compared. Not as in the baseline: {name}." in comparison.notes


def test_ratios_of_another_processor_are_not_compared(now: dict[str, Any]) -> None:
    """Ratios of different processors are not compared, and the report says so."""
    now["cpu"], now["ratios"]["judging"]["ours"]["ratio"] = "another", 99.0
    comparison = compare(THEN, now)
    assert comparison.regressions == []
    assert (
        "Ratios were not compared: the baseline's are from another processor, one processor."
        in comparison.notes
    )


def test_instructions_that_were_not_counted_are_missed(now: dict[str, Any]) -> None:
    """Where there is no valgrind, the reader is told what was left out."""
    now["instructions"] = {}
    assert "Instructions were not counted." in compare(THEN, now).notes


def test_the_baseline_that_is_kept_has_what_is_compared() -> None:
    """Ours, by token and by cookie, and what it is compared with."""
    kept = json.loads(BASELINE.read_text(encoding="utf-8"))
    assert THEN.keys() | {"build"} == kept.keys()
    assert {"judging", "requests", "memory", "imports"} <= kept["ratios"].keys()
    assert {"ours, seen before", "ours, never seen", "ours, session cookie, store cookie"} <= kept[
        "instructions"
    ].keys()
