"""``/auth/verify``: gateways ask here whether a request may pass, and as whom.

Credentials alone decide. What a gateway says of the original request can make the answer stricter, or be
where somebody returns to after signing in; it never lets anything through, as clients can say it as well.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final
from urllib.parse import quote, urlsplit

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
from camunda_entra_fastapi.sign_in.protocol import safe_return_to
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.web.bearer import read_bearer_token
from camunda_entra_fastapi.web.current_user import BrowserLogin, CurrentUser
from camunda_entra_fastapi.web.identity_headers import ACCESS_TOKEN, INCOMPLETE, SET_COOKIE, identity_headers
from camunda_entra_fastapi.web.permissions import Permissions
from camunda_entra_fastapi.web.public_url import SAFE_METHODS, PublicUrl, is_navigation
from camunda_entra_fastapi.web.same_origin import require_same_origin
from camunda_entra_fastapi.web.sessions import PENDING
from camunda_entra_fastapi.web.signed_identity import IDENTITY, SignedIdentities

_METHOD: Final = ("x-forwarded-method", "x-original-method")
_ADDRESS: Final = ("x-forwarded-uri", "x-original-uri", "x-original-url")
"""Traefik and Caddy send the first of each, nginx what its configuration says."""
_EXT_AUTHZ_METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_LISTS: Final = ("scope", "role", "group", "any_scope", "any_role", "any_group")
_SINGLE: Final = {
    "redirect": re.compile("true|false"),
    "token": re.compile("true|false"),
    "authorization": re.compile("true|false"),
    "refusal": re.compile("true|false"),
    "identity": re.compile(r"[!-~]{1,256}"),
}
_FLAGS: Final[Mapping[str | None, bool]] = {"true": True, "false": False}
_NOTHING: Final = re.compile(r"(?!)")
_NO_PERMISSIONS: Final = Permissions()
_NO_STORE: Final = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What a gateway asks for."""

    all_of: Permissions = _NO_PERMISSIONS
    one_of: Permissions = _NO_PERMISSIONS
    redirect: bool = False
    """Whether people who have not signed in are sent to do so."""
    token: bool = False
    """Whether the access token is handed on."""
    authorization: bool = False
    """Whether it is handed on as ``Authorization``, for gateways that copy headers but cannot make them."""
    identity: str | None = None
    """The backend that a signed identity is for; None without one."""
    refusal: bool = False
    """Whether the gateway was refused a moment ago, and asks for the words: then nothing passes any more."""

    def check(self, user: EntraUser, *, groups_complete: bool = False) -> None:
        """The user has what is demanded.

        Args:
            user: Who asks.
            groups_complete: Whether the groups are all there are, whatever the token says.

        Raises:
            AccessDenied: It is not so.
        """
        self.all_of.check(user, groups_complete=groups_complete)
        if self.one_of != _NO_PERMISSIONS:
            self.one_of.check_any(user, groups_complete=groups_complete)

    def with_query(self, request: Request) -> "VerifyOptions":
        """This, and what the query demands besides.

        Raises:
            InvalidRequest: A parameter is not known, or has no value. A slip of the pen in a gateway's
                configuration must not become a door.
        """
        named: dict[str, list[str]] = {name: [] for name in _LISTS}
        single: dict[str, str] = {}
        for name, value in request.query_params.multi_items():
            if name in named and value:
                named[name].append(value)
            elif value and name not in single and _SINGLE.get(name, _NOTHING).fullmatch(value):
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
        return VerifyOptions(
            all_of=Permissions(
                (*self.all_of.scopes, *named["scope"]),
                (*self.all_of.roles, *named["role"]),
                (*self.all_of.groups, *named["group"]),
            ),
            one_of=Permissions(
                tuple(named["any_scope"]), tuple(named["any_role"]), tuple(named["any_group"])
            ),
            redirect=_FLAGS.get(single.get("redirect"), self.redirect),
            token=_FLAGS.get(single.get("token"), self.token),
            authorization=_FLAGS.get(single.get("authorization"), self.authorization),
            identity=single.get("identity", self.identity),
            refusal=_FLAGS.get(single.get("refusal"), self.refusal),
        )


