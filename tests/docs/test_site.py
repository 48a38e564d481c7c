"""The documentation site can be built, finds all its pages and links, and loads nothing from elsewhere."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks.parsing import ROOT
from tests.docs.building import build

CONFIGURATION = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    return build(tmp_path_factory.mktemp("site"))


def listed(entries: list[dict[str, Any]]) -> Iterator[str]:
    """The pages of the navigation."""
    for entry in entries:
        for value in entry.values():
            if isinstance(value, str):
                yield value
            else:
                yield from listed(value)


def test_each_page_is_in_the_navigation_once() -> None:
    """Nobody writes a page that nobody finds."""
    there = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert sorted(listed(CONFIGURATION["nav"])) == sorted(there)


def test_it_is_built_without_a_warning(site: Path) -> None:
    """Links to pages and anchors lead somewhere, and names of the Python API are found."""
    pages = {path.parent.relative_to(site).as_posix() for path in site.rglob("index.html")}
    expected = {
        page.removesuffix(".md").removesuffix("index") or "." for page in listed(CONFIGURATION["nav"])
    }
    assert pages >= expected


def test_it_loads_nothing_from_elsewhere(site: Path) -> None:
    """Fonts, scripts and pictures are its own, so that it can be read where nothing else is reached."""
    for path in site.rglob("*.html"):
        html = path.read_text("utf-8")
        loaded = re.findall(r"<(?:script|img|iframe|source)\b[^>]*?\bsrc=[\"']?([^\"'\s>]+)", html)
        loaded += re.findall(r"<link\b(?![^>]*rel=\"?canonical)[^>]*?\bhref=[\"']?([^\"'\s>]+)", html)
        assert loaded
        assert [address for address in loaded if re.match(r"(https?:)?//", address)] == [], path
    for path in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", path.read_text("utf-8")), path
