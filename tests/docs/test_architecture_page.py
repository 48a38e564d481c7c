"""ARCHITECTURE.md tells what is there."""

import re
from pathlib import Path

import pytest

from tests.architecture.structure import PACKAGE, modules_of
from tests.architecture.test_imports import FLOORS

PAGE = (Path(__file__).parents[2] / "ARCHITECTURE.md").read_text(encoding="utf-8")
PICTURES = re.findall(r"```\n((?:[ 1-9][0-9]  .*\n)+)```", PAGE)
HOUSES = ["", "web", "testing"]
TREE = PAGE.partition("## The house")[2].partition("## Who may import whom")[0]


def test_each_house_has_its_picture() -> None:
    """The package, its pages and the local Entra."""
    assert len(PICTURES) == len(HOUSES)


@pytest.mark.parametrize("folder", HOUSES)
def test_the_pictures_show_the_floors(folder: str) -> None:
    """They are drawn from the top floor down, each room on the floor that the tests demand."""
    picture = PICTURES[HOUSES.index(folder)]
    drawn = re.findall(r"^ ?([0-9]+)  (\w+(?:, \w+)*)(?:  .*)?$", picture, re.MULTILINE)
    floors = [[str(number), *sorted(rooms)] for number, rooms in enumerate(FLOORS[folder], 1)]
    assert [[number, *sorted(rooms.split(", "))] for number, rooms in drawn] == floors[::-1]


def test_every_folder_is_in_the_tree() -> None:
    """Nobody looks for what a folder is."""
    folders = {path.parent.name for path in modules_of(PACKAGE).values()}
    assert {folder for folder in folders if f"{folder}/" not in TREE} == set()


def test_every_module_that_is_named_is_there() -> None:
    """A module that moved is named by its new name."""
    named = {match.rpartition("/")[2] for match in re.findall(r"[a-z_/]+\.py\b", PAGE)}
    there = {path.name for path in modules_of(PACKAGE).values()}
    assert named - there == set()
