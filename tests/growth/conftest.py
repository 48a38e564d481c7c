"""A local Entra that changes its keys, and sites that people sign in to."""

from collections.abc import Iterator
from itertools import cycle

import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from tests.conftest import FakeClock
from tests.growth.inspection import only_new_objects
from tests.site import make_site, signing_key

__all__ = ["emulator", "make_site"]


@pytest.fixture
def nothing_else() -> Iterator[None]:
    """What was there before does not count as alive."""
    with only_new_objects():
        yield


@pytest.fixture
def emulator(clock: FakeClock) -> EntraEmulator:
    """A local Entra with a few keys, which it signs with in turn."""
    keys = cycle([signing_key(f"key {number}") for number in range(3)])
    return EntraEmulator(clock=clock.time, new_key=lambda: next(keys))
