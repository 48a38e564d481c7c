"""An emulator over HTTP, and commands that run in this process."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from camunda_entra_fastapi.cli.commands import commands
from camunda_entra_fastapi.testing import Directory, EntraEmulator


@dataclass(frozen=True)
class Ran:
    """The result of a command."""

    code: int
    output: str
    error: str
    failure: BaseException | None

    @property
    def json(self) -> Any:
        """Its output with ``--json``."""
        return json.loads(self.output)

    def finding(self, code: str) -> dict[str, Any]:
        """The one finding of that code."""
        found = [each for each in self.json["findings"] if each.get("code") == code]
        assert len(found) == 1, self.output
        only: dict[str, Any] = found[0]
        return only


def run_command(*arguments: str, stdin: str | None = None, **variables: str) -> Ran:
    """Run a command in this process, with variables besides those of the machine."""
    result = CliRunner().invoke(commands, list(arguments), input=stdin, env=variables)
    failure = None if isinstance(result.exception, SystemExit) else result.exception
    assert failure is None, f"{failure!r}: {result.output}"
    return Ran(result.exit_code, result.stdout, result.stderr, failure)


@pytest.fixture(scope="module")
def served_emulator() -> Iterator[EntraEmulator]:
    """An emulator over HTTP."""
    emulator = EntraEmulator()
    with emulator.serve():
        yield emulator


@pytest.fixture
def emulator(served_emulator: EntraEmulator) -> Iterator[EntraEmulator]:
    """The emulator with its default directory; a test's changes are undone."""
    served_emulator.directory = Directory.default()
    yield served_emulator
    served_emulator.up()
    served_emulator.directory = Directory.default()


@pytest.fixture
def run(emulator: EntraEmulator) -> Callable[..., Ran]:
    """Runs a command with the six variables of the emulator's first application; None removes one."""

    def run_with(*arguments: str, stdin: str | None = None, **changes: str | None) -> Ran:
        variables = emulator.environment() | changes
        present = {name: value for name, value in variables.items() if value is not None}
        return run_command(*arguments, stdin=stdin, **present)

    return run_with
