"""What the OpenAPI document and Swagger UI say of signing in."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI

from camunda_entra_fastapi.web.bearer import Scheme

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


def fill_swagger_ui(app: FastAPI, scheme: Scheme) -> None:
    """Let Swagger UI sign in without anything to type: client ID and scopes filled in, PKCE on.

    What the application set itself stays.
    """
    app.swagger_ui_init_oauth = {
        "clientId": scheme.client_id,
        "scopes": " ".join(scheme.scopes),
        "usePkceWithAuthorizationCodeGrant": True,
        **(app.swagger_ui_init_oauth or {}),
    }


def document_refusals(app: FastAPI, scheme: Scheme) -> None:
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


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document.get("paths", {}).values():
        for operation in path.values():
            if isinstance(operation, dict) and "responses" in operation:
                yield operation
