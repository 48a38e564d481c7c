"""A directory file's text, YAML or JSON, as plain values; where each stands, and what cannot be meant."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

Place = tuple[str | int, ...]
"""The members and positions that lead to a value from the top of the file."""

_LONGEST_INTEGER: Final = 18
_TAG: Final = "tag:yaml.org,2002:"
_PLAIN: Final = {
    "null": (re.compile(r"(?:~|null|Null|NULL|)"), ("~", "n", "N", "")),
    "bool": (re.compile(r"(?:true|True|TRUE|false|False|FALSE)"), tuple("tTfF")),
    "int": (re.compile(rf"-?(?:0|[1-9][0-9]{{0,{_LONGEST_INTEGER - 1}}})"), tuple("-0123456789")),
}
"""Plain words that are no texts: those of YAML 1.2 and of YAML 1.1 alike. ``no`` may be a name."""


class Malformed(ValueError):
    """The text is no YAML, or no JSON; the message tells where and why."""


@dataclass(slots=True)
class Document:
    """What a file holds.

    Attributes:
        value: Mappings, lists, texts, whole numbers, true, false and None.
        lines: In which line a value, or the name before it, begins; empty for JSON.
        mistakes: What was understood, but cannot be meant.
    """

    value: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    mistakes: dict[Place, str] = field(default_factory=dict)

    def line_of(self, place: Place) -> int | None:
        """The line of a value, or of the next greater one for what is not there."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place)

    def add(self, mistakes: Mapping[Place, str]) -> None:
        """More mistakes; none about a value that has one already."""
        for place, told in mistakes.items():
            if not any(place[:length] in self.mistakes for length in range(len(place) + 1)):
                self.mistakes[place] = told


def parse_yaml(text: str) -> Document:
    """Read YAML, as YAML 1.2 understands plain words.

    An alias may stand for a text alone, so that no small file becomes a huge one.

    Raises:
        Malformed: The text is no YAML.
    """
    document = Document()
    try:
        node = yaml.compose(text, Loader=_Loader)
        document.value = _Reading(document).value(node, ()) if node else None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        column = error.position - before.rfind("\n")
        raise Malformed(
            f"line {before.count(chr(10)) + 1}, column {column}: a character that YAML does not allow"
        ) from None
    except yaml.MarkedYAMLError as error:
        raise Malformed(_told(error)) from None
    except RecursionError:
        raise Malformed("mappings and lists are nested too deeply") from None
    return document


def parse_json(text: str) -> Document:
    """Read JSON.

    Raises:
        Malformed: The text is no JSON.
    """
    document = Document()
    try:
        value = json.loads(text, object_pairs_hook=_Pairs, parse_int=_integer)
        document.value = _without_doubles(value, (), document.mistakes)
    except json.JSONDecodeError as error:
        raise Malformed(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise Malformed("objects and arrays are nested too deeply") from None
    return document


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as in the base class


for _name, (_pattern, _first) in _PLAIN.items():
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"{_pattern.pattern}\Z"), list(_first))


@dataclass(slots=True)
class _Reading:
    document: Document
    seen: set[int] = field(default_factory=set)

    def value(self, node: yaml.Node, place: Place) -> Any:
        """What the node means."""
        self.document.lines[place] = node.start_mark.line + 1
        kind = node.tag.removeprefix(_TAG)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(kind, node.value, place)
        if id(node) in self.seen:
            return self._mistake(place, "is an alias (*name) of a list or mapping; write it out")
        self.seen.add(id(node))
        if kind not in ("map", "seq"):
            return self._mistake(place, "has a tag (!name), which means nothing here; leave the tag out")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        return [self.value(each, (*place, index)) for index, each in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, each in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._mistake(place, "has a member whose name is a list or mapping; names are texts")
                continue
            inner = (*place, key.value)
            value = self.value(each, inner)
            self.document.lines[inner] = key.start_mark.line + 1
            if key.value in found:
                self._mistake(inner, "is written twice; once is enough")
            found[key.value] = value
        return found

    def _scalar(self, kind: str, text: str, place: Place) -> Any:
        if kind == "str":
            return text
        if kind not in _PLAIN or not _PLAIN[kind][0].fullmatch(text):
            return self._mistake(place, "has a tag (!name), which means nothing here; leave the tag out")
        if kind == "null":
            return None
        return text.lower() == "true" if kind == "bool" else int(text)

    def _mistake(self, place: Place, told: str) -> Any:
        """Note it; what stands there counts as nothing."""
        self.document.mistakes[place] = told
        return None


def _told(error: yaml.MarkedYAMLError) -> str:
    """The parser's words without names that stand in the file: one may be a secret without its quotes."""
    said = ", ".join(filter(None, (error.context, error.problem)))
    told, names = re.subn(r"\b(alias|anchor|handle) (['\"]).*?\2", r"\1", said)
    remedy = "; a text that begins with *, & or ! needs quotes" if names else ""
    mark = error.problem_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: {told}{remedy}" if mark else told


class _Pairs(tuple[tuple[str, Any], ...]):
    """A JSON object's members, as many as there are."""

    __slots__ = ()


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else digits


def _without_doubles(value: Any, place: Place, mistakes: dict[Place, str]) -> Any:
    if isinstance(value, _Pairs):
        found: dict[str, Any] = {}
        for name, each in value:
            if name in found:
                mistakes[*place, name] = "is written twice; once is enough"
            found[name] = _without_doubles(each, (*place, name), mistakes)
        return found
    if isinstance(value, list):
        return [_without_doubles(each, (*place, index), mistakes) for index, each in enumerate(value)]
    return value
