"""``CamundaEntra``: the one place where the parts are joined."""

import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
from fastapi import APIRouter, FastAPI
from starlette.requests import Request

from camunda_entra_fastapi.authenticator import Clock
from camunda_entra_fastapi.downstream_api import CallsOn
from camunda_entra_fastapi.remote.credentials import AssertionSource
from camunda_entra_fastapi.runtime import join, required, scheme_of
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.web.bearer import EntraBearer
from camunda_entra_fastapi.web.current_user import (
    Browsers,
    CurrentUser,
    UserDependency,
    access_token_of,
    require,
    require_any,
)
from camunda_entra_fastapi.web.exception_handlers import answer_faults
from camunda_entra_fastapi.web.forward_auth import Demand, ForwardAuth
from camunda_entra_fastapi.web.health import Health
from camunda_entra_fastapi.web.login.docs_token import DocsToken
from camunda_entra_fastapi.web.login.mount import FixedPaths
from camunda_entra_fastapi.web.login.parts import Parts, Paths
from camunda_entra_fastapi.web.login.router import Login
from camunda_entra_fastapi.web.openapi import document_refusals, fill_swagger_ui, guard_docs, redeem_codes_at
from camunda_entra_fastapi.web.permissions import Permissions
from camunda_entra_fastapi.web.sessions import SessionCookies
from camunda_entra_fastapi.web.signed_identity import SignedIdentities


