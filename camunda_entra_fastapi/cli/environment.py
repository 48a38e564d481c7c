"""The service's settings, read as it would read them, with files and variables given on the command line."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import typer
from dotenv import dotenv_values

from camunda_entra_fastapi.cli.findings import Finding, State, split_remedy
from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.telemetry import logger

_OF_THE_SERVICE: Final = ("CAMUNDA_", "AZURE_")
"""What the service's variables begin with. A file says all of them, so the shell's own do not count then."""


@dataclass(frozen=True, slots=True)
class Read:
    """The settings, or what is wrong with them."""

    settings: EntraSettings | None
    findings: tuple[Finding, ...] = field(default=())


@contextmanager
def surroundings(env_file: Path | None, variables: Sequence[str]) -> Iterator[None]:
    """The process's environment as the service's would be, for as long as the block runs.

    Args:
        env_file: A file as ``docker run --env-file`` takes; with one, neither ``.env`` nor the shell's own
            variables of the service count.
        variables: ``NAME=VALUE`` each, which go before all others.

    Raises:
        typer.BadParameter: A variable has another form, or the file cannot be read.
    """
    given = dict(_split(each) for each in variables)
    before = dict(os.environ)
    quiet = logging.NullHandler()  # what is logged is told as a finding, in its place
    logger.addHandler(quiet)
    try:
        if env_file is not None:
            for name in [name for name in os.environ if name.upper().startswith(_OF_THE_SERVICE)]:
                del os.environ[name]
            given = _in_file(env_file) | given
        os.environ.update(given)
        yield
    finally:
        logger.removeHandler(quiet)
        os.environ.clear()
        os.environ.update(before)


def read_settings(*, dotenv: bool) -> Read:
    """The settings of the environment and, if wanted, of ``.env`` in the working directory."""
    warned = _Warnings()
    logger.addHandler(warned)
    try:
        settings = EntraSettings() if dotenv else EntraSettings(_env_file=None)
    except SettingsError as error:
        return Read(None, tuple(map(_of_problem, error.problems)) + _of_nothing() + warned.findings)
    finally:
        logger.removeHandler(warned)
    return Read(settings, warned.findings)


def _of_problem(problem: str) -> Finding:
    cause, remedy = split_remedy(problem)
    variable = cause.partition(" ")[0]
    return Finding("settings", State.WRONG, cause, remedy, "settings_invalid", setting=variable)


def _of_nothing() -> tuple[Finding, ...]:
    if any(name.upper().startswith("CAMUNDA_") for name in os.environ):
        return ()
    return (
        Finding(
            "settings",
            State.NOTE,
            "No variable that begins with CAMUNDA_ is set here.",
            "Run this where the service runs, or give its variables with --env-file FILE or --env "
            "NAME=VALUE.",
            "no_variables",
        ),
    )


class _Warnings(logging.Handler):
    """What reading the settings warns of: variables that nobody reads."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.findings: tuple[Finding, ...] = ()

    def emit(self, record: logging.LogRecord) -> None:
        told, remedy = split_remedy(record.getMessage())
        finding = Finding("settings", State.NOTE, told, remedy, "setting_unknown")
        self.findings += (finding,)


def _split(variable: str) -> tuple[str, str]:
    name, mark, value = variable.partition("=")
    if not mark or not name or "\0" in variable:
        raise typer.BadParameter(
            "Give NAME=VALUE, for example CAMUNDA_ENTRA_BASE_URL=https://operate.example.com."
        )
    return name, value


def _in_file(path: Path) -> dict[str, str]:
    try:
        values = dotenv_values(path, encoding="utf-8-sig", interpolate=False)
    except (OSError, UnicodeDecodeError):
        raise typer.BadParameter(f"{path} cannot be read as UTF-8 text.") from None
    return {name: value for name, value in values.items() if value is not None and "\0" not in value}
