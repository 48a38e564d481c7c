"""What the OpenAPI document and Swagger UI say of signing in."""

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
from camunda_entra_fastapi.web.bearer import EntraBearer, SecurityScheme

Page = Callable[[Request], Awaitable[Response]]

_ANSWER: Final = {
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


def security_scheme_of(settings: EntraSettings, name: str) -> SecurityScheme:
    """What OpenAPI and Swagger UI show."""
    descriptions = {
        "openid": "Sign in",
        "profile": "See the name",
        "email": "See the e-mail address",
        "offline_access": "Stay signed in",
    }
    return SecurityScheme(
        name=name,
        client_id=settings.client_id,
        authorization_url=settings.authorization_url,
        token_url=settings.token_url,
        scopes={scope: descriptions.get(scope, "Call this API") for scope in settings.scopes},
    )


def configure_swagger_ui(app: FastAPI, scheme: SecurityScheme) -> None:
    """Let Swagger UI sign in without anything to type: client ID and scopes filled in, PKCE on.

    What the application set itself stays.
    """
    app.swagger_ui_init_oauth = {
        "clientId": scheme.client_id,
        "scopes": " ".join(scheme.scopes),
        "usePkceWithAuthorizationCodeGrant": True,
        **(app.swagger_ui_init_oauth or {}),
    }


def document_error_responses(app: FastAPI, scheme: SecurityScheme) -> None:
    """Show 401 and 403 on every operation that the scheme protects and that does not show its own."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        for operation in _operations(document):
            if any(scheme.name in requirement for requirement in operation.get("security", ())):
                for status, description in _REFUSALS.items():
                    operation["responses"].setdefault(status, {"description": description, **_ANSWER})
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI documents


def set_docs_token_url(app: FastAPI, scheme: SecurityScheme, path_of: Callable[[Request], str]) -> None:
    """Let the docs page redeem its codes at a path of ours, which may stand behind a proxy's prefix.

    The prefix is known with each request only. Swagger UI takes the path as one of its own origin.
    """

    def rewrite(page: Page) -> Page:
        async def document(request: Request) -> Response:
            response = await page(request)
            content = json.loads(bytes(response.body))
            found = content.get("components", {}).get("securitySchemes", {}).get(scheme.name)
            if found is None:  # nothing is protected
                return response
            found["flows"]["authorizationCode"]["tokenUrl"] = path_of(request)
            return JSONResponse(content)

        return document

    _replace(app, {app.openapi_url}, rewrite)


def require_sign_in_for_docs(app: FastAPI, current_user: EntraBearer) -> None:
    """Put docs pages and the OpenAPI document behind sign-in; what receives codes for them stays open."""

    def guard(page: Page) -> Page:
        async def guarded(request: Request) -> Response:
            await current_user(request, SecurityScopes())
            response = await page(request)
            response.headers["Cache-Control"] = "no-store"
            return response

        return guarded

    _replace(app, {app.docs_url, app.redoc_url, app.openapi_url}, guard)


def _replace(app: FastAPI, paths: Collection[str | None], change: Callable[[Page], Page]) -> None:
    """Put another page in the place of each of FastAPI's own ones."""
    routes = app.router.routes
    for position, route in enumerate(routes):
        if isinstance(route, Route) and not isinstance(route, APIRoute) and route.path in paths:
            routes[position] = Route(route.path, change(route.endpoint), include_in_schema=False)


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document.get("paths", {}).values():
        for operation in path.values():
            if isinstance(operation, dict) and "responses" in operation:
                yield operation
