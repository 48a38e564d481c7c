"""The service's environment and settings, with the files and variables of the command line."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
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

_SERVICE_PREFIXES: Final = ("CAMUNDA_", "AZURE_")
"""How the service's variables begin. A file has all of them, so the shell's own do not count then."""


@dataclass(frozen=True, slots=True)
class SettingsResult:
    """The settings, or what is wrong with them."""

    settings: EntraSettings | None
    findings: tuple[Finding, ...] = field(default=())


@contextmanager
def service_environment(
    env_file: Path | None, variables: Sequence[str], own: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Make the process's environment the service's, for as long as the block runs.

    Args:
        env_file: A file as ``docker run --env-file`` takes; with one, neither ``.env`` nor the shell's own
            variables of the service count.
        variables: ``NAME=VALUE`` each; they take precedence over all others.
        own: The variables in place of a file's.

    Raises:
        typer.BadParameter: A variable has another form, or the file cannot be read.
    """
    overrides = dict(_parse_variable(each) for each in variables)
    before = dict(os.environ)
    silencer = logging.NullHandler()  # what is logged is a finding, in its place
    logger.addHandler(silencer)
    try:
        if env_file is not None:
            own = _read_env_file(env_file)
        if own is not None:
            for name in [name for name in os.environ if name.upper().startswith(_SERVICE_PREFIXES)]:
                del os.environ[name]
            overrides = {**own, **overrides}
        os.environ.update(overrides)
        yield
    finally:
        logger.removeHandler(silencer)
        os.environ.clear()
        os.environ.update(before)


def read_settings(*, dotenv: bool) -> SettingsResult:
    """Read the settings from the environment and, with ``dotenv``, from ``.env`` in the working directory."""
    warnings = _WarningCollector()
    logger.addHandler(warnings)
    try:
        settings = EntraSettings() if dotenv else EntraSettings(_env_file=None)
    except SettingsError as error:
        return SettingsResult(
            None,
            tuple(map(_finding_of_problem, error.problems))
            + _findings_without_variables()
            + warnings.findings,
        )
    finally:
        logger.removeHandler(warnings)
    return SettingsResult(settings, warnings.findings)


def _finding_of_problem(problem: str) -> Finding:
    cause, remedy = split_remedy(problem)
    variable = cause.partition(" ")[0]
    return Finding("settings", State.WRONG, cause, remedy, "settings_invalid", setting=variable)


def _findings_without_variables() -> tuple[Finding, ...]:
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


class _WarningCollector(logging.Handler):
    """Collects the warnings of reading settings: unknown variables."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.findings: tuple[Finding, ...] = ()

    def emit(self, record: logging.LogRecord) -> None:
        message, remedy = split_remedy(record.getMessage())
        finding = Finding("settings", State.NOTE, message, remedy, "setting_unknown")
        self.findings += (finding,)


def _parse_variable(variable: str) -> tuple[str, str]:
    name, separator, value = variable.partition("=")
    if not separator or not name or "\0" in variable:
        raise typer.BadParameter(
            "Give NAME=VALUE, for example CAMUNDA_ENTRA_BASE_URL=https://orders.example.com."
        )
    return name, value


def _read_env_file(path: Path) -> dict[str, str]:
    try:
        values = dotenv_values(path, encoding="utf-8-sig", interpolate=False)
    except (OSError, UnicodeDecodeError):
        raise typer.BadParameter(f"{path} cannot be read as UTF-8 text.") from None
    return {name: value for name, value in values.items() if value is not None and "\0" not in value}
