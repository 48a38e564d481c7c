"""The emulator's request log: a line for each request."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from camunda_entra_fastapi.cli.findings import printable
from camunda_entra_fastapi.testing import Directory, RecordedRequest
from camunda_entra_fastapi.testing.directory.shapes import is_guid

_METHOD_WIDTH: Final = len("OPTIONS")
_PATH_WIDTH: Final = len("contoso/.../openid-configuration")
_GAP: Final = "  "
_INDENT: Final = " " * len("12:00:00  ")
_MIN_WIDTH: Final = 20
_MAX_LENGTH: Final = 300
_STYLES: Final = {2: "green", 3: "cyan", 4: "yellow", 5: "red"}


class RequestLog:
    """Prints requests: time, method, path, status, client and user, and the error.

    Queries are left out, because codes and tokens are in them. Values of a request are printed without
    control characters, and never as markup.

    Args:
        console: The console to print to.
        directory: The directory; its tenants' IDs are printed as domains.
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
        self._ellipsis = "..." if console.options.ascii_only else "\u2026"
        self._tenants = {
            name: short_domain(tenant.domain)
            for tenant in directory.tenants
            for name in (tenant.id, tenant.domain.lower())
        }

    def __call__(self, request: RecordedRequest) -> None:
        """Print the request's line. A closed pipe is ignored."""
        line = Text.assemble(
            (f"{self._now():%H:%M:%S}", "dim"),
            "  ",
            set_cell_size(printable(request.method, _MAX_LENGTH), _METHOD_WIDTH),
            "  ",
            self._format_path(request.path),
            "  ",
            (str(request.status or "-").ljust(3), _STYLES.get(request.status // 100, "red")),
        )
        details = [
            Text(printable(value, _MAX_LENGTH), style)
            for value, style in (
                (request.did, ""),
                (request.client, "bold"),
                (request.user, "bold"),
                (request.error, "red"),
            )
            if value
        ]
        with suppress(SystemExit):  # how Rich reacts to a closed pipe
            self._console.print(self._arranged(line, details), soft_wrap=True)

    def _arranged(self, line: Text, details: list[Text]) -> Text:
        """The line with its details. On a terminal, details without room are on indented lines below."""
        width = self._console.width if self._console.is_terminal else None
        used = line.cell_len
        for detail in details:
            if width is None or used + len(_GAP) + detail.cell_len <= width:
                line.append(_GAP).append_text(detail)
                used += len(_GAP) + detail.cell_len
            else:
                width_left = max(width - len(_INDENT), _MIN_WIDTH)
                for part in detail.wrap(self._console, width_left):
                    part.rstrip()
                    line.append(f"\n{_INDENT}").append_text(part)
                    used = len(_INDENT) + part.cell_len
        return line

    def _format_path(self, path: str) -> str:
        """The path with its tenant's name, in a fixed width; a long path loses its middle."""
        first, slash, rest = printable(path, _MAX_LENGTH).removeprefix("/").partition("/")
        tenant = self._tenants.get(first.lower()) or (
            f"{first[:8]}{self._ellipsis}" if is_guid(first) else first
        )
        label = f"{tenant}{slash}{rest}" or "/"
        if cell_len(label) > _PATH_WIDTH:
            start = f"{tenant[:12]}/{self._ellipsis}"
            end = rest[-(_PATH_WIDTH - len(start)) :]
            label = start + end[max(end.find("/"), 0) :]
        return set_cell_size(label, _PATH_WIDTH)


def short_domain(domain: str) -> str:
    """The domain without the suffix of initial domains."""
    return domain.lower().removesuffix(".onmicrosoft.com")
