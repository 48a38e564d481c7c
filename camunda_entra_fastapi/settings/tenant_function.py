"""What the settings say where a function of the application decides which tenants are let in."""

from typing import Annotated

from pydantic import BeforeValidator

from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.settings import validators
from camunda_entra_fastapi.settings.model import EntraSettings
from camunda_entra_fastapi.settings.values import FUNCTION

_ALLOWED_TENANTS = "CAMUNDA_ENTRA_ALLOWED_TENANTS"


class _FunctionDecides(EntraSettings):
    """The settings of the environment, which need no list of tenants."""

    allowed_tenants: Annotated[tuple[str, ...], BeforeValidator(validators.allowed_tenants)] = (FUNCTION,)

    def __init__(self) -> None:
        super().__init__()


def settings_for(settings: EntraSettings | None, *, has_function: bool) -> EntraSettings:
    """The settings, or those of the environment, which say whether a function decides about tenants.

    Raises:
        SettingsError: They say so, and there is none; or every tenant is let in without a question.
    """
    settings = settings or (_FunctionDecides() if has_function else EntraSettings())
    tenants = settings.allowed_tenants
    if not settings.is_multi_tenant:
        return settings  # nobody is asked about the only tenant
    if has_function and "*" in tenants:
        raise SettingsError(
            [
                f"{_ALLOWED_TENANTS}=* lets in every tenant, so that CamundaEntra(tenant_allowed=...) would "
                f"never be asked. Remove one of them; with the function, {_ALLOWED_TENANTS} may stay unset."
            ]
        )
    if not has_function and FUNCTION in tenants:
        raise SettingsError(
            [
                f"{_ALLOWED_TENANTS} says that a function decides, and CamundaEntra was given none. "
                "Pass it as CamundaEntra(tenant_allowed=...), or name the tenants to let in."
            ]
        )
    if has_function and FUNCTION not in tenants:
        return settings.model_copy(update={"allowed_tenants": (*tenants, FUNCTION)})
    return settings


def settings_without_function(settings: EntraSettings) -> EntraSettings:
    """The settings where there is no function to ask: the tenants that are named are let in, no others."""
    tenants = tuple(one for one in settings.allowed_tenants if one != FUNCTION)
    return settings.model_copy(update={"allowed_tenants": tenants})
