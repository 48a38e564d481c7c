"""Importing costs nothing until something is used: pytest imports the package in every run."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import camunda_entra_fastapi
from camunda_entra_fastapi import testing

HEAVY = {
    "cryptography",
    "fastapi",
    "fastapi_azure_auth",
    "httpx",
    "httpx2",
    "jinja2",
    "jose",
    "opentelemetry",
    "pydantic",
    "pydantic_settings",
    "starlette",
}
CONFTEST = """
import json, sys

def pytest_unconfigure():
    with open("modules.json", "w") as file:
        json.dump(sorted(sys.modules), file)
"""
SUBMODULES = [
    "token_validator",
    "errors",
    "plugin",
    "remote",
    "runtime",
    "settings",
    "telemetry",
    "urls",
    "user",
    "validation",
    "web",
]


def loaded_by(code: str) -> list[str]:
    """The modules of ours and the heavy ones that a fresh interpreter has after the code."""
    script = f"{code}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return [
        name
        for name in json.loads(done.stdout)
        if name.partition(".")[0] in {"camunda_entra_fastapi", *HEAVY}
    ]


def collect(folder: Path, *arguments: str, **variables: str) -> set[str]:
    """The modules that a run of pytest has at its end, which collects one empty test."""
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")  # no configuration from above
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / "test_nothing.py").write_text("def test_nothing(): pass\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return set(json.loads((folder / "modules.json").read_text("utf-8")))


def test_pytest_pays_nothing_for_the_plugin(tmp_path: Path) -> None:
    """Beside the standard library, it adds the packages it stands in and itself, and nothing else."""
    more = collect(tmp_path) - collect(tmp_path, "-p", "no:camunda_entra_fastapi")
    assert {name for name in more if name.partition(".")[0] not in sys.stdlib_module_names} == {
        "camunda_entra_fastapi",
        "camunda_entra_fastapi.testing",
        "camunda_entra_fastapi.testing.fixtures",
        "camunda_entra_fastapi.testing.fixtures.pytest_plugin",
    }


def test_pytest_alone_with_the_plugin_has_nothing_heavy(tmp_path: Path) -> None:
    """With no other plugin to hide behind."""
    names = collect(
        tmp_path,
        "-p",
        "camunda_entra_fastapi.testing.fixtures.pytest_plugin",
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
    )
    assert "camunda_entra_fastapi.testing.fixtures.pytest_plugin" in names
    assert not {name.partition(".")[0] for name in names} & HEAVY


def test_importing_the_package_imports_nothing_else() -> None:
    """Names are looked up when they are used."""
    assert loaded_by("import camunda_entra_fastapi") == ["camunda_entra_fastapi"]


def test_errors_come_without_a_framework() -> None:
    """An import of errors alone does not load FastAPI."""
    assert loaded_by("from camunda_entra_fastapi import EntraError, SettingsError") == [
        "camunda_entra_fastapi",
        "camunda_entra_fastapi.errors",
    ]


@pytest.mark.parametrize("module", [camunda_entra_fastapi, testing])
def test_every_public_name_is_there_and_seen(module: object) -> None:
    """``dir()``, hence completion, shows it; an import gives it, the same each time."""
    names: list[str] = getattr(module, "__all__")  # noqa: B009 - of either module
    assert set(names) <= set(dir(module))
    for name in names:
        assert getattr(module, name).__name__ == name
        assert vars(module)[name] is getattr(module, name)  # found without us from then on


@pytest.mark.parametrize("module", [camunda_entra_fastapi, testing])
def test_type_checkers_are_told_what_there_is(module: object) -> None:
    """The imports that only they read are the public names, no more and no less."""
    source = Path(str(getattr(module, "__file__"))).read_text("utf-8")  # noqa: B009 - of either module
    revealed = [
        alias.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("camunda_entra_fastapi")
        for alias in node.names
    ]
    assert sorted(revealed) == getattr(module, "__all__")  # noqa: B009 - of either module


def test_a_star_gives_the_public_names() -> None:
    """``import *`` is for the interactive prompt."""
    names: dict[str, object] = {}
    exec("from camunda_entra_fastapi import *", names)
    assert set(camunda_entra_fastapi.__all__) <= names.keys()


@pytest.mark.parametrize("part", SUBMODULES)
def test_submodules_are_reached_without_an_import_of_their_own(part: str) -> None:
    """``camunda_entra_fastapi.errors`` works after importing the package alone."""
    name = f"camunda_entra_fastapi.{part}"
    seen, used = f"assert {part!r} in dir(it)", f"assert it.{part}.__name__ == {name!r}"
    code = f"import camunda_entra_fastapi as it; {seen}; {used}"
    assert name in loaded_by(code)


def test_a_part_is_the_module_that_an_import_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are not two of it, whichever way came first."""
    from camunda_entra_fastapi import telemetry

    monkeypatch.delattr(camunda_entra_fastapi, "telemetry")
    assert camunda_entra_fastapi.telemetry is telemetry


@pytest.mark.parametrize("module", [camunda_entra_fastapi, testing])
def test_other_names_are_refused_in_pythons_words(module: object) -> None:
    """A wrong name is told as for any module."""
    name = getattr(module, "__name__")  # noqa: B009 - of either module
    with pytest.raises(AttributeError, match=rf"^module '{name}' has no attribute 'Nobody'$"):
        getattr(module, "Nobody")  # noqa: B009 - it is not there
    with pytest.raises(ImportError, match=f"cannot import name 'Nobody' from '{name}'"):
        exec(f"from {name} import Nobody")
