"""The pytest fixture ``entra_emulator``. Loads nothing until a test asks for it."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from camunda_entra_fastapi.testing.emulator import EntraEmulator


@pytest.fixture
def entra_emulator() -> "EntraEmulator":
    """A local Entra with the default directory, new for each test."""
    from camunda_entra_fastapi.testing.emulator import EntraEmulator  # noqa: PLC0415 - only when asked for

    return EntraEmulator()
