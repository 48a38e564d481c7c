"""The emulator's request log: a line for each request."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final
from urllib.parse import parse_qs, urlsplit

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from camunda_entra_fastapi.cli.findings import printable, split_remedy
from camunda_entra_fastapi.testing import Directory, RecordedRequest
from camunda_entra_fastapi.testing.directory.shapes import is_guid

_METHOD_WIDTH: Final = len("OPTIONS")
_PATH_WIDTH: Final = len("contoso/.../openid-configuration")
_GAP: Final = "  "
_INDENT: Final = " " * len("12:00:00  ")
_MIN_WIDTH: Final = 20
_MAX_LENGTH: Final = 1000
_SHORT: Final = 100
"""Characters of an error that are on the request's line."""
_BY_NUMBER: Final = re.compile(
    r"(?P<scheme>https?)://(?:127\.0\.0\.1|\[::1]|0\.0\.0\.0):(?P<port>\d+)(?P<path>/.*)"
)
"""A redirect URI by this machine's numbers, whose ports Entra compares."""
_STYLES: Final = {2: "green", 3: "cyan", 4: "yellow", 5: "red"}


class RequestLog:
    """Prints requests: time, method, path, status, client and user, and the error.

    Of an error, its code and its cause are on the request's line, if they are short. The rest is below, with
    what helps. Queries are left out, because codes and tokens are in them. Values of a request are printed
    without control characters, and never as markup.

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
        applications = [each for tenant in directory.tenants for each in tenant.applications]
        uris = [uri for each in applications for uri in each.redirect_uris]
        self._local_paths = {urlsplit(uri).path for uri in uris if "://localhost" in uri}

    def __call__(self, request: RecordedRequest) -> None:
        """Print the request. A closed pipe is ignored."""
        line = Text.assemble(
            (f"{self._now():%H:%M:%S}", "dim"),
            "  ",
            set_cell_size(printable(request.method, _MAX_LENGTH), _METHOD_WIDTH),
            "  ",
            self._format_path(request.path),
            "  ",
            (str(request.status or "-").ljust(3), _STYLES.get(request.status // 100, "red")),
        )
        cause, rest = _parts_of(request.error)
        details = [
            Text(printable(value, _MAX_LENGTH), style)
            for value, style in (
                (request.did, ""),
                (request.client, "bold"),
                (request.user, "bold"),
                (cause, "red"),
            )
            if value
        ]
        with suppress(SystemExit):  # how Rich reacts to a closed pipe
            self._console.print(self._arranged(line, details), soft_wrap=True)
            for text, style in ((rest, "red"), (self._hint(request), "")):
                if text:
                    self._print_below(Text(printable(text, _MAX_LENGTH), style))

    def _print_below(self, text: Text) -> None:
        """Print a text under the request: wrapped on a terminal, else as one line."""
        width = max(self._console.width - len(_INDENT), _MIN_WIDTH)
        for part in text.wrap(self._console, width) if self._console.is_terminal else [text]:
            part.rstrip()
            self._console.print(Text(_INDENT).append_text(part), soft_wrap=True)

    def _hint(self, request: RecordedRequest) -> str:
        """What to open instead, where a service was opened by an address whose port is not free."""
        if not request.error.startswith("AADSTS50011:"):
            return ""
        uri = next(iter(parse_qs(request.query).get("redirect_uri", ())), "")
        if (match := _BY_NUMBER.fullmatch(uri)) and match["path"] in self._local_paths:
            return (
                f"localhost is free in its port: open the service as {match['scheme']}://localhost:"
                f"{match['port']}, or add the URI to the directory."
            )
        return "Add the URI to the application in the directory: camunda-entra emulator --directory FILE."

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


def _parts_of(error: str) -> tuple[str, str]:
    """What stands on the request's line, code and cause or the code alone, and what stands below."""
    cause, rest = split_remedy(error)
    if len(cause) <= _SHORT:
        return cause, rest
    code, colon, words = error.partition(": ")
    return (code, words) if colon and code.isalnum() else ("", error)


def short_domain(domain: str) -> str:
    """The domain without the suffix of initial domains."""
    return domain.lower().removesuffix(".onmicrosoft.com")
