"""``camunda-entra register``: the application in Entra, as Camunda's guide has one make it by hand."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer
from rich.console import Console

from camunda_entra_fastapi.cli.register.doing import Done, carry_out, find
from camunda_entra_fastapi.cli.register.graph import Graph, GraphRefused
from camunda_entra_fastapi.cli.register.hand_over import WAYS
from camunda_entra_fastapi.cli.register.outcome import explained, hand_out, tell_of_consent
from camunda_entra_fastapi.cli.register.plan import plan_of
from camunda_entra_fastapi.cli.register.sign_in import (
    CLIENT,
    NotSignedIn,
    token_by_device_code,
    token_of_az,
)
from camunda_entra_fastapi.cli.register.wanted import Wanted, wanted_of
from camunda_entra_fastapi.cli.screen import say
from camunda_entra_fastapi.settings.values import read_client_id

SCOPE: Final = "access_as_user"
_TIMEOUT: Final = 30


class Component(StrEnum):
    """Whose redirect URI it is."""

    SERVICE = "service"
    OPERATE = "operate"
    TASKLIST = "tasklist"
    ORCHESTRATION = "orchestration"
    IDENTITY = "identity"
    OPTIMIZE = "optimize"


class Way(StrEnum):
    """What is printed instead of doing it."""

    AZ = "az"
    TERRAFORM = "terraform"
    GRAPH = "graph"


class SignIn(StrEnum):
    """How to sign in."""

    DEVICE = "device"
    AZ = "az"


class Cloud(StrEnum):
    """Where the tenant is (Learn: national clouds)."""

    PUBLIC = "public"
    USGOV = "usgov"
    DOD = "dod"
    CHINA = "china"


_CLOUDS: Final = {
    Cloud.PUBLIC: ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
    Cloud.USGOV: ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
    Cloud.DOD: ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
    Cloud.CHINA: ("https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"),
}


@dataclass(frozen=True, slots=True)
class _Where:
    """Entra and Graph."""

    authority: str
    graph: str
    scope: str
    """How scopes name Graph, which a local one goes by the public one's name for."""


def register(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The application's display name.")],
    tenant: Annotated[
        str, typer.Option(metavar="ID|DOMAIN", help="The tenant to register it in.", show_default=False)
    ],
    base_url: Annotated[
        str, typer.Option(metavar="URL", help="Where browsers reach the service.", show_default=False)
    ] = "",
    component: Annotated[
        Component, typer.Option(help="Whose redirect URI belongs to the base URL.")
    ] = Component.SERVICE,
    redirect_uri: Annotated[
        list[str] | None, typer.Option(metavar="URI", help="A further redirect URI; may be repeated.")
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="An app role for people and applications; may be repeated."),
    ] = None,
    scope: Annotated[str, typer.Option(metavar="NAME", help="The scope that it exposes.")] = SCOPE,
    client_id: Annotated[
        str, typer.Option(metavar="ID", help="The application to go on with.", show_default=False)
    ] = "",
    new_secret: Annotated[
        bool, typer.Option("--new-secret", help="Make a client secret although there is one.")
    ] = False,
    secret_years: Annotated[int, typer.Option(min=1, max=2, help="Years that a secret is good for.")] = 1,
    env_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", dir_okay=False, help="Write the variables there, instead of printing them."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and end.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before doing it.")] = False,
    instead: Annotated[
        Way | None, typer.Option("--print", help="Print how to do it by other means, and end.")
    ] = None,
    sign_in: Annotated[
        SignIn, typer.Option(help="By a code in a browser, or as the Azure CLI is signed in.")
    ] = SignIn.DEVICE,
    sign_in_client: Annotated[
        str, typer.Option(metavar="ID", help="The public client to sign in with.")
    ] = CLIENT,
    cloud: Annotated[Cloud, typer.Option(help="The cloud that the tenant is in.")] = Cloud.PUBLIC,
    emulator: Annotated[
        str, typer.Option(metavar="URL", help="A local Entra instead of Microsoft's.", show_default=False)
    ] = "",
) -> None:
    r"""Register an application in Entra: the four steps of Camunda's guide in one.

    Application, redirect URIs, tokens of version 2.0, scope, roles, service
    principal, client secret and admin consent. It shows what will be done
    and asks. What is there already stays; running it again adds only what
    is missing.

    Exit codes: 0 done or nothing to do, 1 something was refused, 2 wrongly called.

    Examples:
      camunda-entra register Operate --tenant contoso.onmicrosoft.com \
        --base-url https://operate.example.com --role Operate.Admin --env-file operate.env

      camunda-entra register Operate --tenant <ID> --base-url https://... --print terraform
    """
    console = Console()
    try:
        wanted = wanted_of(
            name,
            base_url=base_url,
            component=component.value,
            redirect_uris=tuple(redirect_uri or ()),
            roles=tuple(role or ()),
            scope=scope,
        )
        for value in filter(None, (client_id, sign_in_client, tenant)):
            read_client_id(value)  # a plain name, which means nothing in a URL or a filter
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    authority, graph = (emulator.rstrip("/"),) * 2 if emulator else _CLOUDS[cloud]
    where = _Where(authority, graph, _CLOUDS[Cloud.PUBLIC][1] if emulator else graph)
    if instead is not None:
        typer.echo(WAYS[instead.value](wanted, tenant, authority), nl=False)
        return
    if env_file is not None and env_file.exists() and env_file.stat().st_size:
        raise typer.BadParameter(f"--env-file: {env_file} is there already. Give another name, or move it.")
    try:
        with _asking(where, tenant, sign_in, sign_in_client, console) as asked:
            done, tenant_id = _run(
                console,
                asked,
                wanted,
                client_id,
                new_secret=new_secret,
                dry_run=dry_run,
                yes=yes,
                years=secret_years,
            )
    except (NotSignedIn, GraphRefused) as error:
        Console(stderr=True).print(
            explained(error), style="red", markup=False, highlight=False, emoji=False, soft_wrap=True
        )
        raise typer.Exit(1) from None
    if done is None:
        return
    hand_out(console, done, wanted, f"{where.authority}/{tenant_id}/v2.0", env_file)
    if done.unconsented:
        tell_of_consent(console, done, f"{where.authority}/{tenant_id}")
        raise typer.Exit(1)