class CamundaEntra(CallsOn):
    """Makes a FastAPI service trust one Entra application registration.

    Several may stand side by side in one application; give each a ``scheme_name`` of its own.

    Args:
        settings: What to trust; read from the environment when left out.
        http_client: Used for calls to Entra instead of clients of our own, and never closed.
        clock: What time it is; the module ``time`` or something like it.
        scheme_name: The name of the security scheme in the OpenAPI document.
        client_assertion: Gives signed assertions (RFC 7523) that prove who this service is, in a secret's
            place; a function or a coroutine function without parameters.

    Raises:
        SettingsError: The environment lacks a setting or has a wrong one, or the session store's
            package is not installed.

    Attributes:
        bearer: The security scheme; the Authorization header alone.
        current_user: A dependency that gives the user who asks, or refuses: by bearer token, or else
            by the session cookie of who signed in with a browser.
        optional_user: The same, giving None to who brings no credentials at all.
        access_token: A dependency that gives the current user's access token, renewed in time.
    """

    def __init__(
        self,
        settings: EntraSettings | None = None,
        *,
        http_client: httpx.AsyncClient | None = None,
        clock: Clock = time,
        scheme_name: str = "Entra",
        client_assertion: AssertionSource | None = None,
    ) -> None:
        self._client_assertion = client_assertion
        own = join(settings or EntraSettings(), http_client, clock, client_assertion)
        self._joined = [own]
        self._paths: Paths | None = None
        self._scheme = scheme_of(own.settings, scheme_name)
        self.bearer = EntraBearer(own.judge, self._scheme)
        self.current_user = CurrentUser(own.judge, self._scheme)
        self.optional_user = CurrentUser(own.judge, self._scheme, optional=True)
        self.access_token = access_token_of(self.current_user)
        self._appoint()

    @property
    def settings(self) -> EntraSettings:
        """What is trusted; something else while ``overridden``."""
        return self._joined[-1].settings

    def require(
        self,
        *,
        scopes: Iterable[str] = (),
        roles: Iterable[str] = (),
        groups: Iterable[str] = (),
        auth_context: str | None = None,
    ) -> UserDependency:
        """A dependency that gives the current user, who must have all that is named.

        Args:
            scopes: Delegated permissions as they stand in ``scp``, without a prefix.
            roles: Application roles, of people and applications.
            groups: Object IDs of groups.
            auth_context: One of Conditional Access, as ``c1``; people who lack it are sent to sign in so.
        """
        return require(self.current_user, Permissions.named(scopes, roles, groups, auth_context))

    def require_any(
        self, *, scopes: Iterable[str] = (), roles: Iterable[str] = (), groups: Iterable[str] = ()
    ) -> UserDependency:
        """A dependency that gives the current user, who must have at least one of what is named.

        Raises:
            ValueError: Nothing is named, so nobody could ever have it.
        """
        permissions = Permissions.named(scopes, roles, groups)
        if permissions == Permissions():
            raise ValueError("require_any needs at least one scope, role or group.")
        return require_any(self.current_user, permissions)

    @asynccontextmanager
    async def lifespan(self, _app: object = None) -> AsyncIterator[None]:
        """Fetch the keys before the first request, and keep them fresh until the end.

        Does not fail when Entra is away: a warning is logged, and the fetch repeated until it succeeds.
        Where it does not run, keys are fetched on first use. The redirect URIs to register are logged once.
        """
        joined = self._joined[-1]
        if self._paths is not None:
            self._paths.log_redirect_uris(joined.settings.base_url)
        async with joined.running():
            yield

    def login_router(
        self,
        *,
        prefix: str | None = None,
        callback_path: str | None = None,
        docs_redirect_path: str = "/docs/oauth2-redirect",
    ) -> APIRouter:
        """The pages for signing in and out with a browser; from then on session cookies count.

        ``install`` includes it, and brings renewed cookies with every answer. A prefix is given here.

        Args:
            prefix: Where the pages are; ``CAMUNDA_ENTRA_LOGIN_PREFIX`` when left out, which is ``/auth``.
            callback_path: The redirect URI's path; ``CAMUNDA_ENTRA_CALLBACK_PATH`` when left out.
            docs_redirect_path: Where the docs page receives codes.

        Raises:
            SettingsError: There is no client secret.
            ValueError: What is given for a path is none.
        """
        self._parts()
        self._paths = Paths(*self.settings.login_paths(prefix, callback_path), docs_redirect_path)
        self._appoint()
        docs = DocsToken(self._parts, self._paths)
        router = Login(self._parts, self._paths, self.current_user, docs.token).router()
        self._add_health(router, self._paths.prefix)
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
        """``/auth/verify``, where gateways ask whether a request may pass, and ``/auth/health``.

        This holds for every request; the query of ``/auth/verify`` demands more, Envoy's is the client's.

        Args:
            prefix: Where the endpoints are; ``CAMUNDA_ENTRA_LOGIN_PREFIX`` when left out, which is ``/auth``.
            scopes: Delegated permissions that everybody needs.
            roles: Application roles that everybody needs.
            groups: Object IDs of groups that everybody must be in.
            redirect: Whether browsers are sent to sign in; needs the login pages.
            token: Whether the answer has the access token.
            authorization: Whether it has it as ``Authorization``, too, for gateways that only copy headers.
            identity: The backend that the answer has a signed identity for.

        Raises:
            ValueError: What is given as prefix is no path.
        """
        prefix, _, _ = self.settings.login_paths(prefix, None)
        everybody = Permissions.named(scopes, roles, groups)
        demand = Demand(everybody, Permissions(), redirect, token, authorization, identity)
        identities = SignedIdentities(lambda: self._joined[-1])
        router = ForwardAuth(self.current_user, identities, demand, prefix).router()
        self._add_health(router, prefix)
        return router

    def install(
        self,
        app: FastAPI,
        *,
        protect_docs: bool = False,
        direct_docs: bool = False,
        prefix: str | None = None,
        callback_path: str | None = None,
    ) -> None:
        """Let people sign in with a browser, and Swagger UI with Entra; document 401 and 403.

        Without a client secret, Swagger UI alone is wired, directly to Entra.

        Args:
            app: The application.
            protect_docs: Whether docs pages and OpenAPI document are for people who signed in.
            direct_docs: Whether Swagger UI asks Entra itself, as a *Single-page application*.
            prefix: As for ``login_router``.
            callback_path: As for ``login_router``.

        Raises:
            SettingsError: The docs are to be protected, and there is no client secret to sign in with.
            ValueError: What is given for a path is none.
        """
        if protect_docs:
            self._parts()  # or nobody would ever see them
        if self._joined[-1].parts is not None:
            docs = app.swagger_ui_oauth2_redirect_url or "/docs/oauth2-redirect"
            router = self.login_router(prefix=prefix, callback_path=callback_path, docs_redirect_path=docs)
            app.router.routes.append(FixedPaths(prefix or self.settings.login_prefix, router.routes))
            app.add_middleware(SessionCookies)
            if not direct_docs and self._paths is not None:
                self._redeem_docs_codes_here(app, self._paths.of("token"))
        fill_swagger_ui(app, self._scheme)
        document_refusals(app, self._scheme)
        answer_faults(app, lambda: self._joined[-1].judge.challenger)
        if protect_docs:
            guard_docs(app, self.current_user)

    @contextmanager
    def overridden(
        self,
        settings: EntraSettings | None = None,
        *,
        http_client: httpx.AsyncClient | None = None,
        clock: Clock | None = None,
    ) -> Iterator[None]:
        """Judge by something else for a while; for tests of applications whose routes are made already.

        Holds for all dependencies of this object and for lifespans that begin meanwhile. Keys and tokens
        that were known before count again afterwards, and none from meanwhile. What is left out stays as
        it is, and so does the OpenAPI document. Of several at once, the last one begun counts.

        Args:
            settings: What to trust.
            http_client: Used for calls to Entra, and never closed.
            clock: What time it is.

        Raises:
            SettingsError: People can sign in with a browser, and the settings have no client secret.
        """
        before = self._joined[-1]
        meanwhile = join(
            settings or before.settings,
            http_client or before.http_client,
            clock or before.clock,
            None if settings else self._client_assertion,
        )
        if self._paths is not None:
            required(meanwhile.parts)
        self._joined.append(meanwhile)
        self._appoint()
        try:
            yield
        finally:
            self._joined.remove(meanwhile)  # not always the last: two tasks may end in any order
            self._appoint()

    def _appoint(self) -> None:
        joined = self._joined[-1]
        for bearer in (self.bearer, self.current_user, self.optional_user):
            bearer.judge = joined.judge
        self.current_user.look_up_groups = self._group_lookup() if joined.groups else None
        if self._paths is not None:
            browsers = Browsers(self._parts().sessions, self._paths.of("login"))
            self.current_user.browsers = self.optional_user.browsers = browsers

    def _add_health(self, router: APIRouter, prefix: str) -> None:
        router.add_route(f"{prefix}/health", Health(lambda: self._joined[-1]).health, include_in_schema=False)

    def _parts(self) -> Parts:
        return required(self._joined[-1].parts)

    def _redeem_docs_codes_here(self, app: FastAPI, path: str) -> None:
        document = app.openapi_url or ""

        def path_of(request: Request) -> str:
            site = self._parts().sessions.site
            return site.path(request, path, site.root_of(request, document))

        for bearer in (self.bearer, self.current_user, self.optional_user):
            bearer.redeem_at(path)
        redeem_codes_at(app, self._scheme, path_of)
