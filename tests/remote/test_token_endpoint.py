"""Responses of the token endpoint, checked from plain values."""

from typing import Any

import httpx
import pytest

from camunda_entra_fastapi.errors import EntraRefused, FetchFailed
from camunda_entra_fastapi.remote.credentials import Client, ClientSecret
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.token_endpoint import (
    MAX_TOKEN_CHARACTERS,
    read_error,
    read_tokens,
    redeem_code,
    redeem_refresh_token,
)

URL = "https://login.example/t/oauth2/v2.0/token"
GOOD: dict[str, Any] = {"token_type": "Bearer", "expires_in": 3599, "access_token": "a.b.c"}
CLIENT = Client("client", ClientSecret("client's secret"))


def answering(status: int, document: object) -> tuple[EntraHttp, list[httpx.Request]]:
    """An Entra that always answers so, and what it is asked."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(status, json=document)

    return EntraHttp(client=httpx.AsyncClient(transport=httpx.MockTransport(answer))), requests


async def test_a_code_is_redeemed_with_secret_and_verifier() -> None:
    """One POST, with a form that has exactly what RFC 6749, 4.1.3 and RFC 7636, 4.5 ask for."""
    http, requests = answering(200, GOOD | {"refresh_token": "r", "id_token": "i.d.t"})
    tokens = await redeem_code(http, URL, CLIENT, code="c", redirect_uri="https://x/cb", verifier="v")
    assert (tokens.access_token, tokens.refresh_token, tokens.id_token) == ("a.b.c", "r", "i.d.t")
    (request,) = requests
    assert (request.method, str(request.url)) == ("POST", URL)
    assert dict(httpx.QueryParams(request.content.decode())) == {
        "client_id": "client",
        "client_secret": "client's secret",
        "grant_type": "authorization_code",
        "code": "c",
        "redirect_uri": "https://x/cb",
        "code_verifier": "v",
    }


async def test_a_refresh_token_is_redeemed() -> None:
    """With the scopes that it was issued for, as none are named."""
    http, requests = answering(200, GOOD)
    assert (await redeem_refresh_token(http, URL, CLIENT, "r")).refresh_token is None
    assert dict(httpx.QueryParams(requests[0].content.decode())) == {
        "client_id": "client",
        "client_secret": "client's secret",
        "grant_type": "refresh_token",
        "refresh_token": "r",
    }


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refusal_is_explained(status: int) -> None:
    """With cause and remedy of the code, and without Entra's own words."""
    http, _ = answering(
        status,
        {
            "error": "invalid_client",
            "error_description": "AADSTS7000215: secret <b>",
            "error_codes": [7000215],
        },
    )
    with pytest.raises(EntraRefused) as caught:
        await redeem_refresh_token(http, URL, CLIENT, "r")
    assert caught.value.refusal.aadsts == 7000215
    assert "CAMUNDA_IDENTITY_CLIENT_SECRET" in caught.value.message
    assert "<b>" not in caught.value.message


@pytest.mark.parametrize("expires_in", [3599, 3599.0, "3599", 1])
@pytest.mark.parametrize("token_type", ["Bearer", "bearer"])
def test_answers_are_read_as_entra_and_b2c_write_them(expires_in: object, token_type: str) -> None:
    """B2C has numbers as texts."""
    tokens = read_tokens(GOOD | {"expires_in": expires_in, "token_type": token_type}, URL)
    assert tokens.expires_in == float(str(expires_in))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"expires_in": None}, "expires_in"),
        ({"expires_in": True}, "expires_in"),
        ({"expires_in": 0}, "expires_in"),
        ({"expires_in": -1}, "expires_in"),
        ({"expires_in": 1e300}, "expires_in"),
        ({"expires_in": float("nan")}, "expires_in"),
        ({"expires_in": "soon"}, "expires_in"),
        ({"expires_in": "9" * 400}, "expires_in"),
        ({"expires_in": [1]}, "expires_in"),
        ({"token_type": None}, "token_type"),
        ({"token_type": "pop"}, "token_type"),
        ({"access_token": None}, "access_token"),
        ({"access_token": ""}, "access_token"),
        ({"access_token": 7}, "access_token"),
        ({"access_token": "a\nb"}, "access_token"),
        ({"access_token": "é"}, "access_token"),
        ({"access_token": "x" * (MAX_TOKEN_CHARACTERS + 1)}, "access_token"),
        ({"refresh_token": ["r"]}, "refresh_token"),
        ({"id_token": {"a": 1}}, "id_token"),
    ],
)
def test_what_makes_no_sense_is_entras_fault(changes: dict[str, Any], name: str) -> None:
    """The message names the member, and nothing of its value."""
    with pytest.raises(FetchFailed) as caught:
        read_tokens(GOOD | changes, URL)
    assert caught.value.message == f"{URL} answered without a usable {name}."
    assert caught.value.fault == "failed"


@pytest.mark.parametrize("document", [{}, {"error": None}, {"error": 7}, {"message": "no"}])
def test_a_refusal_without_an_error_is_none(document: dict[str, Any]) -> None:
    """It comes from a proxy, or from nobody we know."""
    assert isinstance(read_error(document, URL), FetchFailed)


def test_secrets_and_tokens_are_in_no_repr() -> None:
    """An accidental log line is harmless."""
    tokens = read_tokens(GOOD | {"refresh_token": "r-secret", "id_token": "i-secret"}, URL)
    assert "secret" not in repr(tokens) + repr(CLIENT)
    assert "a.b.c" not in repr(tokens)
