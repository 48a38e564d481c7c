"""``camunda-entra register``: the application in Entra, as Camunda's guide has one make it by hand."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from camunda_entra_fastapi.cli.console import print_line
from camunda_entra_fastapi.cli.findings import printable
from camunda_entra_fastapi.cli.register.apply import Done, carry_out, find
from camunda_entra_fastapi.cli.register.clouds import (
    ORGANIZATIONS,
    Cloud,
    Where,
    check_tenant,
    is_tenant_id,
    where_of,
)
from camunda_entra_fastapi.cli.register.desired import Docs, Wanted, wanted_of
from camunda_entra_fastapi.cli.register.env_file import EnvFile, env_file_at
from camunda_entra_fastapi.cli.register.export import as_az, as_graph
from camunda_entra_fastapi.cli.register.graph import Graph, GraphRefused, open_client
from camunda_entra_fastapi.cli.register.plan import Contradiction, has_secret, plan_of
from camunda_entra_fastapi.cli.register.result import explained, hand_out, tell_of_consent
from camunda_entra_fastapi.cli.register.sign_in import (
    CLIENT,
    NotSignedIn,
    token_by_device_code,
    token_of_az,
)
from camunda_entra_fastapi.cli.register.terraform import as_terraform
from camunda_entra_fastapi.settings.values import read_client_id

SCOPE: Final = "access_as_user"


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


_WAYS: Final[Mapping[Way, Callable[[Wanted, str, Where, int], str]]] = {
    Way.AZ: as_az,
    Way.TERRAFORM: as_terraform,
    Way.GRAPH: as_graph,
}


def register(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The application's display name.")],
    tenant: Annotated[
        str, typer.Option(metavar="ID|DOMAIN", help="The tenant; by default, that of whoever signs in.")
    ] = ORGANIZATIONS,
    base_url: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Where browsers reach the service; may be repeated."),
    ] = None,
    component: Annotated[
        Component, typer.Option(help="Whose redirect URI belongs to the base URL.")
    ] = Component.SERVICE,
    docs: Annotated[
        Docs, typer.Option(help="The platform of the docs page's redirect URI; spa for direct_docs=True.")
    ] = Docs.WEB,
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
            metavar="FILE", readable=False, help="Write the variables there, instead of printing them."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file, whatever is in it.")] = False,
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
    authority: Annotated[
        str, typer.Option(metavar="URL", help="Entra's address in another cloud.", show_default=False)
    ] = "",
    graph: Annotated[
        str, typer.Option(metavar="URL", help="Microsoft Graph's address there.", show_default=False)
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
            base_urls=tuple(base_url or ()),
            component=component.value,
            docs=docs,
            redirect_uris=tuple(redirect_uri or ()),
            roles=tuple(role or ()),
            scope=scope,
        )
        check_tenant(tenant)
        where = where_of(cloud, emulator=emulator, authority=authority, graph=graph)
        _check_ids({"--client-id": client_id, "--sign-in-client": sign_in_client})
        file = env_file_at(env_file, force=force) if env_file and not instead else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if instead is not None:
        typer.echo(_WAYS[instead](wanted, tenant, where, secret_years), nl=False)
        return
    try:
        with _asking(where, tenant, sign_in, sign_in_client, console) as asked:
            done, tenant_id = _run(
                console,
                asked,
                wanted,
                client_id,
                file,
                new_secret=new_secret,
                dry_run=dry_run,
                yes=yes,
                years=secret_years,
            )
    except (NotSignedIn, GraphRefused, Contradiction) as error:
        raise _failed(explained(error)) from None
    except KeyboardInterrupt:
        raise _failed(
            "\nInterrupted. What is told as done stays done; running this again goes on from there."
        ) from None
    if done is None:
        return
    is_told = hand_out(console, done, wanted, f"{where.authority}/{tenant_id}/v2.0", file)
    if done.unconsented:
        tell_of_consent(console, done, f"{where.authority}/{tenant_id}")
    if done.unconsented or not is_told:
        raise typer.Exit(1)


def _failed(message: str) -> typer.Exit:
    """The end, with the reason where reasons belong."""
    console = Console(stderr=True)
    console.print(message, style="red", markup=False, highlight=False, emoji=False, soft_wrap=True)
    return typer.Exit(1)


def _check_ids(ids: Mapping[str, str]) -> None:
    """Plain names, which mean nothing in a URL or a filter."""
    for option, value in ids.items():
        try:
            read_client_id(value or CLIENT)
        except ValueError as error:
            raise ValueError(f"{option} {error}") from None


@contextmanager
def _asking(where: Where, tenant: str, sign_in: SignIn, client_id: str, console: Console) -> Iterator[Graph]:
    """Graph, with the token of who signs in."""
    sleep: Callable[[float], object] = pause
    with open_client() as client, console.status("Signing in"):
        if sign_in is SignIn.AZ:
            token = token_of_az(tenant)
        else:
            url = f"{where.authority}/{tenant}"
            token = token_by_device_code(
                client, url, where.scope, client_id, lambda text: print_line(console, text, "bold"), sleep
            )
    with open_client(where.graph, token) as client:
        yield Graph(client, sleep)


def pause(seconds: float) -> None:
    """Wait for Entra."""
    time.sleep(seconds)


def _run(
    console: Console,
    graph: Graph,
    wanted: Wanted,
    client_id: str,
    file: EnvFile | None,
    *,
    new_secret: bool,
    dry_run: bool,
    yes: bool,
    years: int,
) -> tuple[Done | None, str]:
    """What came of it, and the tenant's ID; None where nothing was done."""
    now = datetime.now(UTC)
    with console.status("Looking what there is"):
        found = find(graph, wanted.name, client_id)
        (organization, *_) = graph.first("/organization") or [{}]
    tenant_id = str(organization.get("id", ""))
    if not is_tenant_id(tenant_id):
        raise GraphRefused("Microsoft Graph does not tell which tenant it is. Try again, or give --tenant.")
    there = found.application.get("appId")
    if file and file.client_id not in ("", there):
        raise GraphRefused(
            f"{file.path} is of the application {printable(file.client_id, 80)}, which is not the one to be "
            "registered. Give another --env-file, or --force to overwrite it."
        )
    plan = plan_of(wanted, found, new_secret=new_secret or not has_secret(found.application, now))
    what = f"the application {printable(there, 80)}" if there else "a new application"
    tenant_name = printable(organization.get("displayName"), 80)
    print_line(console, f"\n{what[0].upper()}{what[1:]}, in the tenant {tenant_name} ({tenant_id})", "bold")
    for line in plan.lines or ("nothing to do",):
        print_line(console, f"  {line}")
    if plan.is_empty or dry_run:
        return (Done(str(there)) if there and not dry_run else None), tenant_id
    if not yes and not typer.confirm("\nGo on?"):
        return None, tenant_id
    with console.status("Registering"):
        done = carry_out(
            graph,
            wanted,
            found,
            plan,
            now=now,
            years=years,
            tell=lambda text: print_line(console, f"  {text}", "green"),
        )
    return done, tenant_id
