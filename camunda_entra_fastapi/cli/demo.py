"""The demo: a local Entra and a sample of Operate, wired with the six variables."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from rich.console import Console

from camunda_entra_fastapi.cli.checks import CheckResult, run_checks
from camunda_entra_fastapi.cli.instructions import print_instructions
from camunda_entra_fastapi.cli.interrupts import interruptible, until_interrupted
from camunda_entra_fastapi.cli.service import CommandError, Service, check_port, serve_sample
from camunda_entra_fastapi.http_library import httpx
from camunda_entra_fastapi.testing import EntraEmulator

PORT: Final = 8000
EMULATOR_PORT: Final = 8400
_LOCALHOST: Final = ("127.0.0.1", "::1")


def run_demo(console: Console, *, port: int | None, emulator_port: int | None) -> None:
    """Start both, tell what can be tried, and wait for Ctrl-C.

    Without a port, it is the usual one, or where that is in use any that is free.

    Raises:
        CommandError: A port that was asked for is taken, or the sample ended.
    """
    with until_interrupted(), ExitStack() as stack:
        with console.status("Starting a local Entra and the sample"):
            entra_port, entra_note = _choose(emulator_port, EMULATOR_PORT, "the local Entra", _LOCALHOST[:1])
            sample_port, sample_note = _choose(port, PORT, "the sample", _LOCALHOST)
            emulator, service = stack.enter_context(_serve_both(sample_port, entra_port))
        print_instructions(
            console, emulator, service.url, [note for note in (entra_note, sample_note) if note]
        )
        service.wait()


def _choose(port: int | None, usual: int, what: str, addresses: tuple[str, ...]) -> tuple[int, str]:
    """The port to listen at, 0 for any; and a note, where the usual one is in use."""
    if port is not None:
        return port, ""
    try:
        check_port(usual, "", addresses)
    except CommandError:
        return 0, f"Port {usual} is in use, so {what} has another one."
    return usual, ""


def check_demo(console: Console, *, port: int, emulator_port: int) -> bool:
    """Start both, try everything once, and tell what was seen; whether all was as it should be.

    Raises:
        CommandError: A port is taken, or the sample did not start.
    """
    results: list[CheckResult] = []
    with (
        interruptible(),
        _serve_both(port, emulator_port) as (emulator, service),
        httpx.Client(base_url=service.url, trust_env=False, timeout=10) as client,
    ):
        for result in run_checks(client, emulator):
            results.append(result)
            _print_result(console, result)
    failed = sum(not result.passed for result in results)
    summary = f"{failed} of {len(results)} checks failed." if failed else f"All {len(results)} checks passed."
    console.print(summary, style="bold red" if failed else "bold green", highlight=False)
    return not failed


@contextmanager
def _serve_both(port: int, emulator_port: int) -> Iterator[tuple[EntraEmulator, Service]]:
    check_port(emulator_port, "--emulator-port")
    emulator = EntraEmulator()
    with emulator.serve(port=emulator_port):
        check_port(port, "--port", _LOCALHOST)
        with serve_sample(emulator.environment(), port) as service:
            yield emulator, service


def _print_result(console: Console, result: CheckResult) -> None:
    good, bad = ("ok    ", "FAILED") if console.options.ascii_only else ("\u2713", "\u2717")
    mark = f"[green]{good}[/]" if result.passed else f"[red]{bad}[/]"
    console.print(mark, end=" ")
    console.print(f"{result.name}: {result.description}", markup=False, highlight=False, soft_wrap=True)
