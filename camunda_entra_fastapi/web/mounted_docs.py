"""Swagger UI of mounted applications, as of an API's versions: it signs in as that of the one around them."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from camunda_entra_fastapi.web import openapi
from camunda_entra_fastapi.web.current_user import CurrentUser
from camunda_entra_fastapi.web.docs_assets import use_docs_assets
from camunda_entra_fastapi.web.openapi import Page
from camunda_entra_fastapi.web.public_url import PublicUrl
from camunda_entra_fastapi.web.security_scheme import SecurityScheme


@dataclass(frozen=True, slots=True)
class MountedDocs:
    """What the docs pages of mounted applications get, as far as these have operations that need a sign-in.

    Attributes:
        scheme: The security scheme in the OpenAPI document.
        current_user: Authenticates requests for protected pages.
        public_url: Returns where the service is.
        redirect_path: The page of the application around them that receives codes for Swagger UI, for all of
            them: so another version needs no redirect URI of its own in Entra.
        token_path: Where codes are redeemed; None where Swagger UI asks Entra itself.
        assets: Where the pages' scripts come from.
        are_protected: Whether the pages need a sign-in.
    """

    scheme: SecurityScheme
    current_user: CurrentUser
    public_url: Callable[[], PublicUrl]
    redirect_path: str
    token_path: str | None
    assets: str | None
    are_protected: bool

    def add_to(self, app: FastAPI) -> list[Route]:
        """Let the application's docs page sign in; gives the routes that serve the page's files."""
        openapi.document_error_responses(app, self.scheme)
        files = use_docs_assets(app, self.assets)

        def is_meant() -> bool:
            return self.scheme.name in app.openapi().get("components", {}).get("securitySchemes", {})

        def with_sign_in(page: Page) -> Page:
            async def docs(request: Request) -> Response:
                if not is_meant():
                    return await page(request)
                openapi.configure_swagger_ui(app, self.scheme)
                return self._redirecting(app, request, await page(request))

            return docs

        openapi.replace_pages(app, {app.docs_url}, with_sign_in)
        if (token_path := self.token_path) is not None:
            openapi.set_docs_token_url(
                app, self.scheme, lambda request: self.public_url().path(request, token_path)
            )
        if self.are_protected:
            openapi.require_sign_in_for_docs(app, self.current_user, is_meant)
        return files

    def _redirecting(self, app: FastAPI, request: Request, response: Response) -> Response:
        """The page, whose codes come to the application around it."""
        own = f"{request.scope.get('root_path', '').rstrip('/')}{app.swagger_ui_oauth2_redirect_url}"
        shared = self.public_url().path(request, self.redirect_path).replace("'", "%27")
        html = bytes(response.body).decode()
        return HTMLResponse(html.replace(f"origin + '{own}'", f"origin + '{shared}'"))
