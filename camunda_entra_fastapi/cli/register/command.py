"""``camunda-entra register``: the application in Entra, as Camunda's guide has one make it by hand."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from camunda_entra_fastapi.cli.console import print_line
from camunda_entra_fastapi.cli.register.clouds import (
    ORGANIZATIONS,
    Cloud,
    CloudEndpoints,
    check_tenant,
    endpoints_of,
)
from camunda_entra_fastapi.cli.register.desired import (
    Component,
    DesiredRegistration,
    Docs,
    desired_registration,
)
from camunda_entra_fastapi.cli.register.env_file import open_env_file
from camunda_entra_fastapi.cli.register.export import to_az_script, to_graph_requests
from camunda_entra_fastapi.cli.register.graph import GraphError
from camunda_entra_fastapi.cli.register.plan import PlanConflict
from camunda_entra_fastapi.cli.register.result import (
    describe_error,
    print_consent_instructions,
    write_variables,
)
from camunda_entra_fastapi.cli.register.run import SignIn, plan_and_apply, signed_in_graph
from camunda_entra_fastapi.cli.register.sign_in import (
    PUBLIC_CLIENT_ID,
    NotSignedIn,
)
from camunda_entra_fastapi.cli.register.terraform import to_terraform
from camunda_entra_fastapi.settings.values import read_client_id

SCOPE: Final = "access_as_user"


class ExportFormat(StrEnum):
    """The format of an export, which is printed instead of registering."""

    AZ = "az"
    TERRAFORM = "terraform"
    GRAPH = "graph"


_EXPORTERS: Final[Mapping[ExportFormat, Callable[[DesiredRegistration, str, CloudEndpoints, int], str]]] = {
    ExportFormat.AZ: to_az_script,
    ExportFormat.TERRAFORM: to_terraform,
    ExportFormat.GRAPH: to_graph_requests,
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
        Component,
        typer.Option(
            metavar="NAME",
            help="Whose redirect URI belongs to the base URL: service (one that uses this package), or "
            "Camunda's operate, tasklist, orchestration, identity or optimize.",
        ),
    ] = Component.SERVICE,
    docs: Annotated[
        Docs,
        typer.Option(
            metavar="web|spa|none",
            help="The platform of Swagger UI's redirect URI; spa for direct_docs=True.",
        ),
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
    secret_years: Annotated[
        int, typer.Option(metavar="YEARS", min=1, max=2, help="Years that a secret is good for.")
    ] = 1,
    env_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", readable=False, help="Write the variables there, instead of printing them."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file, whatever is in it.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Sign in, show the plan, and end. Without a sign-in: --print.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before doing it.")] = False,
    export_format: Annotated[
        ExportFormat | None,
        typer.Option(
            "--print",
            metavar="FORMAT",
            help="Print how to do it by other means, without signing in, and end: az, terraform or graph.",
        ),
    ] = None,
    sign_in: Annotated[
        SignIn,
        typer.Option(
            "--sign-in-with",
            "--sign-in",
            metavar="device|az",
            help="A code in a browser, or the Azure CLI as it is signed in.",
        ),
    ] = SignIn.DEVICE,
    sign_in_client: Annotated[
        str,
        typer.Option(
            metavar="ID",
            help="The public client to sign in with.",
            show_default="Microsoft Graph Command Line Tools",
        ),
    ] = PUBLIC_CLIENT_ID,
    cloud: Annotated[
        Cloud,
        typer.Option(metavar="NAME", help="The cloud that the tenant is in: public, usgov, dod or china."),
    ] = Cloud.PUBLIC,
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
    r"""Register an application in Entra, as Camunda's guide has it done by hand.

    Application, redirect URIs, tokens of version 2.0, scope, roles, service
    principal, client secret and admin consent. It shows what will be done
    and asks. What is there already stays; running it again adds only what
    is missing.

    Exit codes: 0 done or nothing to do, 1 something was refused, 2 wrongly called.

    Examples:
      camunda-entra register Orders --tenant contoso.onmicrosoft.com \
        --base-url https://orders.example.com --role Orders.Admin \
        --env-file orders.env

      camunda-entra register Orders --tenant contoso.onmicrosoft.com \
        --base-url https://orders.example.com --print terraform
    """
    console = Console()
    try:
        desired = desired_registration(
            name,
            base_urls=tuple(base_url or ()),
            component=component,
            docs=docs,
            redirect_uris=tuple(redirect_uri or ()),
            roles=tuple(role or ()),
            scope=scope,
        )
        check_tenant(tenant)
        endpoints = endpoints_of(cloud, emulator=emulator, authority=authority, graph=graph)
        _check_client_ids({"--client-id": client_id, "--sign-in-client": sign_in_client})
        output_file = open_env_file(env_file, force=force) if env_file and not export_format else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if export_format is not None:
        typer.echo(_EXPORTERS[export_format](desired, tenant, endpoints, secret_years), nl=False)
        return
    try:
        with signed_in_graph(endpoints, tenant, sign_in, sign_in_client, console) as graph_client:
            result, tenant_id = plan_and_apply(
                console,
                graph_client,
                desired,
                client_id,
                output_file,
                new_secret=new_secret,
                dry_run=dry_run,
                yes=yes,
                years=secret_years,
            )
    except (NotSignedIn, GraphError, PlanConflict) as error:
        raise _exit_with_error(describe_error(error)) from None
    except KeyboardInterrupt:
        raise _exit_with_error(
            "\nInterrupted. What is told as done stays done; running this again goes on from there."
        ) from None
    if result is None:
        return
    is_written = write_variables(
        console, result, desired, f"{endpoints.authority}/{tenant_id}/v2.0", output_file
    )
    if result.consent_error:
        print_consent_instructions(console, result, f"{endpoints.authority}/{tenant_id}")
    if result.consent_error or not is_written:
        raise typer.Exit(1)


def _exit_with_error(message: str) -> typer.Exit:
    """Print the message to stderr; the exit to raise."""
    print_line(Console(stderr=True), message, "red")
    return typer.Exit(1)


def _check_client_ids(ids: Mapping[str, str]) -> None:
    """Check that the IDs are safe in a URL and in a filter."""
    for option, value in ids.items():
        try:
            read_client_id(value or PUBLIC_CLIENT_ID)
        except ValueError as error:
            raise ValueError(f"{option} {error}") from None
