"""Tokens of a tenant: the application's own, or a person's, who signs in in a browser with a code."""

from collections.abc import Awaitable, Callable
from typing import Final

from camunda_entra_fastapi.cli.device_code import DeviceCodeRefused, Wait, device_code_grant
from camunda_entra_fastapi.cli.token.failure import NoToken
from camunda_entra_fastapi.errors import EntraRefused
from camunda_entra_fastapi.remote.aadsts import explain
from camunda_entra_fastapi.remote.claims_request import claims_parameter
from camunda_entra_fastapi.remote.credentials import Client
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.token_endpoint import request_app_token

_OPENID: Final = frozenset({"openid", "profile", "email", "offline_access"})
_NO_CREDENTIAL: Final = 7000218


def scope_of(client_id: str, names: tuple[str, ...]) -> str:
    """The scope of a request: full names as they are, those of this API with the client ID before them."""
    full = (name if "/" in name or name in _OPENID else f"{client_id}/{name}" for name in names)
    return " ".join(full) or f"{client_id}/.default"


async def app_token(http: EntraHttp, token_endpoint: str, client: Client | None, scope: str) -> str:
    """The application's own token, by client credentials.

    Raises:
        NoToken: There is no credential, or Entra refuses it.
        FetchFailed: Entra does not answer.
    """
    if client is None:
        raise NoToken(
            "An application's own token needs its credential. Set CAMUNDA_IDENTITY_CLIENT_SECRET, or leave "
            "--app out to sign in yourself."
        )
    try:
        tokens = await request_app_token(
            http, token_endpoint, client, scope=scope, claims=claims_parameter(None)
        )
    except EntraRefused as error:
        code = f" ({error.refusal.code})" if error.refusal.code else ""
        raise NoToken(f"{error.message}{code}") from None
    return tokens.access_token


async def person_token(
    http: EntraHttp,
    token_endpoint: str,
    client_id: str,
    client: Client | None,
    scope: str,
    prompt: Callable[[str], object],
    pause: Callable[[float], Awaitable[object]],
) -> str:
    """A person's token, by device code.

    Raises:
        NoToken: Nobody signed in, or Entra refuses.
        FetchFailed: Entra does not answer.
    """
    device_url = f"{token_endpoint.removesuffix('token')}devicecode"
    grant = device_code_grant(device_url, token_endpoint, client_id=client_id, scope=scope, prompt=prompt)
    answer: object = None
    try:
        while True:
            step = grant.send(answer)
            if isinstance(step, Wait):
                answer = await pause(step.seconds)
            else:
                credential = await client.form() if client and step.url == token_endpoint else {}
                _, answer = await http.post_form(step.url, step.form | credential)
    except StopIteration as done:
        return str(done.value)
    except DeviceCodeRefused as error:
        raise NoToken(error.own_words or _words_of(error)) from None


def _words_of(error: DeviceCodeRefused) -> str:
    explanation = explain(error.refusal)
    code = f" ({error.refusal.code})" if error.refusal.code else ""
    if error.refusal.aadsts == _NO_CREDENTIAL:
        remedy = (
            "Allow public client flows under Authentication of the registration, or give the variables with "
            "its credential."
        )
    else:
        remedy = explanation.remedy
    return f"{explanation.cause.removesuffix('.')}{code}. {remedy}"
