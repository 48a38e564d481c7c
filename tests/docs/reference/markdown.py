"""How generated pages are written: wrapped prose, small tables, code in backticks."""

import inspect
import re
import textwrap
from collections.abc import Iterable
from typing import Final

WIDTH: Final = 110

# What stands in monospace in a sentence: settings with their values, addresses, names with a placeholder,
# paths of this service, commands, claims and parameters with an underscore.
_CODE: Final = re.compile(
    r"CAMUNDA_[A-Z0-9_]*[A-Z](?:=[\w*]+)?"
    r"|CamundaEntra\([^)]*\)"
    r"|https?://[^\s,)]*[^\s,.;)]"
    r"|[\w:/-]*<[^<>]+>(?:[\w/.-]*[\w/])?"
    r"|/auth/[\w-]+"
    r"|\bcamunda-entra [a-z]+"
    r"|\b[a-z]+(?:_[a-z]+)+\b(?:=True)?"
    r"|(?<![\w`-])--[a-z]+(?:-[a-z]+)*"
    r"|\bapi://\.\.\."
    r"|/(?:common|organizations|consumers)\b"
)


def generated(text: str, source: str) -> str:
    """The page, with the note that it is not edited by hand at its end."""
    return f"{text.rstrip()}\n\n<!-- Written by `make reference`, from {source}. Change that, not this. -->\n"


def prose(text: str, indent: str = "") -> str:
    """Paragraphs, wrapped."""
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip()))
    return "\n\n".join(_wrapped(part, indent) for part in paragraphs)


def bullet(text: str) -> str:
    """An item of a list, wrapped."""
    return _wrapped(f"- {text}", "  ").removeprefix("  ")


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table."""
    heads = list(headings)
    lines = [heads, ["---"] * len(heads), *([cell(text) for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(text: str) -> str:
    """The text for a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def coded(text: str) -> str:
    """A sentence of the code's, which knows no Markdown, with what stands in monospace in backticks."""
    return _CODE.sub(lambda match: f"`{match[0]}`", text)


def docstring(what: object) -> str:
    """The object's docstring up to its sections (``Args:`` and the like), in Markdown."""
    text = inspect.getdoc(what) or ""
    text = re.split(r"\n(?:Args|Raises|Attributes|Returns|Yields):\n", text)[0]
    return text.replace("``", "`")


def arguments_of(what: object) -> dict[str, str]:
    """The arguments that the object's docstring describes, with their texts."""
    section = re.search(r"\nArgs:\n((?: +.*\n?|\n)+)", (inspect.getdoc(what) or "") + "\n")
    entries = re.findall(
        r"^    (\w+): ((?:.*\n)(?:     +.*\n)*)", section[1] if section else "", re.MULTILINE
    )
    return {name: " ".join(text.split()).replace("``", "`") for name, text in entries}


def _wrapped(paragraph: str, indent: str) -> str:
    # A blank inside of backticks is no place to break a line at.
    held = re.sub(r"`[^`]*`", lambda match: match[0].replace(" ", "\0"), paragraph)
    lines = textwrap.wrap(held, WIDTH - len(indent), break_long_words=False, break_on_hyphens=False)
    return "\n".join(indent + line.replace("\0", " ") for line in lines)
