"""The package's structure, read from its imports: rooms, arrows, floors and circles.

``python tests/architecture/structure.py [PACKAGE]`` prints them for every folder of the package; with
the folder of another checkout's package, for that one. All imports count: at the top of a module, inside
of functions, and those that type checkers alone read.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

Graph = Mapping[str, frozenset[str]]
"""From each name to those that it imports from."""

PACKAGE = Path(__file__).parents[2] / "camunda_entra_fastapi"
ITSELF = "__init__"
"""The room of a folder's own ``__init__.py``."""


@dataclass(frozen=True)
class Imported:
    """One import: ``module`` alone, or one ``name`` out of it."""

    module: str
    name: str | None = None


def imports_in(source: str) -> Iterator[Imported]:
    """Every import of a module, wherever it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Imported(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield from (Imported(node.module or "", alias.name) for alias in node.names)


def modules_of(package: Path) -> dict[str, Path]:
    """The modules of a package by their names within it; the package's own is ``__init__``."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == ITSELF and len(parts) > 1 else parts)] = path
    return found


def graph_of(package: Path) -> Graph:
    """Which module imports from which, within the package."""
    modules = modules_of(package)

    def target(imported: Imported) -> str | None:
        within = imported.module.removeprefix(package.name).removeprefix(".")
        if imported.module.partition(".")[0] != package.name:
            return None
        longer = ".".join(part for part in (within, imported.name) if part)
        return next((name for name in (longer, within or ITSELF) if name in modules), None)

    return {
        name: frozenset(
            found
            for imported in imports_in(path.read_text("utf-8"))
            if (found := target(imported)) is not None and found != name
        )
        for name, path in modules.items()
    }


def folders_of(graph: Graph) -> list[str]:
    """The folders with modules in them; the package itself is the empty name."""
    return sorted({name.rpartition(".")[0] for name in graph if name != ITSELF} | {""})


def rooms_of(graph: Graph, folder: str) -> Graph:
    """The rooms of a folder, which are its modules and its subfolders, and which imports from which."""
    rooms: dict[str, set[str]] = {}
    for name, targets in graph.items():
        if (room := room_in(folder, name)) is not None:
            others = {room_in(folder, target) for target in targets} - {None, room}
            rooms.setdefault(room, set()).update(other for other in others if other is not None)
    return {room: frozenset(others) for room, others in rooms.items()}


def room_in(folder: str, name: str) -> str | None:
    """The room of a folder that a module is in; None for modules elsewhere."""
    if not folder:
        return name.partition(".")[0]
    if name == folder:
        return ITSELF
    return name.removeprefix(f"{folder}.").partition(".")[0] if name.startswith(f"{folder}.") else None


def floors_of(graph: Graph) -> list[set[str]]:
    """Who imports from lower floors alone, from the ground up; who is left out is in or above a circle."""
    floors: list[set[str]] = []
    waiting = dict(graph)
    while ready := {name for name, others in waiting.items() if not others & waiting.keys()}:
        floors.append(ready)
        waiting = {name: others for name, others in waiting.items() if name not in ready}
    return floors


def circles_of(graph: Graph) -> list[list[str]]:
    """Those who import each other, each circle as a sorted list."""

    def reached_from(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            more = graph.get(waiting.pop(), frozenset()) - seen
            seen |= more
            waiting += more
        return seen

    reached = {name: reached_from(name) for name in graph}
    circles = {
        tuple(sorted(other for other in reached[name] if name in reached[other]))
        for name in graph
        if name in reached[name]
    }
    return [list(circle) for circle in sorted(circles)]


def lines_for(graph: Graph) -> Iterator[str]:
    """What is printed: a row for each folder, then the circles."""
    yield f"{'folder':<24}{'rooms':>7}{'arrows':>8}{'floors':>8}{'circles':>9}"
    circles = [f"circle of modules: {', '.join(circle)}" for circle in circles_of(graph)]
    for folder in folders_of(graph):
        rooms = rooms_of(graph, folder)
        found = circles_of(rooms)
        arrows = sum(len(others) for others in rooms.values())
        floors = "-" if found else str(len(floors_of(rooms)))
        yield f"{folder or '(package)':<24}{len(rooms):>7}{arrows:>8}{floors:>8}{len(found):>9}"
        circles += [f"circle in {folder or 'the package'}: {', '.join(circle)}" for circle in found]
    yield ""
    yield from circles or ["no circles, neither of modules nor of folders"]


if __name__ == "__main__":
    at = Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGE
    sys.stdout.write("\n".join(lines_for(graph_of(at.resolve()))) + "\n")
