"""What a scenario is, and a group of them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.stores import Store

Fault = Callable[[Any], Awaitable[None]]
"""Breaks the group's store, and returns when that is as it should be again, by the servers' own word."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Something that happens to a store.

    Attributes:
        name: What ``ONLY=`` has, and the table.
        fault: Does it.
        loses: Whether servers forget by it what they were given.
        away: Whether the store may be away by it; where not, nobody gets 503.
        notices: Whether the health check has to say so.
        recovery: Seconds after the end of the fault from which on all is well.
    """

    name: str
    fault: Fault
    loses: bool = False
    away: bool = True
    notices: bool = False
    recovery: float = 3.0


@dataclass(frozen=True, slots=True)
class Group:
    """Scenarios with the same store.

    Attributes:
        name: What stands before each scenario's name.
        make: Makes the store from a program and a folder.
        scenarios: What happens to it, in this order.
    """

    name: str
    make: Callable[[str, Path], Store]
    scenarios: Sequence[Scenario]
