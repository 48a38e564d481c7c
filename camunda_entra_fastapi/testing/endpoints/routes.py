"""Entra's endpoints at Entra's paths, as a Starlette application."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from camunda_entra_fastapi.testing.clients.credentials import presented_credentials
from camunda_entra_fastapi.testing.endpoints import documents
from camunda_entra_fastapi.testing.endpoints.admin_consent import AdminConsentEndpoint
from camunda_entra_fastapi.testing.endpoints.device import (
    VERIFICATION_PATH,
    DeviceEndpoints,
    redeem_device_code,
)
from camunda_entra_fastapi.testing.endpoints.graph import graph_routes
from camunda_entra_fastapi.testing.endpoints.interaction import AuthorizationInteraction
from camunda_entra_fastapi.testing.endpoints.local_token import LOCAL_TOKEN_PATH, LocalTokenEndpoint
from camunda_entra_fastapi.testing.endpoints.logout import LogoutEndpoint
from camunda_entra_fastapi.testing.endpoints.on_behalf_of import redeem_assertion
from camunda_entra_fastapi.testing.endpoints.responses import authorization_error_response, error_page
from camunda_entra_fastapi.testing.endpoints.token import (
    redeem_client_credentials,
    redeem_code,
    redeem_refresh_token,
)
from camunda_entra_fastapi.testing.endpoints.token_request import GrantHandler, parse_token_request
from camunda_entra_fastapi.testing.protocol.aadsts import (
    AadstsError,
    diagnostic_headers,
    error_response,
    json_response,
    no_store_headers,
)
from camunda_entra_fastapi.testing.protocol.authorize import find_client, parse_authorization_request
from camunda_entra_fastapi.testing.protocol.parameters import form_of, query_of, required
from camunda_entra_fastapi.testing.protocol.realm import find_realm
from camunda_entra_fastapi.testing.protocol.request_log import annotate
from camunda_entra_fastapi.testing.world.faults import too_many_requests
from camunda_entra_fastapi.testing.world.world import World

Handler = Callable[[Request], Awaitable[Response]]

_PUBLIC_DOCUMENT: Final = {
    "Cache-Control": "max-age=86400, private",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, OPTIONS",
}

_GRANTS: Final[Mapping[str, tuple[str, GrantHandler]]] = {
    "authorization_code": ("code", redeem_code),
    "refresh_token": ("refresh", redeem_refresh_token),
    "client_credentials": ("client credentials", redeem_client_credentials),
    "urn:ietf:params:oauth:grant-type:jwt-bearer": ("on behalf of", redeem_assertion),
    "urn:ietf:params:oauth:grant-type:device_code": ("device code", redeem_device_code),
    "device_code": ("device code", redeem_device_code),
}


class Endpoints:
    """The documents, the authorization endpoint and the token endpoint."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def discovery(self, request: Request) -> Response:
        """Version 2.0 discovery."""
        return self._discovery_document(request, documents.discovery)

    async def discovery_v1(self, request: Request) -> Response:
        """Version 1.0 discovery."""
        return self._discovery_document(request, documents.discovery_v1)

    async def keys(self, request: Request) -> Response:
        """Version 2.0 keys."""
        return self._key_set(request, v1=False)

    async def keys_v1(self, request: Request) -> Response:
        """Version 1.0 keys."""
        return self._key_set(request, v1=True)

    async def instances(self, request: Request) -> Response:
        """Instance discovery."""
        authorization_endpoint = request.query_params.get("authorization_endpoint", "")
        try:
            return self._document_response(
                documents.instance_discovery(self._world.base_url, authorization_endpoint)
            )
        except AadstsError as problem:
            return error_response(problem, request, self._world.now())

    async def authorize(self, request: Request) -> Response:
        """The authorization endpoint: the sign-in pages, and the authorization response."""
        now = self._world.now()
        annotate(request, did="sign in")
        try:
            realm = find_realm(self._world.directory, str(request.path_params["tenant"]))
            parameters = query_of(request)
            client, redirect_uri = find_client(realm, parameters)
        except AadstsError as problem:
            return error_page(problem, request, now)
        annotate(request, client=client)
        try:
            auth_request = parse_authorization_request(realm, client, redirect_uri, parameters)
            interaction = AuthorizationInteraction(self._world, request, auth_request)
            if request.method == "GET":
                return interaction.start()
            return interaction.resume(await form_of(request))
        except AadstsError as problem:
            return authorization_error_response(problem, request, redirect_uri, parameters, now)

    async def token(self, request: Request) -> Response:
        """The token endpoint."""
        origin = request.headers.get("origin")
        cors = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"} if origin else {}
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.OK, headers=cors | _preflight(request))
        try:
            response = await self._redeem(request, origin)
        except AadstsError as problem:
            response = error_response(problem, request, self._world.now())
        response.headers.update(cors)
        return response

    async def _redeem(self, request: Request, origin: str | None) -> Response:
        world = self._world
        if request.method != "POST":
            raise AadstsError(900561, "invalid_request", f"The endpoint takes POST, not {request.method}.")
        realm = find_realm(world.directory, str(request.path_params["tenant"]))
        parameters = await form_of(request)
        grant_type = required(parameters, "grant_type")
        if grant_type not in _GRANTS:
            raise AadstsError(
                70003, "unsupported_grant_type", f"The grant type '{grant_type[:100]}' is not supported."
            )
        name, handle_grant = _GRANTS[grant_type]
        annotate(request, did=name)
        credentials = presented_credentials(parameters, request.headers.get("authorization"))
        token_request = parse_token_request(world, realm, parameters, credentials, origin)
        annotate(request, client=token_request.client)
        if seconds := world.faults.retry_after(world.now()):
            if handle_grant is redeem_client_credentials:
                return too_many_requests(seconds)
            raise AadstsError(
                50196, "invalid_grant", "The client asks again and again for the same. Keep tokens."
            )
        members = await handle_grant(token_request)
        return json_response(members, no_store_headers() | diagnostic_headers())

    def _discovery_document(self, request: Request, build: Callable[..., Mapping[str, Any]]) -> Response:
        try:
            tenant = self._tenant_segment(request)
        except AadstsError as problem:
            return error_response(problem, request, self._world.now())
        asked = request.scope["query_string"].decode("latin-1")
        query = f"?{asked}" if request.query_params.get("appid") else ""
        return self._document_response(build(self._world.base_url, tenant, query=query))

    def _key_set(self, request: Request, *, v1: bool) -> Response:
        try:
            self._tenant_segment(request)
        except AadstsError as problem:
            return error_response(problem, request, self._world.now())
        keys = self._world.published_keys
        return self._document_response(documents.key_set(keys, self._world.base_url, v1=v1))

    def _document_response(self, document: Mapping[str, Any]) -> Response:
        return json_response({**document, **documents.MARK}, _PUBLIC_DOCUMENT | diagnostic_headers())

    def _tenant_segment(self, request: Request) -> str:
        """The tenant's ID, also for its domain; or the segment that stands for several tenants."""
        realm = find_realm(self._world.directory, str(request.path_params["tenant"]))
        return realm.tenant.id if realm.tenant else realm.segment


