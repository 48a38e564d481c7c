"""What is wrong with a described directory, in words for whoever described it."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import AwareDatetime, ValidationError

from camunda_entra_fastapi.testing.directory.directory import Directory
from camunda_entra_fastapi.testing.directory.syntax import Place

_KEY: Final = "[key]"
"""How pydantic ends the place of a mapping's key."""

_LONGEST: Final = 100
_SECRET_MEMBERS: Final = ("value", "expires")


def mistakes_of(error: ValidationError, value: Any) -> dict[Place, str]:
    """What to change at each place. What stands there is not repeated, for it may be a secret.

    Args:
        error: Why the value is no ``Directory``.
        value: What was validated.
    """
    found: dict[Place, str] = {}
    for each in error.errors(include_url=False, include_input=False):
        place, told = _told(each["type"], each["loc"], each.get("ctx", {}), value)
        if told:
            found.setdefault(place, told)
    return found


def shown(place: Place) -> str:
    """A place for people, like ``tenants[0].applications[1].redirect_uris``."""
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
    """Whether secrets may stand below, perhaps even where a name should."""
    return "secrets" in place


def _told(
    error: str, location: tuple[str | int, ...], context: Mapping[str, Any], value: Any
) -> tuple[Place, str]:
    """Where it is, and what is wrong there; nothing if another error tells it better."""
    kind: Any = Directory
    owner: Any = None
    place: Place = ()
    for part in location:
        options = _options(kind)
        if len(options) > 1:  # and pydantic tells of each option on its own, naming it
            given = _at(value, place)
            if not isinstance(given, str | Mapping):
                return place, _wanted(kind, given)
            chosen = next((each for each in options if getattr(each, "__name__", "") == part), str)
            if is_dataclass(chosen) != isinstance(given, Mapping):
                return place, ""
            kind = chosen
        elif part == _KEY:
            kind = str
        else:
            owner, kind = options[0], _inside(options[0], part)
            place = (*place, part)
    if error == "unexpected_keyword_argument":
        return place, _unknown(str(place[-1]), owner, secret=is_secret(place))
    return place, _sentence(error, context, kind, lambda: _at(value, place))


def _sentence(error: str, context: Mapping[str, Any], kind: Any, given: Callable[[], Any]) -> str:
    match error:
        case "value_error":
            return str(context["error"])
        case "missing":
            return f"is missing; it must be {_described(kind)}"
        case "string_too_short" | "string_too_long":
            return "must have 1 to 256 characters"
        case _:
            return _wanted(kind, given())


def _wanted(kind: Any, given: Any) -> str:
    needs_quotes = str in _options(kind) and isinstance(given, int)
    return f"must be {_described(kind)}{'; put it in quotes' if needs_quotes else ''}"


def _options(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) not in (Union, UnionType):
        return (kind,)
    return tuple(each for each in get_args(kind) if each is not NoneType)


def _inside(kind: Any, part: str | int) -> Any:
    if is_dataclass(kind):
        return get_type_hints(kind).get(str(part))
    return get_args(kind)[1 if isinstance(part, str) else 0]


def _at(value: Any, place: Place) -> Any:
    for part in place:
        value = value[part]
    return value


def _unknown(name: str, owner: type, *, secret: bool) -> str:
    members = [each.name for each in fields(owner)]
    if nearest := [] if secret else difflib.get_close_matches(name, members, n=1):
        return f"is unknown; did you mean {nearest[0]}?"
    return f"{'has an unknown member' if secret else 'is unknown'}; {_members(owner)}"


def _described(kind: Any) -> str:
    options = _options(kind)
    nullable = ["null"] if NoneType in get_args(kind) else []
    return _either([word for option in options for word in _words(option)] + nullable)


def _words(kind: Any) -> list[str]:
    if is_dataclass(kind):
        needed = [each.name for each in fields(kind) if each.default is each.default_factory is MISSING]
        return [f"a mapping with {_both(needed)}" if needed else f"a mapping; {_members(kind)}"]
    if get_origin(kind) is Literal:
        return [str(each) for each in get_args(kind)]
    plain = {
        str: "a text",
        bool: "true or false",
        AwareDatetime: "a time with its zone, like 2030-12-31T23:59:00Z",
        tuple: "a list",
    }
    return [plain.get(get_origin(kind) or kind, "a mapping")]


def _members(kind: Any) -> str:
    return f"it may have {_both([each.name for each in fields(kind)])}"


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _both(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
