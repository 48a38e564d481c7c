"""A local Entra for tests and development; needs the extra ``emulator``."""

from camunda_entra_fastapi.testing.directory import Application, Directory, Tenant, User
from camunda_entra_fastapi.testing.emulator import EntraEmulator, RecordedRequest
from camunda_entra_fastapi.testing.keys import SigningKey

__all__ = ["Application", "Directory", "EntraEmulator", "RecordedRequest", "SigningKey", "Tenant", "User"]
