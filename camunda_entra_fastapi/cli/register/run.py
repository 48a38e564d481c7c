"""Running a registration: signing in, reading, planning, applying."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum

import typer
from rich.console import Console

from camunda_entra_fastapi.cli.console import print_line
from camunda_entra_fastapi.cli.findings import printable
from camunda_entra_fastapi.cli.register.apply import ApplyResult, apply_plan
from camunda_entra_fastapi.cli.register.clouds import CloudEndpoints
from camunda_entra_fastapi.cli.register.current import has_valid_secret, read_current
from camunda_entra_fastapi.cli.register.desired import DesiredRegistration
from camunda_entra_fastapi.cli.register.env_file import EnvFile
from camunda_entra_fastapi.cli.register.graph import GraphClient, GraphError, open_client
from camunda_entra_fastapi.cli.register.plan import make_plan
from camunda_entra_fastapi.cli.register.sign_in import azure_cli_token, device_code_token
from camunda_entra_fastapi.validation.entra import is_tenant_id


class SignIn(StrEnum):
    """How to sign in."""

    DEVICE = "device"
    AZ = "az"


@contextmanager
def signed_in_graph(
    endpoints: CloudEndpoints, tenant: str, sign_in: SignIn, client_id: str, console: Console
) -> Iterator[GraphClient]:
    """Sign in, and open a client for Microsoft Graph with the token."""
    sleep: Callable[[float], object] = pause
    with open_client() as client, console.status("Signing in"):
        if sign_in is SignIn.AZ:
            token = azure_cli_token(tenant)
        else:
            url = f"{endpoints.authority}/{tenant}"
            token = device_code_token(
                client, url, endpoints.scope, client_id, lambda text: print_line(console, text, "bold"), sleep
            )
    with open_client(endpoints.graph, token) as client:
        yield GraphClient(client, sleep)


def pause(seconds: float) -> None:
    """Wait between two requests."""
    time.sleep(seconds)


def plan_and_apply(
    console: Console,
    graph: GraphClient,
    desired: DesiredRegistration,
    client_id: str,
    output_file: EnvFile | None,
    *,
    new_secret: bool,
    dry_run: bool,
    yes: bool,
    years: int,
) -> tuple[ApplyResult | None, str]:
    """Print the plan and apply it; the result, None where nothing was applied, and the tenant's ID."""
    now = datetime.now(UTC)
    with console.status("Looking what there is"):
        current = read_current(graph, desired.name, client_id)
        (organization, *_) = graph.first_page("/organization") or [{}]
    tenant_id = str(organization.get("id", ""))
    if not is_tenant_id(tenant_id):
        raise GraphError("Microsoft Graph does not tell which tenant it is. Try again, or give --tenant.")
    current_id = current.application.get("appId")
    if output_file and output_file.client_id not in ("", current_id):
        raise GraphError(
            f"{output_file.path} is of the application {printable(output_file.client_id, 80)}, which is not "
            "the one to be registered. Give another --env-file, or --force to overwrite it."
        )
    plan = make_plan(
        desired, current, new_secret=new_secret or not has_valid_secret(current.application, now)
    )
    subject = f"the application {printable(current_id, 80)}" if current_id else "a new application"
    tenant_name = printable(organization.get("displayName"), 80)
    print_line(
        console, f"\n{subject[0].upper()}{subject[1:]}, in the tenant {tenant_name} ({tenant_id})", "bold"
    )
    for line in plan.steps or ("nothing to do",):
        print_line(console, f"  {line}")
    if plan.is_empty or dry_run:
        return (ApplyResult(str(current_id)) if current_id and not dry_run else None), tenant_id
    if not yes and not typer.confirm("\nGo on?"):
        return None, tenant_id
    with console.status("Registering"):
        result = apply_plan(
            graph,
            desired,
            current,
            plan,
            now=now,
            years=years,
            on_step=lambda text: print_line(console, f"  {text}", "green"),
        )
    return result, tenant_id
