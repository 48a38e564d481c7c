"""The documentation's generated parts: ``python -m tests.docs.reference`` writes them all.

Each page of ``docs/reference`` that is generated has a module here with the page's text; ``outputs`` runs the
commands whose output other pages show.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.docs.reference import (
    aadsts,
    changelog,
    codes,
    command_line,
    endpoints,
    fixtures,
    local_entra,
    metrics,
    settings,
)

ROOT: Final = Path(__file__).parents[3]
FOLDER: Final = ROOT / "docs/reference"
COMMAND: Final = "make reference"
PAGES: Final[Mapping[str, Callable[[], str]]] = {
    module.NAME: module.page
    for module in (
        aadsts,
        changelog,
        codes,
        command_line,
        endpoints,
        fixtures,
        local_entra,
        metrics,
        settings,
    )
}
"""The pages that are generated, by their names, and what makes each."""


def written() -> list[Path]:
    """README and all pages of the documentation, which may show outputs."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
