"""Signing in to Microsoft Graph: by device code, or with the Azure CLI's token."""

import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any, Final

from camunda_entra_fastapi.cli.device_code import DeviceCodeRefused, Post, device_code_grant, is_token
from camunda_entra_fastapi.cli.findings import printable
from camunda_entra_fastapi.cli.register.clouds import ORGANIZATIONS
from camunda_entra_fastapi.cli.register.graph import TRANSPORT_ERRORS, read_bounded
from camunda_entra_fastapi.errors import Refusal
from camunda_entra_fastapi.http_library import httpx
from camunda_entra_fastapi.remote.aadsts import Kind, explain
from camunda_entra_fastapi.untrusted_json import parse_object

PUBLIC_CLIENT_ID: Final = "14d82eec-204b-4c2f-b7e8-296a70dab67e"
"""Microsoft Graph Command Line Tools, a public client of Microsoft's own in every tenant."""
PERMISSIONS: Final = ("Application.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All", "User.Read")

_AZ_TIMEOUT: Final = 60


class NotSignedIn(Exception):
    """Nobody signed in; the message says why, and what to do."""


def device_code_token(
    client: httpx.Client,
    tenant_url: str,
    graph: str,
    client_id: str,
    prompt: Callable[[str], object],
    sleep: Callable[[float], object] = time.sleep,
) -> str:
    """Get a token by the device authorization grant (RFC 8628; Learn: device authorization grant).

    Args:
        client: The HTTP client.
        tenant_url: Entra's URL with the tenant.
        graph: Graph's URL in scopes.
        client_id: The public client to sign in with.
        prompt: Called with the sentence that has address and code.
        sleep: Waits, a number of seconds.

    Raises:
        NotSignedIn: Nobody signed in.
    """
    grant = device_code_grant(
        f"{tenant_url}/oauth2/v2.0/devicecode",
        f"{tenant_url}/oauth2/v2.0/token",
        client_id=client_id,
        scope=" ".join(f"{graph}/{name}" for name in PERMISSIONS),
        prompt=prompt,
    )
    answer: object = None
    try:
        while True:
            step = grant.send(answer)
            answer = _post(client, step.url, step.form) if isinstance(step, Post) else sleep(step.seconds)
    except StopIteration as done:
        return str(done.value)
    except DeviceCodeRefused as error:
        raise NotSignedIn(error.own_words or _words_of(error.refusal)) from None


def azure_cli_token(tenant: str) -> str:
    """Get a token from the Azure CLI.

    Raises:
        NotSignedIn: It is not installed, or nobody is signed in there.
    """
    command = shutil.which("az")
    if command is None:
        raise NotSignedIn(
            "The Azure CLI (az) is not installed. Install it, or sign in with --sign-in-with device."
        )
    tenant_option = [] if tenant == ORGANIZATIONS else ["--tenant", tenant]
    arguments = ["account", "get-access-token", "--resource-type", "ms-graph", *tenant_option, "-o", "json"]
    try:
        completed = subprocess.run(
            [command, *arguments],
            capture_output=True,
            timeout=_AZ_TIMEOUT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise NotSignedIn(f"The Azure CLI (az) did not answer within {_AZ_TIMEOUT} seconds.") from None
    except OSError as error:
        raise NotSignedIn(
            f"The Azure CLI (az) cannot be run: {printable(error, 200)}. Install it anew, "
            "or sign in with --sign-in-with device."
        ) from None
    token = (parse_object(completed.stdout) or {}).get("accessToken")
    if completed.returncode != 0 or not is_token(token):
        for_tenant = f" for the tenant {tenant}" if tenant_option else ""
        raise NotSignedIn(
            f"The Azure CLI (az) has no token{for_tenant}. "
            f"Run {' '.join(['az login', *tenant_option])} --allow-no-subscriptions, then this again."
        )
    return str(token)


def _post(client: httpx.Client, url: str, form: dict[str, str]) -> dict[str, Any]:
    try:
        with client.stream("POST", url, data=form) as response:
            body = parse_object(read_bounded(response))
    except TRANSPORT_ERRORS as error:
        raise NotSignedIn(
            f"Entra cannot be reached: {type(error).__name__}: {printable(error, 200)}. "
            "Check the network, and HTTPS_PROXY if there is a proxy."
        ) from None
    if body is None:
        raise NotSignedIn(f"Entra answered with status {response.status_code} and no JSON object. Try again.")
    return body


def _words_of(refusal: Refusal) -> str:
    explanation = explain(refusal)
    code = f" ({refusal.code})" if refusal.code else ""
    # Remedies about registrations name the service's variables, which do not exist yet.
    own_remedy = "Check --tenant, --cloud and --sign-in-client, or sign in with --sign-in-with az."
    remedy = own_remedy if explanation.kind is Kind.REGISTRATION else explanation.remedy
    return f"{explanation.cause.removesuffix('.')}{code}. {remedy}"
