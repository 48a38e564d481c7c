"""A local Entra for tests and development; needs the extra ``emulator``.

Nothing is loaded before it is asked for: pytest imports this package for its plugin in every run.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from camunda_entra_fastapi.testing.directory import Application, Directory, Tenant, User
    from camunda_entra_fastapi.testing.emulator import EntraEmulator
    from camunda_entra_fastapi.testing.keys import SigningKey
    from camunda_entra_fastapi.testing.reaching import RecordedRequest

__all__ = ["Application", "Directory", "EntraEmulator", "RecordedRequest", "SigningKey", "Tenant", "User"]

_HOMES: Final = {
    "Application": "directory",
    "Directory": "directory",
    "EntraEmulator": "emulator",
    "RecordedRequest": "reaching",
    "SigningKey": "keys",
    "Tenant": "directory",
    "User": "directory",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
