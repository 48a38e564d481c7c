"""The command ``camunda-entra``."""

import sys
from importlib.util import find_spec
from typing import Final

_NEEDED: Final = ("cryptography", "dotenv", "jinja2", "rich", "typer", "uvicorn", "yaml")


def main() -> None:
    """Run the command line. Ends the process: 0 done, 1 failed, 2 wrongly called or not fully installed."""
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        sys.stderr.write(
            f"camunda-entra needs packages that are not installed: {', '.join(missing)}.\n"
            'Install them with: pip install "camunda-entra-fastapi[cli]"\n'
        )
        raise SystemExit(2)
    from camunda_entra_fastapi.cli.commands import commands  # noqa: PLC0415 - needs what was just looked for

    commands(prog_name="camunda-entra")
