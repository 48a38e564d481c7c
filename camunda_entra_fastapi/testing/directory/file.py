"""The directory file in YAML or JSON: reading it with a sentence for each mistake, and writing it."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import TypeAdapter, ValidationError

from camunda_entra_fastapi.testing.directory.directory import Directory
from camunda_entra_fastapi.testing.directory.mistakes import format_place, mistakes_in
from camunda_entra_fastapi.testing.directory.syntax import (
    Document,
    MalformedFile,
    parse_json,
    parse_yaml,
)

MAX_BYTES: Final = 5_000_000
"""The greatest size of a directory file."""

MAX_CERTIFICATE_BYTES: Final = 100_000
MAX_LISTED: Final = 50
"""The number of mistakes that a message lists; ``problems`` has them all."""

_PARSERS: Final = {".yaml": parse_yaml, ".yml": parse_yaml, ".json": parse_json}


class DirectoryError(ValueError):
    """A directory file cannot be used. ``problems`` holds one sentence for each mistake."""

    def __init__(self, path: Path, problems: tuple[str, ...]) -> None:
        self.path = path
        self.problems = problems
        lines = [f"The directory file {path} cannot be used:", *problems[:MAX_LISTED]]
        if len(problems) > MAX_LISTED:
            lines.append(f"and {len(problems) - MAX_LISTED} more")
        super().__init__("\n  - ".join(lines))


def load_directory(path: Path) -> Directory:
    """The directory that a file describes, in YAML or JSON by the file's ending.

    Members are those of ``Directory`` and its parts. A certificate is written as PEM, or as the name of a
    file, relative to the folder of the directory file.

    Raises:
        DirectoryError: The file describes none; the message has one line for each mistake.
    """
    try:
        parse = _PARSERS.get(path.suffix.lower())
        if parse is None:
            raise MalformedFile("its name must end in .yaml, .yml or .json")
        document = parse(_read_text(path, MAX_BYTES))
    except MalformedFile as error:
        raise DirectoryError(path, (str(error),)) from None
    if not isinstance(document.value, dict):
        raise DirectoryError(path, ("the top level must be a mapping with tenants",))
    _read_certificates(document, path.parent)
    try:
        directory = TypeAdapter(Directory).validate_python(document.value)
    except ValidationError as error:
        document.add(mistakes_in(error, document.value))
    if document.mistakes:
        raise DirectoryError(path, tuple(_sentences_of(document)))
    return directory


def dump_directory(directory: Directory) -> str:
    """YAML from which ``load_directory`` reads an equal directory; default values are left out."""
    return yaml.dump(
        _to_plain(directory), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100, indent=2
    )


def _read_text(path: Path, limit: int) -> str:
    try:
        if path.exists() and not path.is_file():
            raise MalformedFile("is not a file")
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise MalformedFile(f"cannot be read: {os.strerror(error.errno or 0)}") from None
    if len(content) > limit:
        raise MalformedFile(f"is larger than {limit:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise MalformedFile(f"line {line} is not UTF-8; save the file in that encoding") from None


def _read_certificates(document: Document, folder: Path) -> None:
    """Replace the names of certificate files by the certificates in them."""
    for at_tenant, tenant in _items_of(document.value, "tenants"):
        for at_application, application in _items_of(tenant, "applications"):
            for index, name in _items_of(application, "certificates"):
                if not isinstance(name, str) or "-----BEGIN" in name:
                    continue
                place = ("tenants", at_tenant, "applications", at_application, "certificates", index)
                try:
                    application["certificates"][index] = _read_text(folder / name, MAX_CERTIFICATE_BYTES)
                except MalformedFile as error:
                    document.mistakes[place] = (
                        f"the file {name[:100]!r} {error}; give a certificate in PEM, or the name of its file"
                    )


def _items_of(value: Any, member: str) -> list[tuple[int, Any]]:
    found = value.get(member) if isinstance(value, dict) else None
    return list(enumerate(found)) if isinstance(found, list) else []


def _sentences_of(document: Document) -> Iterator[str]:
    """The mistakes as sentences, each with its place, in the order of the file."""
    lines = {format_place(place): line for place, line in document.lines.items()}
    found: list[tuple[int, str]] = []
    for place, mistake in document.mistakes.items():
        for sentence in mistake.splitlines():
            full = f"{format_place(place)}: {sentence}" if place else sentence
            line = document.line_of(place) if place else lines.get(sentence.partition(": ")[0])
            found.append((line or 0, f"{full} (line {line})" if line else full))
    yield from (sentence for _, sentence in sorted(found, key=itemgetter(0)))


class _Dumper(yaml.SafeDumper):
    """Indents lists, writes texts of several lines as blocks, and never writes an alias."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - always
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - never an alias
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def _to_plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _to_plain(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [_to_plain(each) for each in value]
    if not is_dataclass(value):
        return value
    values = {each.name: getattr(value, each.name) for each in fields(value)}
    required = {each.name for each in fields(value) if each.default is each.default_factory is MISSING}
    kind: Any = type(value)
    bare = kind(**{name: values[name] for name in required})
    return {
        name: _to_plain(each)
        for name, each in values.items()
        if name in required or each != getattr(bare, name)
    }
