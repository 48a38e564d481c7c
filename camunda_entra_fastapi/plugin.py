"""``CamundaEntra``: the one place where the parts are joined."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

import httpx
from fastapi import FastAPI

from camunda_entra_fastapi.authenticator import Authenticator, Clock
from camunda_entra_fastapi.remote.discovery import Provider
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.validation.entra import is_tenant_id, v1_issuer_of
from camunda_entra_fastapi.validation.policy import Policy
from camunda_entra_fastapi.web.bearer import EntraBearer, Judge, Scheme
from camunda_entra_fastapi.web.challenges import Challenger
from camunda_entra_fastapi.web.current_user import UserDependency, require, require_any
from camunda_entra_fastapi.web.openapi import document_refusals, fill_swagger_ui
from camunda_entra_fastapi.web.permissions import Permissions


class CamundaEntra:
    """Makes a FastAPI service trust one Entra application registration.

    Several may stand side by side in one application; give each a ``scheme_name`` of its own.

    Args:
        settings: What to trust; read from the environment when left out.
        http_client: Used for calls to Entra instead of clients of our own, and never closed.
        clock: What time it is; the module ``time`` or something like it.
        scheme_name: The name of the security scheme in the OpenAPI document.

    Raises:
        SettingsError: The environment lacks a setting or has a wrong one.

    Attributes:
        bearer: The security scheme; the Authorization header alone.
        current_user: A dependency that gives the user who asks, or refuses.
        optional_user: The same, giving None to who brings no credentials at all.
    """

    def __init__(
        self,
        settings: EntraSettings | None = None,
        *,
        http_client: httpx.AsyncClient | None = None,
        clock: Clock = time,
        scheme_name: str = "Entra",
    ) -> None:
        own = _join(settings or EntraSettings(), http_client, clock)
        self._joined = [own]
        self._scheme = _scheme(own.settings, scheme_name)
        self.bearer = EntraBearer(own.judge, self._scheme)
        self.current_user = EntraBearer(own.judge, self._scheme)
        self.optional_user = EntraBearer(own.judge, self._scheme, optional=True)

    @property
    def settings(self) -> EntraSettings:
        """What is trusted; something else while ``overridden``."""
        return self._joined[-1].settings

    def require(
        self, *, scopes: Iterable[str] = (), roles: Iterable[str] = (), groups: Iterable[str] = ()
    ) -> UserDependency:
        """A dependency that gives the current user, who must have all that is named.

        Args:
            scopes: Delegated permissions as they stand in ``scp``, without a prefix.
            roles: Application roles, of people and applications.
            groups: Object IDs of groups.
        """
        return require(self.current_user, Permissions.named(scopes, roles, groups))

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
        Where it does not run, as in mounted sub-applications, keys are fetched on first use.
        """
        keys = self._joined[-1].keys
        await keys.prefetch()
        tasks = [
            asyncio.create_task(keys.keep_discovery_fresh()),
            asyncio.create_task(keys.keep_keys_fresh()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task

    def install(self, app: FastAPI) -> None:
        """Let the application's Swagger UI sign in with Entra, and document 401 and 403."""
        fill_swagger_ui(app, self._scheme)
        document_refusals(app, self._scheme)

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
        """
        before = self._joined[-1]
        meanwhile = _join(
            settings or before.settings, http_client or before.http_client, clock or before.clock
        )
        self._joined.append(meanwhile)
        self._appoint()
        try:
            yield
        finally:
            self._joined.remove(meanwhile)  # not always the last: two tasks may end in any order
            self._appoint()

    def _appoint(self) -> None:
        for bearer in (self.bearer, self.current_user, self.optional_user):
            bearer.judge = self._joined[-1].judge


@dataclass(frozen=True, slots=True, eq=False)
class _Joined:
    """Everything that depends on settings, client and clock."""

    settings: EntraSettings
    http_client: httpx.AsyncClient | None
    clock: Clock
    keys: KeySource
    judge: Judge


def _join(settings: EntraSettings, http_client: httpx.AsyncClient | None, clock: Clock) -> _Joined:
    http = EntraHttp(
        timeout=settings.http_timeout,
        proxy=settings.http_proxy,
        ca_bundle=settings.ca_bundle,
        client=http_client,
    )
    keys = KeySource(
        http, _provider(settings), lifetime=settings.metadata_lifetime, monotonic=clock.monotonic
    )
    authenticator = Authenticator(keys, _policy(settings), remember=settings.token_cache_size, clock=clock)
    challenger = Challenger(
        realm=settings.tenant or "",
        authorization_uri=settings.authorization_url,
        client_id=settings.client_id,
    )
    return _Joined(settings, http_client, clock, keys, Judge(authenticator, challenger))


def _provider(settings: EntraSettings) -> Provider:
    return Provider(
        issuer=settings.issuer_template,
        backend_url=settings.issuer_backend_url,
        appid=settings.client_id if settings.custom_signing_keys else None,
        allow_http=settings.allow_http,
    )


def _policy(settings: EntraSettings) -> Policy:
    v1_issuer = v1_issuer_of(settings.issuer, settings.tenant)
    workforce_tenant = settings.tenant if v1_issuer and is_tenant_id(settings.tenant or "") else None
    everyone = settings.allowed_tenants == ("*",)
    return Policy(
        issuer=settings.issuer_template,
        audiences=frozenset(settings.audience),
        client_id=settings.client_id,
        tenant=workforce_tenant,
        v1_issuer=v1_issuer,
        accept_v1=settings.accept_v1_tokens,
        allowed_tenants=None if everyone else frozenset(settings.allowed_tenants),
        allowed_clients=frozenset(settings.allowed_clients),
        allow_guests=settings.allow_guests,
        clock_skew=settings.clock_skew,
    )


def _scheme(settings: EntraSettings, name: str) -> Scheme:
    meanings = {
        "openid": "Sign in",
        "profile": "See the name",
        "email": "See the e-mail address",
        "offline_access": "Stay signed in",
    }
    return Scheme(
        name=name,
        client_id=settings.client_id,
        authorization_url=settings.authorization_url,
        token_url=settings.token_url,
        scopes={scope: meanings.get(scope, "Call this API") for scope in settings.scopes},
    )
