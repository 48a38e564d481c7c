"""``install``: everything of one ``CamundaEntra`` that an application gets at once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.requests import Request
from starlette.routing import BaseRoute

from camunda_entra_fastapi.web import openapi
from camunda_entra_fastapi.web.bearer import EntraBearer, SecurityScheme
from camunda_entra_fastapi.web.current_user import CurrentUser
from camunda_entra_fastapi.web.docs_assets import use_docs_assets
from camunda_entra_fastapi.web.exception_handlers import add_exception_handlers
from camunda_entra_fastapi.web.login.context import LoginContext, LoginPaths
from camunda_entra_fastapi.web.login.mount import LoginMount
from camunda_entra_fastapi.web.pages.branding import Branding, set_branding
from camunda_entra_fastapi.web.sessions import SessionCookieMiddleware


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """What ``install`` was given.

    Attributes:
        protect_docs: Whether Swagger UI, ReDoc and the OpenAPI document need a sign-in.
        direct_docs: Whether Swagger UI asks Entra itself.
        docs_assets: Where Swagger UI's and ReDoc's scripts come from.
        branding: The logo and colour of the pages.
    """

    protect_docs: bool
    direct_docs: bool
    docs_assets: str | None
    branding: Branding


@dataclass(frozen=True, slots=True)
class Installation:
    """What ``install`` works with.

    Attributes:
        scheme: The security scheme in the OpenAPI document.
        current_user: Authenticates requests.
        bearers: All security schemes whose token URL Swagger UI may use.
        login_context: Returns the login context in use.
        login_paths: The paths of the login pages; None without them.
    """

    scheme: SecurityScheme
    current_user: CurrentUser
    bearers: Iterable[EntraBearer]
    login_context: Callable[[], LoginContext]
    login_paths: LoginPaths | None

    def add_to(self, app: FastAPI, prefix: str, routes: Iterable[BaseRoute], options: InstallOptions) -> None:
        """Add routes, middleware, exception handlers and Swagger UI's sign-in to the application.

        Args:
            app: The application.
            prefix: Where the routes are.
            routes: The login pages and ``/auth/health``, or the latter alone.
            options: What ``install`` was given.

        Raises:
            ValueError: ``docs_assets`` is no folder.
        """
        assets = use_docs_assets(app, options.docs_assets)
        set_branding(app.state, options.branding)
        app.router.routes.append(LoginMount(prefix, [*routes, *assets]))
        if self.login_paths is not None:
            app.add_middleware(SessionCookieMiddleware)
            if not options.direct_docs:
                self._use_own_docs_token_url(app, self.login_paths.of("token"))
        openapi.configure_swagger_ui(app, self.scheme)
        openapi.document_error_responses(app, self.scheme)
        current_user = self.current_user
        add_exception_handlers(
            app, lambda: current_user.authentication.challenger, lambda: current_user.browser_login
        )
        if options.protect_docs:
            openapi.require_sign_in_for_docs(app, current_user)

    def _use_own_docs_token_url(self, app: FastAPI, path: str) -> None:
        document = app.openapi_url or ""

        def path_of(request: Request) -> str:
            public_url = self.login_context().sessions.public_url
            return public_url.path(request, path, public_url.root_of(request, document))

        for bearer in self.bearers:
            bearer.set_token_url(path)
        openapi.set_docs_token_url(app, self.scheme, path_of)
