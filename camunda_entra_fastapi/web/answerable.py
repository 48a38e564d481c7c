"""Errors that code of a route may raise: FastAPI and Starlette answer them wherever that route is."""

from collections.abc import Mapping
from typing import Any, Final

from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.web.challenges import FOR_CLIENTS, Challenger, RefusedRequest


def _answerable_class(kind: type[EntraError]) -> Any:
    """The class of both; its name, and all that is printed of it, are those of the error."""
    named = {"__module__": kind.__module__, "__str__": Exception.__str__, "__repr__": Exception.__repr__}
    return type(kind.__name__, (kind, RefusedRequest), named)


_CLASSES: Final[Mapping[type[EntraError], Any]] = {kind: _answerable_class(kind) for kind in FOR_CLIENTS}


def answerable(error: EntraError, challenger: Challenger) -> EntraError:
    """The error as one that is a refusal besides.

    Whoever catches it finds what it was: class, code and message. Where nobody does, it has the response that
    a dependency's error has, also in a mounted application, which has exception handlers of its own.
    """
    kind = _CLASSES.get(type(error))
    if kind is None:
        return error
    raised: EntraError = kind.__new__(kind, *error.args)
    raised.__dict__ |= error.__dict__
    RefusedRequest.__init__(raised, challenger, error)  # type: ignore[arg-type]  # it is both
    return raised
