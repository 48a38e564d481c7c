"""The token endpoint for this service's own Swagger UI.

Entra redeems codes of a *web* registration only with its secret (AADSTS9002326), and a page cannot keep
one. So the page asks here: this service adds the secret and passes Entra's response on, but for trouble
of Entra's own, which is no fault of the request, and for the refresh token.

Refresh tokens are neither given nor taken. They would be those of a public client, to be bound to their
sender or used once (RFC 9700, 4.14.2), as an Origin header is what any program can write. Swagger UI has no
use for them: it asks for another code once a token has expired.
"""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from camunda_entra_fastapi.errors import (
    CrossOrigin,
    EntraError,
    EntraUnavailable,
    FetchFailed,
    SignInFailed,
)
from camunda_entra_fastapi.remote.aadsts import read_refusal, trouble_of
from camunda_entra_fastapi.sign_in.exchange import entra_unavailable
from camunda_entra_fastapi.sign_in.protocol import single_valued
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.web.login.context import LoginContext, LoginPaths
from camunda_entra_fastapi.web.login.refusals import log_refused_docs_token
from camunda_entra_fastapi.web.mounted import paths_that_end_in
from camunda_entra_fastapi.web.same_origin import is_same_origin

MAX_FORM_BYTES: Final = 16 * 1024
"""Bytes. A code has 1 to 2 KiB."""
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
"""RFC 7636, 4.1."""
_NOT_PASSED_ON: Final = frozenset({"refresh_token", "refresh_token_expires_in"})
_OK: Final = 200
_HEADERS: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class DocsTokenEndpoint:
    """Redeems codes for this service's Swagger UI alone.

    Args:
        context: Returns the login context in use.
        paths: The paths of this endpoint, and of the page that receives codes.
    """

    def __init__(self, context: Callable[[], LoginContext], paths: LoginPaths) -> None:
        self._context = context
        self._paths = paths

    async def token(self, request: Request) -> Response:
        """Entra's response to the form, with the client's credential added."""
        context = self._context()
        exchange = context.sign_in.exchange
        try:
            grant = await self._grant(request, context)
            status, document = await exchange.http.post_form(
                await exchange.keys.token_endpoint(), {**await exchange.client.form(), **grant}
            )
            if status != _OK:
                refusal = read_refusal(document)
                if (trouble := trouble_of(refusal)) is not None:
                    raise trouble
                log_refused_docs_token(refusal, context.challenger.trouble, request.scope.get("path", ""))
        except FetchFailed as failure:
            return _oauth_error(context, entra_unavailable(failure))
        except EntraError as error:
            logger.info("The docs page got no token: %s: %s", error.code, error.message)
            return _oauth_error(context, error)
        try:
            content = {name: value for name, value in document.items() if name not in _NOT_PASSED_ON}
            return JSONResponse(content, status, _HEADERS)
        except ValueError:  # a lone surrogate or an infinite number, which Python's JSON parser accepts
            unusable = FetchFailed("The token endpoint answered with something that JSON cannot hold.")
            return _oauth_error(context, entra_unavailable(unusable))

    async def _grant(self, request: Request, context: LoginContext) -> dict[str, str]:
        """The fields that are passed on to Entra.

        Raises:
            CrossOrigin: The request is not of this service's own pages.
            SignInFailed: Swagger UI sends no such form.
        """
        public_url = context.sessions.public_url
        if not is_same_origin(request, public_url):
            raise CrossOrigin("Tokens are given here to this service's own docs page only.")
        form = await _read_form(request)
        if form.get("client_id", context.sign_in.client_id) != context.sign_in.client_id:
            raise _invalid_form("client_id must be this service's.")
        if form.get("grant_type") != "authorization_code":
            raise _invalid_form("grant_type must be authorization_code; no other is offered here.")
        root = public_url.root_of(request, self._paths.of("token"))
        redirect_uri = public_url.url(request, self._paths.docs_redirect, root)
        if form.get("redirect_uri") != redirect_uri and not self._is_of_a_version(form, request, root):
            # Without a base URL it may be the name of a host inside, so clients are not told.
            logger.info("The docs page's redirect URI is not %s", redirect_uri)
            where = redirect_uri if public_url.base_url else f"{self._paths.docs_redirect} here"
            raise _invalid_form(f"redirect_uri must be {where}.")
        if not _VERIFIER.fullmatch(form.get("code_verifier", "")):
            raise _invalid_form("code_verifier must be there: 43 to 128 characters (RFC 7636, PKCE).")
        if not form.get("code"):
            raise _invalid_form("code is missing.")
        return {name: form[name] for name in ("grant_type", "code", "redirect_uri", "code_verifier")}

    def _is_of_a_version(self, form: dict[str, str], request: Request, root: str) -> bool:
        """Whether codes go to another docs page of this application, as those of fastapi-versionizer."""
        public_url = self._context().sessions.public_url
        paths = paths_that_end_in(request.scope["app"], self._paths.docs_redirect)
        return form.get("redirect_uri") in {public_url.url(request, path, root) for path in paths}


async def _read_form(request: Request) -> dict[str, str]:
    """The form's fields, each of which may be there once."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise _invalid_form("The body must be a form: application/x-www-form-urlencoded.")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_FORM_BYTES:
                raise _invalid_form(f"The form is larger than {MAX_FORM_BYTES} bytes.")
    except ClientDisconnect:  # nobody will see the response
        raise _invalid_form("The client hung up in the middle of the form.") from None
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise _invalid_form("The form is not UTF-8.") from None
    try:
        return single_valued(parse_qsl(text, keep_blank_values=True, max_num_fields=100))
    except ValueError:
        raise _invalid_form("The form has too many fields.") from None


def _invalid_form(message: str) -> SignInFailed:
    return SignInFailed("login_request_invalid", message)


def _oauth_error(context: LoginContext, error: EntraError) -> Response:
    """The error in the shape that OAuth clients read (RFC 6749, 5.2)."""
    error_response = context.challenger.error_response(error)
    detail = error_response.detail
    body = {"error": detail["error"], "error_description": detail["message"], "code": error.code}
    retry_headers = error_response.headers if isinstance(error, EntraUnavailable) else {}
    return JSONResponse(body, error_response.status, {**retry_headers, **_HEADERS})
