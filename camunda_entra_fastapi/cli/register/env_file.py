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

LOCAL_VARIABLES: Final = (
    "CAMUNDA_ENTRA_ALLOW_LOCAL_ENTRA",
    "CAMUNDA_ENTRA_ALLOW_HTTP",
    "CAMUNDA_ENTRA_CA_BUNDLE",
)
"""Those that a local Entra may need besides."""
LOCAL_HEAD: Final = (
    "# The local Entra wrote this: camunda-entra emulator --env-file. The secret is an invented one.\n"
)
"""The first line of a file of the local Entra's, in which nothing is that could not be written again."""

_PRIVATE: Final = 0o600
_MAX_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class EnvFile:
    """The file, with the variables that an earlier run wrote.

    Attributes:
        path: The file.
        variables: Its variables; empty where it is new or is to be overwritten.
        head: A comment before them.
    """

    path: Path
    variables: Mapping[str, str] = field(repr=False, default_factory=dict)
    head: str = ""

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
                file.write(self.head)
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
    check_writable(path)
    content = read_content(path)
    variables = {} if content is not None and is_local(content) else _read_variables(content)
    if variables is None and not force:
        raise other_content(path)
    return EnvFile(path, variables or {})


def check_writable(path: Path) -> None:
    """Check that a new file can take the place of whatever is there.

    Raises:
        ValueError: It cannot; the message begins with the option.
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


def other_content(path: Path) -> ValueError:
    """The error of a file that is to be kept."""
    return ValueError(
        f"--env-file: {path} is there already, with something else in it. "
        "Give another name, or --force to overwrite it."
    )


def read_content(path: Path) -> str | None:
    """The file's text; empty where there is no file, None for anything but a short text."""
    if not path.exists():
        return ""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        return None if len(content) > _MAX_BYTES else content.decode()
    except (OSError, UnicodeDecodeError):
        return None


def is_local(content: str) -> bool:
    """Whether the local Entra wrote that, and nobody added anything since."""
    lines = content.removeprefix(LOCAL_HEAD).splitlines()
    return content.startswith(LOCAL_HEAD) and all(
        line.partition("=")[0] in (*VARIABLES, *LOCAL_VARIABLES) for line in lines
    )


def _read_variables(content: str | None) -> dict[str, str] | None:
    """The variables that an earlier run wrote; None for anything else."""
    if content is None:
        return None
    pairs = [line.partition("=")[::2] for line in content.splitlines()]
    variables = dict(pairs)
    is_ours = not pairs or (variables.keys() <= set(VARIABLES) and "CAMUNDA_IDENTITY_CLIENT_ID" in variables)
    return variables if is_ours and len(variables) == len(pairs) else None
