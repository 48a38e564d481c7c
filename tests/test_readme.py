"""README is a door: it is short, all that it names is there, and its example does what its comments say."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.testing import EntraEmulator

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = ROOT / "docs"
MAX_LINES = 180
MAX_PICTURE_BYTES = 120_000

_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


def links_of(text: str) -> list[tuple[str, str]]:
    """The targets of all links within the repository, each with its anchor; code has none."""
    return _LINK.findall(_FENCE.sub("", text))


def anchors_of(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+?)(?: *\{ *#([\w-]+) *\})?$", _FENCE.sub("", page), re.MULTILINE)
    return {anchor or re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title, anchor in headings}


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> tuple[EntraEmulator, dict[str, Any]]:
    """The names of README's first block, with the six variables of a local Entra."""
    emulator = EntraEmulator()
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(
        "camunda_entra_fastapi.CamundaEntra", lambda: CamundaEntra(http_client=emulator.http_client())
    )
    names: dict[str, Any] = {}
    [block, *_] = re.findall(r"^```python[^\n]*\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    exec(compile(block, "README.md", "exec"), names)
    return emulator, names


def test_the_example_protects_its_routes(example: tuple[EntraEmulator, dict[str, Any]]) -> None:
    """A reader who copies it gets two routes: one for everybody who is known, one for administrators."""
    emulator, names = example
    admin = {"Authorization": f"Bearer {emulator.token(user='Ada Admin')}"}
    reader = {"Authorization": f"Bearer {emulator.token(user='Ben Reader')}"}
    with TestClient(names["app"]) as client:
        assert client.get("/me").status_code == client.delete("/orders/7").status_code == 401
        assert client.get("/me", headers=reader).json() == {"name": "Ben Reader", "roles": []}
        assert client.delete("/orders/7", headers=reader).status_code == 403
        assert client.delete("/orders/7", headers=admin).json() == {"cancelled": 7, "by": "Ada Admin"}


def test_it_is_short() -> None:
    """Whoever opens it finds the way within a few screens; what is longer belongs on a page."""
    assert len(README.splitlines()) <= MAX_LINES


def test_its_links_lead_somewhere() -> None:
    """Each file is there, and each heading that a link names."""
    links = links_of(README)
    assert [target for target, _ in links if not (ROOT / target).exists()] == []
    dead = [
        (target, anchor)
        for target, anchor in links
        if anchor and anchor not in anchors_of((ROOT / (target or "README.md")).read_text(encoding="utf-8"))
    ]
    assert dead == []


def test_the_home_page_lists_every_page() -> None:
    """As README says: from ``docs/index.md`` one link leads to each page of the documentation."""
    targets = {(DOCS / target).resolve() for target, _ in links_of((DOCS / "index.md").read_text("utf-8"))}
    pages = {page for page in DOCS.rglob("*.md") if page != DOCS / "index.md"}
    assert sorted(pages - targets) == []


def test_its_picture_is_small() -> None:
    """A phone loads it in a moment."""
    [picture] = re.findall(r"!\[[^\]]+\]\(([^)]+\.png)\)", README)
    content = (ROOT / picture).read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) < MAX_PICTURE_BYTES
