"""The pytest fixtures. They load nothing until a test asks for one.

To test in front of another directory or clock, override ``entra_emulator`` in a conftest.py: the
others follow it.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from camunda_entra_fastapi.testing.app_clients import AppClients
    from camunda_entra_fastapi.testing.emulator import EntraEmulator


@pytest.fixture
def entra_emulator() -> "EntraEmulator":
    """A local Entra with the default directory, new for each test."""
    from camunda_entra_fastapi.testing.emulator import EntraEmulator  # noqa: PLC0415 - only when asked for

    return EntraEmulator()


@pytest.fixture
def entra_token(entra_emulator: "EntraEmulator") -> Callable[..., str]:
    """Makes signed access tokens; takes what ``EntraEmulator.token`` takes."""
    return entra_emulator.token


@pytest.fixture
def entra_client(entra_emulator: "EntraEmulator") -> "Iterator[AppClients]":
    """Makes clients of an application whose requests bear a token; see ``AppClients``."""
    from camunda_entra_fastapi.testing.app_clients import AppClients  # noqa: PLC0415 - only when asked for

    with AppClients(entra_emulator) as clients:
        yield clients
