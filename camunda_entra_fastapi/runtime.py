"""The runtime of one ``CamundaEntra``: everything that depends on settings, HTTP client and clock."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from camunda_entra_fastapi.configured_credential import credential_of
from camunda_entra_fastapi.downstream.app_token import AppToken, AppTokens
from camunda_entra_fastapi.downstream.delegation import Delegations
from camunda_entra_fastapi.downstream.graph import GraphGroups
from camunda_entra_fastapi.downstream.shared import SharedTokens
from camunda_entra_fastapi.downstream.user_token import UserTokens
from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.http_library import AsyncHttpClient
from camunda_entra_fastapi.remote.credentials import AssertionCallback, AssertionSource, Client
from camunda_entra_fastapi.remote.discovery import Provider
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.sessions.factory import create_store
from camunda_entra_fastapi.sessions.sealing import Sealer
from camunda_entra_fastapi.sessions.store import SessionStore
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.settings.issuers import graph_resource_of, is_for_organizations
from camunda_entra_fastapi.settings.tenant_function import settings_for
from camunda_entra_fastapi.settings.values import FUNCTION
from camunda_entra_fastapi.sign_in.endpoints import Endpoints, made_endpoints
from camunda_entra_fastapi.sign_in.exchange import Exchange
from camunda_entra_fastapi.sign_in.flow import SignIn
from camunda_entra_fastapi.sign_in.return_to import ReturnHosts
from camunda_entra_fastapi.sign_in.session_manager import SessionManager
from camunda_entra_fastapi.sign_in.state import States
from camunda_entra_fastapi.sweeping import keep_sweeping
from camunda_entra_fastapi.tenant_check import TenantFunction
from camunda_entra_fastapi.token_validator import Clock, TokenValidator
from camunda_entra_fastapi.validation.entra import is_tenant_id, v1_issuer_of
from camunda_entra_fastapi.validation.identity import IdentitySigner
from camunda_entra_fastapi.validation.policy import Policy
from camunda_entra_fastapi.web.bearer import Authentication
from camunda_entra_fastapi.web.challenges import Challenger
from camunda_entra_fastapi.web.framed_cookies import cookies_for
from camunda_entra_fastapi.web.login.context import LoginContext
from camunda_entra_fastapi.web.public_url import PublicUrl
from camunda_entra_fastapi.web.sessions import Sessions

T = TypeVar("T")

_CREDENTIAL_REMEDY: Final = (
    "add a secret in the app registration, under Certificates & secrets, and set its Value. "
    "With a certificate or workload identity instead, signing in needs CAMUNDA_ENTRA_SESSION_SECRET besides, "
    "of 32 characters or more."
)


@dataclass(frozen=True, slots=True, eq=False)
class Runtime:
    """Everything that depends on settings, HTTP client and clock. ``overridden`` replaces it as a whole."""

    settings: EntraSettings
    http_client: AsyncHttpClient | None
    clock: Clock
    keys: KeySource
    endpoints: Endpoints
    authentication: Authentication
    login_context: LoginContext | None
    """For the login pages; None without a credential or without a secret to seal sessions with."""
    identity_signer: IdentitySigner | None
    """Signs identities for backends; None without a secret."""
    app_tokens: AppTokens | None
    """This application's own tokens for other services; None without a credential."""
    user_tokens: UserTokens | None
    """Tokens for other services on behalf of users; None without a credential."""
    delegations: Delegations | None
    """Delegations of users, for jobs; None without a credential or without a secret to seal them with."""
    groups: GraphGroups | None
    """The groups of users with too many for a token; None where they are not looked up."""

    @property
    def store(self) -> SessionStore | None:
        """The session store; None without login pages."""
        return None if self.login_context is None else self.login_context.sessions.manager.store

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Fetch the keys, keep them fresh, and close the session store's connections at the end."""
        await self.keys.prefetch()
        manager = None if self.login_context is None else self.login_context.sessions.manager
        caches = (self.authentication.validator, manager, self.user_tokens, self.groups)
        tasks = [
            asyncio.create_task(keep_sweeping(*caches)),
            asyncio.create_task(self.keys.keep_discovery_fresh()),
            asyncio.create_task(self.keys.keep_keys_fresh()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
            if self.store is not None:
                await self.store.close()


def build_runtime(
    settings: EntraSettings | None,
    http_client: AsyncHttpClient | None,
    clock: Clock,
    client_assertion: AssertionSource | None = None,
    tenant_function: TenantFunction | None = None,
) -> Runtime:
    """The runtime for these settings, or those of the environment; it sends no request to Entra yet.

    Raises:
        SettingsError: A setting is wrong, or does not fit what decides about tenants; the session store's
            package is not installed, or the certificate is unusable.
    """
    settings = settings_for(settings, has_function=tenant_function is not None)
    http = EntraHttp(
        timeout=settings.http_timeout,
        proxy=settings.http_proxy,
        ca_bundle=settings.ca_bundle,
        allow_lax_certificates=settings.allow_lax_certificates,
        client=http_client,
    )
    keys = KeySource(
        http,
        provider_of(settings),
        lifetime=settings.metadata_lifetime,
        monotonic=clock.monotonic,
        retention=settings.key_retention,
    )
    endpoints = Endpoints(keys, made_endpoints(settings))
    policy = policy_of(settings)
    validator = TokenValidator(
        keys,
        policy,
        cache_size=settings.token_cache_size,
        clock=clock,
        tenant_function=tenant_function,
    )
    challenger = Challenger(
        realm=settings.tenant or "",
        authorization_uri=lambda: endpoints.known().authorization,
        client_id=settings.client_id,
        documentation_url=settings.documentation_url,
    )
    authentication = Authentication(validator, challenger, settings.websocket_protocol_tokens)
    client = client_of(settings, clock, lambda: endpoints.known().token, client_assertion)
    secrets = _secrets(settings)
    login_context = app_tokens = user_tokens = delegations = groups = None
    if client is not None and secrets:
        login_context = _login_context(settings, http, endpoints, authentication, clock, client=client)
    shared = _shared_tokens(settings, login_context, clock)
    if client is not None:
        app_tokens = AppTokens(lambda scope: AppToken(http, keys, client, scope, clock.time, shared))
        user_tokens = UserTokens(http, keys, client, clock.time, shared=shared)
        if secrets:
            sealer = Sealer(secrets, f"delegation 1 {_deployment(settings)}")
            decides = policy.multi_tenant and validator.tenants is None
            allowed_tenants = policy.allowed_tenants if decides else None
            delegations = Delegations(user_tokens, sealer, validator.tenants, allowed_tenants)
    if (url := settings.group_overage) is not None:
        tokens = require_credential(user_tokens, "CAMUNDA_ENTRA_GROUP_OVERAGE needs")
        groups = GraphGroups(http, tokens, url, graph_resource_of(url), clock.time)
    return Runtime(
        settings=settings,
        http_client=http_client,
        clock=clock,
        keys=keys,
        endpoints=endpoints,
        authentication=authentication,
        login_context=login_context,
        identity_signer=IdentitySigner(secrets, _deployment(settings)) if secrets else None,
        app_tokens=app_tokens,
        user_tokens=user_tokens,
        delegations=delegations,
        groups=groups,
    )


def client_of(
    settings: EntraSettings, clock: Clock, token_url: Callable[[], str], own: AssertionSource | None = None
) -> Client | None:
    """This application, as Entra's token endpoint, whose public URL it puts into assertions, knows it."""
    credential = credential_of(settings, clock.time, token_url) if own is None else AssertionCallback(own)
    return None if credential is None else Client(settings.client_id, credential)


def provider_of(settings: EntraSettings) -> Provider:
    """The identity provider of the settings."""
    return Provider(
        issuer=settings.issuer_template,
        backend_url=settings.issuer_backend_url,
        appid=settings.client_id if settings.custom_signing_keys else None,
        allow_http=settings.allow_http,
        allow_local=settings.allow_local_entra,
    )


def policy_of(settings: EntraSettings) -> Policy:
    """The tokens that the settings accept."""
    is_external = settings.tenant_type == "external"
    v1_issuer = None if is_external else v1_issuer_of(settings.issuer, settings.tenant)
    workforce_tenant = settings.tenant if v1_issuer and is_tenant_id(settings.tenant or "") else None
    allow_every_tenant = settings.allowed_tenants == ("*",)
    return Policy(
        issuer=settings.issuer_template,
        audiences=frozenset(settings.audience),
        client_id=settings.client_id,
        tenant=workforce_tenant,
        v1_issuer=v1_issuer,
        accept_v1=settings.accept_v1_tokens,
        allowed_tenants=None if allow_every_tenant else frozenset(settings.allowed_tenants) - {FUNCTION},
        asks_about_tenants=settings.is_multi_tenant and FUNCTION in settings.allowed_tenants,
        organizations_only=is_for_organizations(settings.issuer),
        allowed_clients=frozenset(settings.allowed_clients),
        allow_guests=settings.allow_guests,
        has_customers=is_external,
        clock_skew=settings.clock_skew,
    )


def require_credential(value: T | None, purpose: str = "Signing in with a browser needs") -> T:
    """The value, which needs a credential.

    Raises:
        SettingsError: It is None: there is no credential.
    """
    if value is None:
        raise SettingsError(
            [f"CAMUNDA_IDENTITY_CLIENT_SECRET is not set. {purpose} it: {_CREDENTIAL_REMEDY}"]
        )
    return value


def _login_context(
    settings: EntraSettings,
    http: EntraHttp,
    endpoints: Endpoints,
    authentication: Authentication,
    clock: Clock,
    *,
    client: Client,
) -> LoginContext:
    """What the login pages work with."""
    secrets, deployment = _secrets(settings), _deployment(settings)
    exchange = Exchange(
        http=http,
        keys=endpoints.keys,
        validator=authentication.validator,
        client=client,
        clock=clock.time,
        lifetime=settings.session_lifetime.total_seconds(),
    )
    store = create_store(settings.session_store, secrets, deployment, clock.time, settings.session_lease)
    session_manager = SessionManager(
        store, exchange, clock.time, cache_size=max(1, settings.token_cache_size)
    )
    hosts = ReturnHosts(settings.base_url, settings.cookie_domain, frozenset(settings.return_to_hosts))
    public_url = PublicUrl(settings.base_url, hosts)
    sign_in = SignIn(
        exchange=exchange,
        session_manager=session_manager,
        sealer=Sealer(secrets, f"attempt 3 {deployment}"),
        states=States(Sealer(secrets, f"state 1 {deployment}", compress=True), clock.time),
        clock=clock.time,
        scopes=settings.scopes,
        endpoints=endpoints,
        issuer=settings.issuer,
        response_issuer=settings.issuer_template,
    )
    cookies = cookies_for(settings, public_url)
    return LoginContext(sign_in, Sessions(session_manager, cookies, public_url), authentication.challenger)


def _shared_tokens(
    settings: EntraSettings, login_context: LoginContext | None, clock: Clock
) -> SharedTokens | None:
    """The tokens that replicas share, in the Redis of the sessions; None without one."""
    if login_context is None or settings.session_store in {"cookie", "memory"}:
        return None
    store: Any = login_context.sessions.manager.store
    return SharedTokens(store, Sealer(_secrets(settings), f"token 1 {_deployment(settings)}"), clock.time)


def _secrets(settings: EntraSettings) -> list[str]:
    """The secrets from which this service derives its keys, the newest first."""
    # Whoever has the client secret can pose as this service anyway: sealing with it adds no risk.
    secrets = settings.session_secret or (settings.client_secret,)
    return [secret.get_secret_value() for secret in secrets if secret is not None]


def _deployment(settings: EntraSettings) -> str:
    """The deployment that keys are derived for: with the same secret, another one has other keys."""
    return f"{settings.issuer} {settings.client_id}"
