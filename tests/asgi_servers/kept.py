"""What ``make servers`` saw last, as it is kept; the documentation's tables are made of it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.asgi_servers.commands import COMMANDS, ROOT, Command, version_of

KEPT: Final = Path(__file__).parent / "seen.json"
PAGE: Final = ROOT / "docs" / "how-to" / "run" / "asgi-servers.md"
SAME: Final = ("tokens", "challenges", "tabs", "addresses", "accepted WebSocket", "streams")
"""Columns in which no server differs from another."""
_TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "versions": ("version", "lifespan"),
    "headers": ("one header", "all headers"),
    "room": ("for 32 KB", "with room"),
    "sockets": ("refused WebSocket", "a handshake's header"),
    "stops": ("graceful stop", "stop with a stream"),
    "prefixes": ("option", "prefix"),
}
_HEADINGS: Final = {
    "lifespan": "the lifespan",
    "one header": "the largest header",
    "all headers": "all of them",
    "with room": "then 30,000 get, by HTTP and WebSocket",
    "refused WebSocket": "a refused WebSocket gets",
    "a handshake's header": "its largest header",
    "graceful stop": "SIGTERM while a request is in progress",
    "stop with a stream": "while an endless stream is",
    "prefix": "a proxy's prefix",
}


def kept() -> dict[str, dict[str, str]]:
    """By server and column."""
    seen: dict[str, dict[str, str]] = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    return seen


def keep(seen: Mapping[str, Mapping[str, str]]) -> None:
    """Write it down in the order of the servers, and the page's tables anew."""
    seen = {server: seen[server] for server in COMMANDS if server in seen}
    KEPT.write_text(json.dumps(seen, indent=2) + "\n", "utf-8")
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")


def with_tables(page: str) -> str:
    """The page, with its tables as they must be."""
    for name in _TABLES:
        mark = f"<!-- table: {name} -->\n"
        page = re.sub(rf"{re.escape(mark)}(\|.*\n)*", lambda _: mark + _table(name), page)  # noqa: B023 - called at once
    return page


def _table(name: str) -> str:
    columns = _TABLES[name]
    heads = ["server", *(_HEADINGS.get(column, column) for column in columns)]
    lines = [heads, ["---"] * len(heads)]
    for server, told in kept().items():
        lines.append([server, *(_cell(COMMANDS[server], told, column) for column in columns)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(command: Command, told: Mapping[str, str], column: str) -> str:
    if column == "version":
        return f"{command.package} {told['version']}"
    if column == "option":
        return f"`{command.root}`" if command.root else "none"
    variables, words = command.room
    if column in ("for 32 KB", "with room") and not (variables or words):
        passes = "or more" in told["one header"]
        return {"for 32 KB": "nothing", "with room": "they pass"}[column] if passes else "no option"
    if column == "for 32 KB":
        if words.startswith("--config"):
            return "`h11_max_incomplete_size` in its file"
        texts = [*(f"{name}={value}" for name, value in variables.items()), words]
        return " ".join(f"`{text}`" for text in texts if text)
    return told[column]


def is_pinned(server: str, told: Mapping[str, str]) -> bool:
    """Whether what is kept is of the version that is installed."""
    return told["version"] == version_of(COMMANDS[server].package)
