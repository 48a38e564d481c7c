"""Prints what to install for a run against the lowest or the newest versions that are allowed.

Lowest means the lower bound of everything that pyproject.toml names for running; test tools are
the newest in both.
"""

import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def requirements(which: str) -> list[str]:
    """One line for each package."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    named = [
        *project["project"]["dependencies"],
        *extras["emulator"],
        *extras["cli"],
        *extras["redis"],
        *extras["swagger-ui"],
    ]
    running = [line for line in named if not line.startswith("camunda-entra-fastapi")]
    if which == "lowest":
        running = [line.replace(">=", "==") for line in running]
    return [*running, *(line.split(">=")[0] for line in project["dependency-groups"]["test"])]


if __name__ == "__main__":
    sys.stdout.write("\n".join(requirements(sys.argv[1])) + "\n")
