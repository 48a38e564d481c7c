"""What is told in the end: the variables, and who has to do what is left."""

import os
from pathlib import Path
from typing import Final

from rich.console import Console

from camunda_entra_fastapi.cli.register.doing import DENIED, Done
from camunda_entra_fastapi.cli.register.wanted import Wanted
from camunda_entra_fastapi.cli.screen import say, tell

_PRIVATE: Final = 0o600


def hand_out(console: Console, done: Done, wanted: Wanted, issuer: str, env_file: Path | None) -> None:
    """The variables, on the screen or in a file that nobody else may read."""
    variables = {
        "CAMUNDA_IDENTITY_TYPE": "AZUREAD",
        "CAMUNDA_IDENTITY_ISSUER": issuer,
        "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL": issuer,
        "CAMUNDA_IDENTITY_CLIENT_ID": done.client_id,
        "CAMUNDA_IDENTITY_CLIENT_SECRET": done.secret,
        "CAMUNDA_IDENTITY_AUDIENCE": done.client_id,
    }
    if wanted.base_url:
        variables["CAMUNDA_ENTRA_BASE_URL"] = wanted.base_url
    if env_file is None:
        say(
            console,
            "\nThe variables" + (", with a secret that is told this once" if done.secret else ""),
            "bold",
        )
        for name, value in variables.items():
            say(console, f"{name}={value or '<the secret that was made before>'}")
        return
    lines = "".join(f"{name}={value}\n" for name, value in variables.items())
    descriptor = os.open(env_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, _PRIVATE)  # it may have been there, empty and open to all
        file.write(lines)
    say(console, f"\nThe variables are in {env_file}, which nobody else can read.", "bold")
    if not done.secret:
        tell(
            console,
            "CAMUNDA_IDENTITY_CLIENT_SECRET is empty: fill in the one made before, or use --new-secret.",
        )
    say(console, f"Check them with: camunda-entra doctor --env-file {env_file}")


def tell_of_consent(console: Console, done: Done, tenant_url: str) -> None:
    """Who has to do what, where consent was refused."""
    say(console, "\nNobody consented yet, which takes an administrator", "bold yellow")
    tell(console, done.unconsented)
    tell(console, "Have a Cloud Application Administrator open this address, or run this again as one:")
    say(console, f"{tenant_url}/adminconsent?client_id={done.client_id}")


def explained(error: Exception) -> str:
    """What went wrong, and where Graph says no more than that, which role is needed."""
    if getattr(error, "code", "") != DENIED:
        return str(error)
    return (
        f"{error}\nWhoever signed in may not register applications here. Sign in as somebody with the role "
        "Application Developer, Application Administrator or Cloud Application Administrator."
    )
