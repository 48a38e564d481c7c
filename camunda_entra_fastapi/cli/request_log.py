"""A line for each request that reached the local Entra, for people who watch."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from camunda_entra_fastapi.testing import Directory, RecordedRequest
from camunda_entra_fastapi.testing.directory.shapes import is_guid

_METHOD_WIDTH: Final = len("OPTIONS")
_PATH_WIDTH: Final = len("contoso/.../openid-configuration")
_GAP: Final = "  "
_INDENT: Final = " " * len("12:00:00  ")
_LEAST_ROOM: Final = 20
_LONGEST: Final = 300
_STYLES: Final = {2: "green", 3: "cyan", 4: "yellow", 5: "red"}


class Journal:
    """Tells of requests: when, what, how it ended, who was concerned, and what was wrong.

    Queries are left out, because codes and tokens stand in them. What a request brings is printed without
    control characters, and never as markup.

    Args:
        console: Where to.
        directory: Whose tenants' IDs are shown as domains.
        now: The time of day.
    """

    def __init__(
        self,
        console: Console,
        directory: Directory,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._console = console
        self._now = now
        self._dots = "..." if console.options.ascii_only else "\u2026"
        self._tenants = {
            name: short_domain(tenant.domain)
            for tenant in directory.tenants
            for name in (tenant.id, tenant.domain.lower())
        }

    def __call__(self, request: RecordedRequest) -> None:
        """Print its line. When nobody reads any longer, say nothing."""
        line = Text.assemble(
            (f"{self._now():%H:%M:%S}", "dim"),
            "  ",
            set_cell_size(_printable(request.method), _METHOD_WIDTH),
            "  ",
            self._path(request.path),
            "  ",
            (str(request.status or "-").ljust(3), _STYLES.get(request.status // 100, "red")),
        )
        details = [
            Text(_printable(value), style)
            for value, style in (
                (request.did, ""),
                (request.client, "bold"),
                (request.user, "bold"),
                (request.error, "red"),
            )
            if value
        ]
        with suppress(SystemExit):  # how Rich meets a closed pipe
            self._console.print(self._joined(line, details), soft_wrap=True)

    def _joined(self, line: Text, details: list[Text]) -> Text:
        """On one line; on a terminal, what has no room there is below, a little to the right."""
        width = self._console.width if self._console.is_terminal else None
        used = line.cell_len
        for detail in details:
            if width is None or used + len(_GAP) + detail.cell_len <= width:
                line.append(_GAP).append_text(detail)
                used += len(_GAP) + detail.cell_len
            else:
                room = max(width - len(_INDENT), _LEAST_ROOM)
                for part in detail.wrap(self._console, room):
                    part.rstrip()
                    line.append(f"\n{_INDENT}").append_text(part)
                    used = len(_INDENT) + part.cell_len
        return line

    def _path(self, path: str) -> str:
        """The path with its tenant's name, as wide as all are; a long one loses its middle."""
        first, slash, rest = _printable(path).removeprefix("/").partition("/")
        tenant = self._tenants.get(first.lower()) or (f"{first[:8]}{self._dots}" if is_guid(first) else first)
        shown = f"{tenant}{slash}{rest}" or "/"
        if cell_len(shown) > _PATH_WIDTH:
            start = f"{tenant[:12]}/{self._dots}"
            end = rest[-(_PATH_WIDTH - len(start)) :]
            shown = start + end[max(end.find("/"), 0) :]
        return set_cell_size(shown, _PATH_WIDTH)


def short_domain(domain: str) -> str:
    """The domain without what every tenant's first domain ends in."""
    return domain.lower().removesuffix(".onmicrosoft.com")


def _printable(text: str) -> str:
    """Without what could move the cursor, change colours or turn the direction of reading."""
    shown = "".join(character if character.isprintable() else "?" for character in text[: _LONGEST + 1])
    return shown if len(text) <= _LONGEST else f"{shown[:_LONGEST]}..."
