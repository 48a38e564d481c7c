"""Entra's endpoints at Entra's paths, as a Starlette application."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from camunda_entra_fastapi.testing import documents
from camunda_entra_fastapi.testing.aadsts import (
    Aadsts,
    error_response,
    json_response,
    no_store,
    request_headers,
)
from camunda_entra_fastapi.testing.authorize import (
    answer_error,
    error_page,
    find_client,
    issue_code,
    read_request,
    sign_in_page,
)
from camunda_entra_fastapi.testing.directory import Tenant
from camunda_entra_fastapi.testing.minting import id_claims
from camunda_entra_fastapi.testing.parameters import form_of, query_of
from camunda_entra_fastapi.testing.token_endpoint import Issued, redeem

if TYPE_CHECKING:
    from camunda_entra_fastapi.testing.emulator import EntraEmulator

Handler = Callable[[Request], Awaitable[Response]]

_PUBLIC_DOCUMENT: Final = {
    "Cache-Control": "max-age=86400, private",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, OPTIONS",
}


class Endpoints:
    """What each path does. ``emulator`` has the directory, the keys, the clock and the state."""

    def __init__(self, emulator: "EntraEmulator") -> None:
        self._emulator = emulator

    async def discovery(self, request: Request) -> Response:
        """Version 2.0 discovery."""
        return self._document(request, documents.discovery)

    async def discovery_v1(self, request: Request) -> Response:
        """Version 1.0 discovery."""
        return self._document(request, documents.discovery_v1)

    async def keys(self, request: Request) -> Response:
        """Version 2.0 keys."""
        return self._key_set(request, v1=False)

    async def keys_v1(self, request: Request) -> Response:
        """Version 1.0 keys."""
        return self._key_set(request, v1=True)

    async def instances(self, request: Request) -> Response:
        """Instance discovery."""
        asked = request.query_params.get("authorization_endpoint", "")
        try:
            return self._published(documents.instance_discovery(self._emulator.base_url, asked))
        except Aadsts as problem:
            return error_response(problem, request, self._emulator.clock())

    async def authorize(self, request: Request) -> Response:
        """The sign-in page, and the answer once a person chose who to be."""
        now = self._emulator.clock()
        try:
            tenant = self._tenant(request)
            parameters = query_of(request)
            client, redirect_uri = find_client(tenant, parameters)
        except Aadsts as problem:
            return error_page(problem, request, now)
        try:
            wanted = read_request(tenant, client, redirect_uri, parameters)
            if request.method == "GET":
                return sign_in_page(wanted)
            user = tenant.user((await form_of(request)).get("user", ""))
        except Aadsts as problem:
            return answer_error(problem, request, redirect_uri, parameters, now)
        if user is None:
            stranger = Aadsts(50034, "invalid_grant", f"There is no such user in '{tenant.name}'.")
            return error_page(stranger, request, now)
        return issue_code(wanted, user, self._emulator.state, now)

    async def token(self, request: Request) -> Response:
        """Tokens for a code, a refresh token or a client's own credentials."""
        now = self._emulator.clock()
        origin = request.headers.get("origin")
        cors = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"} if origin else {}
        try:
            if request.method == "OPTIONS":
                return Response(status_code=HTTPStatus.OK, headers=cors | _preflight(request))
            if request.method != "POST":
                raise Aadsts(900561, "invalid_request", f"The endpoint takes POST, not {request.method}.")
            issued = redeem(
                self._tenant(request),
                await form_of(request),
                authorization=request.headers.get("authorization"),
                origin=origin,
                state=self._emulator.state,
                now=now,
            )
        except Aadsts as problem:
            answer = error_response(problem, request, now)
        else:
            answer = json_response(self._issue(issued, int(now)), no_store() | request_headers())
        answer.headers.update(cors)
        return answer

    def _issue(self, issued: Issued, now: int) -> dict[str, Any]:
        emulator = self._emulator
        id_token = None
        sign_in = issued.sign_in
        if sign_in is not None and "openid" in sign_in.asked.oidc:
            claims = id_claims(
                sign_in.tenant,
                sign_in.client,
                sign_in.user,
                scopes=sign_in.asked.oidc,
                nonce=sign_in.nonce,
                base_url=emulator.base_url,
                now=now,
            )
            id_token = emulator.sign(claims, v1=False)
        return issued.answer(emulator.sign_access_token(issued.grant), id_token)

    def _document(self, request: Request, build: Callable[..., Mapping[str, Any]]) -> Response:
        try:
            tenant = self._shared_or_tenant(request)
        except Aadsts as problem:
            return error_response(problem, request, self._emulator.clock())
        query = f"?{request.url.query}" if request.query_params.get("appid") else ""
        return self._published(build(self._emulator.base_url, tenant, query=query))

    def _key_set(self, request: Request, *, v1: bool) -> Response:
        try:
            self._shared_or_tenant(request)
        except Aadsts as problem:
            return error_response(problem, request, self._emulator.clock())
        return self._published(documents.key_set(self._emulator.keys, self._emulator.base_url, v1=v1))

    def _published(self, document: Mapping[str, Any]) -> Response:
        return json_response(document, _PUBLIC_DOCUMENT | request_headers())

    def _shared_or_tenant(self, request: Request) -> str:
        segment = str(request.path_params["tenant"])
        return segment if segment in documents.SHARED else self._tenant(request).id

    def _tenant(self, request: Request) -> Tenant:
        segment = str(request.path_params["tenant"])
        if segment in documents.SHARED:
            raise Aadsts(
                50194,
                "invalid_request",
                f"The application is not set up for several tenants; use its own instead of /{segment}.",
            )
        found = self._emulator.directory.tenant(segment)
        if found is None:
            raise Aadsts(90002, "invalid_request", f"There is no tenant '{segment}'. Check the ID and cloud.")
        return found


def build_endpoints(emulator: "EntraEmulator") -> Starlette:
    """The application that answers for the emulator."""
    at = Endpoints(emulator)
    get, both, every = (
        ["GET", "OPTIONS"],
        ["GET", "POST"],
        ["GET", "POST", "OPTIONS", "PUT", "DELETE", "PATCH"],
    )
    table: list[tuple[str, Handler, list[str]]] = [
        ("/common/discovery/instance", at.instances, get),
        ("/{tenant}/v2.0/.well-known/openid-configuration", at.discovery, get),
        ("/{tenant}/.well-known/openid-configuration", at.discovery_v1, get),
        ("/{tenant}/discovery/v2.0/keys", at.keys, get),
        ("/{tenant}/discovery/keys", at.keys_v1, get),
        ("/{tenant}/oauth2/v2.0/authorize", at.authorize, both),
        ("/{tenant}/oauth2/v2.0/token", at.token, every),
    ]
    return Starlette(routes=[Route(path, handler, methods=methods) for path, handler, methods in table])


def _preflight(request: Request) -> dict[str, str]:
    asked = request.headers.get("access-control-request-headers", "")
    return {
        "Access-Control-Allow-Methods": "POST, OPTIONS",
        "Access-Control-Allow-Headers": asked,
        "Access-Control-Max-Age": "86400",
    }
