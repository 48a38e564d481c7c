"""From pydantic's errors to sentences for whoever sets the variables."""

from collections.abc import Collection
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from camunda_entra_fastapi.errors import quoted
from camunda_entra_fastapi.settings import issuers, values
from camunda_entra_fastapi.settings.misspellings import SETTINGS_PAGE, nearest_of
from camunda_entra_fastapi.settings.sources import InvalidValue, variables_of

_REMEDIES: Final = {
    "type": "Set it to AZUREAD.",
    "issuer": f"Set it to the issuer of your tenant, for example {issuers.EXAMPLE_ISSUER}.",
    "client_id": "Set it to the Application (client) ID of the app registration, a GUID, "
    f"for example {values.EXAMPLE_ID}.",
}


def problems_of(error: ValidationError, fields: Collection[str]) -> list[str]:
    """The problems of all mistakes, in the order of the fields; whether http is accepted comes last."""
    details = sorted(error.errors(include_url=False), key=lambda one: one["loc"] == ("allow_http",))
    return [_problem_of(one, fields) for one in details]


def _problem_of(details: ErrorDetails, fields: Collection[str]) -> str:
    field = str(details["loc"][0])
    if isinstance(mistake := details["input"], InvalidValue):
        return mistake.problem
    if details["type"] == "extra_forbidden":
        nearest = nearest_of(field, fields)
        meant = f"Remove it, or did you mean {nearest}?" if nearest else f"Remove it. {SETTINGS_PAGE}"
        return f"{quoted(field, 80)} is not a setting. {meant}"
    variable = getattr(details["input"], "variable", variables_of(field)[0])
    if details["type"] == "missing":
        return f"{variable} is not set. {_REMEDIES[field]}"
    return f"{variable} {details['ctx']['error']}"
