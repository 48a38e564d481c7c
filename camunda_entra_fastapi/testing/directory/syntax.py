"""Parsers of a directory file, YAML or JSON: plain values, their lines, and mistakes in the text."""

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
"""Plain words that are no texts: those that YAML 1.2 and YAML 1.1 have in common. ``no`` may be a name."""


class MalformedFile(ValueError):
    """The file cannot be read, or is neither YAML nor JSON; the message says where and why."""


@dataclass(slots=True)
class Document:
    """The content of a file.

    Attributes:
        value: Mappings, lists, texts, whole numbers, true, false and None.
        lines: The line in which a value, or the name before it, begins; empty for JSON.
        mistakes: Values that could be parsed, but are not allowed.
    """

    value: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    mistakes: dict[Place, str] = field(default_factory=dict)

    def line_of(self, place: Place) -> int | None:
        """The line of a value; for a missing one, that of the value around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place)

    def add(self, mistakes: Mapping[Place, str]) -> None:
        """Add mistakes, but none about a value that has one already."""
        for place, text in mistakes.items():
            if not any(place[:length] in self.mistakes for length in range(len(place) + 1)):
                self.mistakes[place] = text


def parse_yaml(text: str) -> Document:
    """Parse YAML, with the plain words of YAML 1.2.

    An alias may stand for a text only, so that no small file becomes a huge one.

    Raises:
        Malformed: The text is no YAML.
    """
    document = Document()
    try:
        node = yaml.compose(text, Loader=_Loader)
        document.value = _YamlReader(document).value(node, ()) if node else None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        column = error.position - before.rfind("\n")
        raise MalformedFile(
            f"line {before.count(chr(10)) + 1}, column {column}: a character that YAML does not allow"
        ) from None
    except yaml.MarkedYAMLError as error:
        raise MalformedFile(_describe_error(error)) from None
    except RecursionError:
        raise MalformedFile("mappings and lists are nested too deeply") from None
    return document


def parse_json(text: str) -> Document:
    """Parse JSON.

    Raises:
        Malformed: The text is no JSON.
    """
    document = Document()
    try:
        value = json.loads(text, object_pairs_hook=_JsonObject, parse_int=_parse_integer)
        document.value = _without_duplicates(value, (), document.mistakes)
    except json.JSONDecodeError as error:
        raise MalformedFile(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise MalformedFile("objects and arrays are nested too deeply") from None
    return document


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as in the base class


for _name, (_pattern, _first) in _PLAIN.items():
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"{_pattern.pattern}\Z"), list(_first))


@dataclass(slots=True)
class _YamlReader:
    document: Document
    seen: set[int] = field(default_factory=set)

    def value(self, node: yaml.Node, place: Place) -> Any:
        """The value of a node."""
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

    def _mistake(self, place: Place, text: str) -> Any:
        """Record the mistake; the value counts as None."""
        self.document.mistakes[place] = text
        return None


def _describe_error(error: yaml.MarkedYAMLError) -> str:
    """The parser's message without names from the file: one may be a secret that lacks its quotes."""
    message = ", ".join(filter(None, (error.context, error.problem)))
    redacted, names = re.subn(r"\b(alias|anchor|handle) (['\"]).*?\2", r"\1", message)
    remedy = "; a text that begins with *, & or ! needs quotes" if names else ""
    mark = error.problem_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: {redacted}{remedy}" if mark else redacted


class _JsonObject(tuple[tuple[str, Any], ...]):
    """The members of a JSON object, duplicates included."""

    __slots__ = ()


def _parse_integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else digits


def _without_duplicates(value: Any, place: Place, mistakes: dict[Place, str]) -> Any:
    if isinstance(value, _JsonObject):
        found: dict[str, Any] = {}
        for name, each in value:
            if name in found:
                mistakes[*place, name] = "is written twice; once is enough"
            found[name] = _without_duplicates(each, (*place, name), mistakes)
        return found
    if isinstance(value, list):
        return [_without_duplicates(each, (*place, index), mistakes) for index, each in enumerate(value)]
    return value
