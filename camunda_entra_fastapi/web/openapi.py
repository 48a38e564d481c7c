"""Signing in with Swagger UI, and the security scheme and error responses in the OpenAPI document."""

import json
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.sign_in.endpoints import Endpoints
from camunda_entra_fastapi.validation.scope_names import OPENID_SCOPES
from camunda_entra_fastapi.web.bearer import EntraBearer
from camunda_entra_fastapi.web.mounted import route_tables_of
from camunda_entra_fastapi.web.security_scheme import SecurityScheme

Page = Callable[[Request], Awaitable[Response]]

_ERROR_CONTENT: Final = {
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "detail": {
                        "type": "object",
                        "required": ["error", "code", "message"],
                        "properties": {
                            "error": {"type": "string", "description": "As in WWW-Authenticate"},
                            "code": {"type": "string", "description": "What exactly; stable over releases"},
                            "message": {"type": "string", "description": "For people"},
                        },
                    }
                },
            }
        }
    }
}
_REFUSALS: Final = {
    "401": "No token, or one that this API does not accept",
    "403": "The token lacks a permission",
}


def security_scheme_of(settings: EntraSettings, endpoints: Endpoints, name: str) -> SecurityScheme:
    """The security scheme for these settings and endpoints.

    Of the sign-in's scopes, Swagger UI asks for those of APIs: it shows nobody's name, and renews nothing.
    """
    scopes = [scope for scope in settings.scopes if scope not in OPENID_SCOPES] or settings.scopes
    return SecurityScheme(
        name=name,
        client_id=settings.client_id,
        endpoints=endpoints,
        scopes=dict.fromkeys(scopes, "Call this API"),
    )


def configure_swagger_ui(app: FastAPI, scheme: SecurityScheme) -> None:
    """Let Swagger UI sign in with nothing to type: client ID and scopes filled in, PKCE on.

    Options that the application set itself stay.
    """
    app.swagger_ui_init_oauth = {
        "clientId": scheme.client_id,
        "scopes": " ".join(scheme.scopes),
        "usePkceWithAuthorizationCodeGrant": True,
        **(app.swagger_ui_init_oauth or {}),
    }


def document_error_responses(app: FastAPI, scheme: SecurityScheme) -> None:
    """Add 401 and 403 to every operation that the scheme protects and that has no such response yet."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        _set_discovered_urls(document, scheme)
        for operation in _operations(document):
            if any(scheme.name in requirement for requirement in operation.get("security", ())):
                for status, description in _REFUSALS.items():
                    operation["responses"].setdefault(status, {"description": description, **_ERROR_CONTENT})
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI documents


def _set_discovered_urls(document: dict[str, Any], scheme: SecurityScheme) -> None:
    """Let Swagger UI sign in at the discovered endpoints: FastAPI generates its document once."""
    scheme_object = document.get("components", {}).get("securitySchemes", {}).get(scheme.name)
    if scheme_object is not None:
        flow = scheme_object["flows"]["authorizationCode"]
        flow["authorizationUrl"], flow["tokenUrl"] = scheme.urls(flow["tokenUrl"])


def set_docs_token_url(app: FastAPI, scheme: SecurityScheme, path_of: Callable[[Request], str]) -> None:
    """Let Swagger UI redeem its codes at a path of this service, which may be behind a proxy's prefix.

    Only a request tells the prefix. Swagger UI resolves the path against its own origin.
    """

    def with_token_url(page: Page) -> Page:
        async def document(request: Request) -> Response:
            response = await page(request)
            content = json.loads(bytes(response.body))
            scheme_object = content.get("components", {}).get("securitySchemes", {}).get(scheme.name)
            if scheme_object is None:  # nothing is protected
                return response
            scheme_object["flows"]["authorizationCode"]["tokenUrl"] = path_of(request)
            return JSONResponse(content)

        return document

    replace_pages(app, {app.openapi_url}, with_token_url)


def require_sign_in_for_docs(
    app: FastAPI, current_user: EntraBearer, is_meant: Callable[[], bool] = lambda: True
) -> None:
    """Require a sign-in for Swagger UI, ReDoc and the OpenAPI document, not for the page that gets codes."""

    def require_sign_in(page: Page) -> Page:
        async def page_after_sign_in(request: Request) -> Response:
            if not is_meant():
                return await page(request)
            await current_user(request, SecurityScopes())
            response = await page(request)
            response.headers["Cache-Control"] = "no-store"
            return response

        return page_after_sign_in

    replace_pages(app, {app.docs_url, app.redoc_url, app.openapi_url}, require_sign_in)


def replace_pages(app: FastAPI, paths: Collection[str | None], wrap: Callable[[Page], Page]) -> None:
    """Replace FastAPI's own pages at these paths."""
    pages: dict[int, Route] = {}
    for routes in route_tables_of(app):
        for position, route in enumerate(routes):
            if isinstance(route, Route) and not isinstance(route, APIRoute) and route.path in paths:
                page = pages.get(id(route)) or Route(
                    route.path, wrap(route.endpoint), include_in_schema=False
                )
                routes[position] = pages[id(route)] = page


def share_pages(app: FastAPI) -> None:
    """Let Cadwyn's versions, which come into being at the first request, have the replaced pages, too."""
    tables = list(route_tables_of(app))
    if len(tables) == 1:
        return
    paths = {app.docs_url, app.redoc_url, app.openapi_url}
    shared: dict[str, Route] = {}
    for routes in tables:
        for position, route in enumerate(routes):
            if isinstance(route, Route) and not isinstance(route, APIRoute) and route.path in paths:
                routes[position] = shared.setdefault(route.path, route)


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document.get("paths", {}).values():
        for operation in path.values():
            if isinstance(operation, dict) and "responses" in operation:
                yield operation