def build_endpoints(world: World) -> Starlette:
    """The ASGI application with all endpoints."""
    endpoints = Endpoints(world)
    device = DeviceEndpoints(world)
    get, post, both = ["GET", "OPTIONS"], ["POST"], ["GET", "POST"]
    every = ["GET", "POST", "OPTIONS", "PUT", "DELETE", "PATCH"]
    admin_consent, logout = AdminConsentEndpoint(world), LogoutEndpoint(world)
    table: list[tuple[str, Handler, list[str]]] = [
        ("/common/discovery/instance", endpoints.instances, get),
        ("/{tenant}/v2.0/.well-known/openid-configuration", endpoints.discovery, get),
        ("/{tenant}/.well-known/openid-configuration", endpoints.discovery_v1, get),
        ("/{tenant}/discovery/v2.0/keys", endpoints.keys, get),
        ("/{tenant}/discovery/keys", endpoints.keys_v1, get),
        ("/{tenant}/oauth2/v2.0/authorize", endpoints.authorize, both),
        ("/{tenant}/oauth2/v2.0/token", endpoints.token, every),
        ("/{tenant}/oauth2/v2.0/devicecode", device.device_authorization, post),
        (VERIFICATION_PATH, device.verification_page, both),
        ("/{tenant}/oauth2/v2.0/logout", logout.answer, both),
        ("/{tenant}/v2.0/adminconsent", admin_consent.answer, both),
        ("/{tenant}/adminconsent", admin_consent.answer, both),
        (LOCAL_TOKEN_PATH, LocalTokenEndpoint(world).answer, post),
    ]
    routes = [Route(path, handler, methods=methods) for path, handler, methods in table]
    return Starlette(routes=[*routes, *graph_routes(world)])


def _preflight(request: Request) -> dict[str, str]:
    requested_headers = request.headers.get("access-control-request-headers", "")
    return {
        "Access-Control-Allow-Methods": "POST, OPTIONS",
        "Access-Control-Allow-Headers": requested_headers,
        "Access-Control-Max-Age": "86400",
    }
