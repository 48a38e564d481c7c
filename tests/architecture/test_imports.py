"""Who may import whom: ARCHITECTURE.md's table, held against every import there is."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")

PACKAGE = "camunda_entra_fastapi"
ROOT = Path(__file__).parents[2] / PACKAGE

LEVELS = {
    "errors": 0,
    "frozen": 0,
    "remedies": 0,
    "telemetry": 0,
    "urls": 0,
    "validation": 1,
    "remote": 1,
    "sessions": 1,
    "settings": 2,
    "user": 2,
    "user_fields": 2,
    "authenticator": 2,
    "login": 2,
    "login.answers": 3,
    "login.docs_token": 3,
    "login.pages": 3,
    "login.parts": 3,
    "login.router": 3,
    "web": 3,
    "downstream": 3,
    "joined": 4,
    "plugin": 4,
    "calling": 4,
    "cli": 5,
}
"""Part or module to level; it imports from its own level and from below. ``testing`` stands aside."""

THIRD_PARTY = {
    "errors": set(),
    "frozen": set(),
    "remedies": set(),
    "urls": set(),
    "telemetry": {"opentelemetry"},
    "validation": set(),
    "validation.compact": {"pydantic", "pydantic_core"},
    "validation.keys": {"cryptography", "jose"},
    "validation.id_token": {"jose"},
    "validation.identity": {"cryptography", "jose"},
    "remote": set(),
    "remote.http": {"httpx"},
    "remote.certificates": {"cryptography"},
    "sessions": set(),
    "sessions.sealing": {"cryptography", "jose"},
    "sessions.redis": {"redis"},
    "sessions.redis_client": {"redis"},
    "settings": {"pydantic", "pydantic_core", "pydantic_settings"},
    "settings.issuers": set(),
    "settings.urls": set(),
    "user": {"pydantic", "fastapi_azure_auth"},
    "user_fields": {"fastapi_azure_auth"},
    "authenticator": set(),
    "login": set(),
    "login.answers": {"starlette"},
    "login.docs_token": {"starlette"},
    "login.pages": {"jinja2"},
    "login.router": {"fastapi", "starlette"},
    "web": {"fastapi", "starlette"},
    "downstream": set(),
    "downstream.on_behalf_of": {"fastapi", "starlette"},
    "downstream.http_auth": {"httpx", "httpx2"},
    "web.bearer": {"fastapi", "starlette", "fastapi_azure_auth"},
    "web.gateway_identity": {"httpx", "jose", "starlette"},
    "joined": {"httpx"},
    "calling": set(),
    "plugin": {"fastapi", "httpx", "starlette"},
    "cli": {"httpx", "rich", "typer", "uvicorn", "fastapi", "pydantic", "starlette"},
    "cli.surroundings": {"dotenv", "typer"},
    "testing": {"cryptography", "httpx", "starlette"},
    "testing.directory": {"cryptography", "pydantic", "yaml"},
    "testing.graph_api.registrations": {"pydantic"},
    "testing.pages": {"jinja2", "starlette"},
    "testing.serving": {"uvicorn"},
    "testing.pytest_plugin": {"pytest"},
}
"""Part or module to what it may import of other packages; the more exact name counts."""

MODULES = sorted(
    str(path.relative_to(ROOT).with_suffix("")).replace("/", ".").removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
)


def imports_of(module: str) -> Iterator[str]:
    """The full names that a module imports, anywhere in it."""
    path = ROOT.joinpath(*module.split("."))
    source = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == PACKAGE)


def nearest(table: Mapping[str, T], module: str) -> T | None:
    """The entry of the module, or else of what it is in."""
    names = accumulate(module.split("."), lambda above, name: f"{above}.{name}")
    return next((table[name] for name in reversed(list(names)) if name in table), None)


@pytest.mark.parametrize("module", [name for name in MODULES if name != "__init__"])
def test_imports_of_ours_go_downward(module: str) -> None:
    """A part knows what is below it, and the local Entra knows errors and settings alone."""
    part = module.partition(".")[0]
    for name in imports_of(module):
        target = name.removeprefix(f"{PACKAGE}.")
        if not name.startswith(f"{PACKAGE}.") or part == target.partition(".")[0] == "testing":
            continue
        if part == "testing":
            assert target.partition(".")[0] in ("errors", "settings"), f"{module} imports {name}"
            continue
        own, its = nearest(LEVELS, module), nearest(LEVELS, target)
        assert own is not None, f"add {part} to LEVELS in {__file__} and to ARCHITECTURE.md"
        if its is None:
            assert (part, target.partition(".")[0]) == ("cli", "testing"), f"{module} imports {name}"
            continue
        assert its <= own, f"{module} imports {name}, which is above it"


@pytest.mark.parametrize("module", [name for name in MODULES if name != "__init__"])
def test_imports_of_other_packages_are_where_the_table_says(module: str) -> None:
    """Each third party is touched by those parts alone whose business it is."""
    allowed = nearest(THIRD_PARTY, module)
    assert allowed is not None, f"add {module} to THIRD_PARTY in {__file__} and to ARCHITECTURE.md"
    foreign = {name.partition(".")[0] for name in imports_of(module)}
    foreign -= {PACKAGE, *sys.stdlib_module_names}
    assert foreign <= allowed


def test_importing_the_package_loads_no_extras() -> None:
    """Who protects an API pays for nothing else."""
    heavy = ["redis", "uvicorn", "jinja2", "typer", f"{PACKAGE}.testing", f"{PACKAGE}.cli"]
    code = f"import sys; from {PACKAGE} import *; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_flagged_packages_are_not_imported() -> None:
    """ecdsa, rsa and pyasn1 stay outside, also when they are installed."""
    flagged = ("ecdsa", "rsa", "pyasn1")
    code = f"import sys; from {PACKAGE} import *; print([name for name in {flagged} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
