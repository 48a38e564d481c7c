"""What is told in the end: the variables, and who has to do what is left."""

import shlex

from rich.console import Console

from camunda_entra_fastapi.cli.console import print_line, print_wrapped
from camunda_entra_fastapi.cli.findings import printable
from camunda_entra_fastapi.cli.register.apply import DENIED, Done
from camunda_entra_fastapi.cli.register.desired import Wanted
from camunda_entra_fastapi.cli.register.env_file import VARIABLES, EnvFile

_NO_SECRET = "<the secret that was made before>"  # noqa: S105 - it says that there is none


def hand_out(console: Console, done: Done, wanted: Wanted, issuer: str, env_file: EnvFile | None) -> bool:
    """The variables, on the screen or in a file that nobody else may read; whether they got there."""
    secret = done.secret or (env_file.secret if env_file else "")
    values = ("AZUREAD", issuer, issuer, done.client_id, secret, done.client_id, wanted.base_url)
    variables = dict(zip(VARIABLES, values, strict=True))
    if not wanted.base_url:
        del variables["CAMUNDA_ENTRA_BASE_URL"]
    if env_file is None:
        _show(console, variables)
        print_wrapped(
            console, "Put them into a file, and check them with: camunda-entra doctor --env-file FILE"
        )
        return True
    try:
        is_changed = env_file.write(variables)
    except OSError as error:
        print_line(console, f"\n{env_file.path} cannot be written: {printable(error, 200)}", "red")
        _show(console, variables)
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


def _show(console: Console, variables: dict[str, str]) -> None:
    secret = variables["CAMUNDA_IDENTITY_CLIENT_SECRET"]
    print_line(
        console, "\nThe variables" + (", with a secret that is told this once" if secret else ""), "bold"
    )
    for name, value in variables.items():
        print_line(console, f"{name}={value or _NO_SECRET}")
    if not secret:
        print_wrapped(
            console, "Nobody can read that secret again: fill it in, or make another with --new-secret."
        )


def tell_of_consent(console: Console, done: Done, tenant_url: str) -> None:
    """Who has to do what, where consent was refused."""
    print_line(console, "\nNobody consented yet, which takes an administrator", "bold yellow")
    print_wrapped(console, done.unconsented)
    print_wrapped(
        console,
        "Have a Cloud Application Administrator, Application Administrator or Privileged Role Administrator "
        "open this address, or run this again as one:",
    )
    print_line(console, f"{tenant_url}/adminconsent?client_id={done.client_id}")


def explained(error: Exception) -> str:
    """What went wrong, and where Graph says no more than that, which role is needed."""
    if getattr(error, "code", "") != DENIED:
        return str(error)
    return (
        f"{error}\nWhoever signed in may not register applications here. Sign in as somebody with the role "
        "Application Developer, Application Administrator or Cloud Application Administrator."
    )
