"""Printing findings and text to a console. Colours and cursor movements are for terminals only."""

import json
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from camunda_entra_fastapi.cli.findings import Finding, State

_SYMBOLS: Final = {
    State.OK: ("\u2713", "ok   ", "green"),
    State.NOTE: ("!", "note ", "yellow"),
    State.WRONG: ("\u2717", "WRONG", "bold red"),
    State.SKIPPED: ("-", "-    ", "dim"),
}
_NAME_WIDTH: Final = 16
"""Columns for the names of findings."""
_CLAIM_WIDTH: Final = 20
"""Columns for the names of claims."""
_MIN_WIDTH: Final = 30
"""Columns of text, on however narrow a terminal."""
_SLOW_SECONDS: Final = 0.1
"""Seconds from which on a finding's duration is printed."""


def print_line(console: Console, text: str, style: str = "") -> None:
    """Print a line to be copied: neither wrapped nor taken for markup."""
    console.print(text, style=style, markup=False, highlight=False, emoji=False, soft_wrap=True)


def print_wrapped(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    """Print prose, wrapped to the console's width."""
    _print_indented(console, Text(" " * indent), indent, text, style)


def print_finding(console: Console, finding: Finding) -> None:
    """Print a finding: a symbol, its name and its message; below them, the remedy."""
    plain = console.options.ascii_only
    symbol, word, style = _SYMBOLS[finding.state]
    mark = word if plain else symbol
    indent = len(mark) + _NAME_WIDTH + 2
    head = Text.assemble((mark, style), f" {finding.name:<{_NAME_WIDTH}} ")
    wrong = finding.state is State.WRONG
    _print_indented(
        console, head, indent, _message_of(finding), "dim" if finding.state is State.SKIPPED else ""
    )
    if wrong and finding.expected:
        print_wrapped(console, f"expected  {finding.expected}", indent=indent)
    if finding.actual and (wrong or not finding.expected):
        print_wrapped(
            console, f"actual    {finding.actual}" if finding.expected else finding.actual, "", indent
        )
    if finding.trace:
        print_wrapped(console, finding.trace, "dim", indent)
    if finding.remedy:
        arrow = "->" if plain else "\u2192"
        print_wrapped(console, f"{arrow} {finding.remedy}", "bold" if wrong else "", indent)
    if finding.remedy and finding.helm:
        print_wrapped(console, f"{finding.setting}; Helm: {finding.helm}", "dim", indent)
        print_line(console, f"{' ' * indent}{finding.documentation}", "dim")


def print_members(console: Console, title: str, members: Mapping[str, Any]) -> None:
    """Print the members of a JSON object, one in a line."""
    print_line(console, f"\n{title}", "bold")
    width = min(_CLAIM_WIDTH, max((len(name) for name in members), default=0))
    for name, value in members.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        _print_indented(console, Text(f"  {name:<{width}}  ", "cyan"), width + 4, text)


def _print_indented(console: Console, head: Text, indent: int, text: str, style: str = "") -> None:
    """Print the text after its head. It is wrapped, and its further lines are indented as far."""
    room = max(console.width - indent, _MIN_WIDTH) if console.is_terminal else max(100 - indent, _MIN_WIDTH)
    for number, line in enumerate(Text(text, style).wrap(console, room) or [Text()]):
        line.rstrip()
        start = head if number == 0 else Text(" " * indent)
        console.print(Text.assemble(start, line), highlight=False, emoji=False, soft_wrap=True)


def _message_of(finding: Finding) -> str:
    slow = finding.seconds is not None and finding.seconds >= _SLOW_SECONDS
    return f"{finding.message} ({finding.seconds:.1f} s)" if slow else finding.message
