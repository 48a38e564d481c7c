"""The token URL of this service's own docs page.

Entra redeems codes of a *web* registration for nobody who cannot show its secret (AADSTS9002326), and a
page cannot keep one. So the page asks here; the secret is added, and Entra's answer handed through.
"""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from camunda_entra_fastapi.errors import (
    CrossOrigin,
    EntraError,
    EntraUnavailable,
    FetchFailed,
    SignInFailed,
)
from camunda_entra_fastapi.sign_in.exchange import entra_unavailable
from camunda_entra_fastapi.sign_in.protocol import single_valued
from camunda_entra_fastapi.web.login.context import LoginContext, LoginPaths
from camunda_entra_fastapi.web.same_origin import is_same_origin

MAX_FORM: Final = 16 * 1024
"""Bytes. A refresh token has 1 to 2 KiB."""
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
"""RFC 7636, 4.1."""
_HEADERS: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class DocsTokenEndpoint:
    """Redeems codes and refresh tokens for the docs page, and for nobody else.

    Args:
        parts: Gives what the page works with, for each request anew.
        paths: Where this is, and where the docs page receives codes.
    """

    def __init__(self, context: Callable[[], LoginContext], paths: LoginPaths) -> None:
        self._context = context
        self._paths = paths

    async def token(self, request: Request) -> Response:
        """What Entra answers to the form, with the client secret added."""
        context = self._context()
        exchange = context.sign_in.exchange
        try:
            grant = await self._grant(request, context)
            status, document = await exchange.http.post_form(
                await exchange.keys.token_endpoint(), {**await exchange.client.form(), **grant}
            )
        except FetchFailed as failure:
            return _oauth_error(context, entra_unavailable(failure))
        except EntraError as error:
            return _oauth_error(context, error)
        try:
            return JSONResponse(document, status, _HEADERS)
        except ValueError:  # half a character, or a number without end, which Python's JSON lets in
            garbled = FetchFailed("The token endpoint answered with something that JSON cannot hold.")
            return _oauth_error(context, entra_unavailable(garbled))

    async def _grant(self, request: Request, context: LoginContext) -> dict[str, str]:
        """The fields that are passed on.

        Raises:
            CrossOrigin: No page of ours asks.
            SignInFailed: The form is not one that the docs page sends.
        """
        public_url = context.sessions.public_url
        if not is_same_origin(request, public_url):
            raise CrossOrigin("Tokens are given here to this service's own docs page only.")
        form = await _read_form(request)
        if form.get("client_id", context.sign_in.client_id) != context.sign_in.client_id:
            raise _wrong("client_id must be this service's.")
        match form.get("grant_type"):
            case "authorization_code":
                root = public_url.root_of(request, self._paths.of("token"))
                redirect_uri = public_url.url(request, self._paths.docs_redirect, root)
                if form.get("redirect_uri") != redirect_uri:
                    raise _wrong(f"redirect_uri must be {redirect_uri}.")
                if not _VERIFIER.fullmatch(form.get("code_verifier", "")):
                    raise _wrong("code_verifier must be there: 43 to 128 characters (RFC 7636, PKCE).")
                names = ["grant_type", "code", "redirect_uri", "code_verifier"]
            case "refresh_token":
                names = ["grant_type", "refresh_token"]
            case _:
                raise _wrong("grant_type must be authorization_code or refresh_token.")
        if missing := [name for name in names if not form.get(name)]:
            raise _wrong(f"{missing[0]} is missing.")
        return {name: form[name] for name in names}


async def _read_form(request: Request) -> dict[str, str]:
    """The form's fields, each of which is there once."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise _wrong("The body must be a form: application/x-www-form-urlencoded.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM:
            raise _wrong(f"The form is larger than {MAX_FORM} bytes.")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise _wrong("The form is not UTF-8.") from None
    try:
        return single_valued(parse_qsl(text, keep_blank_values=True, max_num_fields=100))
    except ValueError:
        raise _wrong("The form has too many fields.") from None


def _wrong(message: str) -> SignInFailed:
    return SignInFailed("login_request_invalid", message)


def _oauth_error(context: LoginContext, error: EntraError) -> Response:
    """In the shape that OAuth clients read (RFC 6749, 5.2)."""
    answer = context.challenger.answer(error)
    body = {"error": answer.detail["error"], "error_description": error.message, "code": error.code}
    retry = answer.headers if isinstance(error, EntraUnavailable) else {}
    return JSONResponse(body, answer.status, {**retry, **_HEADERS})
