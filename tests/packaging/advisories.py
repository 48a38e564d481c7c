"""The list of known vulnerabilities; ``python -m tests.packaging.advisories`` prints it."""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

FOLDER: Final = Path(__file__).parent
LIST: Final = FOLDER / "advisories.toml"
PROJECT: Final = FOLDER.parents[1] / "pyproject.toml"


@dataclass(frozen=True)
class Advisory:
    """Vulnerabilities of one package that the same versions have, and what is known of them here."""

    package: str
    ids: tuple[str, ...]
    affected: tuple[str, ...]
    what: str
    through_us: str
    fixed: str | None = None
    not_reached: str | None = None
    proof: tuple[str, ...] = ()

    def affects(self, version: str) -> bool:
        """Whether a version has them."""
        return any(SpecifierSet(versions).contains(version, prereleases=True) for versions in self.affected)


def advisories() -> list[Advisory]:
    """All entries of the list."""
    entries = tomllib.loads(LIST.read_text("utf-8"))["advisory"]
    return [Advisory(**{key: _fixed(value) for key, value in entry.items()}) for entry in entries]


def _fixed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def nothing_found() -> list[str]:
    """The packages that were looked up in vain."""
    return list(tomllib.loads(LIST.read_text("utf-8"))["nothing_found"])


def lowest(requirements: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Name and lower bound of each requirement.

    Raises:
        ValueError: One has no lower bound, or more than that.
    """
    for text in requirements:
        requirement = Requirement(text)
        found = re.fullmatch(r"(?:>=|==)([^,*]+)", str(requirement.specifier))
        if found is None:
            raise ValueError(f"{text} needs a lower bound, and nothing else: {requirement.name}>=1.2.3")
        yield canonicalize_name(requirement.name), found[1]


def pins(path: Path) -> list[str]:
    """The requirements of a file of pins, without their hashes and markers."""
    return re.findall(r"^[\w.-]+==[^\s;\\]+", path.read_text("utf-8"), re.MULTILINE)


def demanded() -> tuple[list[str], list[str]]:
    """What pyproject.toml asks for: to run, extras included, and besides to build and to develop."""
    project = tomllib.loads(PROJECT.read_text("utf-8"))
    running = [*project["project"]["dependencies"], *_all(project["project"]["optional-dependencies"])]
    others = [*project["build-system"]["requires"], *_all(project["dependency-groups"])]
    return [line for line in running if Requirement(line).name != project["project"]["name"]], others


def _all(groups: dict[str, list[str | dict[str, str]]]) -> list[str]:
    return [line for group in groups.values() for line in group if isinstance(line, str)]


def found(versions: Iterable[tuple[str, str]], known: Iterable[Advisory]) -> list[str]:
    """A line for each version that has a vulnerability for which there is a fix."""
    known = list(known)
    return [
        f"{name} {version} has {entry.ids[0]}: {entry.what} Fixed in {entry.fixed}."
        for name, version in versions
        for entry in known
        if entry.package == name and entry.fixed is not None and entry.affects(version)
    ]


if __name__ == "__main__":
    head = tomllib.loads(LIST.read_text("utf-8"))
    sys.stdout.write(f"Looked up on {head['as_of']}; nothing after {head['newest_source']} was known then.\n")
    for one in advisories():
        sys.stdout.write(f"\n{one.package} {' or '.join(one.affected)}: {', '.join(one.ids)}\n")
        sys.stdout.write(f"  {one.what} {f'Fixed in {one.fixed}.' if one.fixed else 'There is no fix.'}\n")
        sys.stdout.write(
            f"  {one.through_us}{f' Not bounded here: {one.not_reached}' if one.not_reached else ''}\n"
        )
