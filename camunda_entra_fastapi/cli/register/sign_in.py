"""Who registers: a token for Microsoft Graph, by device code or from the Azure CLI."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any, Final

import httpx

from camunda_entra_fastapi.cli.findings import printable
from camunda_entra_fastapi.cli.register.clouds import ORGANIZATIONS
from camunda_entra_fastapi.cli.register.graph import UNREACHABLE, read_bounded
from camunda_entra_fastapi.errors import Refusal
from camunda_entra_fastapi.remote.aadsts import Kind, explain, read_refusal

CLIENT: Final = "14d82eec-204b-4c2f-b7e8-296a70dab67e"
"""Microsoft Graph Command Line Tools, a public client of Microsoft's own in every tenant."""
PERMISSIONS: Final = ("Application.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All", "User.Read")

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]{1,65536}")
"""RFC 6750, 2.1; anything else would end in an error message of the HTTP client."""
_LONGEST_INTERVAL: Final = 60
_SLOWER: Final = 5
_AZ_SECONDS: Final = 60


class NotSignedIn(Exception):
    """Nobody signed in; the message says why and what to do."""


def token_by_device_code(
    client: httpx.Client,
    tenant_url: str,
    graph: str,
    client_id: str,
    tell: Callable[[str], object],
    sleep: Callable[[float], object] = time.sleep,
) -> str:
    """The token of somebody who types a code in a browser (RFC 8628; Learn: device authorization grant).

    Args:
        client: Asks Entra.
        tenant_url: Entra's address and the tenant.
        graph: Graph's address, as scopes name it.
        client_id: The public client to sign in with.
        tell: Told where to type what.
        sleep: Waits so many seconds.

    Raises:
        NotSignedIn: Nobody did.
    """
    scope = " ".join(f"{graph}/{name}" for name in PERMISSIONS)
    started = _post(client, f"{tenant_url}/oauth2/v2.0/devicecode", {"client_id": client_id, "scope": scope})
    for name in ("device_code", "user_code", "verification_uri"):
        if not isinstance(started.get(name), str):
            raise _refused(read_refusal(started))
    address, code = printable(started["verification_uri"], 200), printable(started["user_code"], 40)
    tell(f"To sign in, open {address} in a browser and enter the code {code}")
    interval = _number(started.get("interval"), 5)
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": client_id,
        "device_code": started["device_code"],
    }
    left = _number(started.get("expires_in"), 900)
    while left > 0:
        sleep(interval)
        left -= interval
        answer = _post(client, f"{tenant_url}/oauth2/v2.0/token", form)
        if _is_token(token := answer.get("access_token")):
            return str(token)
        refusal = read_refusal(answer)
        if refusal.error == "slow_down":
            interval += _SLOWER
        elif refusal.error != "authorization_pending":
            raise _refused(refusal)
    raise _refused(Refusal("expired_token"))


def token_of_az(tenant: str) -> str:
    """The token of whom the Azure CLI is signed in as.

    Raises:
        NotSignedIn: It is not there, or nobody is signed in.
    """
    command = shutil.which("az")
    if command is None:
        raise NotSignedIn(
            "The Azure CLI (az) is not installed. Install it, or sign in with --sign-in device."
        )
    named = [] if tenant == ORGANIZATIONS else ["--tenant", tenant]
    arguments = ["account", "get-access-token", "--resource-type", "ms-graph", *named, "-o", "json"]
    try:
        ended = subprocess.run(
            [command, *arguments],
            capture_output=True,
            timeout=_AZ_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise NotSignedIn(f"The Azure CLI (az) did not answer within {_AZ_SECONDS} seconds.") from None
    except OSError as error:
        raise NotSignedIn(
            f"The Azure CLI (az) cannot be run: {printable(error, 200)}. Install it anew, "
            "or sign in with --sign-in device."
        ) from None
    try:
        token = json.loads(ended.stdout)["accessToken"]
    except (ValueError, LookupError, TypeError):
        token = None
    if ended.returncode != 0 or not _is_token(token):
        of_tenant = f" for the tenant {tenant}" if named else ""
        raise NotSignedIn(
            f"The Azure CLI (az) has no token{of_tenant}. "
            f"Run {' '.join(['az login', *named])} --allow-no-subscriptions, then this again."
        )
    return str(token)


def _is_token(value: object) -> bool:
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _post(client: httpx.Client, url: str, form: dict[str, str]) -> dict[str, Any]:
    try:
        with client.stream("POST", url, data=form) as answer:
            members = json.loads(read_bounded(answer))
    except UNREACHABLE as error:
        raise NotSignedIn(
            f"Entra cannot be reached: {type(error).__name__}: {printable(error, 200)}. "
            "Check the network, and HTTPS_PROXY if there is a proxy."
        ) from None
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        raise NotSignedIn(f"Entra answered with status {answer.status_code} and no JSON object. Try again.")
    return members


def _refused(refusal: Refusal) -> NotSignedIn:
    words = {
        "authorization_declined": "The sign-in was declined. Run this again, and accept.",
        "expired_token": "The code has expired before somebody signed in. Run this again.",
        "bad_verification_code": "Entra does not know the code any more. Run this again.",
    }
    if (told := words.get(refusal.error)) is not None:
        return NotSignedIn(told)
    explanation = explain(refusal)
    code = f" (AADSTS{refusal.aadsts})" if refusal.aadsts else ""
    # Remedies for registrations speak of a service's own, which there is not yet.
    own = "Check --tenant, --cloud and --sign-in-client, or sign in with --sign-in az."
    remedy = own if explanation.kind is Kind.REGISTRATION else explanation.remedy
    return NotSignedIn(f"{explanation.cause.removesuffix('.')}{code}. {remedy}")


def _number(value: object, default: int) -> int:
    usable = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return (
        min(int(str(value)), _LONGEST_INTERVAL if default < _LONGEST_INTERVAL else 3600)
        if usable
        else default
    )
