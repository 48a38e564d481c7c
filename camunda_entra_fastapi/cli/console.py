"""How findings look on a screen. No colours and no cursor movements where it is no terminal."""

import json
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from camunda_entra_fastapi.cli.findings import Finding, State

_MARKS: Final = {
    State.OK: ("\u2713", "ok   ", "green"),
    State.NOTE: ("!", "note ", "yellow"),
    State.WRONG: ("\u2717", "WRONG", "bold red"),
    State.SKIPPED: ("-", "-    ", "dim"),
}
_NAMES: Final = 16
"""Columns for the names of findings."""
_MEMBERS: Final = 20
"""Columns for the names of claims."""
_LEAST_ROOM: Final = 30
"""Columns of text, on however narrow a screen."""
_SLOW: Final = 0.1
"""Seconds from which on it is told how long something took."""


def say(console: Console, text: str, style: str = "") -> None:
    """A line to be copied: neither wrapped nor taken for markup."""
    console.print(text, style=style, markup=False, highlight=False, emoji=False, soft_wrap=True)


def tell(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    """Prose, wrapped to the screen's width."""
    _hang(console, Text(" " * indent), indent, text, style)


def show(console: Console, finding: Finding) -> None:
    """One finding: a mark, what was looked at, what was seen; below it, what to change."""
    plain = console.options.ascii_only
    sign, word, style = _MARKS[finding.state]
    mark = word if plain else sign
    indent = len(mark) + _NAMES + 2
    head = Text.assemble((mark, style), f" {finding.name:<{_NAMES}} ")
    wrong = finding.state is State.WRONG
    _hang(console, head, indent, _told(finding), "dim" if finding.state is State.SKIPPED else "")
    if wrong and finding.expected:
        tell(console, f"expected  {finding.expected}", indent=indent)
    if finding.actual and (wrong or not finding.expected):
        tell(console, f"actual    {finding.actual}" if finding.expected else finding.actual, "", indent)
    if finding.trace:
        tell(console, finding.trace, "dim", indent)
    if finding.remedy:
        arrow = "->" if plain else "\u2192"
        tell(console, f"{arrow} {finding.remedy}", "bold" if wrong else "", indent)


def show_members(console: Console, title: str, members: Mapping[str, Any]) -> None:
    """Members of a JSON object, one in a line."""
    say(console, f"\n{title}", "bold")
    width = min(_MEMBERS, max((len(name) for name in members), default=0))
    for name, value in members.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        _hang(console, Text(f"  {name:<{width}}  ", "cyan"), width + 4, text)


def _hang(console: Console, head: Text, indent: int, text: str, style: str = "") -> None:
    """The text after its head; what has no room in the line goes on below, as far to the right."""
    room = max(console.width - indent, _LEAST_ROOM) if console.is_terminal else max(100 - indent, _LEAST_ROOM)
    for number, line in enumerate(Text(text, style).wrap(console, room) or [Text()]):
        line.rstrip()
        start = head if number == 0 else Text(" " * indent)
        console.print(Text.assemble(start, line), highlight=False, emoji=False, soft_wrap=True)


def _told(finding: Finding) -> str:
    slow = finding.seconds is not None and finding.seconds >= _SLOW
    return f"{finding.told} ({finding.seconds:.1f} s)" if slow else finding.told
