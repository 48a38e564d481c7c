"""Shares the time out among the targets, and says at the end what was done."""

from typing import Final

import pytest

from tests.fuzz.engine import FIGURES, SECONDS, SEED, Fuzzer

_SHARES: Final = pytest.StashKey[int]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Count the targets that will run."""
    targets = sum("fuzzer" in getattr(item, "fixturenames", ()) for item in session.items)
    session.config.stash[_SHARES] = targets


@pytest.fixture
def fuzzer(request: pytest.FixtureRequest) -> Fuzzer:
    """Runs this test's target for its share of the time."""
    return Fuzzer(request.node.name.removeprefix("test_"), SECONDS / request.config.stash[_SHARES])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each target: how many inputs, in how many seconds."""
    if not FIGURES.executions:
        return
    terminalreporter.section(f"fuzzing, from seed {SEED}")
    for name, count in FIGURES.executions.items():
        terminalreporter.line(f"{count:>9,} in {FIGURES.seconds.get(name, 0):6.1f} s  {name}")
    total, seconds = sum(FIGURES.executions.values()), sum(FIGURES.seconds.values())
    terminalreporter.line(f"{total:>9,} in {seconds:6.1f} s  all of it")
