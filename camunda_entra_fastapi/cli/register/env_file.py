"""The file that the variables are written to: only ever one's own, and for nobody else to read."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

VARIABLES: Final = (
    "CAMUNDA_IDENTITY_TYPE",
    "CAMUNDA_IDENTITY_ISSUER",
    "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL",
    "CAMUNDA_IDENTITY_CLIENT_ID",
    "CAMUNDA_IDENTITY_CLIENT_SECRET",
    "CAMUNDA_IDENTITY_AUDIENCE",
    "CAMUNDA_ENTRA_BASE_URL",
)

_PRIVATE: Final = 0o600
_MAX_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class EnvFile:
    """Where to write, and what an earlier run wrote there.

    Attributes:
        path: The file.
        known: Its variables; empty where it is new or is to be overwritten.
    """

    path: Path
    known: Mapping[str, str] = field(repr=False, default_factory=dict)

    @property
    def client_id(self) -> str:
        """The application that it is of; empty for none."""
        return self.known.get("CAMUNDA_IDENTITY_CLIENT_ID", "")

    @property
    def secret(self) -> str:
        """The client secret that stands there; empty for none."""
        return self.known.get("CAMUNDA_IDENTITY_CLIENT_SECRET", "")

    def write(self, variables: Mapping[str, str]) -> bool:
        """Write the variables; whether anything was to be changed.

        Raises:
            OSError: They cannot be written.
        """
        if self.known == variables and stat.S_IMODE(self.path.stat().st_mode) == _PRIVATE:
            return False
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, _PRIVATE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, _PRIVATE)  # it may have been there, empty and open to all
            file.truncate()
            file.writelines(f"{name}={value}\n" for name, value in variables.items())
        return True


def env_file_at(path: Path, *, force: bool) -> EnvFile:
    """The file, looked at before anybody is asked for a secret that would have no place then.

    Raises:
        ValueError: It cannot be written, or is somebody else's; the message begins with the option.
    """
    if not path.parent.is_dir():
        raise ValueError(f"--env-file: there is no directory {path.parent}. Create it, or give another name.")
    if path.exists() and not path.is_file():
        raise ValueError(f"--env-file: {path} is no file. Give another name.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"--env-file: {path} may not be written by you. Give another name.")
    known = _read_own(path) if path.exists() else {}
    if known is None and not force:
        raise ValueError(
            f"--env-file: {path} is there already, with something else in it. "
            "Give another name, or --force to overwrite it."
        )
    return EnvFile(path, known or {})


def _read_own(path: Path) -> dict[str, str] | None:
    """The variables, if there is nothing but those; None for another's file."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        text = content.decode()
    except (OSError, UnicodeDecodeError):
        return None
    if len(content) > _MAX_BYTES:
        return None
    pairs = [line.partition("=")[::2] for line in text.splitlines()]
    known = dict(pairs)
    is_own = not pairs or (known.keys() <= set(VARIABLES) and "CAMUNDA_IDENTITY_CLIENT_ID" in known)
    return known if is_own and len(known) == len(pairs) else None
