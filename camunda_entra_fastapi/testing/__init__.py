"""An emulator of Entra for tests and development; needs the extra ``emulator``.

Names are loaded on first use, because pytest imports this package for its plugin in every run.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from camunda_entra_fastapi.testing.directory import (
        Application,
        ConditionalAccess,
        Consent,
        Directory,
        FederatedCredential,
        Group,
        OptionalClaims,
        Scope,
        Secret,
        Tenant,
        User,
    )
    from camunda_entra_fastapi.testing.directory.file import DirectoryError, dump_directory, load_directory
    from camunda_entra_fastapi.testing.emulator import EntraEmulator
    from camunda_entra_fastapi.testing.fixtures.app_clients import AppClients
    from camunda_entra_fastapi.testing.protocol.keys import SigningKey
    from camunda_entra_fastapi.testing.protocol.request_log import RecordedRequest
else:  # so that an unknown name is an error to type checkers

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = found  # PEP 562: from now on, Python finds it by itself
        return found


__all__ = [
    "AppClients",
    "Application",
    "ConditionalAccess",
    "Consent",
    "Directory",
    "DirectoryError",
    "EntraEmulator",
    "FederatedCredential",
    "Group",
    "OptionalClaims",
    "RecordedRequest",
    "Scope",
    "Secret",
    "SigningKey",
    "Tenant",
    "User",
    "dump_directory",
    "load_directory",
]

_HOMES: Final = {
    "AppClients": "fixtures.app_clients",
    "Application": "directory",
    "ConditionalAccess": "directory",
    "Consent": "directory",
    "Directory": "directory",
    "DirectoryError": "directory.file",
    "EntraEmulator": "emulator",
    "FederatedCredential": "directory",
    "Group": "directory",
    "OptionalClaims": "directory",
    "RecordedRequest": "protocol.request_log",
    "Scope": "directory",
    "Secret": "directory",
    "SigningKey": "protocol.keys",
    "Tenant": "directory",
    "User": "directory",
    "dump_directory": "directory.file",
    "load_directory": "directory.file",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
