"""The page of the local Entra documents each code and each endpoint, and its code runs."""

import ast
import re
from pathlib import Path

import pytest
from starlette.routing import Route

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.endpoints.routes import build_endpoints

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs/reference/local-entra.md"
PAGE = FILE.read_text(encoding="utf-8")
SOURCES = sorted((ROOT / "camunda_entra_fastapi/testing").rglob("*.py"))
TESTS = sorted((ROOT / "tests/testing").rglob("test_*.py"))


def raised() -> set[int]:
    """The AADSTS codes that the emulator's source can raise."""
    return {
        call.args[0].value
        for path in SOURCES
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and getattr(call.func, "id", "") in ("AadstsError", "_no_federated_credential")
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, int)
    }


def test_the_table_has_each_code_once_in_order() -> None:
    """Each code has a way to provoke it, and each documented code is used."""
    documented = [int(code) for code in re.findall(r"^\| ([0-9]{5,7}) \|", PAGE, re.MULTILINE)]
    assert documented == sorted(raised())
    assert len(documented) >= 40


@pytest.mark.parametrize("code", sorted(raised()))
def test_each_code_is_provoked_by_a_test(code: int) -> None:
    """A code that no test sees may be unreachable."""
    assert any(re.search(rf"(?<![0-9]){code}(?![0-9])", path.read_text("utf-8")) for path in TESTS)


def test_the_tables_have_each_endpoint() -> None:
    """Each endpoint that is served is documented."""
    page = PAGE.replace("{t}", "{tenant}")
    for route in build_endpoints(EntraEmulator().world).routes:
        assert isinstance(route, Route)
        path = re.sub(r":path(?=})|/(microsoft\.)?graph\.group$", "", route.path)
        assert f"{path}`" in page, f"{path} is not on the page"


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_its_code_runs(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each block runs as it stands, from top to bottom."""
    exec(compile(code, FILE.name, "exec"), {})


def test_its_links_lead_somewhere() -> None:
    """Each link names a file of the repository or a heading of the page."""
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        path, _, anchor = target.partition("#")
        file = (FILE.parent / (path or FILE.name)).resolve()
        assert file.is_file(), target
        assert not anchor or anchor in headings(file.read_text(encoding="utf-8")), target


def headings(page: str) -> set[str]:
    """The anchors of a page's headings."""
    lines = [line.lstrip("# ").lower() for line in page.splitlines() if line.startswith("#")]
    return {re.sub(r"[^a-z0-9_ -]", "", line).replace(" ", "-") for line in lines}
