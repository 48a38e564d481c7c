"""Everything that depends on settings, client and clock, joined into one value."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx

from camunda_entra_fastapi.authenticator import Authenticator, Clock
from camunda_entra_fastapi.downstream.app_token import AppToken, AppTokens
from camunda_entra_fastapi.downstream.graph import Groups
from camunda_entra_fastapi.downstream.shared import SharedTokens
from camunda_entra_fastapi.downstream.user_token import UserTokens
from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.remote.certificates import CertificateFile
from camunda_entra_fastapi.remote.credentials import (
    Asserted,
    AssertionSource,
    Client,
    ClientCertificate,
    ClientSecret,
    Credential,
    FederatedToken,
)
from camunda_entra_fastapi.remote.discovery import Provider
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.sessions.factory import open_store
from camunda_entra_fastapi.sessions.sealing import Sealer
from camunda_entra_fastapi.sessions.store import SessionStore
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.settings.issuers import graph_resource_of
from camunda_entra_fastapi.sign_in.exchange import Exchange
from camunda_entra_fastapi.sign_in.flow import SignIn
from camunda_entra_fastapi.sign_in.session_manager import SessionKeeper
from camunda_entra_fastapi.validation.entra import is_tenant_id, v1_issuer_of
from camunda_entra_fastapi.validation.identity import IdentitySigner
from camunda_entra_fastapi.validation.policy import Policy
from camunda_entra_fastapi.web.bearer import Judge, Scheme
from camunda_entra_fastapi.web.challenges import Challenger
from camunda_entra_fastapi.web.cookies import Cookies
from camunda_entra_fastapi.web.login.parts import Parts
from camunda_entra_fastapi.web.public_url import Site
from camunda_entra_fastapi.web.sessions import Sessions

T = TypeVar("T")

_WAYS: Final = (
    "add a secret in the app registration, under Certificates & secrets, and set its Value. "
    "With a certificate or workload identity instead, signing in needs CAMUNDA_ENTRA_SESSION_SECRET besides, "
    "of 32 characters or more."
)


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Everything that depends on settings, client and clock."""

    settings: EntraSettings
    http_client: httpx.AsyncClient | None
    clock: Clock
    keys: KeySource
    judge: Judge
    parts: Parts | None
    """For signing in with a browser; None without a client secret."""
    identity_signer: IdentitySigner | None
    """Signs identities for backends; None without any secret."""
    app_tokens: AppTokens | None
    """This application's own tokens for other services; None where nothing proves who we are."""
    user_tokens: UserTokens | None
    """Tokens for other services in the name of who calls; None where nothing proves who we are."""
    groups: Groups | None
    """The groups of people who have too many for a token; None where they are not looked up."""

    @property
    def store(self) -> SessionStore | None:
        """Where sessions live; None where nobody can sign in."""
        return None if self.parts is None else self.parts.sessions.keeper.store

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Fetch the keys, keep them fresh, and let go of the session store's connections in the end."""
        await self.keys.prefetch()
        tasks = [
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


def join(
    settings: EntraSettings,
    http_client: httpx.AsyncClient | None,
    clock: Clock,
    client_assertion: AssertionSource | None = None,
) -> Joined:
    """The parts for these settings; nothing is asked of Entra yet.

    Raises:
        SettingsError: The session store's package is not installed, or the certificate is unusable.
    """
    http = EntraHttp(
        timeout=settings.http_timeout,
        proxy=settings.http_proxy,
        ca_bundle=settings.ca_bundle,
        client=http_client,
    )
    keys = KeySource(
        http, provider_of(settings), lifetime=settings.metadata_lifetime, monotonic=clock.monotonic
    )
    authenticator = Authenticator(keys, policy_of(settings), remember=settings.token_cache_size, clock=clock)
    challenger = Challenger(
        realm=settings.tenant or "",
        authorization_uri=settings.authorization_url,
        client_id=settings.client_id,
    )
    judge = Judge(authenticator, challenger)
    client = client_of(settings, clock, client_assertion)
    can_seal = bool(_secrets(settings))
    parts = (
        None if client is None or not can_seal else _parts(settings, http, keys, judge, clock, client=client)
    )
    secrets = _secrets(settings)
    signer = IdentitySigner(secrets, _deployment(settings)) if secrets else None
    app_tokens = user_tokens = groups = None
    shared = _shared(settings, parts, clock)
    if client is not None:
        app_tokens = AppTokens(lambda scope: AppToken(http, keys, client, scope, clock.time, shared))
        user_tokens = UserTokens(http, keys, client, clock.time, shared=shared)
    if (url := settings.group_overage) is not None:
        tokens = required(user_tokens, "CAMUNDA_ENTRA_GROUP_OVERAGE needs")
        groups = Groups(http, tokens, url, graph_resource_of(url), clock.time)
    return Joined(settings, http_client, clock, keys, judge, parts, signer, app_tokens, user_tokens, groups)


def client_of(
    settings: EntraSettings, clock: Clock, assertion: AssertionSource | None = None
) -> Client | None:
    """Who we are to Entra's token endpoint; None where nothing proves it."""
    credential = _credential(settings, clock) if assertion is None else Asserted(assertion)
    return None if credential is None else Client(settings.client_id, credential)


def _credential(settings: EntraSettings, clock: Clock) -> Credential | None:
    if settings.client_secret is not None:
        return ClientSecret(settings.client_secret.get_secret_value())
    if settings.federated_token_file is not None:
        return FederatedToken(settings.federated_token_file)
    if settings.client_certificate is None:
        return None
    password = settings.client_certificate_password
    try:
        file = CertificateFile(
            settings.client_certificate,
            None if password is None else password.get_secret_value(),
            settings.client_assertion_algorithm,
        )
    except ValueError as error:
        raise SettingsError([f"CAMUNDA_ENTRA_CLIENT_CERTIFICATE {error}"]) from None
    return ClientCertificate(file, settings.client_id, settings.token_url, clock.time)


def provider_of(settings: EntraSettings) -> Provider:
    """Which Entra the settings are about."""
    return Provider(
        issuer=settings.issuer_template,
        backend_url=settings.issuer_backend_url,
        appid=settings.client_id if settings.custom_signing_keys else None,
        allow_http=settings.allow_http,
    )


def policy_of(settings: EntraSettings) -> Policy:
    """What the settings accept."""
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


def required(parts: T | None, what: str = "Signing in with a browser needs") -> T:
    """What there is for who can prove to Entra who they are.

    Raises:
        SettingsError: There is none.
    """
    if parts is None:
        raise SettingsError([f"CAMUNDA_IDENTITY_CLIENT_SECRET is not set. {what} it: {_WAYS}"])
    return parts


def _parts(
    settings: EntraSettings, http: EntraHttp, keys: KeySource, judge: Judge, clock: Clock, *, client: Client
) -> Parts:
    """What signing in with a browser takes."""
    secrets, deployment = _secrets(settings), _deployment(settings)
    exchange = Exchange(
        http=http,
        keys=keys,
        authenticator=judge.authenticator,
        client=client,
        clock=clock.time,
        lifetime=settings.session_lifetime.total_seconds(),
    )
    store = open_store(settings.session_store, secrets, deployment, clock.time)
    keeper = SessionKeeper(store, exchange, clock.time, remember=max(1, settings.token_cache_size))
    site = Site(settings.base_url)
    sign_in = SignIn(
        exchange=exchange,
        keeper=keeper,
        sealer=Sealer(secrets, f"attempt 2 {deployment}"),
        clock=clock.time,
        scopes=settings.scopes,
        end_session_url=settings.end_session_url,
        admin_consent_url=settings.admin_consent_url,
        issuer=settings.issuer,
    )
    cookies = Cookies(settings.cookie_name, settings.cookie_domain, site)
    return Parts(sign_in, Sessions(keeper, cookies, site), judge.challenger)


def _shared(settings: EntraSettings, parts: Parts | None, clock: Clock) -> SharedTokens | None:
    """Where replicas share tokens: the Redis of the sessions; None without one."""
    if parts is None or settings.session_store in {"cookie", "memory"}:
        return None
    store: Any = parts.sessions.keeper.store
    return SharedTokens(store, Sealer(_secrets(settings), f"token 1 {_deployment(settings)}"), clock.time)


def _secrets(settings: EntraSettings) -> list[str]:
    """What our own keys are derived from, the newest first."""
    # Who has the client secret can sign in as this service anyway: sealing with it gives nothing away.
    secrets = settings.session_secret or (settings.client_secret,)
    return [secret.get_secret_value() for secret in secrets if secret is not None]


def _deployment(settings: EntraSettings) -> str:
    """For whom keys are derived: with the same secret, another deployment has others."""
    return f"{settings.issuer} {settings.client_id}"


def scheme_of(settings: EntraSettings, name: str) -> Scheme:
    """What OpenAPI and Swagger UI show."""
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
