"""Printing the result: the variables, and what an administrator has to do."""

import shlex

from rich.console import Console

from camunda_entra_fastapi.cli.console import print_line, print_wrapped
from camunda_entra_fastapi.cli.findings import printable
from camunda_entra_fastapi.cli.register.apply import REQUEST_DENIED, ApplyResult
from camunda_entra_fastapi.cli.register.desired import DesiredRegistration
from camunda_entra_fastapi.cli.register.env_file import VARIABLES, EnvFile

_EXISTING_SECRET = "<the secret that was made before>"  # noqa: S105 - it says that there is none


def write_variables(
    console: Console, result: ApplyResult, desired: DesiredRegistration, issuer: str, env_file: EnvFile | None
) -> bool:
    """Print the variables or write them to the file; whether that succeeded."""
    secret = result.secret or (env_file.secret if env_file else "")
    values = ("AZUREAD", issuer, issuer, result.client_id, secret, result.client_id, desired.base_url)
    variables = dict(zip(VARIABLES, values, strict=True))
    if not desired.base_url:
        del variables["CAMUNDA_ENTRA_BASE_URL"]
    if env_file is None:
        _print_variables(console, variables)
        print_wrapped(
            console, "Put them into a file, and check them with: camunda-entra doctor --env-file FILE"
        )
        return True
    try:
        is_changed = env_file.write(variables)
    except OSError as error:
        print_line(console, f"\n{env_file.path} cannot be written: {printable(error, 200)}", "red")
        _print_variables(console, variables)
        return False
    are = "are" if is_changed else "are as before"
    print_line(console, f"\nThe variables {are} in {env_file.path}, which nobody else can read.", "bold")
    if not secret:
        print_wrapped(
            console,
            "CAMUNDA_IDENTITY_CLIENT_SECRET is empty: fill in the one made before, or use --new-secret.",
        )
    print_line(console, f"Check them with: camunda-entra doctor --env-file {shlex.quote(str(env_file.path))}")
    return True


def _print_variables(console: Console, variables: dict[str, str]) -> None:
    secret = variables["CAMUNDA_IDENTITY_CLIENT_SECRET"]
    print_line(
        console, "\nThe variables" + (", with a secret that is told this once" if secret else ""), "bold"
    )
    for name, value in variables.items():
        print_line(console, f"{name}={value or _EXISTING_SECRET}")
    if not secret:
        print_wrapped(
            console, "Nobody can read that secret again: fill it in, or make another with --new-secret."
        )


def print_consent_instructions(console: Console, result: ApplyResult, tenant_url: str) -> None:
    """Print who has to consent, and at which address."""
    print_line(console, "\nNobody consented yet, which takes an administrator", "bold yellow")
    print_wrapped(console, result.consent_error)
    print_wrapped(
        console,
        "Have a Cloud Application Administrator, Application Administrator or Privileged Role Administrator "
        "open this address, or run this again as one:",
    )
    print_line(console, f"{tenant_url}/adminconsent?client_id={result.client_id}")


def describe_error(error: Exception) -> str:
    """The error's message; where Graph denied the request, with the role that is needed."""
    if getattr(error, "code", "") != REQUEST_DENIED:
        return str(error)
    return (
        f"{error}\nWhoever signed in may not register applications here. Sign in as somebody with the role "
        "Application Developer, Application Administrator or Cloud Application Administrator."
    )