class ForwardAuth:
    """The endpoints of one ``CamundaEntra``.

    Args:
        current_user: Tells who asks.
        identities: Signs identities for backends; they are refused where there are no secrets to sign with.
        demand: What holds for every request.
        prefix: Where the endpoints are.
    """

    def __init__(
        self, current_user: CurrentUser, identities: SignedIdentities, demand: VerifyOptions, prefix: str
    ) -> None:
        self._current_user = current_user
        self._identities = identities
        self._demand = demand
        self._prefix = prefix

    def router(self) -> APIRouter:
        """All routes; none of them is part of the API that OpenAPI shows."""
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
        """For gateways that send a request of their own: the query says what is demanded."""
        methods = [method for name in _METHOD for method in request.headers.getlist(name)]
        addresses = [address for name in _ADDRESS for address in request.headers.getlist(name)]
        return await self._answer(request, request, methods, addresses[0] if addresses else "/")

    async def ext_authz(self, request: Request) -> Response:
        """For Envoy's ``ext_authz``, which repeats the original's method, path and query behind a prefix."""
        query = f"?{request.url.query}" if request.url.query else ""
        address = f"/{request.path_params.get('path', '')}{query}"
        return await self._answer(request, None, [request.method], address)

    async def _answer(
        self, request: Request, demanding: Request | None, methods: list[str], address: str
    ) -> Response:
        has_middleware = PENDING in request.scope
        cookies: dict[str, list[str]] = request.scope.setdefault(PENDING, {})
        demand = self._demand
        try:
            if demanding is not None:
                demand = demand.with_query(demanding)
            headers = await self._headers(request, demand, methods)
            if demand.refusal:
                raise SessionsUnavailable("It was refused a moment ago, and would pass now. Try again.")
            response = Response(headers=_NO_STORE | headers)
        except EntraError as error:
            response = self._refuse(request, demand, error, methods, address)
        for number, value in enumerate(chain.from_iterable(cookies.values()), 1):
            response.headers[f"{SET_COOKIE}{number}"] = value
            if not has_middleware:
                response.headers.append("Set-Cookie", value)
        return response

    async def _headers(self, request: Request, demand: VerifyOptions, methods: list[str]) -> dict[str, str]:
        user = await self._current_user.authenticate(request)
        if user is None:
            raise CredentialsMissing
        browser_login = self._current_user.browser_login
        if browser_login is not None and _may_change(request, methods) and read_bearer_token(request) is None:
            require_same_origin(request, browser_login.sessions.public_url)
        headers = identity_headers(await self._current_user.permitted(request, user, demand.check))
        if headers[INCOMPLETE]:
            logger.info("The identity headers of a user do not hold everything: %s", headers[INCOMPLETE])
        if demand.token or demand.authorization:
            token = await self._current_user.access_token(request, user)
            headers |= {ACCESS_TOKEN: token} if demand.token else {}
            headers |= {"Authorization": f"Bearer {token}"} if demand.authorization else {}
        if demand.identity is not None:
            headers[IDENTITY] = self._identities.sign(user, demand.identity)
        return headers

    def _refuse(
        self, request: Request, demand: VerifyOptions, error: EntraError, methods: list[str], address: str
    ) -> Response:
        browser_login = self._current_user.browser_login
        if (
            demand.redirect
            and browser_login is not None
            and isinstance(error, CredentialsMissing)
            and is_navigation(request.headers)
        ):
            return _to_login(request, browser_login, methods, address)
        self._current_user.log(error)
        answer = self._current_user.authentication.challenger.answer(error)
        return JSONResponse({"detail": answer.detail}, answer.status, answer.headers | _NO_STORE)


def _to_login(request: Request, browser_login: BrowserLogin, methods: list[str], address: str) -> Response:
    """Send a person to sign in and come back; to the page it came from if the request changes something."""
    public_url = browser_login.sessions.public_url
    if any(method.upper() not in SAFE_METHODS for method in methods):
        address = request.headers.get("referer", "/")
    return_to = safe_return_to(_path_of(request, public_url, address), browser_login.login_path)
    # Without a base URL the gateway alone knows its address, and a browser takes a path as one of its own.
    path = public_url.path(request, browser_login.login_path)
    login_url = path if public_url.base_url is None else public_url.origin(request) + path
    response = RedirectResponse("", headers=_NO_STORE, status_code=302)
    response.headers["Location"] = f"{login_url}?return_to={quote(return_to, safe='/')}"
    return response


def _path_of(request: Request, public_url: PublicUrl, address: str) -> str:
    """Path and query of an address of ours, given in whole or without the host; else the root."""
    if address.startswith("/"):
        return address
    try:
        parts = urlsplit(address)
    except ValueError:
        return "/"
    if f"{parts.scheme}://{parts.netloc}".lower() != public_url.origin(request):
        return "/"
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _may_change(request: Request, methods: list[str]) -> bool:
    """Whether the original request may change something, or opens a WebSocket.

    Where no method is told, ``Origin`` counts: browsers send it with all that may, and some that may not.
    """
    if "sec-websocket-key" in request.headers or request.headers.get("upgrade", "").lower() == "websocket":
        return True
    if not methods:
        return "origin" in request.headers
    return any(method.upper() not in SAFE_METHODS for method in methods)
