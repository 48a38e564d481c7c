"""What the how-to pages name is there: refusals, Entra's codes, settings, files of the samples."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from camunda_entra_fastapi.errors import CODES
from camunda_entra_fastapi.remote.aadsts_table import EXPLANATIONS
from camunda_entra_fastapi.settings import EntraSettings

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = [
    page
    for folder in ("entra", "application", "trouble")
    for page in sorted((ROOT / "docs" / "how-to" / folder).glob("*.md"))
]
SETTINGS: Final = {
    f"CAMUNDA_{kind}_{name.upper()}" for name in EntraSettings.model_fields for kind in ("IDENTITY", "ENTRA")
} | {"CAMUNDA_ENTRA_SECRETS_DIR"}
OF_CAMUNDAS_SDK: Final = {"CAMUNDA_REST_ADDRESS", "CAMUNDA_TOKEN_CACHE_DIR"}
"""Variables of the SDK, which the page on it names."""


def found(pattern: str) -> Iterator[tuple[str, str]]:
    """What matches on the pages, with the page's name."""
    for page in PAGES:
        for match in re.findall(pattern, page.read_text("utf-8")):
            yield page.name, match


def test_there_are_pages() -> None:
    """They are found at all."""
    assert len(PAGES) >= 21


def test_each_refusal_is_one() -> None:
    """Links to a code name one of ``errors.CODES``."""
    named = {code for _, code in found(r"codes\.md#(\w+)")}
    assert named - set(CODES) == set()
    assert len(named) > 5


def test_each_symptom_that_is_a_refusal_is_one() -> None:
    """What stands as code in the first column of the symptoms is one of ``errors.CODES``."""
    rows = re.findall(
        r"^\|([^|]*)\|", (ROOT / "docs/how-to/trouble/symptoms.md").read_text("utf-8"), re.MULTILINE
    )
    named = {code for row in rows for code in re.findall(r"`([a-z]+_[a-z0-9_]+)`", row)}
    assert named - set(CODES) == set()
    assert len(named) > 20


def test_each_code_of_entra_is_explained() -> None:
    """Every AADSTS number is in ``remote.aadsts_table``, so that log and ``doctor`` explain it as well."""
    named = set(found(r"AADSTS(\d+)"))
    assert {(page, code) for page, code in named if int(code) not in EXPLANATIONS} == set()
    assert len(named) > 20


def test_each_setting_is_one() -> None:
    """Every ``CAMUNDA_…`` that stands in full is a field of ``EntraSettings``, or of Camunda's SDK."""
    named = {name for _, name in found(r"\b(CAMUNDA_[A-Z0-9_]*[A-Z0-9])\b")}
    kinds = {"CAMUNDA_ENTRA", "CAMUNDA_IDENTITY", "CAMUNDA_OAUTH", "CAMUNDA_CLIENT"}
    assert named - SETTINGS - OF_CAMUNDAS_SDK - kinds == set()
    assert len(named) > 20


def test_each_file_of_the_samples_is_there() -> None:
    """Every path that begins with ``samples/`` exists."""
    named = list(found(r"samples/[\w/.-]*\w"))
    assert [(page, path) for page, path in named if not (ROOT / path).exists()] == []
    assert len(named) > 10
