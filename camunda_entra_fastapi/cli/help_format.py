"""The commands' own form: ``--version`` everywhere, and help without types that say nothing."""

import sys
from importlib.metadata import version
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from camunda_entra_fastapi.cli.invocation import NAME

DISTRIBUTION: Final = "camunda-entra-fastapi"


def _print_version(is_asked: bool) -> None:
    if is_asked:
        python = ".".join(map(str, sys.version_info[:3]))
        typer.echo(f"{NAME} {version(DISTRIBUTION)} (Python {python})")
        raise typer.Exit


def _version_option() -> Any:
    """The option, as typer makes it of a function's parameter; its class has another form in each version."""
    carrier = typer.Typer(add_completion=False)

    @carrier.command()
    def carry(
        version: Annotated[
            bool,
            typer.Option(
                "--version",
                is_eager=True,
                expose_value=False,
                callback=_print_version,
                help="Print the version, and exit.",
            ),
        ] = False,
    ) -> None:
        """Has the option."""

    return typer.main.get_command(carrier).params[0]


def _without_types(params: list[Any]) -> list[Any]:
    """The parameters; of flags, no type is printed behind the name."""
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""
    return params


class Command(TyperCommand):
    """A command."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.params.append(_version_option())

    def get_params(self, ctx: Any) -> list[Any]:
        """Its parameters, ``--help`` included."""
        return _without_types(super().get_params(ctx))


class Program(TyperGroup):
    """All commands, in the order in which somebody new needs them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.params.append(_version_option())

    def get_params(self, ctx: Any) -> list[Any]:
        """Its parameters, ``--help`` included."""
        return _without_types(super().get_params(ctx))