@contextmanager
def _asking(where: _Where, tenant: str, sign_in: SignIn, client_id: str, console: Console) -> Iterator[Graph]:
    """Graph, with the token of who signs in."""
    sleep: Callable[[float], object] = pause
    with httpx.Client(timeout=_TIMEOUT) as client:
        if sign_in is SignIn.AZ:
            token = token_of_az(tenant)
        else:
            url = f"{where.authority}/{tenant}"
            token = token_by_device_code(
                client, url, where.scope, client_id, lambda text: say(console, text, "bold"), sleep
            )
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    with httpx.Client(base_url=where.graph, headers=headers, timeout=_TIMEOUT) as client:
        yield Graph(client, sleep)


def pause(seconds: float) -> None:
    """Wait for Entra."""
    time.sleep(seconds)


def _run(
    console: Console,
    graph: Graph,
    wanted: Wanted,
    client_id: str,
    *,
    new_secret: bool,
    dry_run: bool,
    yes: bool,
    years: int,
) -> tuple[Done | None, str]:
    """What came of it, and the tenant's ID; None where nothing was done."""
    with Console(stderr=True).status("Looking what there is"):
        found = find(graph, wanted.name, client_id)
        (organization, *_) = graph.first("/organization") or [{}]
    tenant_id = str(organization.get("id", ""))
    plan = plan_of(wanted, found, new_secret=new_secret)
    there = found.application.get("appId")
    what = f"the application {there}" if there else "a new application"
    say(
        console,
        f"\n{what[0].upper()}{what[1:]}, in the tenant {organization.get('displayName')} ({tenant_id})",
        "bold",
    )
    for line in plan.lines or ("nothing to do",):
        say(console, f"  {line}")
    if plan.is_empty or dry_run:
        return (Done(str(there)) if there and not dry_run else None), tenant_id
    if not yes and not typer.confirm("\nGo on?"):
        return None, tenant_id
    done = carry_out(
        graph,
        wanted,
        found,
        plan,
        now=datetime.now(UTC),
        years=years,
        tell=lambda text: say(console, f"  {text}", "green"),
    )
    return done, tenant_id
