"""Finds the code blocks of a page."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
_FENCE: Final = re.compile(r"^(?P<indent> *)(?P<marks>`{3,}|~{3,})(?P<info>[^`]*)$")
_MARKER: Final = re.compile(r"^ *<!-- (?P<kind>file|output): (?P<what>[^>]+?) -->$")
_TITLE: Final = re.compile(r'title="([^"]+)"')
_COMMAND: Final = "$ "


@dataclass(frozen=True)
class Block:
    """One code block.

    Attributes:
        page: The page, from the repository's folder.
        line: The line of its first fence, counted from 1.
        language: What the fence names.
        title: The name of the file that it is, or nothing.
        marker: What it is filled from, such as ``file: samples/gateways/nginx.conf``, or nothing.
        text: What stands in it, without the fence's own indentation.
    """

    page: str
    line: int
    language: str
    title: str
    marker: str
    text: str

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """One command of a ``console`` block, and the output that is shown for it, if there is any."""

    text: str
    output: str


def pages() -> list[Path]:
    """README, and all pages of the site."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks_of(page: Path) -> list[Block]:
    """All blocks of the page, from top to bottom."""
    name = page.relative_to(ROOT).as_posix()
    found: list[Block] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    start, opened, marker = 0, None, ""
    for number, line in enumerate(lines):
        fence = _FENCE.match(line)
        if opened is None:
            if fence is not None:
                start, opened = number, fence
            elif line.strip():
                named = _MARKER.match(line)
                marker = f"{named['kind']}: {named['what']}" if named else ""
        elif fence is not None and fence["marks"] == opened["marks"] and not fence["info"].strip():
            title = _TITLE.search(opened["info"])
            indent = len(opened["indent"])
            text = "".join(f"{each[indent:]}\n" for each in lines[start + 1 : number])
            language = opened["info"].split()[0] if opened["info"].split() else ""
            found.append(Block(name, start + 1, language, title[1] if title else "", marker, text))
            opened, marker = None, ""
    assert opened is None, f"{name}:{start + 1}: this block does not end"
    return found


def commands_of(block: Block) -> list[Command]:
    """The commands of a ``console`` block."""
    found: list[Command] = []
    continued = False
    for line in block.text.splitlines():
        if continued:
            assert line.startswith("    "), (
                f"{block.place}: the line after a backslash begins with four blanks"
            )
            found[-1] = Command(f"{found[-1].text}\n{line}", "")
        elif line.startswith(_COMMAND):
            found.append(Command(line.removeprefix(_COMMAND), ""))
        else:
            assert found, f"{block.place}: a console block begins with a command"
            found[-1] = Command(found[-1].text, f"{found[-1].output}{line}\n")
            continue
        continued = line.endswith("\\")
    return found


def section_of(path: str, name: str) -> str:
    """What stands between the comments ``docs: NAME`` and ``docs: end`` of a file."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    first = next(at for at, line in enumerate(lines) if line.strip(" #-/*<>!;").strip() == f"docs: {name}")
    last = next(at for at, line in enumerate(lines) if at > first and "docs: end" in line)
    return "\n".join(lines[first + 1 : last]) + "\n"


def file_text(marker: str) -> str:
    """What ``file: PATH`` or ``file: PATH section: NAME`` stands for."""
    path, _, section = marker.removeprefix("file: ").partition(" section: ")
    if section:
        return section_of(path, section)
    text = (ROOT / path).read_text(encoding="utf-8")
    return re.sub(r"(?m)^.*docs: [a-z-]+.*\n", "", text)
