"""Entra's endpoints at Entra's paths, as a Starlette application."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from camunda_entra_fastapi.testing.clients.presented import presented
from camunda_entra_fastapi.testing.endpoints import documents
from camunda_entra_fastapi.testing.endpoints.admin_consent import AdminConsentEndpoint
from camunda_entra_fastapi.testing.endpoints.device import PAGE, DeviceEndpoints, redeem_device_code
from camunda_entra_fastapi.testing.endpoints.graph import graph_routes
from camunda_entra_fastapi.testing.endpoints.interaction import Interaction
from camunda_entra_fastapi.testing.endpoints.logout import LogoutEndpoint
from camunda_entra_fastapi.testing.endpoints.on_behalf_of import redeem_assertion
from camunda_entra_fastapi.testing.endpoints.responses import answer_error, error_page
from camunda_entra_fastapi.testing.endpoints.token import (
    redeem_code,
    redeem_credentials,
    redeem_refresh_token,
)
from camunda_entra_fastapi.testing.endpoints.token_request import Redeem, read_token_request
from camunda_entra_fastapi.testing.protocol.aadsts import (
    Aadsts,
    error_response,
    json_response,
    no_store,
    request_headers,
)
from camunda_entra_fastapi.testing.protocol.authorize import find_client, read_request
from camunda_entra_fastapi.testing.protocol.parameters import form_of, need, query_of
from camunda_entra_fastapi.testing.protocol.realm import find_realm
from camunda_entra_fastapi.testing.protocol.request_log import tell
from camunda_entra_fastapi.testing.world.faults import too_many_requests
from camunda_entra_fastapi.testing.world.world import World

Handler = Callable[[Request], Awaitable[Response]]

_PUBLIC_DOCUMENT: Final = {
    "Cache-Control": "max-age=86400, private",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, OPTIONS",
}

_GRANTS: Final[Mapping[str, tuple[str, Redeem]]] = {
    "authorization_code": ("code", redeem_code),
    "refresh_token": ("refresh", redeem_refresh_token),
    "client_credentials": ("client credentials", redeem_credentials),
    "urn:ietf:params:oauth:grant-type:jwt-bearer": ("on behalf of", redeem_assertion),
    "urn:ietf:params:oauth:grant-type:device_code": ("device code", redeem_device_code),
    "device_code": ("device code", redeem_device_code),
}


class Endpoints:
    """What each path does. ``world`` has the directory, the keys, the clock and the state."""

    def __init__(self, world: World) -> None:
        self._world = world

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
            return self._published(documents.instance_discovery(self._world.base_url, asked))
        except Aadsts as problem:
            return error_response(problem, request, self._world.now())

    async def authorize(self, request: Request) -> Response:
        """The sign-in page, and the answer once a person chose who to be."""
        now = self._world.now()
        tell(request, did="sign in")
        try:
            realm = find_realm(self._world.directory, str(request.path_params["tenant"]))
            parameters = query_of(request)
            client, redirect_uri = find_client(realm, parameters)
        except Aadsts as problem:
            return error_page(problem, request, now)
        tell(request, client=client)
        try:
            wanted = read_request(realm, client, redirect_uri, parameters)
            interaction = Interaction(self._world, request, wanted)
            if request.method == "GET":
                return interaction.arrive()
            return interaction.proceed(await form_of(request))
        except Aadsts as problem:
            return answer_error(problem, request, redirect_uri, parameters, now)

    async def token(self, request: Request) -> Response:
        """Tokens for a code, a refresh token, a credential or another token."""
        origin = request.headers.get("origin")
        cors = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"} if origin else {}
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.OK, headers=cors | _preflight(request))
        try:
            answer = await self._redeem(request, origin)
        except Aadsts as problem:
            answer = error_response(problem, request, self._world.now())
        answer.headers.update(cors)
        return answer

    async def _redeem(self, request: Request, origin: str | None) -> Response:
        world = self._world
        if request.method != "POST":
            raise Aadsts(900561, "invalid_request", f"The endpoint takes POST, not {request.method}.")
        realm = find_realm(world.directory, str(request.path_params["tenant"]))
        parameters = await form_of(request)
        grant_type = need(parameters, "grant_type")
        if grant_type not in _GRANTS:
            raise Aadsts(
                70003, "unsupported_grant_type", f"The grant type '{grant_type[:100]}' is not supported."
            )
        name, redeem = _GRANTS[grant_type]
        tell(request, did=name)
        shown = presented(parameters, request.headers.get("authorization"))
        wanted = read_token_request(world, realm, parameters, shown, origin)
        tell(request, client=wanted.client)
        if seconds := world.faults.seconds_left(world.now()):
            if redeem is redeem_credentials:
                return too_many_requests(seconds)
            raise Aadsts(50196, "invalid_grant", "The client asks again and again for the same. Keep tokens.")
        members = await redeem(wanted)
        return json_response(members, no_store() | request_headers())

    def _document(self, request: Request, build: Callable[..., Mapping[str, Any]]) -> Response:
        try:
            tenant = self._segment(request)
        except Aadsts as problem:
            return error_response(problem, request, self._world.now())
        query = f"?{request.url.query}" if request.query_params.get("appid") else ""
        return self._published(build(self._world.base_url, tenant, query=query))

    def _key_set(self, request: Request, *, v1: bool) -> Response:
        try:
            self._segment(request)
        except Aadsts as problem:
            return error_response(problem, request, self._world.now())
        return self._published(documents.key_set(self._world.keys, self._world.base_url, v1=v1))

    def _published(self, document: Mapping[str, Any]) -> Response:
        return json_response(document, _PUBLIC_DOCUMENT | request_headers())

    def _segment(self, request: Request) -> str:
        """The tenant's ID, also where its domain was named; or the segment that stands for several."""
        realm = find_realm(self._world.directory, str(request.path_params["tenant"]))
        return realm.tenant.id if realm.tenant else realm.segment


