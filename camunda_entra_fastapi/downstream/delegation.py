"""Delegations: with one, a job acts for a person whose token has expired, and who is not there any more.

A delegation is text that queues and databases can hold: Entra's refresh token, for one scope and time,
sealed for this service alone. Entra revokes no refresh token by its use, and those of confidential clients
live for 90 days (Learn: refresh tokens). So the one inside lasts as long as a delegation may, and the text
never changes.
"""

import asyncio
import json
import threading
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from camunda_entra_fastapi.downstream.app_token import INVALIDATION_WINDOW
from camunda_entra_fastapi.downstream.user_token import UserGrant, UserToken, UserTokens
from camunda_entra_fastapi.errors import (
    AccessDenied,
    CredentialsMissing,
    EntraError,
    InsufficientClaims,
    InvalidToken,
    quoted,
)
from camunda_entra_fastapi.sessions.sealing import Sealer
from camunda_entra_fastapi.tenant_check import TenantCheck

MAX_LIFETIME: Final = timedelta(days=90)
"""As long as Entra's refresh tokens live."""
_NO_CLAIMS: Final[Mapping[str, Any]] = MappingProxyType({})


class DelegationEnded(EntraError):
    """A delegation gives no more tokens: its time is over, or Entra wants to see the person again.

    The code is ``delegation_ended``, or ``delegation_unreadable`` for a text that this service does not open.
    ``claims`` are those that the person's next sign-in must ask for, if Entra or the API named any.
    """

    def __init__(
        self, message: str, *, code: str = "delegation_ended", claims: Mapping[str, Any] = _NO_CLAIMS
    ) -> None:
        super().__init__(code, message)
        self.claims = dict(claims)


class Delegations:
    """Seals delegations, and opens them.

    Args:
        tokens: The tokens of all users.
        sealer: Seals with a purpose of its own.
        tenants: The application's word on tenants, if it has one.
        allowed_tenants: Lower-case IDs of all that are let in; None where no list decides.
    """

    def __init__(
        self,
        tokens: UserTokens,
        sealer: Sealer,
        tenants: TenantCheck | None,
        allowed_tenants: frozenset[str] | None,
    ) -> None:
        self._tokens = tokens
        self._sealer = sealer
        self._tenants = tenants
        self._allowed_tenants = allowed_tenants

    async def begin(self, grant: UserGrant, tenant: str | None, scope: str, lifetime: float) -> str:
        """A new delegation, sealed.

        Args:
            grant: Proves on whose behalf.
            tenant: The person's tenant ID.
            scope: What it is for.
            lifetime: Seconds until it ends.

        Raises:
            EntraError: As for ``UserTokens.lasting``.
        """
        key = f"delegation {uuid.uuid4()}"
        lasting = await self._tokens.lasting(grant, scope, key, self._tokens.clock() + lifetime)
        content = [lasting.key, lasting.expires_at, lasting.refresh_token, tenant, scope]
        return self._sealer.seal(json.dumps(content).encode())

    def open(self, sealed: str) -> "DelegatedToken":
        """The token that a delegation gives.

        Raises:
            DelegationEnded: It is over, or not one of this service.
            TypeError: It is no text.
        """
        if not isinstance(sealed, str):
            raise TypeError(
                f"A delegation is a str, as entra.delegation gives it, and not {type(sealed).__name__}."
            )
        content = self._sealer.open(sealed)
        if content is None:
            raise DelegationEnded(
                "The text is no delegation of this service: it was changed or cut, it is another "
                "service's, or its secret is not among those of CAMUNDA_ENTRA_SESSION_SECRET.",
                code="delegation_unreadable",
            )
        key, expires_at, refresh_token, tenant, scope = json.loads(content)
        if self._allowed_tenants is not None and str(tenant).lower() not in self._allowed_tenants:
            raise DelegationEnded(
                f"The person's tenant {quoted(tenant)} is not let in any more: "
                "CAMUNDA_ENTRA_ALLOWED_TENANTS does not name it."
            )
        grant = UserGrant(key, expires_at, refresh_token=refresh_token)
        token = DelegatedToken(self._tokens, grant, tenant, scope, self._tenants)
        token.check_time()
        return token


class DelegatedToken:
    """The token for a delegation's scope, renewed as long as it lasts.

    Args:
        tokens: The tokens of all users.
        grant: The grant inside of the delegation.
        tenant: The person's tenant ID.
        scope: What the token is for.
        tenants: The application's word on tenants, if it has one.
    """

    def __init__(
        self,
        tokens: UserTokens,
        grant: UserGrant,
        tenant: str | None,
        scope: str,
        tenants: TenantCheck | None,
    ) -> None:
        self._token: UserToken = tokens.of(grant, scope)
        self._clock = tokens.clock
        self._expires_at = grant.expires_at
        self._tenant = tenant
        self._tenants = tenants
        self._lock = threading.Lock()
        self._rejected: str | None = None
        self._invalidated_at = float("-inf")

    async def get(self) -> str:
        """A token that stays valid for a while.

        Raises:
            DelegationEnded: The person has to come back.
            EntraRefused: Entra refuses this service.
            EntraUnavailable: Entra cannot be asked, or nobody can tell whether the tenant is still let in.
        """
        self.check_time()
        try:
            await self._check_tenant()
            return await self._token.get()
        except _ENDS as error:
            raise _ended_by(error) from None

    def get_blocking(self) -> str:
        """The same, for callers without an event loop."""
        self.check_time()
        try:
            if self._tenants is not None:
                with ThreadPoolExecutor(1) as threads:
                    threads.submit(asyncio.run, self._check_tenant()).result()
            with self._lock:  # of many threads, one asks Entra
                return self._token.get_blocking()
        except _ENDS as error:
            raise _ended_by(error) from None

    def invalidate(self, token: str, claims: str | None) -> bool:
        """Drop a token that an API refused; whether to ask for another one."""
        if token == self._rejected:
            return True  # another request's 401 came first
        now, self._rejected = self._clock(), token
        self._token.invalidate(token, claims)
        if now - self._invalidated_at < INVALIDATION_WINDOW:
            return False
        self._invalidated_at = now
        return True

    def check_time(self) -> None:
        """Check that the delegation is not over.

        Raises:
            DelegationEnded: It is.
        """
        if self._clock() >= self._expires_at:
            raise DelegationEnded("The time for which the person let this job act is over.")

    async def _check_tenant(self) -> None:
        if self._tenants is not None:
            await self._tenants.let_in_until({"tid": self._tenant})


_ENDS: Final = (AccessDenied, CredentialsMissing, InsufficientClaims, InvalidToken)


def _ended_by(error: EntraError) -> DelegationEnded:
    claims = error.claims if isinstance(error, InsufficientClaims) else _NO_CLAIMS
    return DelegationEnded(f"The person has to come back: {error.message}", claims=claims)


def read_lifetime(lifetime: timedelta) -> float:
    """The lifetime of a delegation in seconds.

    Raises:
        ValueError: It is none that a delegation can have.
    """
    if not isinstance(lifetime, timedelta) or not timedelta(0) < lifetime <= MAX_LIFETIME:
        raise ValueError(
            "A delegation lasts from a moment to 90 days, such as timedelta(days=7), and not "
            f"{lifetime!r}. Entra's refresh tokens live no longer."
        )
    return lifetime.total_seconds()
