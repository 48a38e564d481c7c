"""``camunda-entra explain``: what a token is, which check it passes or fails, and what to change where."""

import asyncio
import json
import sys
import time
from dataclasses import replace
from typing import Annotated, Final

import typer
from rich.console import Console

from camunda_entra_fastapi.cli.environment import read_settings, service_environment
from camunda_entra_fastapi.cli.explain.explanation import explain_token, print_explanation
from camunda_entra_fastapi.cli.explain.input import MAX_CHARACTERS, parse_input
from camunda_entra_fastapi.cli.explain.paste import is_terminal, paste
from camunda_entra_fastapi.cli.fetching import entra_http, fetch_keys
from camunda_entra_fastapi.cli.options import EnvFileOption, EnvOption, JsonOption
from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.validation.keys import KeySet

STDIN: Final = "-"


def explain(
    token: Annotated[
        str,
        typer.Argument(
            metavar="TOKEN|-",
            help="The token. Left out, or -, it is read from standard input, which no shell's history keeps.",
            show_default=False,
        ),
    ] = STDIN,
    env_file: EnvFileOption = None,
    env: EnvOption = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Fetch no keys, so that the signature is not checked.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell what a token is, which check it passes or fails, and what to change where.

    The token is sent to nobody; only Entra's keys are fetched. It is never
    printed as a whole.

    Exit codes: 0 the service accepts it, 1 it does not or nobody can tell,
    2 wrongly called.

    Examples:
      camunda-entra explain --env-file orders.env

      camunda-entra token --as ben | camunda-entra explain

      pbpaste | camunda-entra explain -

      curl -s ... | camunda-entra explain --json | jq .verdict
    """
    text = _read_token(token)
    with service_environment(env_file, env or ()):
        loaded = read_settings(dotenv=env_file is None)
        console = Console()
        keys = None
        if loaded.settings is not None and not offline and not parse_input(text).opaque:
            with Console(stderr=True).status("Fetching Entra's keys"):
                keys = asyncio.run(_fetch_keys(loaded.settings))
    explanation = explain_token(text, loaded.settings, keys, time.time())
    if not explanation.token_input.opaque:
        explanation = replace(explanation, findings=loaded.findings)
    if as_json:
        typer.echo(json.dumps(explanation.as_json(), indent=2))
    else:
        print_explanation(console, explanation)
    raise typer.Exit(0 if explanation.verdict[0] == "accepted" else 1)


async def _fetch_keys(settings: EntraSettings) -> KeySet | FetchFailed:
    return await fetch_keys(entra_http(settings), settings)


def _read_token(token: str) -> str:
    """Read the token's text, up to the limit."""
    if token != STDIN:
        return token[: MAX_CHARACTERS + 1]
    if is_terminal():
        typer.echo("Paste the token, which is not shown, then press Ctrl-D:", err=True)
        return paste(MAX_CHARACTERS + 1)
    return sys.stdin.read(MAX_CHARACTERS + 1)
