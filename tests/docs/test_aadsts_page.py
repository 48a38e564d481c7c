"""The page of codes is what the tables make of it, and no code is missing."""

import re

import pytest

from camunda_entra_fastapi.remote.aadsts_table import B2C_EXPLANATIONS, EXPLANATIONS, Kind
from tests.docs.aadsts_page import HEADINGS, PATH, page
from tests.docs.test_emulator_page import raised


def test_the_page_is_what_the_tables_make_of_it() -> None:
    """Whoever changes a table runs ``make aadsts``."""
    assert PATH.read_text(encoding="utf-8") == page()


def test_each_code_stands_on_the_page_once() -> None:
    """Those of AADSTS and those of B2C, whose numbers overlap, in their own halves."""
    aadsts, _, b2c = page().partition("## AADB2C codes")
    for half, explanations in ((aadsts, EXPLANATIONS), (b2c, B2C_EXPLANATIONS)):
        cells = re.findall(r"^\| ([0-9, ]+) \|", half, re.MULTILINE)
        found = [int(code) for cell in cells for code in cell.split(", ")]
        assert sorted(found) == sorted(explanations)


def test_each_kind_has_its_heading() -> None:
    """Who can act is what the page is ordered by."""
    assert set(HEADINGS) == set(Kind)


@pytest.mark.parametrize("code", sorted(raised()))
def test_each_code_of_the_emulator_is_explained(code: int) -> None:
    """What the local Entra can say, the service must be able to explain."""
    assert code in EXPLANATIONS
