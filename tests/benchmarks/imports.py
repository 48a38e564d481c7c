"""The time to import the package, beyond that of its dependencies."""

import json
import os
import subprocess
import sys
from statistics import median
from typing import Any, Final

from tests.benchmarks.measurement import Goal, Row, row_of

USED: Final = "from camunda_entra_fastapi import CamundaEntra, EntraSettings, EntraUser"
"""The imports of a service; the package loads its submodules on access."""

_LOADED: Final = f"""
import json, sys
before = set(sys.modules)
{USED}
print(json.dumps([name for name in sys.modules if name not in before]))
"""

_TIMED: Final = f"""
import importlib, json, sys, time
from contextlib import suppress
names = json.loads(sys.stdin.read())
began = time.perf_counter()
for name in names:
    with suppress(ImportError):  # some put names into sys.modules that nobody can import
        importlib.import_module(name)
loaded = time.perf_counter()
{USED}
print(json.dumps([loaded - began, time.perf_counter() - loaded]))
"""


def imports(rounds: int) -> list[Row]:
    """Both in one process each time, the dependencies first."""
    names = [name for name in _run(_LOADED) if not name.startswith("camunda_entra_fastapi")]
    others, ours = [], []
    _run(_TIMED, json.dumps(names))
    for _ in range(rounds):
        one, other = _run(_TIMED, json.dumps(names))
        others.append(one)
        ours.append(other)
    figures = {"dependencies ms": median(others) * 1000, "ours ms": median(ours) * 1000}
    ratios = [mine / theirs for mine, theirs in zip(ours, others, strict=True)]
    return [row_of("import, ours by its dependencies", figures, ratios, Goal(0.15))]


def _run(script: str, text: str = "") -> list[Any]:
    command = [sys.executable, "-c", script]
    # Compiled code is kept, as where packages are installed; without that, compiling ours is half of it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    output = subprocess.run(
        command, input=text, capture_output=True, text=True, check=True, env=environment
    ).stdout
    return json.loads(output)
