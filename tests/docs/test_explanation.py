"""The pages of docs/explanation say what the code does: variables and figures are the code's own."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from camunda_entra_fastapi import EntraSettings
from camunda_entra_fastapi.remote import refresh
from camunda_entra_fastapi.sessions import cookie, memory
from camunda_entra_fastapi.settings import orchestration, sources
from camunda_entra_fastapi.sign_in import exchange
from camunda_entra_fastapi.validation import compact, keys

DOCS = Path(__file__).parents[2] / "docs"
PAGES = DOCS / "explanation"
DEFAULTS = {name: field.default for name, field in EntraSettings.model_fields.items()}
HOUR = 3600
WORDS = {2: "two", 5: "five", 8: "eight"}

FIGURES = {
    "memory's bounds": ("sessions.md", f"{memory.LIMIT:,} and {memory.MAX_BYTES // 1024**2} MiB at most"),
    "a session's end": (
        "sessions.md",
        f"again after {WORDS[DEFAULTS['session_lifetime'].total_seconds() // HOUR]} hours",
    ),
    "a renewal": (
        "sessions.md",
        f"renewed {WORDS[int(exchange.RENEW_BEFORE) // 60]} minutes before it expires",
    ),
    "a cookie's access token": ("sessions.md", f"stay below {cookie.WARN_CHARACTERS // 1000} KB"),
    "fetches for unknown keys": ("keys.md", f"At most {WORDS[refresh.FORCED_LOADS]} fetches in a minute"),
    "fruitless fetches": ("keys.md", f"After {WORDS[refresh.FRUITLESS_LOADS]} in a row"),
    "the number of keys": ("keys.md", f"at most {keys.MAX_KEYS:,} keys in all"),
    "a key's retention": (
        "keys.md",
        f"good for {DEFAULTS['key_retention'] // HOUR} hours after",
    ),
    "a token's size": ("tokens.md", f"At most {compact.MAX_TOKEN_BYTES // 1024} KiB"),
    "leeway": ("tokens.md", f"with {DEFAULTS['clock_skew']} seconds of leeway"),
    "remembered tokens": ("tokens.md", f"at most {DEFAULTS['token_cache_size']:,} of them in a process"),
}
"""What each figure is of, its page, and the words, made of the constant or default that the code has."""


@pytest.mark.parametrize(("page", "words"), FIGURES.values(), ids=FIGURES)
def test_a_figure_is_the_codes(page: str, words: str) -> None:
    """Whoever changes one finds the sentence that names it."""
    assert words in " ".join((PAGES / page).read_text("utf-8").split())


def test_each_spelling_of_a_variable_is_named() -> None:
    """Those of Camunda's SDK, and those of its Orchestration Cluster, as ``settings`` reads them."""
    page = (PAGES / "camundas-variables.md").read_text("utf-8")
    table = "\n".join(line for line in page.splitlines() if line.startswith("|"))
    short = {orchestration.PREFIX + name for name in re.findall(r"`…([A-Z]+)`", table)}
    assert short >= orchestration.READ
    spellings = {other for field in EntraSettings.model_fields for other in sources.variables_of(field)[1:]}
    assert set(re.findall(r"^\| `(CAMUNDA_IDENTITY_[A-Z]+)` \|", table, re.MULTILINE)) == spellings


def test_pictures_are_described() -> None:
    """Who does not see a drawing hears its title and description, and it loads nothing."""
    for file in (DOCS / "images").glob("*.svg"):
        root = ET.parse(file).getroot()
        texts = {child.tag.rpartition("}")[2]: child.text for child in root}
        assert texts["title"]
        assert texts["desc"]
        assert root.get("role") == "img"
        assert "href" not in file.read_text("utf-8")
