"""FastAPI services that trust Microsoft Entra ID, from the variables every Camunda component gets."""

from camunda_entra_fastapi.errors import (
    AccessDenied,
    CredentialsMissing,
    EntraError,
    EntraUnavailable,
    InsufficientClaims,
    InvalidRequest,
    InvalidToken,
    SettingsError,
)
from camunda_entra_fastapi.plugin import CamundaEntra
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.user import EntraUser

__all__ = [
    "AccessDenied",
    "CamundaEntra",
    "CredentialsMissing",
    "EntraError",
    "EntraSettings",
    "EntraUnavailable",
    "EntraUser",
    "InsufficientClaims",
    "InvalidRequest",
    "InvalidToken",
    "SettingsError",
]
