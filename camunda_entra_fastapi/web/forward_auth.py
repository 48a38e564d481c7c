"""``/auth/verify``: gateways ask here whether to let a request through, and for which user.

Credentials alone decide. What a gateway says of the original request can make the decision stricter, or
name the page to return to after signing in. It never lets a request through, as clients can send it too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from camunda_entra_fastapi.errors import (
    CredentialsMissing,
    EntraError,
    InvalidRequest,
    SessionsUnavailable,
    quoted,
)
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.validation.scope_names import check_scope_names
from camunda_entra_fastapi.web.asked_url import URI_HEADERS, asked_origin, sign_in_url
from camunda_entra_fastapi.web.credentials import is_handshake, read_bearer_token, read_credentials
from camunda_entra_fastapi.web.current_user import CurrentUser, word_for_session
from camunda_entra_fastapi.web.identity_headers import ACCESS_TOKEN, INCOMPLETE, SET_COOKIE, identity_headers
from camunda_entra_fastapi.web.page_requests import HX_REDIRECT, is_htmx
from camunda_entra_fastapi.web.permissions import Permissions
from camunda_entra_fastapi.web.public_url import SAFE_METHODS, is_navigation, path_behind
from camunda_entra_fastapi.web.refusal_pages import is_for_people, refusal_page
from camunda_entra_fastapi.web.same_origin import OWN_ORIGIN, require_same_origin
from camunda_entra_fastapi.web.sessions import PENDING_COOKIES
from camunda_entra_fastapi.web.signed_identity import IDENTITY, SignedIdentities
from camunda_entra_fastapi.web.websocket_tokens import move_token

_METHOD_HEADERS: Final = ("x-forwarded-method", "x-original-method")
"""Traefik and Caddy send the first, nginx what its configuration says."""
_EXT_AUTHZ_METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_LISTS: Final = ("scope", "role", "group", "any_scope", "any_role", "any_group")
_SINGLE: Final = {
    "redirect": re.compile("true|false"),
    "token": re.compile("true|false"),
    "authorization": re.compile("true|false"),
    "refusal": re.compile("true|false"),
    "identity": re.compile(r"[!-~]{1,256}"),
}
_BOOLEANS: Final[Mapping[str | None, bool]] = {"true": True, "false": False}
_NEVER: Final = re.compile(r"(?!)")
_NO_PERMISSIONS: Final = Permissions()
_NO_STORE: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """The permissions that a gateway requires, and the headers that it wants in the response."""

    all_of: Permissions = _NO_PERMISSIONS
    any_of: Permissions = _NO_PERMISSIONS
    redirect: bool = False
    """Whether browsers without a session are redirected to sign in."""
    token: bool = False
    """Whether the response has the access token."""
    authorization: bool = False
    """Whether the response has it as ``Authorization``, for gateways that only copy headers."""
    identity: str | None = None
    """The backend of the signed identity in the response; None without one."""
    refusal: bool = False
    """Whether the gateway asks again for the body of a refusal. Then no request passes any more."""

    def check(self, user: EntraUser, *, groups_complete: bool = False) -> None:
        """The user has the required permissions.

        Args:
            user: The user of the request.
            groups_complete: Whether the user's groups are complete, whatever the token says.

        Raises:
            AccessDenied: The user has not.
        """
        self.all_of.check(user, groups_complete=groups_complete)
        if self.any_of != _NO_PERMISSIONS:
            self.any_of.check_any(user, groups_complete=groups_complete)

    def with_query(self, request: Request) -> "VerifyOptions":
        """These options, and those of the query.

        Raises:
            InvalidRequest: A parameter is unknown, or has no value, or names a scope that can be in no token.
                A typing error in a gateway's configuration must not let requests through.
        """
        named: dict[str, list[str]] = {name: [] for name in _LISTS}
        single: dict[str, str] = {}
        for name, value in request.query_params.multi_items():
            if name in named and value:
                named[name].append(value)
            elif value and name not in single and _SINGLE.get(name, _NEVER).fullmatch(value):
                single[name] = value
            else:
                raise InvalidRequest(
                    "verify_request_invalid",
                    f"The gateway asks with {quoted(name)}={quoted(value)}. There are role, scope, group, "
                    "any_role, any_scope and any_group, each with a value and as often as need be, and once "
                    "redirect, token, authorization and refusal (true or false) and identity, which names "
                    "a backend. "
                    "The original request's query does not belong here.",
                )
        try:
            check_scope_names((*named["scope"], *named["any_scope"]))
        except ValueError as error:
            raise InvalidRequest("verify_request_invalid", f"The gateway asks for a scope. {error}") from None
        return VerifyOptions(
            all_of=Permissions(
                (*self.all_of.scopes, *named["scope"]),
                (*self.all_of.roles, *named["role"]),
                (*self.all_of.groups, *named["group"]),
            ),
            any_of=Permissions(
                tuple(named["any_scope"]), tuple(named["any_role"]), tuple(named["any_group"])
            ),
            redirect=_BOOLEANS.get(single.get("redirect"), self.redirect),
            token=_BOOLEANS.get(single.get("token"), self.token),
            authorization=_BOOLEANS.get(single.get("authorization"), self.authorization),
            identity=single.get("identity", self.identity),
            refusal=_BOOLEANS.get(single.get("refusal"), self.refusal),
        )


class ForwardAuth:
    """The endpoints of one ``CamundaEntra``.

    Args:
        current_user: Authenticates the request.
        identities: Signs identities for backends; without a secret it refuses to.
        options: The options of every request.
        prefix: The path of the endpoints.
    """

    def __init__(
        self, current_user: CurrentUser, identities: SignedIdentities, options: VerifyOptions, prefix: str
    ) -> None:
        self._current_user = current_user
        self._identities = identities
        self._demand = options
        self._prefix = prefix

    def router(self) -> APIRouter:
        """All routes; none of them is in the OpenAPI document."""
        router = APIRouter()
        for path, endpoint, methods in (
            ("/verify", self.verify, ["GET"]),
            ("/ext-authz", self.ext_authz, list(_EXT_AUTHZ_METHODS)),
            ("/ext-authz/{path:path}", self.ext_authz, list(_EXT_AUTHZ_METHODS)),
            ("/identity-keys", self._identities.keys, ["GET"]),
        ):
            router.add_route(self._prefix + path, endpoint, methods, include_in_schema=False)
        return router

    async def verify(self, request: Request) -> Response:
        """For gateways that send a request of their own: the query has the options."""
        methods = [method for name in _METHOD_HEADERS for method in request.headers.getlist(name)]
        uris = [uri for name in URI_HEADERS for uri in request.headers.getlist(name)]
        return await self._respond(request, request, methods, uris[0] if uris else "/")

    async def ext_authz(self, request: Request) -> Response:
        """For Envoy's ``ext_authz``, which repeats the original method, path and query after a prefix."""
        query = request.scope.get("query_string", b"").decode("latin-1")
        own = str(request.scope["path"]).removesuffix(f"/{request.path_params.get('path', '')}")
        uri = f"{path_behind(request.scope, own) or '/'}{'?' if query else ''}{query}"
        return await self._respond(request, None, [request.method], uri)

    async def _respond(
        self, request: Request, query_request: Request | None, methods: list[str], uri: str
    ) -> Response:
        has_middleware = PENDING_COOKIES in request.scope
        cookies: dict[str, list[str]] = request.scope.setdefault(PENDING_COOKIES, {})
        options = self._demand
        self._note_origin(request, repeats_host=query_request is None)
        try:
            if query_request is not None:
                options = options.with_query(query_request)
            headers = await self._headers(request, options, methods)
            if options.refusal:
                raise SessionsUnavailable("It was refused a moment ago, and would pass now. Try again.")
            response = Response(headers=_NO_STORE | headers)
        except EntraError as error:
            response = self._refuse(request, options, error, methods, uri)
        if cookies:  # a session was looked at, whether or not it is to be set anew
            response.headers["Vary"] = "Cookie"
        for number, value in enumerate(chain.from_iterable(cookies.values()), 1):
            response.headers[f"{SET_COOKIE}{number}"] = value
            if not has_middleware:
                response.headers.append("Set-Cookie", value)
        return response

    def _note_origin(self, request: Request, *, repeats_host: bool) -> None:
        """Judge the request by the host that was asked for, if it is not this service's own."""
        browser_login = self._current_user.browser_login
        if browser_login is not None:
            public_url = browser_login.sessions.public_url
            request.scope[OWN_ORIGIN] = asked_origin(request, public_url, repeats_host=repeats_host)

    async def _headers(self, request: Request, options: VerifyOptions, methods: list[str]) -> dict[str, str]:
        if self._current_user.authentication.websocket_tokens and is_handshake(request.scope):
            move_token(request.scope)  # of the handshake that the gateway asks about
        # Who asked before, in a middleware perhaps, was judged by this service's own origin.
        is_of_other_host = request.scope.get(OWN_ORIGIN) is not None
        ask = self._current_user.authenticate if is_of_other_host else self._current_user.find_user
        user = await ask(request)
        if user is None:
            raise self._current_user.missing_credentials(request, read_credentials(request))
        request.scope.setdefault("state", {})["user"] = user
        browser_login = self._current_user.browser_login
        if browser_login is not None and _is_unsafe(request, methods) and read_bearer_token(request) is None:
            require_same_origin(request, browser_login.sessions.public_url)
        headers = identity_headers(await self._current_user.authorize(request, user, options.check))
        if headers[INCOMPLETE]:
            logger.info("The identity headers of a user do not hold everything: %s", headers[INCOMPLETE])
        if options.token or options.authorization:
            token = await self._current_user.access_token(request, user)
            headers |= {ACCESS_TOKEN: token} if options.token else {}
            headers |= {"Authorization": f"Bearer {token}"} if options.authorization else {}
        if options.identity is not None:
            headers[IDENTITY] = self._identities.sign(user, options.identity)
        return headers

    def _refuse(
        self, request: Request, options: VerifyOptions, error: EntraError, methods: list[str], uri: str
    ) -> Response:
        browser_login = self._current_user.browser_login
        login_url, here = None, "/"
        is_sent = options.redirect and isinstance(error, CredentialsMissing)
        if browser_login is not None:
            redirects = is_sent and is_navigation(request.headers)
            original = methods, uri, request.scope[OWN_ORIGIN]
            public_url, login_path = browser_login.sessions.public_url, browser_login.login_path
            login_url, here = sign_in_url(request, public_url, login_path, original, log=redirects)
            if redirects:
                response = RedirectResponse("", headers=_NO_STORE, status_code=302)
                response.headers["Location"] = login_url
                return response
        word_for_session(error, request)
        path = uri.partition("?")[0]
        self._current_user.log(error, path)
        challenger = self._current_user.authentication.challenger
        refused = challenger.error_response(error, path)
        if login_url and is_sent and is_htmx(request.headers):
            refused.headers[HX_REDIRECT] = login_url
        if is_for_people(request):
            return refusal_page(
                request, error, refused, login_url=login_url, here=here, client_id=challenger.client_id
            )
        return JSONResponse({"detail": refused.detail}, refused.status, refused.headers | _NO_STORE)


def _is_unsafe(request: Request, methods: list[str]) -> bool:
    """Whether the original request has an unsafe method, or opens a WebSocket.

    Without a method, ``Origin`` decides: browsers send it with every unsafe request, and with some safe ones.
    """
    if "sec-websocket-key" in request.headers or request.headers.get("upgrade", "").lower() == "websocket":
        return True
    if not methods:
        return "origin" in request.headers
    return any(method.upper() not in SAFE_METHODS for method in methods)
