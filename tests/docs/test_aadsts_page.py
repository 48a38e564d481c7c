"""The page of codes is what the tables make of it, and no code is missing."""

import re

import pytest

from camunda_entra_fastapi.remote.aadsts_table import B2C_EXPLANATIONS, EXPLANATIONS, Kind
from tests.docs.reference.aadsts import HEADINGS, page
from tests.docs.test_local_entra_page import raised


def test_each_code_stands_on_the_page_once() -> None:
    """Those of AADSTS and those of B2C, whose numbers overlap, in their own halves; each has its anchor."""
    aadsts, _, b2c = page().partition("## AADB2C codes")
    for half, prefix, explanations in ((aadsts, "aadsts", EXPLANATIONS), (b2c, "aadb2c", B2C_EXPLANATIONS)):
        cells = re.findall(r"^\| (<a .+?) \|", half, re.MULTILINE)
        found = [
            re.fullmatch(rf'<a id="{prefix}(\d+)"></a>\1', each)
            for cell in cells
            for each in cell.split(", ")
        ]
        assert sorted(int(match[1]) for match in found if match) == sorted(explanations)
        assert None not in found


def test_each_kind_has_its_heading() -> None:
    """Who can act is what the page is ordered by."""
    assert set(HEADINGS) == set(Kind)


@pytest.mark.parametrize("code", sorted(raised()))
def test_each_code_of_the_emulator_is_explained(code: int) -> None:
    """What the local Entra can say, the service must be able to explain."""
    assert code in EXPLANATIONS
