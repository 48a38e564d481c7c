"""``CamundaEntra``: the dependencies, routers and pages of one Entra application registration."""

import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

from camunda_entra_fastapi.application_api import ApplicationApi
from camunda_entra_fastapi.downstream_api import DownstreamApi
from camunda_entra_fastapi.http_library import AsyncHttpClient
from camunda_entra_fastapi.remote.credentials import AssertionSource
from camunda_entra_fastapi.runtime import build_runtime, require_credential
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.stream_api import StreamApi
from camunda_entra_fastapi.tenant_check import TenantAllowed, TenantFunction
from camunda_entra_fastapi.token_validator import Clock
from camunda_entra_fastapi.web import openapi
from camunda_entra_fastapi.web.bearer import EntraBearer
from camunda_entra_fastapi.web.current_user import CurrentUser, access_token_of
from camunda_entra_fastapi.web.login.context import LoginPaths
from camunda_entra_fastapi.web.permission_guard import UserDependency, require, require_any
from camunda_entra_fastapi.web.permissions import Permissions
from camunda_entra_fastapi.web.route_scopes import check_route_scopes


class CamundaEntra(ApplicationApi, DownstreamApi, StreamApi):
    """Makes a FastAPI service trust one Entra application registration.

    One application may have several of them; give each a ``scheme_name`` of its own.

    Args:
        settings: The tenant and application registration to trust; read from the environment when left out.
        http_client: Used for calls to Entra instead of clients of our own, and never closed.
        clock: The time: the module ``time`` or an object with the same functions.
        scheme_name: The name of the security scheme in the OpenAPI document.
        client_assertion: Returns a signed assertion (RFC 7523) in a secret's place, perhaps as a coroutine.
        tenant_allowed: Whether a tenant that ``CAMUNDA_ENTRA_ALLOWED_TENANTS`` lacks is let in, by its ID.
        tenant_allowed_lifetime: Seconds for which a yes of that function counts; a no, a tenth of it.

    Raises:
        SettingsError: A setting is missing or wrong, or the session store's package is not installed.

    Attributes:
        bearer: The security scheme; the Authorization header alone.
        current_user: A dependency that gives the current user, by bearer token or else session cookie.
        optional_user: The same, but None for a request without credentials.
        access_token: A dependency that gives the current user's access token, renewed in time.
    """

    def __init__(
        self,
        settings: EntraSettings | None = None,
        *,
        http_client: AsyncHttpClient | None = None,
        clock: Clock = time,
        scheme_name: str = "Entra",
        client_assertion: AssertionSource | None = None,
        tenant_allowed: TenantAllowed | None = None,
        tenant_allowed_lifetime: float = 300,
    ) -> None:
        self._client_assertion = client_assertion
        self._tenants = tenant_allowed and TenantFunction(tenant_allowed, tenant_allowed_lifetime)
        runtime = build_runtime(settings, http_client, clock, client_assertion, self._tenants)
        self._runtimes = [runtime]
        self._login_paths: LoginPaths | None = None
        self._scheme = openapi.security_scheme_of(runtime.settings, runtime.endpoints, scheme_name)
        self.bearer = EntraBearer(runtime.authentication, self._scheme)
        self.current_user = CurrentUser(runtime.authentication, self._scheme)
        self.optional_user = CurrentUser(runtime.authentication, self._scheme, optional=True)
        self.access_token = access_token_of(self.current_user)
        self._bearers = (self.bearer, self.current_user, self.optional_user)
        self._apply_runtime()

    @property
    def settings(self) -> EntraSettings:
        """The settings in use; others while ``overridden``."""
        return self._runtimes[-1].settings

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
            scopes: Delegated permissions as they stand in ``scp``; a prefix, or OpenID's own, is an error.
            roles: Application roles, of people and applications.
            groups: Object IDs of groups.
            auth_context: One of Conditional Access, as ``c1``; browsers are sent to sign in with it.
        """
        return require(self.current_user, Permissions.from_names(scopes, roles, groups, auth_context))

    def require_any(
        self, *, scopes: Iterable[str] = (), roles: Iterable[str] = (), groups: Iterable[str] = ()
    ) -> UserDependency:
        """A dependency that gives the current user, who must have at least one of what is named.

        Raises:
            ValueError: Nothing is named, so no user could ever have it; or as for ``require``.
        """
        permissions = Permissions.from_names(scopes, roles, groups)
        if permissions == Permissions():
            raise ValueError("require_any needs at least one scope, role or group.")
        return require_any(self.current_user, permissions)

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Fetch the keys before the first request, and keep them fresh until the end.

        It does not fail while Entra is away: it logs a warning and repeats the fetch until it succeeds.
        Without it, keys are fetched on first use. It logs once which redirect URIs to register.
        A route of the application with a scope that can be in no token is a ValueError.
        """
        check_route_scopes(app)
        if self._login_paths is not None:
            self._login_paths.log_redirect_uris(self.settings.base_url)
        async with self._runtimes[-1].lifespan():
            yield

    @contextmanager
    def overridden(
        self,
        settings: EntraSettings | None = None,
        *,
        http_client: AsyncHttpClient | None = None,
        clock: Clock | None = None,
    ) -> Iterator[None]:
        """Use other settings for a while, for tests of applications whose routes exist already.

        They hold for all dependencies of this object and for lifespans that begin meanwhile. Keys and tokens
        from before are used again afterwards, and none from meanwhile. An argument that is left out stays as
        it is, and so does the OpenAPI document. Where several overlap, the last one begun counts.

        Args:
            settings: The tenant and application registration to trust.
            http_client: Used for calls to Entra, and never closed.
            clock: The time; as for the constructor.

        Raises:
            SettingsError: There are login pages, and the settings have no client secret.
        """
        before = self._runtimes[-1]
        override = build_runtime(
            settings or before.settings,
            http_client or before.http_client,
            clock or before.clock,
            None if settings else self._client_assertion,
            self._tenants,
        )
        if self._login_paths is not None:
            require_credential(override.login_context)
        self._runtimes.append(override)
        self._apply_runtime()
        try:
            yield
        finally:
            self._runtimes.remove(override)  # not always the last: two tasks may end in any order
            self._apply_runtime()

    def _apply_runtime(self) -> None:
        runtime = self._runtimes[-1]
        for bearer in self._bearers:
            bearer.authentication = runtime.authentication
        self.current_user.look_up_groups = self._group_lookup() if runtime.groups else None
        self._apply_login()
