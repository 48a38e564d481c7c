"""``camunda-entra explain``: what a token is, which check it passes or fails, and what to change where."""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from camunda_entra_fastapi.cli.console import print_finding, print_line, print_members
from camunda_entra_fastapi.cli.environment import read_settings, service_environment
from camunda_entra_fastapi.cli.explain.checks import Judged, judge
from camunda_entra_fastapi.cli.explain.decode import Anatomy, shown, times_in
from camunda_entra_fastapi.cli.explain.input import MAX_CHARACTERS, Given, read_given
from camunda_entra_fastapi.cli.explain.paste import is_terminal, paste
from camunda_entra_fastapi.cli.explain.token_kinds import details_of, kind_of
from camunda_entra_fastapi.cli.fetching import entra_http, fetch_keys
from camunda_entra_fastapi.cli.findings import Finding
from camunda_entra_fastapi.errors import EntraError, FetchFailed, InvalidToken
from camunda_entra_fastapi.runtime import policy_of
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.validation.keys import KeySet

HIDDEN: Final = "-"


@dataclass(frozen=True, slots=True)
class Explained:
    """All that is told of a token."""

    given: Given
    anatomy: Anatomy
    kind: str
    details: tuple[str, ...]
    findings: tuple[Finding, ...]
    """What is wrong with the settings, if anything is."""
    judged: Judged | None
    """None where there are no settings, or nothing to judge."""
    now: float

    @property
    def verdict(self) -> tuple[str, str]:
        """What the service says of the token: a word, and a sentence."""
        if self.given.opaque:
            return "refused", f"This is {self.given.opaque}. The service answers it with 401 token_malformed."
        if self.judged is None:
            return "unknown", "Whether the service accepts it cannot be told without its settings."
        if self.judged.verdict is not None and not self.judged.is_certain:
            error = self.judged.verdict
            return "refused", f"If Entra signed it, the service answers it with {_answer(error)}."
        if self.judged.verdict is not None:
            return "refused", f"The service answers it with {_answer(self.judged.verdict)}."
        if not self.judged.is_certain:
            return "unknown", "If Entra signed it, the service accepts it; its keys were not there to tell."
        return "accepted", "The service accepts it."

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        word, sentence = self.verdict
        error = self.judged.verdict if self.judged else None
        return {
            "kind": self.given.opaque or self.kind,
            "details": [*self.given.notes, *self.details],
            "verdict": word,
            "message": sentence,
            "code": "token_malformed" if self.given.opaque else error and error.code,
            "header": shown(self.anatomy.header),
            "claims": shown(self.anatomy.claims),
            "times": times_in(self.anatomy.claims, self.now),
            "checks": [check.as_json() for check in self.judged.checks] if self.judged else [],
            "findings": [finding.as_json() for finding in self.findings],
        }


def explain_text(
    text: str, settings: EntraSettings | None, keys: KeySet | FetchFailed | None, now: float
) -> Explained:
    """Everything about what was pasted.

    Args:
        text: The token, with whatever stands around it.
        settings: The service's; None where there are none.
        keys: The tenant's, why they cannot be had, or None where nobody asked for them.
        now: Seconds since 1970.
    """
    given = read_given(text)
    if given.opaque:
        return Explained(given, Anatomy(), "", (), (), None, now)
    anatomy = Anatomy.of(given.token)
    tenant = settings.tenant if settings else None
    return Explained(
        given,
        anatomy,
        kind_of(anatomy),
        tuple(details_of(anatomy, tenant)),
        (),
        judge(given.token, keys, policy_of(settings), now) if settings else None,
        now,
    )


def explain(
    token: Annotated[
        str,
        typer.Argument(
            metavar="TOKEN|-",
            help="The token. Left out, or -, it is read from standard input, which no shell's history keeps.",
            show_default=False,
        ),
    ] = HIDDEN,
    env_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            readable=True,
            help="The service's variables, as docker run takes them. Those of this shell do not count then.",
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A variable of the service; may be given several times."),
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Fetch no keys, so that the signature is not checked.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """Tell what a token is, which check it passes or fails, and what to change where.

    The token is sent to nobody; only Entra's keys are fetched. It is never
    printed as a whole.

    Exit codes: 0 the service accepts it, 1 it does not or nobody can tell,
    2 wrongly called.

    Examples:
      camunda-entra explain --env-file operate.env

      pbpaste | camunda-entra explain -

      curl -s ... | camunda-entra explain --json | jq .verdict
    """
    text = _read(token)
    with service_environment(env_file, env or ()):
        read = read_settings(dotenv=env_file is None)
        console = Console()
        keys = None
        if read.settings is not None and not offline and not read_given(text).opaque:
            with Console(stderr=True).status("Fetching Entra's keys"):
                keys = asyncio.run(_keys(read.settings))
    explained = explain_text(text, read.settings, keys, time.time())
    if not explained.given.opaque:
        explained = replace(explained, findings=read.findings)
    if as_json:
        typer.echo(json.dumps(explained.as_json(), indent=2))
    else:
        print_explained(console, explained)
    raise typer.Exit(0 if explained.verdict[0] == "accepted" else 1)


def print_explained(console: Console, explained: Explained) -> None:
    """All of it, for people: first what it is, then each check, last what the service says."""
    given = explained.given
    for note in given.notes:
        print_line(console, note)
    if not given.opaque:
        article = "an" if explained.kind[0] in "aeI" else "a"
        print_line(console, f"This is {article} {explained.kind}.", "bold")
        for line in explained.details:
            console.print(line, markup=False, highlight=False, emoji=False)
        print_members(console, "Header", shown(explained.anatomy.header))
        print_members(console, "Claims, as the token has them", _with_times(explained))
    if explained.judged is not None:
        print_line(console, "\nWhat the service checks, in its order", "bold")
        for check in explained.judged.checks:
            print_finding(console, check)
    for finding in explained.findings:
        print_finding(console, finding)
    word, sentence = explained.verdict
    style = {"accepted": "bold green", "refused": "bold red"}.get(word, "bold yellow")
    console.print()
    console.print(sentence, style=style, markup=False, highlight=False, emoji=False)
    if given.opaque:
        console.print(given.remedy, markup=False, highlight=False, emoji=False)


def _with_times(explained: Explained) -> dict[str, Any]:
    times = times_in(explained.anatomy.claims, explained.now)
    members = shown(explained.anatomy.claims)
    return {name: f"{value}  ({times[name]})" if name in times else value for name, value in members.items()}


def _answer(error: EntraError) -> str:
    return f"{401 if isinstance(error, InvalidToken) else 403} {error.code}"


async def _keys(settings: EntraSettings) -> KeySet | FetchFailed:
    return await fetch_keys(entra_http(settings), settings)


def _read(token: str) -> str:
    """The token's text, bounded."""
    if token != HIDDEN:
        return token[: MAX_CHARACTERS + 1]
    if is_terminal():
        typer.echo("Paste the token, which is not shown, then press Ctrl-D:", err=True)
        return paste(MAX_CHARACTERS + 1)
    return sys.stdin.read(MAX_CHARACTERS + 1)
