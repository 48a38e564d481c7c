"""The table of caches in ARCHITECTURE.md."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = (Path(__file__).parents[2] / "ARCHITECTURE.md").read_text(encoding="utf-8")
SECTION: Final = PAGE.partition("## What stays in memory")[2].partition("\n## ")[0]


@dataclass(frozen=True)
class Cache:
    """A row of the table.

    Attributes:
        names: What it is in the code, such as ``TokenCache._entries``.
        entries: How many entries there are at most; None where no number says so.
        constant: Where that number stands in the code; None where it is a setting, or nowhere.
        kilobytes: KB of an entry at most; None where the table does not say it.
        expires: Whether entries leave when they have expired.
    """

    names: tuple[str, ...]
    entries: int | None
    constant: str | None
    kilobytes: float | None
    expires: bool

    @property
    def is_fixed(self) -> bool:
        """Whether tests leave the number as it is: it was used already when the module was imported."""
        return not self.expires

    def bound_in_tests(self, bound: int) -> int:
        """The most entries where settings and constants are that small, as far as tests can change them."""
        return self.entries if self.is_fixed and self.entries is not None else bound


def _read(line: str) -> Cache:
    held, _, entries, kilobytes, _, expired = (cell.strip() for cell in line.split("|")[1:-1])
    number = re.match(r"[0-9][0-9,]*", entries)
    place = re.search(r"`([a-z_.]+\.[A-Za-z_]+)`$", entries)
    return Cache(
        names=tuple(re.findall(r"`([A-Za-z_.]+)`", held)),
        entries=int(number[0].replace(",", "")) if number else None,
        constant=f"camunda_entra_fastapi.{place[1]}" if place else None,
        kilobytes=float(kilobytes) if kilobytes else None,
        expires="minute" in expired,
    )


CACHES: Final = tuple(_read(line) for line in SECTION.splitlines() if line.startswith("| `"))
NAMED: Final = {name: cache for cache in CACHES for name in cache.names}