def build_endpoints(world: World) -> Starlette:
    """The application that answers for the world."""
    at = Endpoints(world)
    device = DeviceEndpoints(world)
    get, post, both = ["GET", "OPTIONS"], ["POST"], ["GET", "POST"]
    every = ["GET", "POST", "OPTIONS", "PUT", "DELETE", "PATCH"]
    admin_consent, logout = AdminConsentEndpoint(world), LogoutEndpoint(world)
    table: list[tuple[str, Handler, list[str]]] = [
        ("/common/discovery/instance", at.instances, get),
        ("/{tenant}/v2.0/.well-known/openid-configuration", at.discovery, get),
        ("/{tenant}/.well-known/openid-configuration", at.discovery_v1, get),
        ("/{tenant}/discovery/v2.0/keys", at.keys, get),
        ("/{tenant}/discovery/keys", at.keys_v1, get),
        ("/{tenant}/oauth2/v2.0/authorize", at.authorize, both),
        ("/{tenant}/oauth2/v2.0/token", at.token, every),
        ("/{tenant}/oauth2/v2.0/devicecode", device.start, post),
        (PAGE, device.page, both),
        ("/{tenant}/oauth2/v2.0/logout", logout.answer, both),
        ("/{tenant}/v2.0/adminconsent", admin_consent.answer, both),
        ("/{tenant}/adminconsent", admin_consent.answer, both),
    ]
    routes = [Route(path, handler, methods=methods) for path, handler, methods in table]
    return Starlette(routes=[*routes, *graph_routes(world)])


def _preflight(request: Request) -> dict[str, str]:
    asked = request.headers.get("access-control-request-headers", "")
    return {
        "Access-Control-Allow-Methods": "POST, OPTIONS",
        "Access-Control-Allow-Headers": asked,
        "Access-Control-Max-Age": "86400",
    }
