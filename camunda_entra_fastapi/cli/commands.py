"""The commands and their options."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from camunda_entra_fastapi.cli.console import print_line
from camunda_entra_fastapi.cli.demo import EMULATOR_PORT, PORT, check_demo, run_demo
from camunda_entra_fastapi.cli.doctor.command import doctor
from camunda_entra_fastapi.cli.emulator import example_directory, run_emulator
from camunda_entra_fastapi.cli.explain.command import explain
from camunda_entra_fastapi.cli.help_format import Command, Program
from camunda_entra_fastapi.cli.invocation import NAME
from camunda_entra_fastapi.cli.register.command import register
from camunda_entra_fastapi.cli.service import CommandError
from camunda_entra_fastapi.cli.token.command import token
from camunda_entra_fastapi.testing.directory.file import DirectoryError

commands: Final = typer.Typer(
    name=NAME,
    cls=Program,
    help="Develop and check FastAPI services that trust Microsoft Entra ID.",
    epilog=f"Begin with {NAME} demo, which needs no tenant. The documentation is in README.md and docs.",
    rich_markup_mode="rich",  # the default, which older versions take for none, so that lines run together
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@commands.command(cls=Command)
def demo(
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=0,
            max=65535,
            show_default=str(PORT),
            help="Port of the API; 0 for any that is free. Left out, another one where that is in use.",
        ),
    ] = None,
    emulator_port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=0,
            max=65535,
            show_default=str(EMULATOR_PORT),
            help="Port of the local Entra; likewise.",
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
    """Start a local Entra and a small Operate-like API, and print what to try.

    Nothing leaves this machine. Where the usual ports are in use, it takes
    others. Ctrl-C ends it.

    Exit codes: 0 done, 1 something failed, 2 wrongly called.
    """
    console = Console()
    with _errors_on_stderr():
        if check:
            passed = check_demo(console, port=port or 0, emulator_port=emulator_port or 0)
            raise typer.Exit(0 if passed else 1)
        run_demo(console, port=port, emulator_port=emulator_port)


@commands.command(cls=Command)
def emulator(
    host: Annotated[
        str,
        typer.Option(metavar="HOST", help="Address to listen on; whoever reaches it is let in as anybody."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Port to listen on; 0 for any that is free.")
    ] = EMULATOR_PORT,
    tls: Annotated[
        bool, typer.Option("--tls", help="Speak HTTPS with a certificate made on the spot.")
    ] = False,
    directory: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Tenants, people and applications, in YAML or JSON."),
    ] = None,
    env_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            readable=False,
            help="Write the variables there, as .env for a service that is started in the same folder.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite that file, whatever is in it.")] = False,
    example: Annotated[
        bool, typer.Option("--example", help="Print a directory file to start from, and exit.")
    ] = False,
) -> None:
    """Start a local Entra, and print a line for each request.

    It is for development: there are no passwords. Ctrl-C ends it.

    Exit codes: 0 ended, 1 it cannot start, 2 wrongly called.

    Examples:
      camunda-entra emulator --env-file .env

      camunda-entra emulator --example > directory.yaml

      camunda-entra emulator --directory directory.yaml --tls
    """
    if example:
        typer.echo(example_directory(), nl=False)
        return
    with _errors_on_stderr():
        run_emulator(
            Console(),
            Console(stderr=True),
            host=host,
            port=port,
            tls=tls,
            directory_file=directory,
            env_file=env_file,
            force=force,
        )


for _command in (token, register, doctor, explain):
    commands.command(cls=Command)(_command)


@contextmanager
def _errors_on_stderr() -> Iterator[None]:
    """Errors that people can mend end with their message on stderr, and exit code 1."""
    try:
        yield
    except (CommandError, DirectoryError) as error:
        print_line(Console(stderr=True), str(error), "red")
        raise typer.Exit(1) from None
