"""What a session is, how it is written down, and what every store of sessions does."""

import json
from base64 import b64decode, b64encode, urlsafe_b64decode
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol
from uuid import UUID

MAX_HANDLE_CHARACTERS: Final = 48 * 1024
"""More than any session needs that Entra's tokens, of 16 KiB at most, can bring about."""

_FORMAT: Final = 1
_DROPPED_CLAIMS: Final = frozenset({"aio", "at_hash", "c_hash", "nonce", "rh", "uti", "xms_ftd"})
"""Claims for Entra itself, or for the moment of signing in; not worth a cookie's room."""


@dataclass(frozen=True, slots=True)
class Session:
    """One person's sign-in. Times are in seconds since 1970.

    Its user is made from ``claims``, so that nobody needs the access token for that.
    """

    id: str = field(repr=False)
    """256 random bits, new at every sign-in and kept when it is renewed."""
    claims: Mapping[str, Any] = field(repr=False)
    """The verified claims of the access token where that is for this API, else of the ID token."""
    of_access_token: bool
    """Which of the two they are of."""
    subject: str
    """``sub`` of the ID token, which stays the same when the session is renewed (OpenID Connect, 12.2)."""
    expires_at: float
    """When the session ends whatever happens."""
    access_expires_at: float
    """Until when the claims count; from then on they must be renewed."""
    renew_at: float
    """From when on renewing is tried."""
    refresh_token: str | None = field(default=None, repr=False)
    access_token: str = field(default="", repr=False)
    """Empty where the store does not keep it."""
    sid: str | None = field(default=None, repr=False)
    """Entra's own session, named by its front-channel sign-out."""
    login_hint: str | None = field(default=None, repr=False)
    """Spares people the choice of an account when they sign out (Learn: optional claims)."""


class SessionStore(Protocol):
    """Keeps sessions under handles, which browsers hold in cookies.

    All but ``close`` raise SessionsUnavailable when the store cannot be asked. A handle from a
    browser may be anything: what is no handle, forged, of another deployment, ended or too old is None.
    """

    server_side: bool
    """Whether a session can be ended here for every copy of its cookie."""

    async def create(self, session: Session) -> str:
        """Keep a new session until its ``expires_at``; the handle, visible ASCII without ``;`` and ``,``."""

    async def read(self, handle: str) -> Session | None:
        """The session as it was last kept."""

    async def replace(self, handle: str, session: Session) -> str | None:
        """Keep the session's new state; the handle from now on. None when it was ended meanwhile."""

    async def end(self, handle: str) -> None:
        """End the session; nothing happens when there is none."""

    async def end_by_sid(self, sid: str) -> int:
        """End all sessions of that ``sid``; how many there were. Always 0 where sessions live in browsers."""

    async def use_once(self, key: str, seconds: float) -> bool:
        """Whether this is the first time in so many seconds that the mark is shown."""

    def renewing(self, handle: str) -> AbstractAsyncContextManager[None]:
        """Held while the session is renewed: one at a time, among all who share the store."""

    async def check(self) -> None:
        """Return when the store answers."""

    async def close(self) -> None:
        """Let go of connections."""


def pack(session: Session) -> bytes:
    """The session as compact JSON. Claims are left out where the access token beside them has them."""
    in_token = bool(session.access_token) and session.of_access_token
    claims = {name: value for name, value in session.claims.items() if name not in _DROPPED_CLAIMS}
    groups = None if in_token else _pack_groups(claims.get("groups"))
    if groups is not None:
        del claims["groups"]
    values = [
        _FORMAT,
        session.id,
        None if in_token else claims,
        groups,
        session.of_access_token,
        session.subject,
        session.expires_at,
        session.access_expires_at,
        session.renew_at,
        session.refresh_token,
        session.access_token,
        session.sid,
        session.login_hint,
    ]
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()


def unpack(data: bytes) -> Session | None:
    """What ``pack`` wrote; None for another format. The data was authenticated before."""
    version, identifier, claims, groups, *others = json.loads(data)
    if version != _FORMAT:
        return None
    if groups is not None:
        claims["groups"] = _unpack_groups(groups)
    session = Session(identifier, claims or {}, *others)
    return session if claims is not None else replace(session, claims=_claims_in(session.access_token))


def _pack_groups(groups: object) -> str | None:
    """The IDs of groups in base64, which a token may have 200 of; None for anything else.

    As text each takes 32 characters of a cookie, like this 22.
    """
    try:
        identifiers = [UUID(group) for group in groups]  # type: ignore[attr-defined]  # else a TypeError
    except (TypeError, ValueError, AttributeError):
        return None
    if list(map(str, identifiers)) != groups:
        return None  # another spelling would not come back
    return b64encode(b"".join(identifier.bytes for identifier in identifiers)).decode()


def _unpack_groups(text: str) -> list[str]:
    data = b64decode(text)
    return [str(UUID(bytes=data[start : start + 16])) for start in range(0, len(data), 16)]


def _claims_in(token: str) -> dict[str, Any]:
    """The claims of a token that was verified before it was kept."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims
