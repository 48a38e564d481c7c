"""What was measured, as a table for people and as JSON for programs."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.backends.openssl import backend

from tests.benchmarks.measurement import Row

_PACKAGES: Final = (
    "cryptography",
    "python-jose",
    "PyJWT",
    "joserfc",
    "fastapi-azure-auth",
    "fastapi",
    "starlette",
    "pydantic",
)


def describe(rows: Sequence[Row], parameters: Mapping[str, int]) -> dict[str, Any]:
    """Everything a later reader needs to compare the numbers with theirs."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "openssl": backend.openssl_version_text(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "packages": {name: version(name) for name in _PACKAGES},
        "parameters": dict(parameters),
        "rows": as_data(rows),
    }


def as_data(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows as JSON has them."""
    return [asdict(row) | {"missed": row.missed} for row in rows]


def heading(report: dict[str, Any]) -> str:
    """Where and with what it was measured."""
    packages = ", ".join(f"{name} {number}" for name, number in report["packages"].items())
    parameters = ", ".join(f"{number} {what}" for what, number in report["parameters"].items())
    lines = [
        f"{report['date']}  {report['python']}, {report['openssl']}",
        f"{report['cpu']}, {report['cpus']} CPUs, {report['system']}",
        packages,
        f"{parameters}; medians; ratio = processor time by the first row's, with its quartiles",
    ]
    return "\n".join(lines)


def table(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows in aligned columns; times in microseconds."""
    width = max(len(title), *(len(row["name"]) for row in rows))
    lines = [
        "",
        f"{title:{width}}  {'processor':>10}  {'wall':>10}  {'ratio':>7}  {'quartiles':>15}  goal",
    ]
    lines += [
        f"{row['name']:{width}}  {row['processor']:7.2f} us  {row['wall']:7.2f} us  {row['ratio']:7.3f}  "
        f"{row['ratio_low']:6.3f} - {row['ratio_high']:6.3f}  {_verdict(row)}"
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def _verdict(row: Mapping[str, Any]) -> str:
    if row["goal"] is None:
        return ""
    return f"at most {row['goal']}: {'MISSED' if row['missed'] else 'reached'}"


def _cpu() -> str:
    """The model as Linux tells it, elsewhere as the platform does."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
