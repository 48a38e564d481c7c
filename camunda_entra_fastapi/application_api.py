"""The part of ``CamundaEntra`` that applications include, install and mount."""

from collections.abc import Iterable
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from camunda_entra_fastapi.runtime import Runtime, require_credential
from camunda_entra_fastapi.web.bearer import EntraBearer
from camunda_entra_fastapi.web.current_user import BrowserLogin, CurrentUser
from camunda_entra_fastapi.web.forward_auth import ForwardAuth, VerifyOptions
from camunda_entra_fastapi.web.guard import Guard
from camunda_entra_fastapi.web.health import Health
from camunda_entra_fastapi.web.installation import Installation, InstallOptions
from camunda_entra_fastapi.web.login.context import LoginContext, LoginPaths
from camunda_entra_fastapi.web.login.docs_token import DocsTokenEndpoint
from camunda_entra_fastapi.web.login.router import LoginRoutes
from camunda_entra_fastapi.web.pages.branding import read_branding
from camunda_entra_fastapi.web.permissions import Permissions
from camunda_entra_fastapi.web.security_scheme import SecurityScheme
from camunda_entra_fastapi.web.signed_identity import SignedIdentities


class ApplicationApi:
    """The part of ``CamundaEntra`` that applications include, install and mount."""

    current_user: CurrentUser
    optional_user: CurrentUser
    _bearers: tuple[EntraBearer, ...]
    _login_paths: LoginPaths | None
    _runtimes: list[Runtime]
    _scheme: SecurityScheme

    def login_router(
        self,
        *,
        prefix: str | None = None,
        callback_path: str | None = None,
        docs_redirect_path: str = "/docs/oauth2-redirect",
    ) -> APIRouter:
        """The pages for signing in and out with a browser. From now on, session cookies authenticate.

        ``install`` includes it, and adds renewed cookies to every response. The prefix is an argument here.

        Args:
            prefix: Where the pages are; ``CAMUNDA_ENTRA_LOGIN_PREFIX`` when left out, which is ``/auth``.
            callback_path: The redirect URI's path; ``CAMUNDA_ENTRA_CALLBACK_PATH`` when left out.
            docs_redirect_path: Where Swagger UI receives codes.

        Raises:
            SettingsError: There is no client secret.
            ValueError: A path is not one.
        """
        self._login_context()
        self._login_paths = LoginPaths(
            *self._runtimes[-1].settings.login_paths(prefix, callback_path), docs_redirect_path
        )
        self._apply_login()
        docs = DocsTokenEndpoint(self._login_context, self._login_paths)
        router = LoginRoutes(self._login_context, self._login_paths, self.current_user, docs.token).router()
        self._add_health(router, self._login_paths.prefix)
        return router

    def forward_auth_router(
        self,
        *,
        prefix: str | None = None,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        groups: Iterable[str] = (),
        redirect: bool = False,
        token: bool = False,
        authorization: bool = False,
        identity: str | None = None,
    ) -> APIRouter:
        """``/auth/verify``, where gateways ask whether to let a request through, and ``/auth/health``.

        The arguments hold for every request. The query of ``/auth/verify`` adds to them; Envoy's does not.

        Args:
            prefix: Where the endpoints are; ``CAMUNDA_ENTRA_LOGIN_PREFIX`` when left out, which is ``/auth``.
            scopes: Delegated permissions that every user needs.
            roles: Application roles that every user needs.
            groups: Object IDs of groups that every user must be in.
            redirect: Whether browsers are sent to sign in; needs the login pages.
            token: Whether the response has the access token.
            authorization: Whether it also has it as ``Authorization``, for gateways that only copy headers.
            identity: The backend that the signed identity in the response is for.

        Raises:
            ValueError: The prefix is not a path, or a scope can be in no token.
        """
        prefix, _, _ = self._runtimes[-1].settings.login_paths(prefix, None)
        permissions = Permissions.from_names(scopes, roles, groups)
        options = VerifyOptions(permissions, Permissions(), redirect, token, authorization, identity)
        identities = SignedIdentities(lambda: self._runtimes[-1])
        router = ForwardAuth(self.current_user, identities, options, prefix).router()
        self._add_health(router, prefix)
        return router

    def guard(
        self,
        app: ASGIApp,
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        groups: Iterable[str] = (),
        auth_context: str | None = None,
    ) -> ASGIApp:
        """An ASGI application to mount: the given one behind a sign-in, for files, admin pages and the like.

        It decides as ``require`` does, for HTTP and WebSockets: ``app.mount("/files", entra.guard(files))``.
        The application inside finds the user in ``request.state.user``. Starlette runs no lifespan of what
        is mounted.

        Args:
            app: The application behind it, such as ``StaticFiles``.
            scopes: As for ``require``.
            roles: As for ``require``.
            groups: As for ``require``.
            auth_context: As for ``require``.

        Raises:
            TypeError: What is given is no ASGI application; a class is none before it is called.
            ValueError: As for ``require``.
        """
        if isinstance(app, type) or not callable(app):
            name = app.__name__ if isinstance(app, type) else type(app).__name__
            raise TypeError(
                f"guard got {name}, which is no ASGI application. Give it an instance, as in "
                'entra.guard(StaticFiles(directory="files")).'
            )
        return Guard(app, self.current_user, Permissions.from_names(scopes, roles, groups, auth_context))

    def install(
        self,
        app: FastAPI,
        *,
        protect_docs: bool = False,
        direct_docs: bool = False,
        prefix: str | None = None,
        callback_path: str | None = None,
        docs_assets: str | None = "auto",
        logo: str | Path | None = None,
        accent_color: str | None = None,
    ) -> None:
        """Add the login pages and ``/auth/health``, let Swagger UI sign in, and document 401 and 403.

        Without a client secret there are no login pages, and Swagger UI asks Entra itself. People whom a
        route refuses get pages with the application's title. It holds for mounted applications as well.

        Args:
            app: The application.
            protect_docs: Whether Swagger UI, ReDoc and the OpenAPI document need a sign-in.
            direct_docs: Whether Swagger UI asks Entra itself, as a *Single-page application*.
            prefix: As for ``login_router``.
            callback_path: As for ``login_router``.
            docs_assets: Where Swagger UI's and ReDoc's scripts come from: ``auto`` is this service, where the
                extra ``swagger-ui`` is installed. Or the URL or path of a folder; None leaves FastAPI's CDN.
            logo: An SVG, PNG, WebP or JPEG file of at most 64 KiB for the pages.
            accent_color: The colour of their buttons and links, as ``#1d5fa8``, readable on white.

        Raises:
            SettingsError: ``protect_docs`` is set, and there is no client secret to sign in with.
            ValueError: A path is not one, the logo cannot be used, or the colour cannot be read.
        """
        options = InstallOptions(protect_docs, direct_docs, docs_assets, read_branding(logo, accent_color))
        if protect_docs:
            self._login_context()  # without login pages, nobody could open them
        where, _, _ = self._runtimes[-1].settings.login_paths(prefix, callback_path)
        router = APIRouter()
        if self._runtimes[-1].login_context is None:
            self._add_health(router, where)
        else:
            docs = app.swagger_ui_oauth2_redirect_url or "/docs/oauth2-redirect"
            router = self.login_router(prefix=prefix, callback_path=callback_path, docs_redirect_path=docs)
        context, paths = self._login_context, self._login_paths
        installation = Installation(self._scheme, self.current_user, self._bearers, context, paths)
        installation.add_to(app, where, router.routes, options)

    def _apply_login(self) -> None:
        """Let session cookies authenticate by what is in use, where there are login pages."""
        if self._login_paths is not None:
            browser_login = BrowserLogin(self._login_context().sessions, self._login_paths.of("login"))
            self.current_user.browser_login = self.optional_user.browser_login = browser_login

    def _add_health(self, router: APIRouter, prefix: str) -> None:
        health = Health(lambda: self._runtimes[-1]).health
        router.add_route(f"{prefix}/health", health, include_in_schema=False)

    def _login_context(self) -> LoginContext:
        return require_credential(self._runtimes[-1].login_context)
