"""How the structure is read from the imports."""

from pathlib import Path

import pytest

from tests.architecture.structure import (
    circles_of,
    floors_of,
    folders_of,
    graph_of,
    lines_for,
    rooms_of,
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package whose folders import each other, although its modules do not."""
    files = {
        "__init__.py": "",
        "ground.py": "import json\n",
        "low/__init__.py": "from house.low.one import ONE\n",
        "low/one.py": "from house.ground import GROUND\nfrom house import ground\n",
        "low/two.py": "def late():\n    import house.high.three\n",
        "high/three.py": "from house.low import ONE\n",
        "high/four.py": "import typing\nif typing.TYPE_CHECKING:\n    from house.high import five\n",
        "high/five.py": "from house.high.four import FOUR\n",
    }
    for name, source in files.items():
        path = tmp_path / "house" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return tmp_path / "house"


def test_every_import_is_an_arrow(package: Path) -> None:
    """Those inside of functions and those for type checkers count, and no other package's."""
    assert graph_of(package) == {
        "__init__": frozenset(),
        "ground": frozenset(),
        "low": {"low.one"},
        "low.one": {"ground"},
        "low.two": {"high.three"},
        "high.three": {"low"},
        "high.four": {"high.five"},
        "high.five": {"high.four"},
    }


def test_circles_are_found_among_modules_and_among_folders(package: Path) -> None:
    """Two folders may import each other where no two modules do."""
    graph = graph_of(package)
    assert circles_of(graph) == [["high.five", "high.four"]]
    assert folders_of(graph) == ["", "high", "low"]
    assert circles_of(rooms_of(graph, "")) == [["high", "low"]]
    assert circles_of(rooms_of(graph, "high")) == [["five", "four"]]
    assert circles_of(rooms_of(graph, "low")) == []


def test_floors_begin_at_the_ground(package: Path) -> None:
    """Whoever imports nobody is on the lowest one; circles are on none."""
    graph = graph_of(package)
    assert floors_of(rooms_of(graph, "low")) == [{"one", "two"}, {"__init__"}]
    assert floors_of(rooms_of(graph, "")) == [{"__init__", "ground"}]


def test_what_is_printed_names_the_circles(package: Path) -> None:
    """A row for each folder, and each circle with all who are in it."""
    lines = list(lines_for(graph_of(package)))
    assert [line.split() for line in lines[1:4]] == [
        ["(package)", "4", "3", "-", "1"],
        ["high", "3", "2", "-", "1"],
        ["low", "3", "1", "2", "0"],
    ]
    assert lines[5:] == [
        "circle of modules: high.five, high.four",
        "circle in the package: high, low",
        "circle in high: five, four",
    ]
