"""The file that the variables are written to. Others' files are kept, and only its owner can read it."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkstemp
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
    """The file, with the variables that an earlier run wrote.

    Attributes:
        path: The file.
        variables: Its variables; empty where it is new or is to be overwritten.
    """

    path: Path
    variables: Mapping[str, str] = field(repr=False, default_factory=dict)

    @property
    def client_id(self) -> str:
        """The client ID in it; empty for none."""
        return self.variables.get("CAMUNDA_IDENTITY_CLIENT_ID", "")

    @property
    def secret(self) -> str:
        """The client secret in it; empty for none."""
        return self.variables.get("CAMUNDA_IDENTITY_CLIENT_SECRET", "")

    def write(self, variables: Mapping[str, str]) -> bool:
        """Write the variables into a new file that takes the place of the old one; whether that was needed.

        So nobody who has the old file open reads the secret, no link is followed (CWE-59), and the old
        variables are there until the new ones are.

        Raises:
            OSError: They cannot be written.
        """
        if self.variables == variables and _is_private(self.path):
            return False
        # Exclusive, of mode 600, and not by way of a link.
        descriptor, temporary = mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                _keep_owner(descriptor, self.path)
                file.writelines(f"{name}={value}\n" for name, value in variables.items())
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, self.path)  # noqa: PTH105 - a link that appeared meanwhile is replaced itself
        except BaseException:
            os.unlink(temporary)  # noqa: PTH108 - it holds the secret
            raise
        return True


def _keep_owner(descriptor: int, former: Path) -> None:
    """Let the new file belong to whom the former one does, as far as root may do that.

    Who runs ``sudo camunda-entra register`` means the service to read the file, as it did before.
    """
    if os.geteuid() == 0 and former.exists():
        owner = former.lstat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _is_private(path: Path) -> bool:
    """Whether it is a file, and no link to one, that its owner alone can read."""
    try:
        return path.lstat().st_mode == stat.S_IFREG | _PRIVATE
    except OSError:
        return False


def open_env_file(path: Path, *, force: bool) -> EnvFile:
    """Read and check the file, before a secret is created that could not be written.

    Raises:
        ValueError: It cannot be written, or has other content; the message begins with the option.
    """
    if not path.parent.is_dir():
        raise ValueError(f"--env-file: there is no directory {path.parent}. Create it, or give another name.")
    if path.is_symlink():
        raise ValueError(
            f"--env-file: {path} is a symbolic link, and a secret is written by way of none. "
            "Give the name of the file that it leads to."
        )
    if path.exists() and not path.is_file():
        raise ValueError(f"--env-file: {path} is no file. Give another name.")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise ValueError(
            f"--env-file: {path} may not be written by you. Give another name, in a directory of yours."
        )
    variables = _read_variables(path) if path.exists() else {}
    if variables is None and not force:
        raise ValueError(
            f"--env-file: {path} is there already, with something else in it. "
            "Give another name, or --force to overwrite it."
        )
    return EnvFile(path, variables or {})


def _read_variables(path: Path) -> dict[str, str] | None:
    """The variables; None for a file with anything else in it."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        text = content.decode()
    except (OSError, UnicodeDecodeError):
        return None
    if len(content) > _MAX_BYTES:
        return None
    pairs = [line.partition("=")[::2] for line in text.splitlines()]
    variables = dict(pairs)
    is_ours = not pairs or (variables.keys() <= set(VARIABLES) and "CAMUNDA_IDENTITY_CLIENT_ID" in variables)
    return variables if is_ours and len(variables) == len(pairs) else None
