"""``EntraEmulator``: in the same process, or served over HTTP."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from camunda_entra_fastapi.http_library import AsyncHttpClient, httpx
from camunda_entra_fastapi.testing.directory import Application, Directory, Tenant
from camunda_entra_fastapi.testing.endpoints.routes import build_endpoints
from camunda_entra_fastapi.testing.protocol.keys import SigningKey, without_none
from camunda_entra_fastapi.testing.protocol.request_log import SCOPE_KEY, RecordedRequest
from camunda_entra_fastapi.testing.serving.certificates import make_tls
from camunda_entra_fastapi.testing.serving.transport import InProcessClient, InProcessTransport
from camunda_entra_fastapi.testing.tokens.direct_grants import (
    find_user,
    find_users,
    identity_variables,
    make_grant,
)
from camunda_entra_fastapi.testing.tokens.minting import LIFETIME, IdGrant
from camunda_entra_fastapi.testing.tokens.signing import sign_access_token, sign_id_token
from camunda_entra_fastapi.testing.world.faults import service_unavailable
from camunda_entra_fastapi.testing.world.key_controls import KeyControls
from camunda_entra_fastapi.testing.world.world import World

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from camunda_entra_fastapi.settings import EntraSettings


class EntraEmulator(KeyControls):
    """An emulator of Entra: an ASGI application with Entra's endpoints at Entra's paths.

    It issues real signed tokens, and refuses what Entra would refuse, with the same AADSTS codes.

    Args:
        directory: Tenants, users and applications; ``Directory.default()`` when left out.
        base_url: Its address, as ``https://login.microsoftonline.com`` is Entra's. The default is a name
            that no network resolves, for use in the same process.
        clock: Gives seconds since 1970; for tests that travel in time.
        new_key: Makes signing keys; for tests that cannot wait until one is generated.
        token_lifetime: Seconds that an access token is valid.
        outgoing: Makes HTTP clients that fetch the keys of federated credentials' issuers.
        on_request: Called with each request after its response.

    Attributes:
        directory: The directory; it may be replaced at any time.
        requests: The recorded requests, the latest 10,000.
        ca_file: While it is served with TLS, the CA certificate in PEM that clients must trust.
    """

    def __init__(
        self,
        *,
        directory: Directory | None = None,
        base_url: str = "https://login.entra.localhost",
        clock: Callable[[], float] = time.time,
        new_key: Callable[[], SigningKey] = SigningKey.generate,
        token_lifetime: int = LIFETIME,
        outgoing: Callable[[], AsyncHttpClient] = httpx.AsyncClient,
        on_request: Callable[[RecordedRequest], None] | None = None,
    ) -> None:
        self.world = World(
            directory=directory or Directory.default(),
            base_url=base_url.rstrip("/"),
            clock=clock,
            new_key=new_key,
            token_lifetime=token_lifetime,
            outgoing=outgoing,
        )
        self.state = self.world.state
        self.faults = self.world.faults
        self.requests = self.world.requests
        self.ca_file: Path | None = None
        self._on_request = on_request
        self._endpoints: ASGIApp = build_endpoints(self.world)

    @property
    def directory(self) -> Directory:
        """Tenants, users and applications."""
        return self.world.directory

    @directory.setter
    def directory(self, directory: Directory) -> None:
        self.world.directory = directory

    @property
    def base_url(self) -> str:
        """Its address; while it is served, the server's."""
        return self.world.base_url

    @base_url.setter
    def base_url(self, base_url: str) -> None:
        self.world.base_url = base_url

    @property
    def token_lifetime(self) -> int:
        """Seconds that an access token is valid."""
        return self.world.token_lifetime

    @token_lifetime.setter
    def token_lifetime(self, seconds: int) -> None:
        self.world.token_lifetime = seconds

    @property
    def tenant(self) -> Tenant:
        """The default tenant, the directory's first."""
        return self.directory.tenants[0]

    @property
    def application(self) -> Application:
        """The default application, the tenant's first."""
        return self.tenant.applications[0]

    def environment(self, **overrides: str | None) -> dict[str, str]:
        """The six variables of Camunda's guide, for the default application.

        Where ``base_url`` is beyond this machine, another one says that the local Entra is meant.

        Args:
            overrides: Variables to add or change, by their full names; None removes one.
        """
        return without_none({**identity_variables(self.base_url, self.tenant, self.application), **overrides})

    def settings(self, **overrides: Any) -> "EntraSettings":
        """Settings of a service that is the default application; keyword arguments change single ones."""
        from camunda_entra_fastapi.settings import EntraSettings  # noqa: PLC0415 - needed here alone

        values = {
            name.removeprefix("CAMUNDA_IDENTITY_").removeprefix("CAMUNDA_ENTRA_").lower(): value
            for name, value in self.environment().items()
        }
        return EntraSettings(**values | overrides)

    def http_client(self) -> InProcessClient:
        """An HTTP client that calls the emulator in the same process, whatever the host."""
        return InProcessClient(transport=InProcessTransport(self, self.world), base_url=self.base_url)

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
            user: The user, by object ID, username or name; the directory's first user when left out.
            application: The API it is for, by client ID or App ID URI; the default application when left out.
            client: The client that requests it; for ``app_only`` the last one that was granted a role.
            roles: The app roles; those of the directory when left out.
            scopes: The delegated permissions; the API's first one when left out.
            app_only: Whether it is an application's own token (client credentials).
            version: 1 or 2; the API's registration decides when left out.
            lifetime: Seconds from now until it expires; negative for an expired token.
            tenant: The tenant that issues it: one of the directory, by ID or domain, or any GUID. Users and
                applications that it does not have are the default tenant's.
            header: Header members to add or change; None removes one.
            claims: Claims to add or change; None removes one.

        Raises:
            ValueError: The directory has no such user, application or tenant.
        """
        grant = make_grant(
            self.directory,
            user=user,
            application=application,
            client=client,
            roles=roles,
            scopes=scopes,
            app_only=app_only,
            tenant=tenant,
        )
        if lifetime is not None:
            claims = {"exp": int(self.now()) + lifetime} | claims
        return sign_access_token(self.world, grant, version=version, header=header, claims=claims)

    def id_token(self, *, user: str | None = None, nonce: str | None = None, **claims: Any) -> str:
        """An ID token for the default application; claims as in ``token``."""
        token_user = find_user(self.directory, user, self.tenant)
        grant = IdGrant(self.tenant, self.application, token_user, ("openid", "profile", "email"), nonce)
        return sign_id_token(self.world, grant, claims)

    def sign(self, claims: Mapping[str, Any], *, v1: bool, header: Mapping[str, Any] | None = None) -> str:
        """A JWT with the claims, signed with the current key; claims that are None are left out."""
        return self.world.sign(claims, v1=v1, header=header)

    def now(self) -> float:
        """The emulator's time, in seconds since 1970."""
        return self.world.now()

    def travel(self, seconds: float) -> None:
        """Move the emulator's time by so many seconds, back by a negative number."""
        self.world.travel(seconds)

    def down(self) -> None:
        """Begin an outage: in the same process connections fail, over a server each response is 503."""
        self.faults.down = True

    def up(self) -> None:
        """End the outage."""
        self.faults.down = False

    def slow(self, seconds: float) -> None:
        """Delay each response by so many seconds."""
        self.faults.delay = seconds

    def throttle(self, seconds: int = 60) -> None:
        """Throttle the token endpoint for so many seconds of the emulator's time; 0 ends it.

        Client credentials get 429 with ``Retry-After``, users' grants AADSTS50196.
        """
        self.faults.throttled_until = self.now() + seconds

    def revoke(self, user: str) -> None:
        """Revoke all sign-ins of a user, as an administrator or a new password does (AADSTS50173).

        Access tokens stay valid until they expire.

        Raises:
            ValueError: The directory has no such user.
        """
        self.state.revoked |= {each.id: self.now() for each in find_users(self.directory, user)}

    def count(self, suffix: str) -> int:
        """The number of recorded requests whose path has that suffix."""
        return sum(request.path.endswith(suffix) for request in list(self.requests))

    @contextmanager
    def serve(self, host: str = "127.0.0.1", port: int = 0, *, tls: bool = False) -> Iterator[str]:
        """Serve it over HTTP from a thread; gives the address, which is ``base_url`` meanwhile.

        Args:
            host: The address to listen on; only this machine can reach the default.
            port: The port; 0 takes any free one.
            tls: Whether to speak HTTPS, as Microsoft's clients demand. They must trust ``ca_file`` then.

        Raises:
            RuntimeError: It cannot listen on the port, most likely because it is taken.
        """
        from camunda_entra_fastapi.testing.serving.server import serving  # noqa: PLC0415 - needs uvicorn

        made = make_tls(host) if tls else None
        with (
            made.authority_file() if made else nullcontext() as ca_file,
            serving(self, host, port, tls=made) as address,
        ):
            before = self.base_url, self.ca_file
            self.base_url, self.ca_file = address, ca_file
            try:
                yield address
            finally:
                self.base_url, self.ca_file = before

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

        await self.faults.wait()
        app = service_unavailable() if self.faults.down else self._endpoints
        await app({**scope, SCOPE_KEY: record}, receive, send_recorded)
        if self._on_request:
            self._on_request(record)
