"""The emulator's state between requests: codes, tokens, sessions and consents, bounded and in memory."""

import secrets
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from camunda_entra_fastapi.testing.directory import Application, Platform, Tenant, User
from camunda_entra_fastapi.testing.protocol.scopes import RequestedScope

CODE_LIFETIME: Final = 600
"""Seconds that an authorization code is valid, as Learn says of Entra's."""

REFRESH_LIFETIME: Final = 90 * 86_400
SPA_REFRESH_LIFETIME: Final = 86_400
"""Seconds from the sign-in, however often the token is refreshed (Learn: refresh tokens)."""

DEVICE_CODE_LIFETIME: Final = 900
MAX_ENTRIES: Final = 10_000
_USER_CODE_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ23456789"
_USER_CODE_LENGTH: Final = 9

T = TypeVar("T")


@dataclass(slots=True)
class Session:
    """A user's session in a browser. ``sid`` and ``session_state`` are its ID.

    Attributes:
        tenant: The tenant that was signed in to.
        user: The user who signed in.
        auth_time: The time of the sign-in, in seconds since 1970.
        second_factor: Whether a second factor was presented.
        applications: The applications that the user has used in it, by client ID.
        id: A GUID.
    """

    tenant: Tenant
    user: User
    auth_time: float
    second_factor: bool = False
    applications: dict[str, Application] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(slots=True)
class SignIn:
    """A user's sign-in to an application, which a code or refresh token stands for."""

    tenant: Tenant
    client: Application
    user: User
    requested_scope: RequestedScope
    redirect_uri: str
    expires: float
    session: Session
    platform: Platform = "web"
    """The platform that redeems it: a server, a single-page application, or another public client."""
    issued: float = 0
    nonce: str | None = field(default=None, repr=False)
    code_challenge: str | None = None
    code_challenge_method: str = "plain"
    contexts: tuple[str, ...] = ()
    """Authentication contexts that were requested and are satisfied."""
    cae_capable: bool = False
    """Whether the client can handle claims challenges (``cp1``)."""
    id_token_claims: frozenset[str] = frozenset()
    """Claims that were requested for the ID token (``auth_time`` also by ``max_age``)."""
    redeemed: bool = False


@dataclass(slots=True)
class DeviceCode:
    """A device authorization that waits for a user to sign in elsewhere (RFC 8628)."""

    tenant: str
    """The tenant segment of the path."""
    client: Application
    requested_scope: RequestedScope
    user_code: str = field(repr=False)
    expires: float
    sign_in: SignIn | None = None
    declined: bool = False


@dataclass(slots=True)
class State:
    """The stores. Codes are used once; refresh tokens stay valid when a new one is issued, as at Entra."""

    codes: OrderedDict[str, SignIn] = field(default_factory=OrderedDict, repr=False)
    refresh_tokens: OrderedDict[str, SignIn] = field(default_factory=OrderedDict, repr=False)
    device_codes: OrderedDict[str, DeviceCode] = field(default_factory=OrderedDict, repr=False)
    browsers: OrderedDict[str, list[Session]] = field(default_factory=OrderedDict, repr=False)
    consents: dict[tuple[str, str, str, str | None], set[str]] = field(default_factory=dict)
    """Scopes by tenant, client, resource and user (None for everybody)."""
    issued: OrderedDict[str, Session] = field(default_factory=OrderedDict, repr=False)
    """The session that an access token comes from, by its ``uti``."""
    revoked: dict[str, float] = field(default_factory=dict)
    """The time when a user's sign-ins were revoked, by object ID."""

    def add_code(self, sign_in: SignIn) -> str:
        """Store the sign-in; gives its authorization code."""
        return _add(self.codes, f"1.A{secrets.token_urlsafe(60)}", sign_in)

    def add_refresh_token(self, sign_in: SignIn) -> str:
        """Store the sign-in; gives its refresh token."""
        return _add(self.refresh_tokens, f"1.R{secrets.token_urlsafe(90)}", sign_in)

    def add_device_code(self, device_code: DeviceCode) -> str:
        """Store the device authorization; gives its device code."""
        return _add(self.device_codes, f"D{secrets.token_urlsafe(60)}", device_code)

    def device_code_of(self, user_code: str) -> DeviceCode | None:
        """The device authorization with that user code; letter case does not matter."""
        normalized = user_code.strip().upper()
        matching = (each for each in reversed(self.device_codes.values()) if each.user_code == normalized)
        return next(matching, None)

    def add_access_token(self, claims: Mapping[str, Any], session: Session) -> None:
        """Store the session that an access token comes from."""
        _add(self.issued, claims["uti"], session)

    def sessions_of(self, browser: str | None) -> list[Session]:
        """The sessions of a browser, by the value of its cookie."""
        found = self.browsers.get(browser or "", [])
        return [each for each in found if each.auth_time > self.revoked.get(each.user.id, float("-inf"))]

    def store_sessions(self, browser: str | None, sessions: Iterable[Session]) -> str:
        """Store the sessions of a browser; gives the value of its cookie."""
        name = browser if browser in self.browsers else None
        name = name or secrets.token_urlsafe(32)
        self.browsers.pop(name, None)
        return _add(self.browsers, name, list(sessions))

    def grant(
        self,
        tenant: Tenant,
        client: Application,
        requested_scopes: Iterable[RequestedScope],
        user: User | None,
    ) -> None:
        """Store a consent; without a user it is for everybody."""
        if len(self.consents) >= MAX_ENTRIES:
            self.consents.clear()
        for requested in requested_scopes:
            key = (tenant.id, client.client_id, requested.resource.client_id, user.id if user else None)
            self.consents.setdefault(key, set()).update(requested.permissions)

    def is_revoked(self, sign_in: SignIn) -> bool:
        """Whether the sign-in is older than the revocation of the user's sign-ins."""
        return sign_in.issued <= self.revoked.get(sign_in.user.id, float("-inf"))


def new_user_code() -> str:
    """A user code of nine letters and digits without those that look alike (RFC 8628, 6.1)."""
    return "".join(secrets.choice(_USER_CODE_LETTERS) for _ in range(_USER_CODE_LENGTH))


def _add(store: "OrderedDict[str, T]", name: str, value: T) -> str:
    while len(store) >= MAX_ENTRIES:
        store.popitem(last=False)
    store[name] = value
    return name
