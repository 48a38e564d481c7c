"""The commands and their options."""

from typing import Annotated, Final

import typer
from rich.console import Console

from camunda_entra_fastapi.cli.demo import check_demo, run_demo
from camunda_entra_fastapi.cli.service import DemoError

PORT: Final = 8000
EMULATOR_PORT: Final = 8400

commands: Final = typer.Typer(
    name="camunda-entra",
    help="Develop and check FastAPI services that trust Microsoft Entra ID.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@commands.callback()
def _root() -> None:
    """Makes Typer ask for a command's name even while there is one command only."""


@commands.command()
def demo(
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            show_default=str(PORT),
            help="Port of the API; 0 for any that is free.",
        ),
    ] = None,
    emulator_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            show_default=str(EMULATOR_PORT),
            help="Port of the local Entra; 0 for any that is free.",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Sign in once, call the API, print the result, and exit. Takes free ports by default.",
        ),
    ] = False,
) -> None:
    """Start a local Entra and a small Operate-like API, and print curl lines to paste.

    Nothing leaves this machine. Ctrl-C ends it.
    """
    console = Console()
    try:
        if check:
            passed = check_demo(console, port=port or 0, emulator_port=emulator_port or 0)
            raise typer.Exit(0 if passed else 1)
        run_demo(
            console,
            port=PORT if port is None else port,
            emulator_port=EMULATOR_PORT if emulator_port is None else emulator_port,
        )
    except DemoError as error:
        Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
