"""What the emulator remembers between two requests, bounded and in memory."""

import secrets
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from camunda_entra_fastapi.testing.directory import Application, Platform, Tenant, User
from camunda_entra_fastapi.testing.protocol.scopes import Asked

CODE_LIFETIME: Final = 600
"""Seconds, as Learn says of Entra's codes."""

REFRESH_LIFETIME: Final = 90 * 86_400
SPA_REFRESH_LIFETIME: Final = 86_400
"""Seconds from the sign-in, however often it is renewed (Learn: refresh tokens)."""

DEVICE_CODE_LIFETIME: Final = 900
MAX_REMEMBERED: Final = 10_000
_USER_CODE_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ23456789"
_USER_CODE_LENGTH: Final = 9

T = TypeVar("T")


@dataclass(slots=True)
class Session:
    """One person in one browser. Entra calls its ID ``sid``, and ``session_state`` in answers to sign-ins.

    Attributes:
        tenant: The tenant that was signed in to.
        user: Who.
        at: When, in seconds since 1970.
        second_factor: Whether one was shown.
        applications: Which applications the person used since, by client ID.
        id: A GUID.
    """

    tenant: Tenant
    user: User
    at: float
    second_factor: bool = False
    applications: dict[str, Application] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(slots=True)
class SignIn:
    """Somebody signed in for an application, and what the code or refresh token stands for."""

    tenant: Tenant
    client: Application
    user: User
    asked: Asked
    redirect_uri: str
    expires: float
    session: Session
    platform: Platform = "web"
    """Who redeems it: a server, a single-page application, or anything else that can keep no secret."""
    issued: float = 0
    nonce: str | None = None
    code_challenge: str | None = None
    code_challenge_method: str = "plain"
    contexts: tuple[str, ...] = ()
    """Authentication contexts that were asked for and are satisfied."""
    continuous: bool = False
    """Whether the client can handle claims challenges (``cp1``)."""
    of_id_token: frozenset[str] = frozenset()
    """Claims that the ID token was asked to have (``auth_time`` also because ``max_age`` was sent)."""
    redeemed: bool = False


@dataclass(slots=True)
class DeviceCode:
    """A device waits for a person who signs in elsewhere."""

    tenant: str
    """As the path named it."""
    client: Application
    asked: Asked
    user_code: str
    expires: float
    sign_in: SignIn | None = None
    declined: bool = False


@dataclass(slots=True)
class State:
    """Codes are used once; refresh tokens stay good when a new one is issued, as at Entra."""

    codes: OrderedDict[str, SignIn] = field(default_factory=OrderedDict, repr=False)
    refresh_tokens: OrderedDict[str, SignIn] = field(default_factory=OrderedDict, repr=False)
    device_codes: OrderedDict[str, DeviceCode] = field(default_factory=OrderedDict, repr=False)
    browsers: OrderedDict[str, list[Session]] = field(default_factory=OrderedDict, repr=False)
    consents: dict[tuple[str, str, str, str | None], set[str]] = field(default_factory=dict)
    """Scopes by tenant, client, resource and user (None for everybody)."""
    issued: OrderedDict[str, Session] = field(default_factory=OrderedDict, repr=False)
    """Which sign-in an access token comes from, by its ``uti``."""
    revoked: dict[str, float] = field(default_factory=dict)
    """When a person's sign-ins were revoked, by object ID."""

    def add_code(self, sign_in: SignIn) -> str:
        """A new code for it."""
        return _add(self.codes, f"1.A{secrets.token_urlsafe(60)}", sign_in)

    def add_refresh_token(self, sign_in: SignIn) -> str:
        """A new refresh token for it."""
        return _add(self.refresh_tokens, f"1.R{secrets.token_urlsafe(90)}", sign_in)

    def add_device_code(self, device_code: DeviceCode) -> str:
        """A new device code for it."""
        return _add(self.device_codes, f"D{secrets.token_urlsafe(60)}", device_code)

    def device_code_of(self, user_code: str) -> DeviceCode | None:
        """What waits for the code that a person typed, in any case."""
        wanted = user_code.strip().upper()
        waiting = (each for each in reversed(self.device_codes.values()) if each.user_code == wanted)
        return next(waiting, None)

    def remember_token(self, claims: Mapping[str, Any], session: Session) -> None:
        """Keep in mind which sign-in an access token comes from."""
        _add(self.issued, claims["uti"], session)

    def sessions_of(self, browser: str | None) -> list[Session]:
        """Who is signed in in a browser, by the value of its cookie."""
        found = self.browsers.get(browser or "", [])
        return [each for each in found if each.at > self.revoked.get(each.user.id, float("-inf"))]

    def keep_sessions(self, browser: str | None, sessions: Iterable[Session]) -> str:
        """Remember who is signed in in a browser; gives the value of its cookie."""
        name = browser if browser in self.browsers else None
        name = name or secrets.token_urlsafe(32)
        self.browsers.pop(name, None)
        return _add(self.browsers, name, list(sessions))

    def grant(self, tenant: Tenant, client: Application, asked: Iterable[Asked], user: User | None) -> None:
        """Remember a consent; without a user it is for everybody."""
        if len(self.consents) >= MAX_REMEMBERED:
            self.consents.clear()
        for each in asked:
            key = (tenant.id, client.client_id, each.resource.client_id, user.id if user else None)
            self.consents.setdefault(key, set()).update(each.permissions)

    def is_revoked(self, sign_in: SignIn) -> bool:
        """Whether it began before the person's sign-ins were revoked."""
        return sign_in.issued <= self.revoked.get(sign_in.user.id, float("-inf"))


def new_user_code() -> str:
    """Nine letters and digits without those that look alike."""
    return "".join(secrets.choice(_USER_CODE_LETTERS) for _ in range(_USER_CODE_LENGTH))


def _add(where: "OrderedDict[str, T]", name: str, value: T) -> str:
    while len(where) >= MAX_REMEMBERED:
        where.popitem(last=False)
    where[name] = value
    return name
