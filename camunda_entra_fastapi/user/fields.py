"""The fields of a user, from the claims of a verified token.

A field is read on first access: most requests need three of fifty.
"""

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin

from fastapi_azure_auth.user import User

from camunda_entra_fastapi.user.frozen import FrozenList, freeze
from camunda_entra_fastapi.validation.claims import audiences_of
from camunda_entra_fastapi.validation.entra import is_guest, scopes_of, texts_of

Claims = Mapping[str, Any]
Reader = Callable[[Claims], Any]


def _claim(name: str, annotation: Any, default: Any) -> Reader:
    """Reads a claim as it is, if its value has the type of the base class's field."""
    fits = _type_check(annotation)

    def read(claims: Claims) -> Any:
        value = claims.get(name)
        return freeze(value) if value is not None and fits(value) else default

    return read


def _type_check(annotation: Any) -> Callable[[object], bool]:
    """A function that checks whether a value has that type."""
    optional = NoneType in get_args(annotation)
    kind = next(one for one in get_args(annotation) if one is not NoneType) if optional else annotation
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        return lambda value: isinstance(value, str) and value in choices
    if get_origin(kind) is list:
        return lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value)
    return lambda value: type(value) is kind


def _texts(name: str) -> Reader:
    """Reads the texts of a list claim."""
    return lambda claims: FrozenList(texts_of(claims, name))


def _time(name: str) -> Reader:
    """Reads a time in whole seconds: RFC 7519 allows fractions, the base class does not."""
    return lambda claims: int(claims[name])


def _readers() -> Mapping[str, Reader]:
    readers: dict[str, Reader] = {}
    for name, field in User.model_fields.items():
        default = None if field.is_required() else freeze(field.get_default(call_default_factory=True))
        readers[name] = _claim(name, field.annotation, default)
    del readers["access_token"]  # is in no claim
    return readers | {
        "ver": _claim("ver", User.model_fields["ver"].annotation, "2.0"),
        "aud": lambda claims: audiences_of(claims)[0],
        "exp": _time("exp"),
        "nbf": _time("nbf"),
        "iat": _time("iat"),
        "scp": lambda claims: FrozenList(scopes_of(claims)),
        "roles": _texts("roles"),
        "groups": _texts("groups"),
        "is_guest": is_guest,
        "claims": freeze,
    }


READERS: Final = _readers()
"""The reader of each field by its name, in the order in which users are serialized."""
