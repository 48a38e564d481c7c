"""``EntraEmulator``: a local Entra, in the same process or served."""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

import httpx

from camunda_entra_fastapi.testing.directory import Application, Directory, Tenant, User
from camunda_entra_fastapi.testing.endpoints import build_endpoints
from camunda_entra_fastapi.testing.keys import SigningKey
from camunda_entra_fastapi.testing.minting import (
    Grant,
    access_claims,
    for_graph_alone,
    header_of,
    id_claims,
)
from camunda_entra_fastapi.testing.reaching import InProcess, RecordedRequest, outage
from camunda_entra_fastapi.testing.scopes import GRAPH
from camunda_entra_fastapi.testing.state import State

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from camunda_entra_fastapi.settings import EntraSettings

MAX_RECORDED: Final = 10_000


class EntraEmulator:
    """A local Entra: an ASGI application with Entra's endpoints at Entra's paths.

    It issues real signed tokens, and refuses what Entra would refuse, with the same AADSTS codes.

    Args:
        directory: Tenants, people and applications; ``Directory.default()`` when left out.
        base_url: Where it is reached, as ``https://login.microsoftonline.com`` is for Entra. The
            default is a name that no network resolves, for use in the same process.
        clock: Seconds since 1970; for tests that travel in time.
        new_key: Makes signing keys; for tests that cannot wait for the making.
    """

    def __init__(
        self,
        *,
        directory: Directory | None = None,
        base_url: str = "https://login.entra.localhost",
        clock: Callable[[], float] = time.time,
        new_key: Callable[[], SigningKey] = SigningKey.generate,
    ) -> None:
        self.directory = directory or Directory.default()
        self.base_url = base_url.rstrip("/")
        self.clock = clock
        self.state = State()
        self.requests: deque[RecordedRequest] = deque(maxlen=MAX_RECORDED)
        self._new_key = new_key
        self._keys: list[SigningKey] = []
        self._down = False
        self._delay = 0.0
        self._endpoints: ASGIApp = build_endpoints(self)

    @property
    def tenant(self) -> Tenant:
        """The default tenant, the directory's first."""
        return self.directory.tenants[0]

    @property
    def application(self) -> Application:
        """The default application, the tenant's first."""
        return self.tenant.applications[0]

    @property
    def keys(self) -> tuple[SigningKey, ...]:
        """The keys that are published; the first one signs."""
        if not self._keys:
            self._keys.append(self._new_key())
        return tuple(self._keys)

    def environment(self, **overrides: str | None) -> dict[str, str]:
        """The six variables of Camunda's guide, for the default application.

        Args:
            overrides: Variables to add or change, by their full names; None takes one away.
        """
        issuer = f"{self.base_url}/{self.tenant.id}/v2.0"
        found: dict[str, str | None] = {
            "CAMUNDA_IDENTITY_TYPE": "AZUREAD",
            "CAMUNDA_IDENTITY_ISSUER": issuer,
            "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL": issuer,
            "CAMUNDA_IDENTITY_CLIENT_ID": self.application.client_id,
            "CAMUNDA_IDENTITY_CLIENT_SECRET": next(iter(self.application.secrets), ""),
            "CAMUNDA_IDENTITY_AUDIENCE": self.application.client_id,
        }
        return {name: value for name, value in (found | overrides).items() if value is not None}

    def settings(self, **overrides: Any) -> "EntraSettings":
        """Settings for a service that is the default application; keyword arguments change single ones."""
        from camunda_entra_fastapi.settings import EntraSettings  # noqa: PLC0415 - needed here alone

        prefix = "CAMUNDA_IDENTITY_"
        values = {name.removeprefix(prefix).lower(): value for name, value in self.environment().items()}
        return EntraSettings(**values | overrides)

    def http_client(self) -> httpx.AsyncClient:
        """A client whose requests reach the emulator in the same process, whatever their host."""
        return httpx.AsyncClient(transport=InProcess(self), base_url=self.base_url)

    def token(
        self,
        *,
        user: str | None = None,
        application: str | None = None,
        client: str | None = None,
        roles: Sequence[str] | None = None,
        scopes: Sequence[str] | None = None,
        app_only: bool = False,
        version: Literal[1, 2] | None = None,
        lifetime: float | None = None,
        tenant: str | None = None,
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """An access token, as the token endpoint would issue it.

        Args:
            user: Whose it is, by object ID, username or name; the directory's first user when left out.
            application: The API it is for, by client ID or App ID URI; the default application when left out.
            client: The application that asked for it; for ``app_only`` the last one that was granted a role.
            roles: Its app roles; those of the directory when left out.
            scopes: Its delegated permissions; the API's first one when left out.
            app_only: Whether it is an application's own (client credentials).
            version: 1 or 2; as the API's registration says when left out.
            lifetime: Seconds from now until it expires, negative for one that has expired.
            tenant: Who issues it: a tenant of the directory, by ID or domain, or any GUID. The people and
                applications are the default tenant's where it has none of that name.
            header: Header members to add or change; None takes one away.
            claims: Claims to add or change; None takes one away.

        Raises:
            ValueError: The directory has no such user, application or tenant.
        """
        issuing = self._tenant(tenant)
        resource = self._application(application, issuing) if application else self.application
        asking = (
            self._application(client, issuing) if client else self._client_of(resource, app_only=app_only)
        )
        person = None if app_only else self._user(user, issuing)
        granted = (person.roles if person else asking.granted_roles).get(resource.client_id, ())
        grant = Grant(
            issuing,
            resource,
            asking,
            person,
            scopes=tuple(resource.scopes[:1] if scopes is None else scopes),
            roles=tuple(granted if roles is None else roles),
            audience=next(iter(resource.identifier_uris), None),
        )
        now = int(self.clock())
        if lifetime is not None:
            claims = {"exp": now + lifetime} | claims
        return self.sign_access_token(grant, version=version, header=header, claims=claims)

    def id_token(self, *, user: str | None = None, nonce: str | None = None, **claims: Any) -> str:
        """An ID token for the default application; claims as in ``token``."""
        scopes = ("openid", "profile", "email")
        found = id_claims(
            self.tenant,
            self.application,
            self._user(user, self.tenant),
            scopes=scopes,
            nonce=nonce,
            base_url=self.base_url,
            now=int(self.clock()),
        )
        return self.sign(found | claims, v1=False)

    def sign_access_token(
        self,
        grant: Grant,
        *,
        version: Literal[1, 2] | None = None,
        header: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """The access token of a grant."""
        found = access_claims(grant, base_url=self.base_url, now=int(self.clock()), version=version)
        token = self.sign({**found, **(claims or {})}, v1=found["ver"] == "1.0", header=header)
        return for_graph_alone(token) if grant.resource is GRAPH else token

    def sign(self, claims: Mapping[str, Any], *, v1: bool, header: Mapping[str, Any] | None = None) -> str:
        """Sign claims with the current key; those that are None are left out."""
        key = self.keys[0]
        members = {**header_of(key, v1=v1), **(header or {})}
        return key.sign(
            {name: value for name, value in members.items() if value is not None},
            {name: value for name, value in claims.items() if value is not None},
        )

    def rotate_keys(self, *, overlap: bool = True) -> None:
        """Sign with a new key from now on. Without overlap, the old ones are unpublished at once."""
        published = self.keys if overlap else ()
        self._keys = [self._new_key(), *published]

    def retire_keys(self) -> None:
        """Unpublish all keys but the one that signs."""
        self._keys = list(self.keys[:1])

    def down(self) -> None:
        """Be away: in the same process connections fail, over a server every answer is 503."""
        self._down = True

    def up(self) -> None:
        """Be there again."""
        self._down = False

    def slow(self, seconds: float) -> None:
        """Wait before every answer."""
        self._delay = seconds

    def count(self, suffix: str) -> int:
        """How many recorded requests had a path that ends so."""
        return sum(request.path.endswith(suffix) for request in list(self.requests))

    @contextmanager
    def serve(self, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
        """Serve it over HTTP by a thread; gives the address, which is ``base_url`` meanwhile.

        Raises:
            RuntimeError: The port cannot be had, most likely because it is taken.
        """
        from camunda_entra_fastapi.testing.serving import serving  # noqa: PLC0415 - needs uvicorn

        with serving(self, host, port) as address:
            before, self.base_url = self.base_url, address
            try:
                yield address
            finally:
                self.base_url = before

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._endpoints(scope, receive, send)
            return
        record = RecordedRequest(scope["method"], scope["path"], scope["query_string"].decode("latin-1"))
        self.requests.append(record)

        async def send_recorded(message: Any) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
            await send(message)

        if self._delay:
            await asyncio.sleep(self._delay)
        answer = outage if self._down else self._endpoints
        await answer(scope, receive, send_recorded)

    @property
    def is_down(self) -> bool:
        """Whether it plays an outage."""
        return self._down

    def _tenant(self, name: str | None) -> Tenant:
        found = self.tenant if name is None else self.directory.tenant(name)
        if found is not None:
            return found
        try:
            return replace(self.tenant, id=str(uuid.UUID(name)))
        except ValueError:
            raise ValueError(
                f"The directory has no tenant {name!r}; another one is named by a GUID."
            ) from None

    def _application(self, name: str, tenant: Tenant) -> Application:
        found = tenant.application(name) or self.tenant.application(name)
        if found is None:
            raise ValueError(f"The directory has no application {name!r}.")
        return found

    def _user(self, name: str | None, tenant: Tenant) -> User:
        if name is None:
            found = next(iter(tenant.users or self.tenant.users), None)
        else:
            found = tenant.user(name) or self.tenant.user(name)
        if found is None:
            raise ValueError(
                "The directory has no users." if name is None else f"The directory has no user {name!r}."
            )
        return found

    def _client_of(self, resource: Application, *, app_only: bool) -> Application:
        granted = [app for app in self.tenant.applications if resource.client_id in app.granted_roles]
        return granted[-1] if app_only and granted else self.application
