"""The file with the local Entra's variables, from which a service in the same folder takes them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from camunda_entra_fastapi.cli.register.env_file import (
    LOCAL_HEAD,
    EnvFile,
    check_writable,
    is_local,
    other_content,
    read_content,
)
from camunda_entra_fastapi.cli.service import CommandError

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/~@%+,=-]*")
"""What shells, docker and dotenv read alike without quotation marks."""


def check_file(path: Path) -> None:
    """Check, before anything is started, that the file can be written.

    Raises:
        CommandError: It cannot.
    """
    try:
        check_writable(path)
    except ValueError as error:
        raise CommandError(str(error)) from None


def write_local_variables(path: Path, variables: Mapping[str, str], *, force: bool) -> bool:
    """Write the variables, as ``register`` does; whether that was needed.

    A file of the local Entra's own is replaced. A file that has the same variables is left as it is, whatever
    else is in it; any other one is kept, as a tenant's secret may be in it that nobody can read again.

    Raises:
        CommandError: The file has other content, or cannot be written.
    """
    lines = {name: _quoted(name, value) for name, value in variables.items()}
    try:
        check_writable(path)
        content = read_content(path)
        present = dict(line.partition("=")[::2] for line in (content or "").splitlines() if "=" in line)
        is_own = content is not None and (not content.strip() or is_local(content))
        if not force and not is_own:
            if not lines.items() <= present.items():
                raise other_content(path)
            return False
        return EnvFile(path, present if is_own else {}, LOCAL_HEAD).write(lines)
    except ValueError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"--env-file: {path} cannot be written: {error.strerror}.") from None


def _quoted(name: str, value: str) -> str:
    """The value as shells and dotenv read it alike.

    Raises:
        CommandError: There is no such spelling.
    """
    if _PLAIN.fullmatch(value):
        return value
    if not value.isprintable() or any(sign in value for sign in ("'", "\\", "${")):
        raise CommandError(
            f"--env-file: {name} has a sign that shells and .env files read differently: a quotation mark, a "
            "backslash, ${ or one that cannot be seen. Change it in the directory file."
        )
    return f"'{value}'"
