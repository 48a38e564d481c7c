"""``install``: everything of one ``CamundaEntra`` that an application gets at once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_oauth2_redirect_html
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from camunda_entra_fastapi.web import openapi
from camunda_entra_fastapi.web.bearer import EntraBearer
from camunda_entra_fastapi.web.current_user import CurrentUser
from camunda_entra_fastapi.web.docs_assets import use_docs_assets
from camunda_entra_fastapi.web.exception_handlers import add_exception_handlers
from camunda_entra_fastapi.web.login.context import LoginContext, LoginPaths
from camunda_entra_fastapi.web.login.mount import LoginMount
from camunda_entra_fastapi.web.mounted import (
    mark_installed,
    mounted_applications,
    paths_that_end_in,
    route_tables_of,
    when_complete,
)
from camunda_entra_fastapi.web.mounted_docs import MountedDocs
from camunda_entra_fastapi.web.pages.branding import Branding, set_branding, share_branding
from camunda_entra_fastapi.web.public_url import PublicUrl
from camunda_entra_fastapi.web.security_scheme import SecurityScheme
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
        mark_installed(app)
        assets = use_docs_assets(app, options.docs_assets)
        set_branding(app.state, options.branding)
        login_mount = LoginMount(prefix, [*routes, *assets])
        _append_route(app, login_mount)
        if self.login_paths is not None:
            app.add_middleware(SessionCookieMiddleware)
            if not options.direct_docs:
                self._use_own_docs_token_url(app, self.login_paths.of("token"))
        openapi.configure_swagger_ui(app, self.scheme)
        openapi.document_error_responses(app, self.scheme)
        add_exception_handlers(app, self.current_user.refuse)
        if options.protect_docs:
            openapi.require_sign_in_for_docs(app, self.current_user)
        docs = self._mounted_docs(app, options)
        when_complete(app, lambda: self._complete(app, login_mount, docs))

    def _complete(self, app: FastAPI, login_mount: LoginMount, docs: MountedDocs) -> None:
        """Add what the applications mounted in this one need, and what tools for versions took away."""
        _append_route(app, login_mount)
        openapi.share_pages(app)
        for mounted in mounted_applications(app):
            add_exception_handlers(mounted, self.current_user.refuse)
            share_branding(app, mounted)
            if not isinstance(mounted, FastAPI) or mounted.openapi_url is None:
                continue
            files, own = docs.add_to(mounted), mounted.router.routes
            if files and not isinstance(own[0], LoginMount):  # else another application has it mounted, too
                own.insert(0, LoginMount("", files))
            if docs.redirect_path not in paths_that_end_in(app, docs.redirect_path):
                _append_route(app, _redirect_page(docs.redirect_path))

    def _mounted_docs(self, app: FastAPI, options: InstallOptions) -> MountedDocs:
        redirect_path = app.swagger_ui_oauth2_redirect_url or "/docs/oauth2-redirect"
        paths, public_url, token_path = self.login_paths, PublicUrl(None), None
        if paths is not None:
            redirect_path = paths.docs_redirect
            token_path = None if options.direct_docs else paths.of("token")
        return MountedDocs(
            self.scheme,
            self.current_user,
            lambda: public_url if paths is None else self.login_context().sessions.public_url,
            redirect_path,
            token_path,
            options.docs_assets,
            options.protect_docs,
        )

    def _use_own_docs_token_url(self, app: FastAPI, path: str) -> None:
        document = app.openapi_url or ""

        def path_of(request: Request) -> str:
            public_url = self.login_context().sessions.public_url
            return public_url.path(request, path, public_url.root_of(request, document))

        for bearer in self.bearers:
            bearer.set_token_url(path)
        openapi.set_docs_token_url(app, self.scheme, path_of)


def _redirect_page(path: str) -> LoginMount:
    """The page that receives codes, where the application itself has no docs page."""

    async def redirect_page(_: Request) -> Response:
        return get_swagger_ui_oauth2_redirect_html()

    return LoginMount(path, [Route(path, redirect_page, include_in_schema=False)])


def _append_route(app: FastAPI, route: BaseRoute) -> None:
    """Append the route wherever the application looks for one, unless it is there."""
    for routes in route_tables_of(app):
        if route not in routes:
            routes.append(route)
