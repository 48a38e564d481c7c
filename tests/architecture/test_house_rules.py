"""Rules of the house that no linter knows."""

import ast
from pathlib import Path

import pytest

import camunda_entra_fastapi
from camunda_entra_fastapi.errors import CODES

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "camunda_entra_fastapi").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

PUBLIC_NAMES = [
    "AccessDenied",
    "CamundaEntra",
    "CredentialsMissing",
    "CrossOrigin",
    "DelegationEnded",
    "EntraError",
    "EntraRefused",
    "EntraSettings",
    "EntraUnavailable",
    "EntraUser",
    "GatewayIdentity",
    "InsufficientClaims",
    "InvalidRequest",
    "InvalidToken",
    "RefusedRequest",
    "SessionsUnavailable",
    "SettingsError",
    "SignInFailed",
    "SignInRedirect",
]


def test_the_public_names_are_the_reviewed_ones() -> None:
    """What users may import is decided here, not by accident."""
    assert camunda_entra_fastapi.__all__ == PUBLIC_NAMES == sorted(PUBLIC_NAMES)
    for name in PUBLIC_NAMES:
        assert getattr(camunda_entra_fastapi, name).__name__ == name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_are_short_and_named_for_what_is_in_them(path: Path) -> None:
    """300 lines at most, and nothing called utils."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
    assert not {"utils", "util", "helpers", "common", "misc"} & {path.stem, path.parent.name}


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_used(code: str) -> None:
    """A code that nothing raises is a promise that nothing keeps."""
    uses = [path for path in SOURCES if path.name != "errors.py" and f'"{code}"' in path.read_text("utf-8")]
    own = (ROOT / "camunda_entra_fastapi/errors.py").read_text("utf-8").count(f'"{code}"')
    assert uses or own > 1


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_says_in_a_sentence_what_holds(path: Path) -> None:
    """Names tell what is tested, sentences tell why."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"
