"""The mistakes in a directory file, in words for the person who wrote it."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import AwareDatetime, ValidationError

from camunda_entra_fastapi.testing.directory.directory import Directory
from camunda_entra_fastapi.testing.directory.syntax import Place

_KEY: Final = "[key]"
"""The last part of pydantic's location of a mapping's key."""

_LONGEST: Final = 100
_SECRET_MEMBERS: Final = ("value", "expires")


def mistakes_in(error: ValidationError, value: Any) -> dict[Place, str]:
    """What to change at each place. The value is not repeated, because it may be a secret.

    Args:
        error: Why the value is no ``Directory``.
        value: The value that was validated.
    """
    found: dict[Place, str] = {}
    for each in error.errors(include_url=False, include_input=False):
        place, sentence = _mistake_at(each["type"], each["loc"], each.get("ctx", {}), value)
        if sentence:
            found.setdefault(place, sentence)
    return found


def format_place(place: Place) -> str:
    """A place as messages show it, like ``tenants[0].applications[1].redirect_uris``."""
    path = ""
    for index, part in enumerate(place):
        if isinstance(part, int):
            path += f"[{part}]"
        elif is_secret(place[:index]) and part not in _SECRET_MEMBERS:
            break
        elif part.isidentifier() and len(part) <= _LONGEST:
            path += f".{part}" if path else part
        else:
            path += f"[{part[:_LONGEST]!r}]"
    return path


def is_secret(place: Place) -> bool:
    """Whether secrets may stand below that place, perhaps even where a name should."""
    return "secrets" in place


def _mistake_at(
    error: str, location: tuple[str | int, ...], context: Mapping[str, Any], value: Any
) -> tuple[Place, str]:
    """The place and the mistake; an empty mistake if another error describes it better."""
    kind: Any = Directory
    owner: Any = None
    place: Place = ()
    for part in location:
        options = _options(kind)
        if len(options) > 1:  # pydantic reports each option on its own, and names it
            found = _value_at(value, place)
            if not isinstance(found, str | Mapping):
                return place, _expectation(kind, found)
            chosen = next((each for each in options if getattr(each, "__name__", "") == part), str)
            if is_dataclass(chosen) != isinstance(found, Mapping):
                return place, ""
            kind = chosen
        elif part == _KEY:
            kind = str
        else:
            owner, kind = options[0], _member_type(options[0], part)
            place = (*place, part)
    if error == "unexpected_keyword_argument":
        return place, _unknown_member(str(place[-1]), owner, secret=is_secret(place))
    return place, _sentence(error, context, kind, lambda: _value_at(value, place))


def _sentence(error: str, context: Mapping[str, Any], kind: Any, find_value: Callable[[], Any]) -> str:
    match error:
        case "value_error":
            return str(context["error"])
        case "missing":
            return f"is missing; it must be {_describe_type(kind)}"
        case "string_too_short" | "string_too_long":
            return "must have 1 to 256 characters"
        case _:
            return _expectation(kind, find_value())


def _expectation(kind: Any, value: Any) -> str:
    needs_quotes = str in _options(kind) and isinstance(value, int)
    return f"must be {_describe_type(kind)}{'; put it in quotes' if needs_quotes else ''}"


def _options(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) not in (Union, UnionType):
        return (kind,)
    return tuple(each for each in get_args(kind) if each is not NoneType)


def _member_type(kind: Any, part: str | int) -> Any:
    if is_dataclass(kind):
        return get_type_hints(kind).get(str(part))
    return get_args(kind)[1 if isinstance(part, str) else 0]


def _value_at(value: Any, place: Place) -> Any:
    for part in place:
        value = value[part]
    return value


def _unknown_member(name: str, owner: type, *, secret: bool) -> str:
    members = [each.name for each in fields(owner)]
    if nearest := [] if secret else difflib.get_close_matches(name, members, n=1):
        return f"is unknown; did you mean {nearest[0]}?"
    return f"{'has an unknown member' if secret else 'is unknown'}; {_member_names(owner)}"


def _describe_type(kind: Any) -> str:
    options = _options(kind)
    nullable = ["null"] if NoneType in get_args(kind) else []
    return _enumeration([word for option in options for word in _type_names(option)] + nullable, "or")


def _type_names(kind: Any) -> list[str]:
    if is_dataclass(kind):
        required = [each.name for each in fields(kind) if each.default is each.default_factory is MISSING]
        return [
            f"a mapping with {_enumeration(required, 'and')}"
            if required
            else f"a mapping; {_member_names(kind)}"
        ]
    if get_origin(kind) is Literal:
        return [str(each) for each in get_args(kind)]
    plain = {
        str: "a text",
        bool: "true or false",
        AwareDatetime: "a time with its zone, like 2030-12-31T23:59:00Z",
        tuple: "a list",
    }
    return [plain.get(get_origin(kind) or kind, "a mapping")]


def _member_names(kind: Any) -> str:
    return f"it may have {_enumeration([each.name for each in fields(kind)], 'and')}"


def _enumeration(words: list[str], conjunction: str) -> str:
    return f" {conjunction} ".join(filter(None, (", ".join(words[:-1]), words[-1])))
