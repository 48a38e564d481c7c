"""FastAPI services that trust Microsoft Entra ID, from the variables every Camunda component gets.

Nothing is loaded before it is asked for: pytest imports this package for its plugin in every run.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from camunda_entra_fastapi.downstream.delegation import DelegationEnded
    from camunda_entra_fastapi.errors import (
        AccessDenied,
        CredentialsMissing,
        CrossOrigin,
        EntraError,
        EntraRefused,
        EntraUnavailable,
        InsufficientClaims,
        InvalidRequest,
        InvalidToken,
        SessionsUnavailable,
        SettingsError,
        SignInFailed,
    )
    from camunda_entra_fastapi.plugin import CamundaEntra
    from camunda_entra_fastapi.settings import EntraSettings
    from camunda_entra_fastapi.user import EntraUser
    from camunda_entra_fastapi.web.challenges import RefusedRequest, SignInRedirect
    from camunda_entra_fastapi.web.gateway_identity import GatewayIdentity
else:  # so that an unknown name is an error to type checkers

    def __getattr__(name: str) -> Any:
        if name in _SUBMODULES:
            return import_module(f"{__name__}.{name}")
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULE_OF.get(name, 'errors')}"), name)
        globals()[name] = value  # PEP 562: from now on, Python finds it by itself
        return value


__all__ = [
    "AccessDenied",
    "CamundaEntra",
    "CredentialsMissing",
    "CrossOrigin",
    "DelegationEnded",
    "EntraError",
    "EntraRefused",
    "EntraSettings",
    "EntraUnavailable",
    "EntraUser",
    "GatewayIdentity",
    "InsufficientClaims",
    "InvalidRequest",
    "InvalidToken",
    "RefusedRequest",
    "SessionsUnavailable",
    "SettingsError",
    "SignInFailed",
    "SignInRedirect",
]

_MODULE_OF: Final = {
    "CamundaEntra": "plugin",
    "DelegationEnded": "downstream.delegation",
    "EntraSettings": "settings",
    "EntraUser": "user",
    "GatewayIdentity": "web.gateway_identity",
    "RefusedRequest": "web.challenges",
    "SignInRedirect": "web.challenges",
}
"""Where a public name is defined; those that are not here are in ``errors``."""
_SUBMODULES: Final = (
    "application_api",
    "downstream",
    "downstream_api",
    "errors",
    "plugin",
    "remote",
    "runtime",
    "sessions",
    "settings",
    "sign_in",
    "telemetry",
    "token_validator",
    "urls",
    "user",
    "validation",
    "web",
)
"""What can be reached as an attribute without an import of its own."""


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_SUBMODULES})
