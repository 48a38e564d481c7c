"""The measurements as a table for people and as JSON for programs."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.backends.openssl import backend

from tests.benchmarks.measurement import Row, Section

_PACKAGES: Final = (
    "cryptography",
    "python-jose",
    "PyJWT",
    "joserfc",
    "Authlib",
    "fastapi-azure-auth",
    "fastapi",
    "starlette",
    "pydantic",
    "uvicorn",
    "uvloop",
    "httptools",
)


def describe(sections: Sequence[Section], parameters: Mapping[str, int]) -> dict[str, Any]:
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
        "sections": {section.name: [_as_data(row) for row in section.rows] for section in sections},
    }


def _as_data(row: Row) -> dict[str, Any]:
    return asdict(row) | {"goal": row.goal and str(row.goal), "missed": row.missed}


def heading(report: dict[str, Any]) -> str:
    """Where and with what it was measured."""
    packages = ", ".join(f"{name} {number}" for name, number in report["packages"].items())
    parameters = ", ".join(f"{number} {what}" for what, number in report["parameters"].items())
    lines = [
        f"{report['date']}  {report['python']}, {report['openssl']}",
        f"{report['cpu']}, {report['cpus']} CPUs, {report['system']}",
        packages,
        f"{parameters}; medians of interleaved rounds",
    ]
    return "\n".join(lines)


def table(section: Section) -> str:
    """The rows in aligned columns."""
    columns = list(dict.fromkeys(column for row in section.rows for column in row.figures))
    head = [section.name, *columns, "ratio", "quartiles", "goal"]
    lines = [head, *(_line(row, columns) for row in section.rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(head))]
    text = [f"\n{section.title}"]
    for name, *others, verdict in lines:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:-1], strict=True))
        text.append("  ".join((name.ljust(widths[0]), *cells, verdict)).rstrip())
    return "\n".join(text)


def _line(row: Row, columns: Sequence[str]) -> list[str]:
    figures = [_number(row.figures[column]) if column in row.figures else "" for column in columns]
    quartiles = f"{row.quartiles[0]:.3f} - {row.quartiles[1]:.3f}" if row.quartiles else ""
    verdict = f"{row.goal}: {'MISSED' if row.missed else 'reached'}" if row.goal else ""
    return [row.name, *figures, f"{row.ratio:.3f}", quartiles, verdict]


def _number(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:.2f}"


def _cpu() -> str:
    """The model as Linux tells it, elsewhere as the platform does."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
