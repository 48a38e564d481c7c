"""``camunda-entra doctor``: the settings against the tenant, step by step, and what to change where."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from camunda_entra_fastapi.cli.console import print_finding, print_line
from camunda_entra_fastapi.cli.doctor.component import ComponentName, Configuration
from camunda_entra_fastapi.cli.doctor.component_run import run_component, take_variables
from camunda_entra_fastapi.cli.doctor.redirects import front_channel_logout_url, redirect_uris
from camunda_entra_fastapi.cli.doctor.runner import run_steps
from camunda_entra_fastapi.cli.doctor.sign_in import sign_in
from camunda_entra_fastapi.cli.environment import SettingsResult, read_settings, service_environment
from camunda_entra_fastapi.cli.findings import Finding, State, is_ok
from camunda_entra_fastapi.cli.options import EnvFileOption, EnvOption, JsonOption
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.settings.urls import read_base_url

PORT: Final = 8000
_RULE_WIDTH: Final = 40
"""Columns of the line above the summary."""


def doctor(
    env_file: EnvFileOption = None,
    env: EnvOption = None,
    url: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Where browsers reach the service, if CAMUNDA_ENTRA_BASE_URL does not say it.",
            show_default=False,
        ),
    ] = "",
    with_sign_in: Annotated[
        bool,
        typer.Option("--sign-in", help="Sign in with a browser at the end, and explain both tokens."),
    ] = False,
    port: Annotated[
        int,
        typer.Option(
            metavar="PORT",
            min=0,
            max=65535,
            help="Port of the local page for --sign-in; 0 for any that is free.",
        ),
    ] = PORT,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Whether --sign-in opens the browser by itself.")
    ] = True,
    component: Annotated[
        ComponentName | None,
        typer.Option(
            metavar="NAME",
            help="Examine the configuration of a component of Camunda's instead of a service's: "
            "orchestration, identity, optimize or operate.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Check the settings against the tenant, step by step, and tell what to change where.

    It asks Entra for its documents and keys, for a token of the
    application's own, and whether it takes the redirect URIs; then the
    session store, and the service where it runs. The service is yours, the
    one that uses this package; for Camunda's own there is --component.
    Nothing is changed anywhere, and no secret and no token is printed.

    Exit codes: 0 nothing is wrong, 1 something is, 2 wrongly called.

    Examples:
      camunda-entra doctor --env-file orders.env

      camunda-entra doctor --env-file orders.env \
        --url https://orders.example.com

      docker compose exec orders camunda-entra doctor --json

      camunda-entra doctor --env-file orders.env --sign-in

      camunda-entra doctor --component orchestration --env-file camunda.env
    """
    console = Console()
    if component is not None and with_sign_in:
        raise typer.BadParameter("--sign-in is for services that use this package, not for --component.")
    with service_environment(env_file, env or ()):
        base_url = _parse_base_url(url)
        addresses: dict[str, Any] = {}
        if component is not None:
            findings = _examine_component(console, component, base_url, quiet=as_json)
        else:
            sign_in_page = (port, browser) if with_sign_in else None
            loaded = read_settings(dotenv=env_file is None)
            findings, addresses = _check_service(
                console, loaded, base_url, quiet=as_json, sign_in_page=sign_in_page
            )
    if as_json:
        members = {"ok": is_ok(findings), "findings": [each.as_json() for each in findings], **addresses}
        typer.echo(json.dumps(members, indent=2))
    else:
        _print_summary(console, findings)
    raise typer.Exit(0 if is_ok(findings) else 1)


def _check_service(
    console: Console,
    loaded: SettingsResult,
    base_url: str,
    *,
    quiet: bool,
    sign_in_page: tuple[int, bool] | None,
) -> tuple[list[Finding], dict[str, Any]]:
    """All findings about a service that uses this package, and the addresses to register."""
    findings = list(loaded.findings)
    for finding in () if quiet else loaded.findings:
        print_finding(console, finding)
    if (settings := loaded.settings) is None:
        return findings, {}
    base_url = base_url or settings.base_url or ""
    addresses = _addresses_to_register(settings, base_url)
    registered: set[str] = set()
    run = partial(run_steps, settings, base_url, time.time, registered=registered)
    findings += asyncio.run(_show_all(console, run, quiet=quiet))
    for each in addresses["redirect_uris"]:
        each["registered"] = each["uri"] in registered
    return findings + _after_steps(
        console, settings, addresses, quiet=quiet, sign_in_page=sign_in_page
    ), addresses


def _examine_component(console: Console, name: ComponentName, base_url: str, *, quiet: bool) -> list[Finding]:
    """All findings about the configuration of a component of Camunda's."""
    configuration = Configuration.of(name, take_variables())
    return asyncio.run(
        _show_all(console, partial(run_component, configuration, base_url, time.time), quiet=quiet)
    )


async def _show_all(
    console: Console, run: Callable[[Callable[[str], object]], AsyncIterator[Finding]], *, quiet: bool
) -> list[Finding]:
    """All findings, each printed as soon as it is there."""
    findings: list[Finding] = []
    with Console(stderr=True).status("") as status:
        async for finding in run(status.update):
            findings.append(finding)
            if not quiet:
                status.stop()
                print_finding(console, finding)
                status.start()
    return findings


def _after_steps(
    console: Console,
    settings: EntraSettings,
    addresses: dict[str, Any],
    *,
    quiet: bool,
    sign_in_page: tuple[int, bool] | None,
) -> list[Finding]:
    """Print the addresses to register; then, if asked for, sign in."""
    if not quiet:
        _print_addresses(console, addresses)
    if sign_in_page is None:
        return []
    port, browser = sign_in_page
    return sign_in(console, settings, port=port, browser=browser, quiet=quiet)


def _parse_base_url(url: str) -> str:
    try:
        return read_base_url(url or None, allow_http=True) or ""
    except ValueError as error:
        raise typer.BadParameter(f"--url {error}") from None


def _addresses_to_register(settings: EntraSettings, base_url: str) -> dict[str, Any]:
    """The redirect URIs, the logout URL and the scopes to register."""
    return {
        "redirect_uris": [
            {"uri": each.uri, "platform": "Web", "for": each.purpose}
            for each in redirect_uris(settings, base_url)
        ],
        "front_channel_logout_url": front_channel_logout_url(settings, base_url),
        "scopes": list(settings.scopes),
    }


def _print_addresses(console: Console, addresses: dict[str, Any]) -> None:
    if missing := [each for each in addresses["redirect_uris"] if not each["registered"]]:
        print_line(console, "\nTo be registered under Authentication, platform Web, exactly so", "bold")
        for each in missing:
            print_line(console, f"  {each['uri']}   ({each['for']})")
    print_line(
        console,
        "\nTo be entered there as front-channel logout URL, which nobody can look up from here",
        "bold",
    )
    print_line(console, f"  {addresses['front_channel_logout_url']}")


def _print_summary(console: Console, findings: Sequence[Finding]) -> None:
    wrong = sum(each.state is State.WRONG for each in findings)
    notes = sum(each.state is State.NOTE for each in findings)
    print_line(console, f"\n{('-' if console.options.ascii_only else chr(0x2500)) * _RULE_WIDTH}", "dim")
    if wrong:
        things = "thing is" if wrong == 1 else "things are"
        print_line(console, f"{wrong} {things} wrong.", "bold red")
    elif notes:
        things = "thing" if notes == 1 else "things"
        print_line(console, f"Nothing is wrong; {notes} {things} to know.", "bold green")
    else:
        print_line(console, "Nothing is wrong.", "bold green")
