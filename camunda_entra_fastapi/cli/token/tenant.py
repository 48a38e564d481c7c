"""Tokens of a tenant: the application's own, or a person's, who signs in in a browser with a code."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from camunda_entra_fastapi.cli.device_code import DeviceCodeRefused, run_device_code_grant
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


def app_token(http: EntraHttp, token_endpoint: str, client: Client | None, scope: str) -> str:
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
    request = request_app_token(http, token_endpoint, client, scope=scope, claims=claims_parameter(None))
    try:
        return asyncio.run(request).access_token
    except EntraRefused as error:
        code = f" ({error.refusal.code})" if error.refusal.code else ""
        raise NoToken(f"{error.message}{code}") from None


def person_token(
    http: EntraHttp,
    token_endpoint: str,
    client_id: str,
    client: Client | None,
    scope: str,
    prompt: Callable[[str], object],
    sleep: Callable[[float], object],
) -> str:
    """A person's token, by device code.

    Raises:
        NoToken: Nobody signed in, or Entra refuses.
        FetchFailed: Entra does not answer.
    """

    def post(url: str, form: dict[str, str]) -> Mapping[str, Any]:
        return asyncio.run(http.post_form(url, form))[1]

    def credential() -> dict[str, str]:
        return {} if client is None else asyncio.run(client.form())

    try:
        return run_device_code_grant(
            post,
            f"{token_endpoint.removesuffix('token')}devicecode",
            token_endpoint,
            client_id=client_id,
            scope=scope,
            prompt=prompt,
            sleep=sleep,
            credential=credential,
        )
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
