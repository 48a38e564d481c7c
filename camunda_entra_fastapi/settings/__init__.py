"""Settings: from the environment to validated, frozen values."""

from camunda_entra_fastapi.settings.model import EntraSettings

__all__ = ["EntraSettings"]
